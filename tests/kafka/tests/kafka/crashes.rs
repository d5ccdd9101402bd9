//! Applications killed at random moments, between poll, work and commit.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use windlass_test_kafka::cluster::Cluster;
use windlass_test_kafka::ranges::Ranges;

use crate::application::{Commits, Orders};
use crate::stage::{NotRun, Stage};
use crate::trail::Trail;
use crate::view;

const PARTITIONS: i32 = 4;

const PATIENCE: Duration = Duration::from_secs(120);

/// How many records come in a second all the while.
const A_SECOND: i64 = 1_500;

/// The shortest and the longest time between two kills: some fall into a join, most into the work.
const LIVES: (u64, u64) = (200, 3_000);

pub(crate) fn commits_by_hand_lose_nothing_when_killed(stage: &Stage) -> Result<String, NotRun> {
    Ok(kill_at_random(stage, Commits::ByHand, "by-hand"))
}

pub(crate) fn commits_by_timer_stop_at_what_was_come_back_from(
    stage: &Stage,
) -> Result<String, NotRun> {
    Ok(kill_at_random(stage, Commits::ByTimer, "by-timer"))
}

fn kill_at_random(stage: &Stage, commits: Commits, name: &str) -> String {
    let cluster = stage.cluster();
    let rounds = Stage::number("WINDLASS_ROUNDS", 6);
    let topic = Stage::unique(name);
    cluster.create_topic(&topic, PARTITIONS.unsigned_abs());
    let producing = cluster.endless(&topic, A_SECOND);
    let mut crew = Crew::start(cluster, &topic, commits);
    let mut committed = BTreeMap::new();
    let mut kills = 0;
    for _ in 0..rounds {
        thread::sleep(Duration::from_millis(LIVES.0 + random(LIVES.1 - LIVES.0)));
        kills += crew.kill(1 + random(3));
        committed = crew.check_commits(&committed);
        crew.restart();
    }
    producing.stop();
    let ends = view::ends(cluster, &topic, PARTITIONS);
    let ends: BTreeMap<i32, i64> = ends.iter().map(|(at, end)| (at.partition, *end)).collect();
    crew.await_all(&ends);
    crew.stop();
    assert_eq!(committed_by_kafkas_tool(cluster, &topic), ends);
    let records: i64 = ends.values().sum();
    let repeated: i64 = crew.trail.processed.values().map(Ranges::repeated).sum();
    format!(
        "{rounds} rounds, {kills} kills, {records} records, 0 lost, {repeated} processed again; after each kill \
         nothing was committed that had not been {}",
        match commits {
            Commits::ByHand => "processed",
            Commits::ByTimer => "processed and come back from",
        }
    )
}

/// Two applications of one group: a static member, whose place is kept for it, and one whose death
/// the group has to find out.
struct Crew {
    cluster: Cluster,
    orders: Orders,
    applications: [Option<Child>; 2],
    trail: Trail,
    started: u32,
}

impl Crew {
    fn start(cluster: &Cluster, topic: &str, commits: Commits) -> Self {
        fs::create_dir_all(cluster.folder()).unwrap();
        let mut crew = Self {
            cluster: cluster.clone(),
            orders: Orders {
                commits,
                bootstrap: cluster.bootstrap().to_owned(),
                topic: topic.to_owned(),
                steps: cluster.folder().join(topic),
                instance: None,
            },
            applications: [None, None],
            trail: Trail::default(),
            started: 0,
        };
        crew.restart();
        crew
    }

    /// Starts who is not there.
    fn restart(&mut self) {
        let instances = [Some("the-same".to_owned()), None];
        for (application, instance) in self.applications.iter_mut().zip(instances) {
            if application.is_none() {
                self.started += 1;
                let mut orders = self.orders.clone();
                orders.steps = self.orders.steps.with_extension(self.started.to_string());
                orders.instance = instance;
                self.trail.follow(orders.steps.clone());
                *application = Some(orders.start());
            }
        }
    }

    /// Kills the first, the second or, as 1 and 2 together, both; how many that were.
    fn kill(&mut self, who: u64) -> u32 {
        let mut kills = 0;
        for (bit, application) in [1, 2].into_iter().zip(&mut self.applications) {
            if who & bit != 0
                && let Some(mut child) = application.take()
            {
                let ended = child.try_wait().unwrap();
                assert_eq!(ended, None, "an application ended by itself");
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
            }
        }
        kills
    }

    /// Asks the group, then the applications: they write each step down before they take the next.
    fn check_commits(&mut self, before: &BTreeMap<i32, i64>) -> BTreeMap<i32, i64> {
        let topic = &self.orders.topic;
        let committed = view::committed(&self.cluster, topic, topic, PARTITIONS);
        let committed: BTreeMap<i32, i64> = committed
            .iter()
            .map(|(at, offset)| (at.partition, *offset))
            .collect();
        self.trail.read();
        let gaps = self.trail.gaps(&committed);
        assert!(gaps.is_empty(), "committed and not processed: {gaps:?}");
        for (partition, offset) in &committed {
            let back = self.trail.back.get(partition).copied().unwrap_or_default();
            assert!(
                self.orders.commits == Commits::ByHand || *offset <= back,
                "{offset} is committed of {partition}, and {back} come back from"
            );
            let before = before.get(partition).copied().unwrap_or_default();
            assert!(before <= *offset, "{partition} went from {before} back");
        }
        committed
    }

    /// Waits until every record has been processed.
    fn await_all(&mut self, ends: &BTreeMap<i32, i64>) {
        let start = Instant::now();
        loop {
            self.trail.read();
            let gaps = self.trail.gaps(ends);
            if gaps.is_empty() {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "never processed: {gaps:?}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Lets the applications end in good order.
    fn stop(&mut self) {
        for application in &mut self.applications {
            let mut child = application.take().unwrap();
            drop(child.stdin.take());
            assert!(child.wait().unwrap().success(), "an application complains");
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        // After a failure only; otherwise nobody is there any more.
        self.kill(3);
    }
}

/// What the group has committed, as Kafka's own tool tells.
fn committed_by_kafkas_tool(cluster: &Cluster, group: &str) -> BTreeMap<i32, i64> {
    let text = cluster.tool(
        "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
        &["--describe", "--group", group],
    );
    let rows = text.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [found, _, partition, offset, ..] = words[..] else {
            return None;
        };
        let row = (partition.parse().ok()?, offset.parse().ok()?);
        (found == group).then_some(row)
    });
    rows.collect()
}

/// A number below this one: a kill is to come when nobody expects it.
fn random(below: u64) -> u64 {
    RandomState::new().hash_one(Instant::now()) % below
}
