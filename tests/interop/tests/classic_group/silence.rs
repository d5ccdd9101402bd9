//! Retained partitions stay where they are and go on being read while others join and leave.
//!
//! Two members stay, a third comes and goes. It does so in the group, and by turns in another group
//! on the same topic: that costs the machine as much and rebalances nothing, so that what lies
//! between the two is the price of the rebalances alone.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use windlass_test_kafka::cluster::Cluster;
use windlass_test_kafka::judge::Tenure;
use windlass_test_kafka::log::Log;
use windlass_test_kafka::member::{Client, Group, Member};
use windlass_test_kafka::produce::Producing;
use windlass_test_kafka::programs::Programs;
use windlass_test_kafka::silence::Silences;

use crate::member::Kind;
use crate::requirements::{Requirements, say};

const STRATEGY: &str = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor";

const PARTITIONS: usize = 6;

/// How long the third stays, and stays away, when everything is settled.
const REST: Duration = Duration::from_secs(1);

const PATIENCE: Duration = Duration::from_secs(60);

/// A record of every partition comes that often.
const STEADY_MILLISECONDS: &str = "10";

/// What is needed to begin.
pub(crate) fn cluster() -> Result<Cluster, String> {
    let programs = Programs::build()?;
    Cluster::prepare(&programs)?;
    Cluster::start(&programs, 1)
}

/// Lets the first lead, the second stay with it, and the third come and go so many times. Tells how
/// long the two heard nothing of the partitions they kept.
fn retained_partitions_are_read_on(
    cluster: &Cluster,
    requirements: &Requirements,
    [first, second, third]: [Kind; 3],
    rounds: usize,
) -> String {
    let topic = format!("{}-leads", first.name());
    cluster.create_topic(&topic, 6);
    let group = Members::new(cluster, requirements, &topic, &topic);
    let elsewhere = Members::new(cluster, requirements, &topic, &format!("{topic}-not"));
    let producing = trickle(cluster, requirements, &topic);
    let leader = group.start(first);
    await_shares(&group.group.log, &[leader.place]);
    let stayer = group.start(second);
    let staying = [leader.place, stayer.place];
    await_shares(&group.group.log, &staying);

    let mut steady = Vec::new();
    let mut rebalancing = Vec::new();
    // The first time in the other group it has to read all there is; that is not counted.
    come_and_go(&elsewhere, third, &[]);
    for _ in 0..rounds {
        steady.push(come_and_go(&elsewhere, third, &[]));
        rebalancing.push(come_and_go(&group, third, &staying));
    }
    producing.stop();
    let mut told = Vec::new();
    for (kind, place) in [(first, leader.place), (second, stayer.place)] {
        told.push(compare(
            kind,
            &group.group.log,
            place,
            &steady,
            &rebalancing,
        ));
    }
    stayer.stop();
    leader.stop();
    group.group.log.assert_sound();
    format!(
        "{} leads {}, {} comes and goes {rounds} times, nobody lost what it could keep; ms without records of a \
         partition: {}",
        first.name(),
        second.name(),
        third.name(),
        told.join("; ")
    )
}

/// What the member heard with and without rebalances, which for ours must not be worlds apart.
fn compare(
    kind: Kind,
    log: &Log,
    place: usize,
    steady: &[(u64, u64)],
    rebalancing: &[(u64, u64)],
) -> String {
    let tenures = log.read(|all| all[place].judge.tenures.clone());
    let [steady, rebalancing] = [steady, rebalancing].map(|times| {
        let mut silences = Silences::default();
        for time in times {
            silences.add(&tenures, *time);
        }
        silences
    });
    let name = kind.name();
    let told = format!("{name} steadily {steady}, in rebalances {rebalancing}");
    assert!(
        steady.count() > 0 && rebalancing.count() > 0,
        "{name} heard nothing: {told}"
    );
    assert!(
        kind != Kind::Windlass || rebalancing.longest() <= 2 * steady.longest(),
        "retained partitions were silent for longer than twice their steady time: {told}"
    );
    told
}

/// Lets one more member come, rest, and go, beside those that stay; from when to when that was.
fn come_and_go(members: &Members<'_>, kind: Kind, staying: &[usize]) -> (u64, u64) {
    let log = &members.group.log;
    let from = milliseconds();
    let before = tenures(log, staying);
    let member = members.start(kind);
    let all: Vec<usize> = staying.iter().copied().chain([member.place]).collect();
    await_shares(log, &all);
    assert_kept(&before, &tenures(log, staying));
    std::thread::sleep(REST);
    let before = tenures(log, staying);
    member.stop();
    if !staying.is_empty() {
        await_shares(log, staying);
    }
    assert_kept(&before, &tenures(log, staying));
    std::thread::sleep(REST);
    (from, milliseconds())
}

/// All tenures of these members.
fn tenures(log: &Log, members: &[usize]) -> Vec<Vec<Tenure>> {
    let of = |member: &usize| log.read(|all| all[*member].judge.tenures.clone());
    members.iter().map(of).collect()
}

/// Fails where a member gave a partition away and has it again: what it keeps is never revoked.
fn assert_kept(before: &[Vec<Tenure>], after: &[Vec<Tenure>]) {
    for (before, after) in before.iter().zip(after) {
        for old in before.iter().filter(|tenure| tenure.to.is_none()) {
            let again = after[before.len()..]
                .iter()
                .find(|tenure| tenure.partition == old.partition);
            assert!(again.is_none(), "revoked and given back: {again:?}");
        }
    }
}

/// Waits until these members share all partitions, as evenly as can be.
fn await_shares(log: &Log, members: &[usize]) {
    let members = members.to_vec();
    log.wait("each has its share", PATIENCE, |all| {
        let mut owned: Vec<i32> = Vec::new();
        for member in &members {
            let judge = &all[*member].judge;
            if judge.owned().count() != PARTITIONS / members.len() {
                return false;
            }
            owned.extend(judge.owned().map(|owned| owned.partition));
        }
        owned.sort_unstable();
        owned.dedup();
        owned.len() == PARTITIONS
    });
}

/// A group that members of every kind can join.
struct Members<'a> {
    group: Group,
    cluster: &'a Cluster,
    requirements: &'a Requirements,
    topic: String,
}

impl<'a> Members<'a> {
    fn new(cluster: &'a Cluster, requirements: &'a Requirements, topic: &str, id: &str) -> Self {
        let mut group = Group::new(cluster, topic, id);
        group.set("--assignment-strategy", STRATEGY);
        group.set("--enable-autocommit", "");
        group.set("--reset-policy", "earliest");
        group.set("heartbeat.interval.ms", "500");
        Self {
            group,
            cluster,
            requirements,
            topic: topic.to_owned(),
        }
    }

    fn start(&self, kind: Kind) -> Member {
        let number = self.group.log.read(<[_]>::len);
        let name = format!("{}-{number}", kind.name());
        match kind {
            Kind::Windlass => self.group.start_client(&name, Client::Windlass, &[]),
            Kind::Java => self.group.start_client(&name, Client::Java, &[]),
            Kind::Librdkafka => {
                let mut command = Command::new("python3");
                command.arg(&self.requirements.script).args([
                    "consume",
                    self.cluster.bootstrap(),
                    &self.topic,
                    self.group.id(),
                    "cooperative-sticky",
                ]);
                self.group.start_command(&name, command)
            }
        }
    }
}

/// Begins to send a record to each partition by itself, again and again.
fn trickle(cluster: &Cluster, requirements: &Requirements, topic: &str) -> Producing {
    let mut command = Command::new("python3");
    command.arg(&requirements.script).args([
        "trickle",
        cluster.bootstrap(),
        topic,
        &PARTITIONS.to_string(),
        STEADY_MILLISECONDS,
    ]);
    Producing::start(command)
}

/// How often the third comes and goes: `WINDLASS_ROUNDS`, or a few times.
fn rounds() -> usize {
    let text = std::env::var("WINDLASS_ROUNDS").unwrap_or_default();
    text.parse().unwrap_or(3)
}

/// Says what was seen, with each of the three leading once.
pub(crate) fn run(cluster: &Cluster, requirements: &Requirements) {
    let orders = [
        [Kind::Windlass, Kind::Java, Kind::Librdkafka],
        [Kind::Java, Kind::Windlass, Kind::Librdkafka],
        [Kind::Librdkafka, Kind::Windlass, Kind::Java],
    ];
    for order in orders {
        let seen = retained_partitions_are_read_on(cluster, requirements, order, rounds());
        say(&format!("Kafka, cooperative-sticky: {seen}"));
    }
}

fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}
