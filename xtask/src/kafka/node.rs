//! One node: its files, its process.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::ports::Ports;
use super::{files, jars, probe, settings};
use crate::process::read;

/// How long a node may take to answer after its start, or to end after a signal.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many of the last lines of a log go into an error.
const LAST_LINES: usize = 15;

/// A node of a cluster, as its files tell of it.
pub(super) struct Node {
    pub(super) id: u16,
    /// The cluster's folder, where the log is.
    cluster: PathBuf,
}

impl Node {
    pub(super) fn new(cluster: &Path, id: u16) -> Self {
        Self {
            id,
            cluster: cluster.to_path_buf(),
        }
    }

    /// Whether anything is known of it.
    pub(super) fn exists(&self) -> bool {
        self.folder().exists()
    }

    /// Whether it was prepared to the end.
    pub(super) fn is_prepared(&self) -> bool {
        self.data().join("meta.properties").exists()
    }

    pub(super) fn ports(&self) -> Result<Ports, String> {
        Ports::load(&self.ports_file())
    }

    /// Writes down which ports the node has, so that nobody else is given them.
    pub(super) fn reserve(&self, ports: Ports) -> Result<(), String> {
        ports.save(&self.ports_file())
    }

    /// Writes the configuration and begins to format the log directory.
    pub(super) fn prepare(
        &self,
        cluster: &BTreeMap<u16, Ports>,
        cluster_id: &str,
    ) -> Result<Child, String> {
        let settings = settings::text(self.id, cluster, &self.data())?;
        files::write(&self.settings_file(), &settings)?;
        let log = files::append(&self.log())?;
        let mut format = Command::new("java");
        format
            .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"])
            .args(jars::java_arguments()?)
            .args(["kafka.tools.StorageTool", "format"])
            .args(["-t", cluster_id, "-c"])
            .arg(self.settings_file())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        format.spawn().map_err(|error| format!("java: {error}"))
    }

    /// Starts the process, in a process group of its own: it outlives this program, and an
    /// interrupt at the terminal is not meant for it.
    pub(super) fn start(&self) -> Result<(), String> {
        let log = files::append(&self.log())?;
        let errors = files::append(&self.log())?;
        let more = std::env::var("KAFKA_OPTS").unwrap_or_default();
        let mut java = Command::new("java");
        java.arg("-Xmx400m")
            .args(more.split_whitespace())
            .args(jars::java_arguments()?)
            .arg("kafka.Kafka")
            .arg(self.settings_file())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .process_group(0);
        let mut child = java.spawn().map_err(|error| format!("java: {error}"))?;
        files::write(&self.pid_file(), &child.id().to_string())?;
        // For a moment a new process has no command line to know it by.
        while !self.is_alive() {
            if !matches!(child.try_wait(), Ok(None)) {
                return Err(self.complaint("cannot be started"));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Waits until the node answers, and knows these nodes to be alive.
    pub(super) fn await_answer(&self, nodes: &BTreeSet<u16>) -> Result<(), String> {
        let port = self.ports()?.client;
        let start = Instant::now();
        while !probe::brokers(port).is_ok_and(|found| found.is_superset(nodes)) {
            if !self.is_alive() {
                return Err(self.complaint("has ended"));
            }
            if start.elapsed() > PATIENCE {
                return Err(self.complaint("does not answer"));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    pub(super) fn pid(&self) -> Option<u32> {
        let text = fs::read_to_string(self.pid_file()).ok()?;
        text.trim().parse().ok()
    }

    /// Whether the process runs, and is this node: the system may have given its number away again.
    pub(super) fn is_alive(&self) -> bool {
        let Some(pid) = self.pid() else {
            return false;
        };
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let settings = self.settings_file();
        words
            .split(|byte| *byte == 0)
            .any(|word| word == settings.as_os_str().as_encoded_bytes())
    }

    /// Sends a signal to the process if it runs.
    pub(super) fn signal(&self, signal: &str) -> Result<(), String> {
        match self.pid().filter(|_| self.is_alive()) {
            Some(pid) => read(Command::new("kill").args([signal, &pid.to_string()])).map(drop),
            None => Ok(()),
        }
    }

    /// Waits until the process is gone.
    pub(super) fn await_end(&self) -> Result<(), String> {
        let start = Instant::now();
        while self.is_alive() {
            if start.elapsed() > PATIENCE {
                return Err(self.complaint("does not end"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// What went wrong, with the end of the log, for the log may be gone when somebody reads this.
    pub(super) fn complaint(&self, what: &str) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(LAST_LINES);
        let last = lines.get(from..).unwrap_or_default().join("\n");
        format!(
            "node {} {what}; the end of {}:\n{last}",
            self.id,
            self.log().display()
        )
    }

    fn folder(&self) -> PathBuf {
        self.cluster.join(format!("node-{}", self.id))
    }

    fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    fn settings_file(&self) -> PathBuf {
        self.folder().join("server.properties")
    }

    fn ports_file(&self) -> PathBuf {
        self.folder().join("ports")
    }

    fn pid_file(&self) -> PathBuf {
        self.folder().join("pid")
    }

    fn log(&self) -> PathBuf {
        self.cluster.join(format!("node-{}.log", self.id))
    }
}
