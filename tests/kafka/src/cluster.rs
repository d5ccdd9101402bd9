//! A Kafka cluster that ends with the test.

use crate::program::xtask;

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    name: String,
    bootstrap: String,
}

impl Cluster {
    /// Starts a cluster of so many nodes under a name of its own.
    ///
    /// # Errors
    ///
    /// What stood in the way.
    pub fn start(name: &str, nodes: u16) -> Result<Self, String> {
        let name = format!("{name}-{}", std::process::id());
        let printed = xtask(&[
            "kafka",
            "up",
            "--name",
            &name,
            "--nodes",
            &nodes.to_string(),
        ])?;
        let bootstrap = printed.lines().last().unwrap_or_default().trim().to_owned();
        Ok(Self { name, bootstrap })
    }

    /// What goes into `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Makes a topic.
    ///
    /// # Errors
    ///
    /// What Kafka's tool said.
    pub fn create_topic(&self, topic: &str, partitions: u16) -> Result<(), String> {
        let partitions = partitions.to_string();
        self.tool(
            "org.apache.kafka.tools.TopicCommand",
            &[
                "--bootstrap-server",
                &self.bootstrap,
                "--create",
                "--topic",
                topic,
                "--partitions",
                &partitions,
            ],
        )
    }

    /// Produces so many records of 100 bytes, spread over the partitions.
    ///
    /// # Errors
    ///
    /// What Kafka's tool said.
    pub fn produce(&self, topic: &str, records: u64) -> Result<(), String> {
        let records = records.to_string();
        self.tool(
            "org.apache.kafka.tools.ProducerPerformance",
            &[
                "--bootstrap-server",
                &self.bootstrap,
                "--topic",
                topic,
                "--num-records",
                &records,
                "--record-size",
                "100",
                "--throughput",
                "-1",
            ],
        )
    }

    /// SIGKILLs a node.
    ///
    /// # Errors
    ///
    /// What xtask said.
    pub fn kill(&self, node: u16) -> Result<(), String> {
        xtask(&["kafka", "kill", &node.to_string(), "--name", &self.name]).map(drop)
    }

    /// Starts a node again.
    ///
    /// # Errors
    ///
    /// What xtask said.
    pub fn restart(&self, node: u16) -> Result<(), String> {
        xtask(&["kafka", "restart", &node.to_string(), "--name", &self.name]).map(drop)
    }

    fn tool(&self, class: &str, arguments: &[&str]) -> Result<(), String> {
        let mut words = vec!["kafka", "run", class];
        words.extend(arguments);
        xtask(&words).map(drop)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A cluster that does not end is the next start's problem.
        drop(xtask(&["kafka", "down", "--name", &self.name]));
    }
}
