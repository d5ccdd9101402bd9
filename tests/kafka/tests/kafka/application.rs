//! The application that is killed: it writes each step down before it takes the next.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use windlass::{Advice, Consumer, ConsumerError, OffsetReset};

use crate::view;

/// The first word of the command line that makes this program the application.
pub(crate) const WORD: &str = "--application";

/// The session of a member that is not static: so long the others wait for one that was killed.
const SESSION: Duration = Duration::from_secs(2);

/// What one record costs, so that a kill often falls into the work.
const WORK: Duration = Duration::from_micros(400);

/// Few, so that there are many polls and commits to be killed between.
const RECORDS_A_POLL: usize = 50;

const AUTO_COMMIT_INTERVAL: Duration = Duration::from_millis(100);

/// Who commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commits {
    /// The application, after it has processed what a poll brought.
    ByHand,
    /// The consumer, by its timer.
    ByTimer,
}

/// What an application is told to do.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    pub(crate) commits: Commits,
    pub(crate) bootstrap: String,
    /// The name of the topic, and of the group.
    pub(crate) topic: String,
    /// The file it writes its steps to.
    pub(crate) steps: PathBuf,
    /// Who it is, where it is a static member.
    pub(crate) instance: Option<String>,
}

impl Orders {
    /// Starts the application as a process of its own. It ends when its input does.
    pub(crate) fn start(&self) -> Child {
        let by_hand = self.commits == Commits::ByHand;
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .arg(WORD)
            .arg(if by_hand { "by-hand" } else { "by-timer" })
            .args([&self.bootstrap, &self.topic])
            .arg(&self.steps)
            .args(&self.instance)
            .stdin(Stdio::piped());
        command.spawn().unwrap()
    }

    fn parse(words: &[String]) -> Option<Self> {
        let [commits, bootstrap, topic, steps, rest @ ..] = words else {
            return None;
        };
        Some(Self {
            commits: if commits == "by-hand" {
                Commits::ByHand
            } else {
                Commits::ByTimer
            },
            bootstrap: bootstrap.clone(),
            topic: topic.clone(),
            steps: Path::new(steps).into(),
            instance: rest.first().cloned(),
        })
    }
}

/// The whole program: what follows [`WORD`] on the command line says what to do.
#[expect(clippy::print_stderr, reason = "a program tells why it ends")]
pub(crate) fn run(words: &[String]) -> ExitCode {
    let Some(orders) = Orders::parse(words) else {
        eprintln!("{WORD} by-hand|by-timer BOOTSTRAP TOPIC STEPS [INSTANCE]");
        return ExitCode::FAILURE;
    };
    let ending = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&ending);
    thread::spawn(move || {
        // Nothing is ever written to it: this returns when the input has ended.
        drop(std::io::stdin().read_to_end(&mut Vec::new()));
        told.store(true, Ordering::Relaxed);
    });
    match view::runtime().block_on(consume(&orders, &ending)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the application ends: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn consume(orders: &Orders, ending: &AtomicBool) -> Result<(), ConsumerError> {
    let mut consumer = consumer(orders)?;
    let mut steps = Steps::create(&orders.steps);
    while !ending.load(Ordering::Relaxed) {
        let records = match consumer.poll(Duration::from_millis(100)).await {
            Ok(records) => records,
            Err(error) if error.advice() == Advice::GiveUp => return Err(error),
            Err(_) => continue,
        };
        for (partition, batch) in records.by_partition() {
            for record in batch {
                thread::sleep(WORK);
                steps.write("processed", partition.partition, record?.offset());
            }
        }
        if orders.commits == Commits::ByHand && !records.is_empty() {
            match consumer.commit().await {
                Err(error) if error.advice() == Advice::GiveUp => return Err(error),
                _ => {}
            }
        }
        // The next poll tells the consumer so; from then on the timer may commit up to here.
        for (partition, batch) in records.by_partition() {
            steps.write("back", partition.partition, batch.next_offset());
        }
    }
    consumer.close(Duration::from_secs(20)).await
}

fn consumer(orders: &Orders) -> Result<Consumer, ConsumerError> {
    let mut builder = Consumer::builder()
        .bootstrap_servers(&orders.bootstrap)
        .group_id(&*orders.topic)
        .auto_offset_reset(OffsetReset::Earliest)
        .enable_auto_commit(orders.commits == Commits::ByTimer)
        .auto_commit_interval(AUTO_COMMIT_INTERVAL)
        .max_poll_records(RECORDS_A_POLL)
        .session_timeout(SESSION)
        .heartbeat_interval(SESSION / 6)
        .subscribe([orders.topic.as_str()]);
    if let Some(instance) = &orders.instance {
        // It comes back as the same member, however long that takes.
        builder = builder
            .group_instance_id(&**instance)
            .session_timeout(SESSION * 10);
    }
    Ok(builder.build()?)
}

/// The file that survives the process: a line is there as soon as it is written.
struct Steps(File);

impl Steps {
    fn create(path: &Path) -> Self {
        Self(File::create_new(path).unwrap())
    }

    fn write(&mut self, step: &str, partition: i32, offset: i64) {
        let line = format!("{step} {partition} {offset}\n");
        self.0.write_all(line.as_bytes()).unwrap();
    }
}
