//! How a cluster behaves.

use std::time::Duration;

/// The settings of a cluster; Kafka's broker properties stand in brackets.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClusterConfig {
    /// How many nodes there are; their ids begin at 1.
    pub nodes: i32,
    /// Create topics when they are first asked for, with so many partitions
    /// (`auto.create.topics.enable`, `num.partitions`).
    pub auto_create_partitions: Option<i32>,
    /// How long the first join of an empty group waits for others
    /// (`group.initial.rebalance.delay.ms`).
    pub initial_rebalance_delay: Duration,
    /// The shortest session timeout a member may ask for (`group.min.session.timeout.ms`).
    pub min_session_timeout: Duration,
    /// The longest session timeout a member may ask for (`group.max.session.timeout.ms`).
    pub max_session_timeout: Duration,
    /// How many members a group may have (`group.max.size`).
    pub max_group_size: usize,
    /// Send consumers that say where they stand to the follower in their own rack
    /// (`replica.selector.class`, as with Kafka's `RackAwareReplicaSelector`). Node `n` stands in
    /// `rack-n`.
    pub reads_from_followers: bool,
    /// The largest request that is read from a socket, in bytes (`socket.request.max.bytes`).
    pub max_request_bytes: usize,
    /// Added to the instant of the core to make the timestamps of control records, in milliseconds
    /// since 1970.
    pub start_of_time: i64,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self {
            nodes: 1,
            auto_create_partitions: None,
            initial_rebalance_delay: Duration::ZERO,
            min_session_timeout: Duration::from_millis(100),
            max_session_timeout: Duration::from_secs(30 * 60),
            max_group_size: usize::MAX,
            reads_from_followers: false,
            max_request_bytes: 100 * 1024 * 1024,
            start_of_time: 1_700_000_000_000,
        }
    }
}
