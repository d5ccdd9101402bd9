//! What a member keeps from one state to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use windlass_model::{Cluster, Generation, TopicName, TopicPartitions};

use crate::GroupConfig;
use crate::classic::heartbeat::Heartbeat;
use crate::classic::pacing::JoinPacing;
use crate::classic::partition_watch::Leftover;
use crate::identity::Identity;
use crate::ownership::Ownership;

/// The part of a membership that outlives its states.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) config: GroupConfig,
    pub(crate) identity: Identity,
    /// What the application subscribes to; empty when it does not.
    pub(crate) topics: BTreeSet<TopicName>,
    /// What the last JoinGroup told the group.
    pub(crate) joined_topics: BTreeSet<TopicName>,
    pub(crate) ownership: Ownership,
    pub(crate) last_assignment: LastAssignment,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) pacing: JoinPacing,
    /// Whether the application waits inside poll.
    pub(crate) application_polls: bool,
    /// What its last assignment as a leader left without an owner.
    pub(crate) leftover: Option<Leftover>,
    /// When it went away from there last.
    pub(crate) away_since: Option<Instant>,
    /// Why the member wants to join again, as soon as the rebalance it is in is over.
    pub(crate) rejoin: Option<String>,
    /// Why the join that is under way, or the last one, was sent.
    pub(crate) join_reason: String,
    pub(crate) picture: ClusterPicture,
}

/// The assignment a member got last, whether it still owns it or not: what sticky strategies claim.
#[derive(Debug, Default)]
pub(crate) struct LastAssignment {
    pub(crate) partitions: TopicPartitions,
    pub(crate) generation: Option<Generation>,
}

/// The newest picture of the cluster, and the topics that it was asked to show.
#[derive(Debug, Default)]
pub(crate) struct ClusterPicture {
    pub(crate) cluster: Arc<Cluster>,
    /// Counts the pictures that came in.
    pub(crate) version: u64,
    /// The topics the group needs, each with the version of the picture when it was asked for.
    pub(crate) needed: BTreeMap<TopicName, u64>,
}

impl ClusterPicture {
    pub(crate) fn install(&mut self, cluster: &Arc<Cluster>) {
        self.cluster = Arc::clone(cluster);
        self.version += 1;
    }

    /// Whether the picture shows the topic, or would if it existed: the first picture after the
    /// question may have been on its way already, the second cannot.
    pub(crate) fn tells_about(&self, topic: &TopicName) -> bool {
        self.shows(topic)
            || self
                .needed
                .get(topic)
                .is_some_and(|asked| self.version >= asked + 2)
    }

    pub(crate) fn shows(&self, topic: &TopicName) -> bool {
        self.partition_count(topic) > 0
    }

    /// How many partitions the topic has; 0 where it is not known.
    pub(crate) fn partition_count(&self, topic: &TopicName) -> usize {
        self.cluster.partition_count(topic.as_str()).unwrap_or(0)
    }
}

impl Member {
    pub(crate) fn new(config: GroupConfig) -> Self {
        let pacing = JoinPacing::new(&config);
        Self {
            config,
            identity: Identity::default(),
            topics: BTreeSet::new(),
            joined_topics: BTreeSet::new(),
            ownership: Ownership::default(),
            last_assignment: LastAssignment::default(),
            heartbeat: Heartbeat::default(),
            pacing,
            application_polls: false,
            leftover: None,
            away_since: None,
            rejoin: None,
            join_reason: String::new(),
            picture: ClusterPicture::default(),
        }
    }
}
