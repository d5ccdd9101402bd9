//! One node: its configuration, its process.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::jars;
use crate::process::read;

/// How long a node may take to answer after its start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A node of a cluster, as the files in its folder tell of it.
pub(super) struct Node {
    pub(super) id: u16,
    folder: PathBuf,
}

impl Node {
    pub(super) fn new(cluster: &Path, id: u16) -> Self {
        Self {
            id,
            folder: cluster.join(format!("node-{id}")),
        }
    }

    /// Writes the configuration and formats the log directory.
    pub(super) fn prepare(&self, ports: &[(u16, u16)], cluster_id: &str) -> Result<(), String> {
        fs::create_dir_all(&self.folder).map_err(|error| self.story(&error))?;
        fs::write(self.config(), self.config_text(ports)).map_err(|error| self.story(&error))?;
        let (port, _) = ports
            .get(usize::from(self.id - 1))
            .copied()
            .unwrap_or_default();
        fs::write(self.folder.join("port"), port.to_string())
            .map_err(|error| self.story(&error))?;
        let mut format = Command::new("java");
        format.args([
            "-cp",
            &jars::class_path()?,
            "kafka.tools.StorageTool",
            "format",
            "-t",
            cluster_id,
            "-c",
        ]);
        read(format.arg(self.config())).map(drop)
    }

    /// Starts the process; it outlives this program.
    pub(super) fn start(&self) -> Result<(), String> {
        let log = File::create(self.log()).map_err(|error| self.story(&error))?;
        let errors = log.try_clone().map_err(|error| self.story(&error))?;
        let mut java = Command::new("setsid");
        java.args([
            "java",
            "-Xmx400m",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            &jars::class_path()?,
            "kafka.Kafka",
        ])
        .arg(self.config())
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors);
        let child = java
            .spawn()
            .map_err(|error| format!("java cannot be started: {error}"))?;
        fs::write(self.folder.join("pid"), child.id().to_string())
            .map_err(|error| self.story(&error))
    }

    /// Waits until the node takes connections.
    pub(super) fn await_answer(&self) -> Result<(), String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port()?));
        let start = Instant::now();
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            // A process that is only just becoming java has no command line to know it by.
            let settled = start.elapsed() > Duration::from_secs(2);
            if start.elapsed() > PATIENCE || (settled && !self.is_alive()) {
                return Err(format!(
                    "node {} does not answer; its log is {}",
                    self.id,
                    self.log().display()
                ));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    pub(super) fn port(&self) -> Result<u16, String> {
        let text =
            fs::read_to_string(self.folder.join("port")).map_err(|error| self.story(&error))?;
        text.trim()
            .parse()
            .map_err(|_| format!("node {}: {text:?} is no port", self.id))
    }

    pub(super) fn pid(&self) -> Option<u32> {
        fs::read_to_string(self.folder.join("pid"))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// Whether the process runs, and is Kafka: the system may have given its number away again.
    pub(super) fn is_alive(&self) -> bool {
        let Some(pid) = self.pid() else {
            return false;
        };
        let command_line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command_line).contains("kafka.Kafka")
    }

    /// Sends a signal, and waits until the process is gone.
    pub(super) fn signal(&self, signal: &str) -> Result<(), String> {
        let Some(pid) = self.pid().filter(|_| self.is_alive()) else {
            return Ok(());
        };
        read(Command::new("kill").args([signal, &pid.to_string()]))?;
        let start = Instant::now();
        while self.is_alive() {
            if start.elapsed() > PATIENCE {
                return Err(format!("node {} does not end", self.id));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn config(&self) -> PathBuf {
        self.folder.join("server.properties")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log.txt")
    }

    fn story(&self, error: &std::io::Error) -> String {
        format!("{}: {error}", self.folder.display())
    }

    fn config_text(&self, ports: &[(u16, u16)]) -> String {
        let (port, controller_port) = ports
            .get(usize::from(self.id - 1))
            .copied()
            .unwrap_or_default();
        let voters: Vec<String> = (1..)
            .zip(ports)
            .map(|(id, (_, controller))| format!("{id}@127.0.0.1:{controller}"))
            .collect();
        let nodes = ports.len();
        let id = self.id;
        format!(
            "process.roles=broker,controller\nnode.id={id}\nbroker.rack=rack-{id}\n\
             controller.quorum.voters={voters}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
             controller.listener.names=CONTROLLER\ninter.broker.listener.name=PLAINTEXT\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             log.dirs={data}\nauto.create.topics.enable=false\n\
             default.replication.factor={nodes}\nmin.insync.replicas=1\n\
             offsets.topic.replication.factor={nodes}\noffsets.topic.num.partitions=3\n\
             transaction.state.log.replication.factor={nodes}\ntransaction.state.log.min.isr=1\n\
             transaction.state.log.num.partitions=3\nshare.coordinator.state.topic.replication.factor={nodes}\n\
             group.initial.rebalance.delay.ms=0\ngroup.min.session.timeout.ms=1000\n\
             group.consumer.min.session.timeout.ms=1000\ngroup.consumer.session.timeout.ms=6000\n\
             group.consumer.min.heartbeat.interval.ms=100\ngroup.consumer.heartbeat.interval.ms=1000\n\
             replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector\n\
             broker.session.timeout.ms=6000\nbroker.heartbeat.interval.ms=1000\n\
             controlled.shutdown.enable=true\n",
            voters = voters.join(","),
            data = self.folder.join("data").display(),
        )
    }
}
