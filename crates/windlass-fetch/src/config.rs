//! What the machine is told before it starts, and where partitions begin.

use std::time::Duration;

use windlass_model::LeaderEpoch;

/// Which records of transactions are handed out (`isolation.level`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IsolationLevel {
    /// All of them.
    #[default]
    ReadUncommitted,
    /// Only those of committed transactions, and those of no transaction.
    ReadCommitted,
}

impl IsolationLevel {
    pub(crate) const fn to_wire(self) -> i8 {
        match self {
            Self::ReadUncommitted => 0,
            Self::ReadCommitted => 1,
        }
    }
}

/// Where to go when there is no position, or it does not exist any more (`auto.offset.reset`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OffsetReset {
    /// To the oldest record.
    Earliest,
    /// Behind the newest record.
    #[default]
    Latest,
    /// Nowhere: the application is told and has to seek.
    None,
}

/// An offset to look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OffsetLookup {
    /// That of the oldest record.
    Earliest,
    /// That behind the newest record that may be read.
    Latest,
    /// That of the first record whose timestamp is at least this, in milliseconds since 1970.
    AtOrAfter(i64),
}

impl OffsetLookup {
    /// The wire's timestamp for it.
    pub(crate) const fn to_wire(self) -> i64 {
        match self {
            Self::Earliest => -2,
            Self::Latest => -1,
            Self::AtOrAfter(timestamp) => timestamp,
        }
    }
}

/// Where a partition begins that has just been assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartPosition {
    /// At a committed offset that will be told by `set_committed`.
    Awaiting,
    /// Here.
    At {
        /// The next offset to hand out.
        offset: i64,
        /// The leader epoch of the record before it, where known.
        leader_epoch: Option<LeaderEpoch>,
    },
    /// Where this leads.
    Reset(OffsetReset),
}

/// The settings of a [`FetchMachine`](crate::FetchMachine); Kafka's property names stand in
/// brackets. Mirrors Kafka's `FetchConfig`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FetchConfig {
    /// Bytes a broker should gather before it answers (`fetch.min.bytes`).
    pub min_bytes: i32,
    /// The most bytes of records in one answer (`fetch.max.bytes`).
    pub max_bytes: i32,
    /// How long a broker may gather (`fetch.max.wait.ms`).
    pub max_wait: Duration,
    /// The most bytes of one partition in one answer (`max.partition.fetch.bytes`).
    pub max_partition_bytes: i32,
    /// The bytes that may wait to be handed out, all partitions together. The first batch of a
    /// response may be larger than what was asked for, as otherwise it could never be read. What
    /// waits in paused partitions counts too; where it uses up all of this, the others are still
    /// fetched, one `max_partition_bytes` at a time.
    pub buffer_bytes: usize,
    /// Which records of transactions are handed out (`isolation.level`).
    pub isolation_level: IsolationLevel,
    /// Where to go without a position (`auto.offset.reset`).
    pub offset_reset: OffsetReset,
    /// Where the consumer stands (`client.rack`).
    pub client_rack: Option<String>,
    /// How long a follower is read from before the leader is asked again whom it would rather have read
    /// from (`metadata.max.age.ms`, which Java uses for it).
    pub metadata_max_age: Duration,
    /// How long to wait for an answer (`request.timeout.ms`).
    pub request_timeout: Duration,
    /// The first pause after a failure (`retry.backoff.ms`).
    pub retry_backoff: Duration,
    /// The longest pause after repeated failures (`retry.backoff.max.ms`).
    pub retry_backoff_max: Duration,
}

impl Default for FetchConfig {
    fn default() -> Self {
        Self {
            min_bytes: 1,
            max_bytes: 50 * 1024 * 1024,
            max_wait: Duration::from_millis(500),
            max_partition_bytes: 1024 * 1024,
            buffer_bytes: 64 * 1024 * 1024,
            isolation_level: IsolationLevel::default(),
            offset_reset: OffsetReset::default(),
            client_rack: None,
            metadata_max_age: Duration::from_secs(300),
            request_timeout: Duration::from_secs(30),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
        }
    }
}
