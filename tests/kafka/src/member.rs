//! A member of a group: a process that prints the events of Kafka's `VerifiableConsumer`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Sender;

use serde_json::Value;

use crate::program::xtask;

/// An event of a member's, as it printed it.
#[derive(Clone, Debug)]
pub struct Event {
    /// Whose.
    pub member: String,
    /// What: the JSON object.
    pub json: Value,
}

/// A process.
#[derive(Debug)]
pub struct Member {
    name: String,
    child: Child,
}

impl Member {
    /// Starts a windlass member.
    ///
    /// # Errors
    ///
    /// Why it did not start.
    pub fn windlass(
        program: &Path,
        name: &str,
        arguments: &[&str],
        events: Sender<Event>,
    ) -> Result<Self, String> {
        let mut command = Command::new(program);
        command.arg("verifiable-consumer").args(arguments);
        Self::start(command, name, events)
    }

    /// Starts Kafka's own member.
    ///
    /// # Errors
    ///
    /// Why it did not start.
    pub fn java(name: &str, arguments: &[&str], events: Sender<Event>) -> Result<Self, String> {
        let class_path = xtask(&["kafka", "classpath"])?;
        let mut command = Command::new("java");
        command
            .args([
                "-Xmx256m",
                "-cp",
                class_path.trim(),
                "org.apache.kafka.tools.VerifiableConsumer",
            ])
            .args(arguments);
        Self::start(command, name, events)
    }

    fn start(mut command: Command, name: &str, events: Sender<Event>) -> Result<Self, String> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{command:?}: {error}"))?;
        let output = child.stdout.take().ok_or("no output")?;
        let member = name.to_owned();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let Ok(json) = serde_json::from_str(&line) else {
                    continue;
                };
                if events
                    .send(Event {
                        member: member.clone(),
                        json,
                    })
                    .is_err()
                {
                    return;
                }
            }
        });
        Ok(Self {
            name: name.to_owned(),
            child,
        })
    }

    /// What the member is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Ends it as an orderly shutdown does (SIGTERM), and waits until it is gone.
    ///
    /// # Errors
    ///
    /// Why the signal could not be sent.
    pub fn terminate(mut self) -> Result<(), String> {
        let pid = self.child.id().to_string();
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .map_err(|error| error.to_string())?;
        self.child
            .wait()
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// Ends it without a word (SIGKILL).
    ///
    /// # Errors
    ///
    /// Why it could not be killed.
    pub fn kill(mut self) -> Result<(), String> {
        self.child.kill().map_err(|error| error.to_string())?;
        self.child
            .wait()
            .map(drop)
            .map_err(|error| error.to_string())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // A test that fails half-way leaves nothing running.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
