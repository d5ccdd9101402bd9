//! What a seed stands for: printed with every failure.

use std::fmt;
use std::time::Duration;

use windlass_machine::SplitMix64;

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
    /// The assignment strategies, by Kafka's names, in order of preference.
    pub strategies: Vec<&'static str>,
    /// Whether members commit by timer, or by hand after each poll.
    pub auto_commit: bool,
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
}

impl Options {
    /// The settings that follow from a seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let mut between = |low: u64, high: u64| low + random.below(high - low + 1);
        let session = between(1000, 6000);
        let strategies = match between(0, 5) {
            0 => vec!["range"],
            1 => vec!["roundrobin"],
            2 => vec!["sticky"],
            3 => vec!["range", "roundrobin"],
            4 => vec!["cooperative-sticky", "range"],
            _ => vec!["cooperative-sticky"],
        };
        Self {
            seed,
            nodes: i32::try_from(between(1, 3)).unwrap_or(1),
            partitions: i32::try_from(between(1, 12)).unwrap_or(1),
            members: u32::try_from(between(1, 5)).unwrap_or(1),
            strategies,
            auto_commit: between(0, 1) == 0,
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
        }
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} nodes, {} partitions, {} {} members, {} ({} commits), session {:?}, heartbeat {:?}, max poll {:?} and {} \
             records, buffer {} bytes, latency up to {:?}, {} in 1000 messages lost, trouble for {:?} every {:?}",
            self.nodes,
            self.partitions,
            self.members,
            if self.static_members {
                "static"
            } else {
                "dynamic"
            },
            self.strategies.join(" then "),
            if self.auto_commit { "timed" } else { "manual" },
            self.session_timeout,
            self.heartbeat_interval,
            self.max_poll_interval,
            self.max_poll_records,
            self.buffer_bytes,
            self.latency,
            self.loss,
            self.troubled,
            self.fault_every,
        )
    }
}
