//! What a seed stands for: printed with every failure.

use std::fmt;
use std::time::Duration;

use windlass_machine::SplitMix64;

use crate::upgrade::Course;

/// Who commits, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commits {
    /// The consumer by its timer, and before partitions go.
    Timer,
    /// The application, after each poll.
    Manual,
    /// The application now and then, and its listener before partitions go.
    Listener,
}

/// The settings of a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// What it all follows from.
    pub seed: u64,
    /// Nodes of the cluster.
    pub nodes: i32,
    /// Partitions of the topic.
    pub partitions: i32,
    /// Members at the start.
    pub members: u32,
    /// The assignment strategies, and how they change.
    pub course: Course,
    /// Whether the strategies change while nothing else goes wrong.
    pub upgrade_in_calm: bool,
    /// How long nothing goes wrong at first; members come and go as they please.
    pub calm: Duration,
    /// Who commits.
    pub commits: Commits,
    /// Whether listeners take their time, now and then more than a rebalance has.
    pub slow_listeners: bool,
    /// Whether the members are static.
    pub static_members: bool,
    /// `session.timeout.ms`.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`.
    pub heartbeat_interval: Duration,
    /// `max.poll.interval.ms`.
    pub max_poll_interval: Duration,
    /// `max.poll.records`.
    pub max_poll_records: usize,
    /// `windlass.buffer.bytes`.
    pub buffer_bytes: usize,
    /// The longest way of a message.
    pub latency: Duration,
    /// How many thousandths of the messages break their connection.
    pub loss: u64,
    /// How long faults go on.
    pub troubled: Duration,
    /// How often a fault happens, on average.
    pub fault_every: Duration,
    /// How often a batch is produced to some partition.
    pub produce_every: Duration,
    /// Whether applications take records one by one, as with `recv` and streams, and not by the poll.
    pub one_by_one: bool,
    /// Whether applications drop the futures of calls that wait, and do something else then.
    pub drops_futures: bool,
}

impl Options {
    /// The settings that follow from a seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let members = 1 + random.below(5);
        let upgrade = members >= 2 && random.chance(1, 3);
        let course = if upgrade {
            Course::upgrade(&mut random)
        } else {
            Course::steady(&mut random)
        };
        let mut between = |low: u64, high: u64| low + random.below(high - low + 1);
        let session = between(1000, 6000);
        let upgrade_in_calm = upgrade && between(0, 1) == 0;
        let calm = if upgrade_in_calm {
            between(20, 40)
        } else {
            between(5, 20)
        };
        Self {
            seed,
            nodes: i32::try_from(between(1, 3)).unwrap_or(1),
            partitions: i32::try_from(between(1, 12)).unwrap_or(1),
            members: u32::try_from(members).unwrap_or(1),
            course,
            upgrade_in_calm,
            calm: Duration::from_secs(calm),
            commits: match between(0, 4) {
                0 | 1 => Commits::Timer,
                2 => Commits::Manual,
                _ => Commits::Listener,
            },
            slow_listeners: between(0, 2) == 0,
            static_members: between(0, 3) == 0,
            session_timeout: Duration::from_millis(session),
            heartbeat_interval: Duration::from_millis(session / between(3, 8)),
            max_poll_interval: Duration::from_millis(between(2000, 10_000)),
            max_poll_records: usize::try_from(between(1, 200)).unwrap_or(1),
            buffer_bytes: usize::try_from(between(2_000, 200_000)).unwrap_or(2000),
            latency: Duration::from_millis(between(1, 80)),
            loss: between(0, 10),
            troubled: Duration::from_secs(between(20, 60)),
            fault_every: Duration::from_millis(between(500, 8000)),
            produce_every: Duration::from_millis(between(5, 60)),
            one_by_one: between(0, 2) == 0,
            drops_futures: between(0, 2) == 0,
        }
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} nodes, {} partitions, {} {} members, {} ({:?} commits{}{}{}), session {:?}, heartbeat {:?}, max poll {:?} and {} \
             records, buffer {} bytes, latency up to {:?}, calm for {:?}{}, {} in 1000 messages lost, trouble for {:?} every {:?}",
            self.nodes,
            self.partitions,
            self.members,
            if self.static_members {
                "static"
            } else {
                "dynamic"
            },
            self.course.describe(),
            self.commits,
            if self.slow_listeners {
                ", slow listeners"
            } else {
                ""
            },
            if self.one_by_one { ", one by one" } else { "" },
            if self.drops_futures {
                ", futures dropped"
            } else {
                ""
            },
            self.session_timeout,
            self.heartbeat_interval,
            self.max_poll_interval,
            self.max_poll_records,
            self.buffer_bytes,
            self.latency,
            self.calm,
            if self.upgrade_in_calm {
                " and upgraded then"
            } else {
                ""
            },
            self.loss,
            self.troubled,
            self.fault_every,
        )
    }
}
