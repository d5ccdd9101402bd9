//! Consumers in processes of their own, and the groups they form.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::cluster::Cluster;
use crate::log::Log;

/// How long a member may take for what depends on nobody else: starting, closing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whose consumer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// Ours.
    Windlass,
    /// Kafka's own `VerifiableConsumer`.
    Java,
}

/// A group on one topic, and how its members are configured.
#[derive(Debug)]
pub struct Group {
    /// What the members tell.
    pub log: Log,
    cluster: Cluster,
    folder: PathBuf,
    topic: String,
    id: String,
    properties: Vec<(String, String)>,
    session_timeout: Duration,
}

impl Group {
    /// A group without members. Their sessions last ten seconds, and they commit after every poll.
    #[must_use]
    pub fn new(cluster: &Cluster, topic: &str, id: &str) -> Self {
        Self {
            log: Log::default(),
            cluster: cluster.clone(),
            folder: cluster.folder().join(id),
            topic: topic.to_owned(),
            id: id.to_owned(),
            properties: Vec::new(),
            session_timeout: Duration::from_secs(10),
        }
    }

    /// Gives members that are started from now on a property, or an option of their command line
    /// where the name begins with `--`.
    pub fn set(&mut self, name: &str, value: &str) {
        self.properties.retain(|(known, _)| known != name);
        self.properties.push((name.to_owned(), value.to_owned()));
    }

    /// How long members that are started from now on may be silent.
    pub const fn set_session_timeout(&mut self, timeout: Duration) {
        self.session_timeout = timeout;
    }

    /// The group's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The topic it reads.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Starts a windlass member of this name.
    ///
    /// # Panics
    ///
    /// When the program cannot be started.
    #[must_use]
    pub fn start(&self, name: &str) -> Member {
        self.start_client(name, Client::Windlass, &[])
    }

    /// Starts a member of this name, with more options.
    ///
    /// # Panics
    ///
    /// When the program cannot be started.
    #[must_use]
    pub fn start_client(&self, name: &str, client: Client, options: &[&str]) -> Member {
        fs::create_dir_all(&self.folder).expect("a folder for the members' properties");
        let file = self.folder.join(format!("{name}.properties"));
        let mut command = match client {
            Client::Windlass => {
                let mut command = Command::new(&self.cluster.programs().windlass);
                command.arg("verifiable-consumer");
                command
            }
            Client::Java => self
                .cluster
                .java("org.apache.kafka.tools.VerifiableConsumer"),
        };
        command
            .args(["--bootstrap-server", self.cluster.bootstrap()])
            .args(["--topic", &self.topic, "--group-id", &self.id])
            .args([
                "--session-timeout",
                &self.session_timeout.as_millis().to_string(),
            ])
            .arg("--command-config")
            .arg(&file)
            .args(options);
        let mut text = format!("client.id={name}\n");
        for (name, value) in &self.properties {
            if name.starts_with("--") {
                command.arg(name);
                command.args(Some(value).filter(|value| !value.is_empty()));
            } else {
                text += &format!("{name}={value}\n");
            }
        }
        fs::write(&file, text).expect("a member's properties are written");
        self.start_command(name, command)
    }

    /// Starts a member of this name by a command of the caller's, which prints the same events.
    ///
    /// # Panics
    ///
    /// When the program cannot be started.
    #[must_use]
    pub fn start_command(&self, name: &str, command: Command) -> Member {
        fs::create_dir_all(&self.folder).expect("a folder for what the members log");
        let place = self.log.enter(name);
        let log_file = self.folder.join(format!("{name}.log"));
        Member::start(command, place, name, &log_file, self.log.clone())
    }
}

/// A running member; it is killed when dropped.
#[derive(Debug)]
pub struct Member {
    /// Its place in the group's log.
    pub place: usize,
    name: String,
    child: Child,
    log: Log,
    reader: Option<JoinHandle<()>>,
}

impl Member {
    fn start(mut command: Command, place: usize, name: &str, errors: &Path, log: Log) -> Self {
        let file = File::options().create(true).append(true).open(errors);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file.expect("a file for a member's log"))
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let output = child.stdout.take().expect("the output is piped");
        let reader = {
            let log = log.clone();
            thread::spawn(move || read(output, place, &log))
        };
        Self {
            place,
            name: name.to_owned(),
            child,
            log,
            reader: Some(reader),
        }
    }

    /// What it is called in stories.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends it a signal by name, such as `STOP`.
    ///
    /// # Panics
    ///
    /// When that cannot be done.
    pub fn signal(&self, signal: &str) {
        let mut kill = Command::new("kill");
        kill.args([format!("-{signal}"), self.child.id().to_string()]);
        assert!(
            kill.status().is_ok_and(|status| status.success()),
            "{kill:?}"
        );
    }

    /// Asks it to stop and waits until it has: it must close its consumer and exit without complaint.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn stop(mut self) {
        self.signal("TERM");
        let (place, name) = (self.place, self.name.clone());
        self.log.wait(&format!("{name} stops"), PATIENCE, |all| {
            all[place].has_exited
        });
        let status = self.child.wait().expect("the member is waited for");
        // Java ends with the signal's number.
        assert!(
            status.success() || status.code() == Some(143),
            "{name}: {status}"
        );
        assert!(
            self.log.read(|all| all[place].judge.is_closed),
            "{}",
            self.log.story()
        );
    }

    /// Kills it without warning.
    pub fn kill(mut self) {
        self.end();
    }

    /// Waits until it has ended by itself; its exit code.
    ///
    /// # Panics
    ///
    /// When it does not end.
    #[must_use]
    pub fn await_end(mut self) -> Option<i32> {
        let (place, name) = (self.place, self.name.clone());
        self.log.wait(&format!("{name} ends"), PATIENCE, |all| {
            all[place].has_exited
        });
        self.child.wait().expect("the member is waited for").code()
    }

    fn end(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.log.on_kill(self.place);
            drop(self.child.kill());
            drop(self.child.wait());
        }
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.end();
    }
}

fn read(output: ChildStdout, place: usize, log: &Log) {
    for line in BufReader::new(output).lines() {
        let Ok(line) = line else {
            break;
        };
        log.on_line(place, line);
    }
    log.on_exit(place);
}
