//! Clusters of Apache Kafka for tests, which end with the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::programs::Programs;

/// A cluster. Clones are the same cluster; with the last of them it is taken down.
#[derive(Clone, Debug)]
pub struct Cluster {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    programs: Programs,
    /// None for a cluster that is not ours to take down.
    name: Option<String>,
    bootstrap: String,
    java_arguments: Vec<String>,
    folder: PathBuf,
}

/// Numbers the clusters of this process.
static STARTED: AtomicU32 = AtomicU32::new(0);

impl Cluster {
    /// Brings what a cluster needs onto this machine, if it is not here yet.
    ///
    /// # Errors
    ///
    /// What is missing: Java, Maven, or the way to Kafka's artifacts.
    pub fn prepare(programs: &Programs) -> Result<(), String> {
        let mut java = Command::new("java");
        java.arg("-version")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if !java.status().is_ok_and(|status| status.success()) {
            return Err("there is no java".to_owned());
        }
        xtask(programs, &["--quiet", "fetch"]).map(drop)
    }

    /// Starts a cluster of so many nodes.
    ///
    /// # Errors
    ///
    /// What Java, Maven or Kafka said.
    pub fn start(programs: &Programs, nodes: u16) -> Result<Self, String> {
        let name = format!(
            "tests-{}-{}",
            std::process::id(),
            STARTED.fetch_add(1, Ordering::Relaxed)
        );
        let up = [
            "--quiet",
            "up",
            "--name",
            &name,
            "--nodes",
            &nodes.to_string(),
        ];
        let bootstrap = xtask(programs, &up)?;
        Ok(Self::new(programs, Some(name), bootstrap))
    }

    /// A cluster that somebody else runs.
    #[must_use]
    pub fn existing(programs: &Programs, bootstrap: String) -> Self {
        Self::new(programs, None, bootstrap)
    }

    fn new(programs: &Programs, name: Option<String>, bootstrap: String) -> Self {
        let folder = std::env::temp_dir().join(format!(
            "windlass-tests-{}-{}",
            std::process::id(),
            name.as_deref().unwrap_or("existing")
        ));
        let java_arguments = xtask(programs, &["classpath"])
            .map(|path| vec!["-cp".to_owned(), path])
            .unwrap_or_default();
        Self {
            inner: Arc::new(Inner {
                programs: programs.clone(),
                name,
                bootstrap,
                java_arguments,
                folder,
            }),
        }
    }

    /// The programs that work on it.
    #[must_use]
    pub fn programs(&self) -> &Programs {
        &self.inner.programs
    }

    /// The addresses to begin with.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.inner.bootstrap
    }

    /// Where what belongs to the tests of this cluster is written.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// Ends a node with SIGKILL.
    ///
    /// # Panics
    ///
    /// When that cannot be done, or the cluster is not ours.
    pub fn kill(&self, node: i32) {
        self.node("kill", node);
    }

    /// Starts a node; one that runs is ended before that.
    ///
    /// # Panics
    ///
    /// When that cannot be done, or the cluster is not ours.
    pub fn restart(&self, node: i32) {
        self.node("restart", node);
    }

    fn node(&self, verb: &str, node: i32) {
        let name = self.inner.name.as_deref().expect("a cluster of our own");
        let words = [verb, &node.to_string(), "--name", name];
        xtask(&self.inner.programs, &words).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Creates a topic, replicated to all nodes up to three.
    ///
    /// # Panics
    ///
    /// When Kafka refuses.
    pub fn create_topic(&self, topic: &str, partitions: u32) {
        let partitions = partitions.to_string();
        self.tool(
            "org.apache.kafka.tools.TopicCommand",
            &[
                "--create",
                "--if-not-exists",
                "--topic",
                topic,
                "--partitions",
                &partitions,
            ],
        );
    }

    /// Runs one of Kafka's tools against the cluster; what it printed.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn tool(&self, class: &str, arguments: &[&str]) -> String {
        let output = self
            .java(class)
            .args(["--bootstrap-server", self.bootstrap()])
            .args(arguments)
            .output()
            .expect("Java starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{class} {arguments:?}: {text}{errors}"
        );
        text
    }

    /// A Java of Kafka's, small and quick to start.
    #[must_use]
    pub fn java(&self, class: &str) -> Command {
        let mut java = Command::new("java");
        java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx192m"])
            .args(&self.inner.java_arguments)
            .arg(class);
        java
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            drop(xtask(&self.programs, &["down", "--name", name]));
        }
        if !std::thread::panicking() && std::env::var_os("WINDLASS_KEEP_LOGS").is_none() {
            drop(fs::remove_dir_all(&self.folder));
        }
    }
}

/// Runs `xtask kafka` with these words; the last line of its answer.
fn xtask(programs: &Programs, words: &[&str]) -> Result<String, String> {
    let output = Command::new(&programs.xtask)
        .arg("kafka")
        .args(words)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("xtask: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().last().unwrap_or_default().to_owned())
}
