//! Kafka's own producers and others, to have something to consume.

use std::fs;
use std::process::{Child, Command, Stdio};

use crate::cluster::Cluster;

impl Cluster {
    /// Produces so many records of 100 bytes, and waits until they are there.
    ///
    /// # Panics
    ///
    /// When not all could be produced.
    pub fn produce(&self, topic: &str, records: i64) {
        self.producing(topic, records, -1).wait();
    }

    /// Begins to produce so many records of 100 bytes, so many a second; -1 for as fast as can be.
    ///
    /// # Panics
    ///
    /// When Java cannot be started.
    #[must_use]
    pub fn producing(&self, topic: &str, records: i64, a_second: i64) -> Producing {
        // Small batches go round all partitions even when there are few records.
        let mut java = self.java("org.apache.kafka.tools.ProducerPerformance");
        java.args(["--bootstrap-server", self.bootstrap(), "--topic", topic])
            .args([
                "--num-records",
                &records.to_string(),
                "--record-size",
                "100",
            ])
            .args(["--throughput", &a_second.to_string()])
            .args(["--command-property", "acks=all", "batch.size=4096"])
            .stdout(Stdio::piped());
        Producing::start(java)
    }

    /// Begins to produce so many small records a second, until it is stopped.
    ///
    /// # Panics
    ///
    /// When Java cannot be started.
    #[must_use]
    pub fn endless(&self, topic: &str, a_second: i64) -> Producing {
        // A producer stays with a partition until it has filled a batch of it: small ones let it go
        // round all partitions several times a second.
        self.endless_with(topic, a_second, "producer", "batch.size=200\n")
    }

    /// As [`endless`](Self::endless), to one partition after the other.
    ///
    /// # Panics
    ///
    /// When Java cannot be started.
    #[must_use]
    pub fn endless_in_turn(&self, topic: &str, a_second: i64) -> Producing {
        let properties = "partitioner.class=org.apache.kafka.clients.producer.RoundRobinPartitioner\nlinger.ms=5\n";
        self.endless_with(topic, a_second, "producer-in-turn", properties)
    }

    fn endless_with(&self, topic: &str, a_second: i64, name: &str, properties: &str) -> Producing {
        fs::create_dir_all(self.folder()).expect("a folder for the producer's properties");
        let file = self.folder().join(format!("{name}.properties"));
        fs::write(&file, properties).expect("the producer's properties are written");
        let mut java = self.java("org.apache.kafka.tools.VerifiableProducer");
        java.args(["--bootstrap-server", self.bootstrap(), "--topic", topic])
            .args(["--throughput", &a_second.to_string()])
            .arg("--command-config")
            .arg(file)
            .stdout(Stdio::null());
        Producing::start(java)
    }
}

/// Records being produced.
#[derive(Debug)]
pub struct Producing(Option<Child>);

impl Producing {
    /// Starts a producer by a command of the caller's.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        Self(Some(command.spawn().expect("the producer starts")))
    }

    /// Waits until all are there.
    ///
    /// # Panics
    ///
    /// When not all could be produced.
    pub fn wait(mut self) {
        if let Some(child) = self.0.take() {
            let output = child
                .wait_with_output()
                .expect("the producer is waited for");
            let told = [output.stdout, output.stderr].concat();
            let told = String::from_utf8_lossy(&told);
            assert!(output.status.success(), "the producer failed: {told}");
        }
    }

    /// Stops the producer; what it sent is there when this returns.
    ///
    /// # Panics
    ///
    /// When it had ended by itself.
    pub fn stop(mut self) {
        if let Some(mut child) = self.0.take() {
            let ended = child.try_wait().expect("the producer is looked at");
            assert_eq!(ended, None, "the producer ended by itself");
            let mut kill = Command::new("kill");
            drop(kill.arg(child.id().to_string()).status());
            drop(child.wait_with_output());
        }
    }
}

impl Drop for Producing {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            drop(child.kill());
            drop(child.wait());
        }
    }
}
