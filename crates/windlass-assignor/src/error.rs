//! What can be wrong with an assignment.

use std::error::Error;
use std::sync::Arc;

use windlass_model::{MemberId, TopicName};

/// Why a group leader has no assignment to hand out.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssignError {
    /// Partitions were given to somebody who is not in the group.
    #[error("{member} was given partitions but is no member of the group")]
    UnknownMember {
        /// The stranger.
        member: MemberId,
    },
    /// The topic is not in the cluster snapshot.
    #[error("{member} was given partitions of {topic}, which the cluster does not have")]
    UnknownTopic {
        /// Who was to get the partitions.
        member: MemberId,
        /// The topic nobody knows.
        topic: TopicName,
    },
    /// The member did not ask for the topic.
    #[error("{member} was given partitions of {topic}, to which it is not subscribed")]
    NotSubscribed {
        /// Who was to get the partitions.
        member: MemberId,
        /// The topic it did not ask for.
        topic: TopicName,
    },
    /// The topic has no such partition.
    #[error("{member} was given {topic}-{partition}, but the topic has {count} partitions")]
    PartitionOutOfRange {
        /// Who was to get the partition.
        member: MemberId,
        /// The topic.
        topic: TopicName,
        /// The index that does not exist.
        partition: i32,
        /// How many partitions the topic has: indexes go from 0 to `count` − 1.
        count: usize,
    },
    /// One partition has two owners, or one owner twice.
    #[error("{topic}-{partition} was given to {first} and to {second}")]
    AssignedTwice {
        /// The topic.
        topic: TopicName,
        /// The partition's index.
        partition: i32,
        /// Who got it first, in order of member ids.
        first: MemberId,
        /// Who got it again; the same as `first` when the partition stands twice in one list.
        second: MemberId,
    },
    /// There are more than the 2³¹ partitions or 2³⁰ members that a plan can number.
    #[error("there are more partitions or members than an assignment can number")]
    TooLarge,
    /// A strategy of the application failed for a reason of its own.
    #[error("the assignment strategy failed: {0}")]
    Strategy(#[source] Arc<dyn Error + Send + Sync>),
}

impl AssignError {
    /// Wraps the error of a strategy that is not one of this crate's.
    pub fn strategy(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Strategy(Arc::from(error.into()))
    }
}
