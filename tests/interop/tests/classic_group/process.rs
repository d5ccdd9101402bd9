//! A member that is a process, and prints what Kafka's `VerifiableConsumer` prints.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Sender;
use std::thread;

use serde_json::Value;

use crate::history::{Event, Report};
use crate::member::Kind;

#[derive(Debug)]
pub(crate) struct ProcessMember {
    child: Child,
}

impl ProcessMember {
    pub(crate) fn start(kind: Kind, mut command: Command, reports: Sender<Report>) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        thread::spawn(move || {
            let events = lines.map_while(Result::ok).flat_map(|line| read(&line));
            for event in events.chain([Event::Ended]) {
                if reports.send(Report { kind, event }).is_err() {
                    return;
                }
            }
        });
        Self { child }
    }

    pub(crate) fn stop(mut self) {
        let id = self.child.id().to_string();
        let signalled = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(signalled.success());
        self.child.wait().unwrap();
    }
}

impl Drop for ProcessMember {
    fn drop(&mut self) {
        // Only after a failure is it still alive, or else there is nothing to kill.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a line tells; nothing where it tells something else.
fn read(line: &str) -> Vec<Event> {
    let Ok(line) = serde_json::from_str::<Value>(line) else {
        return Vec::new();
    };
    let partitions = line["partitions"].as_array().cloned().unwrap_or_default();
    let number = |value: &Value| value.as_i64().unwrap();
    let indexes = || {
        let indexes = partitions.iter().map(|it| number(&it["partition"]));
        indexes.collect()
    };
    match line["name"].as_str() {
        Some("partitions_assigned") => vec![Event::Assigned(indexes())],
        Some("partitions_revoked") => vec![Event::Revoked(indexes())],
        Some("records_consumed") => partitions
            .iter()
            .map(|it| {
                let (first, last) = (number(&it["minOffset"]), number(&it["maxOffset"]));
                assert_eq!(number(&it["count"]), last - first + 1, "without gaps: {it}");
                Event::Read {
                    partition: number(&it["partition"]),
                    offsets: first..last + 1,
                }
            })
            .collect(),
        _ => Vec::new(),
    }
}
