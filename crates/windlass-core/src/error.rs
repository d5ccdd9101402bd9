//! What can go wrong, sorted by what the caller can do about it.

use std::fmt;
use std::time::Duration;

use windlass_model::{GroupInstanceId, TopicName, TopicPartition};
use windlass_protocol::ErrorCode;

/// What a caller can do about a [`ConsumerError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// The same call may work when made again, now or a little later.
    Retry,
    /// The group moved on: go on polling, and the consumer joins again by itself. What was not
    /// committed will be handed out again, to this member or to another.
    Rejoin,
    /// Calling again will not help before something outside is changed.
    GiveUp,
}

/// Why a call of the consumer failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumerError {
    /// The configuration cannot work: nothing was started.
    #[error("{detail}")]
    Config {
        /// Which property, and what to do.
        detail: String,
    },
    /// No broker answered in time.
    #[error("{operation} did not finish within {waited:?}: {detail}")]
    TimedOut {
        /// What was asked for.
        operation: &'static str,
        /// How long it was waited for.
        waited: Duration,
        /// What it was waiting for.
        detail: String,
    },
    /// The cluster could not be reached, or did not answer in time.
    #[error("{operation} did not succeed: {detail}")]
    Unreachable {
        /// What was asked for.
        operation: &'static str,
        /// What was tried, and what stood in the way.
        detail: String,
    },
    /// A broker refused a request.
    #[error("{operation} was refused with {code}{}: {advice}", Of(.topic_partition.as_ref()))]
    Refused {
        /// What was asked for.
        operation: &'static str,
        /// The partition it was about, where it was about one.
        topic_partition: Option<TopicPartition>,
        /// Kafka's error.
        code: ErrorCode,
        /// The next step.
        advice: String,
    },
    /// A commit was refused because the group has moved on without this member.
    #[error(
        "the commit was refused ({reason}): the group moved on; poll again to rejoin, and expect uncommitted records again"
    )]
    CommitRefused {
        /// What the coordinator said.
        reason: String,
    },
    /// A commit fell into a rebalance.
    #[error(
        "the commit fell into a rebalance: poll until it is over, then commit again what is still owned"
    )]
    RebalanceInProgress,
    /// The partition is not assigned to this consumer.
    #[error(
        "{topic_partition} is not assigned to this consumer: {operation} works on what assignment() lists"
    )]
    NotAssigned {
        /// The partition.
        topic_partition: TopicPartition,
        /// What was asked for.
        operation: &'static str,
    },
    /// There is no committed offset and `auto.offset.reset` is `none`.
    #[error(
        "{topic_partition} has no committed offset and auto.offset.reset is none: seek to where reading shall begin"
    )]
    NoOffset {
        /// The partition.
        topic_partition: TopicPartition,
    },
    /// The position lies outside of what the broker still has, and `auto.offset.reset` is `none`.
    #[error(
        "offset {offset} of {topic_partition} no longer exists and auto.offset.reset is none: seek to where reading shall go on"
    )]
    OffsetOutOfRange {
        /// The partition.
        topic_partition: TopicPartition,
        /// The offset that was asked for.
        offset: i64,
    },
    /// Records before the position were replaced by others after a change of leader.
    #[error(
        "the log of {topic_partition} was truncated below offset {offset}: seek to where reading shall go on"
    )]
    LogTruncated {
        /// The partition.
        topic_partition: TopicPartition,
        /// The position that no longer holds what was read there.
        offset: i64,
        /// Where the log still agrees with what was read, where known.
        divergent_offset: Option<i64>,
    },
    /// Bytes that are no valid records. Where `poll` or `recv` itself says so, the partition stands
    /// still until a seek. Where it comes out of the records while they are walked (a batch whose
    /// checksum is right and that still cannot be unpacked or read), the rest of the batch counts as
    /// handed out: seek before committing, or the group goes on behind it.
    #[error(
        "the records of {topic_partition} at offset {offset} are corrupt ({detail}): seek beyond them to go on"
    )]
    Corrupt {
        /// The partition.
        topic_partition: TopicPartition,
        /// The first offset that could not be read.
        offset: i64,
        /// What is wrong.
        detail: String,
    },
    /// A record whose value the application's deserializer refused. It counts as handed out: the
    /// next call goes on behind it.
    #[error(
        "the record at offset {offset} of {topic_partition} cannot be deserialized: {detail}; calling again skips it"
    )]
    Deserialize {
        /// The partition.
        topic_partition: TopicPartition,
        /// The record's offset.
        offset: i64,
        /// What the deserializer said.
        detail: String,
    },
    /// A subscribed topic may not be read.
    #[error("topic {topic} may not be read: ask for the READ and DESCRIBE permissions on it")]
    TopicAuthorization {
        /// The topic.
        topic: TopicName,
    },
    /// A subscribed topic has a name that Kafka forbids.
    #[error("{topic:?} is no legal topic name")]
    InvalidTopic {
        /// The topic.
        topic: TopicName,
    },
    /// The group may not be used.
    #[error("group {group} may not be used: ask for the READ permission on it")]
    GroupAuthorization {
        /// The group.
        group: String,
    },
    /// Another consumer took over the static identity.
    #[error(
        "group.instance.id {instance_id} was taken over by another consumer: give each its own, and close this one"
    )]
    Fenced {
        /// The identity both claim.
        instance_id: GroupInstanceId,
    },
    /// The membership is over for a reason the broker gave.
    #[error("the group refused this member: {detail}")]
    GroupRefused {
        /// What the broker said, and what to do about it.
        detail: String,
    },
    /// The call needs a group, and `group.id` is not set.
    #[error("{operation} needs a group: set group.id")]
    NoGroup {
        /// What was asked for.
        operation: &'static str,
    },
    /// The consumer's rebalance listener failed. The rebalance went on without it.
    #[error("the rebalance listener failed: {detail}")]
    Listener {
        /// What the listener said.
        detail: String,
    },
    /// The consumer has been closed.
    #[error("the consumer is closed")]
    Closed,
}

impl ConsumerError {
    /// What the caller can do.
    #[must_use]
    pub fn advice(&self) -> Advice {
        match self {
            Self::TimedOut { .. }
            | Self::Unreachable { .. }
            | Self::Deserialize { .. }
            | Self::Listener { .. } => Advice::Retry,
            Self::Refused { code, .. } if code.is_retriable() => Advice::Retry,
            Self::CommitRefused { .. } | Self::RebalanceInProgress => Advice::Rejoin,
            _ => Advice::GiveUp,
        }
    }

    /// The partition that has no position, or none that can be read from, until somebody seeks.
    pub(crate) const fn misplaced(&self) -> Option<&TopicPartition> {
        match self {
            Self::NoOffset { topic_partition }
            | Self::OffsetOutOfRange {
                topic_partition, ..
            }
            | Self::LogTruncated {
                topic_partition, ..
            }
            | Self::Corrupt {
                topic_partition, ..
            } => Some(topic_partition),
            _ => None,
        }
    }

    /// Whether the same call may work when made again.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        self.advice() != Advice::GiveUp
    }
}

/// Writes " for orders-3" where there is a partition.
struct Of<'a>(Option<&'a TopicPartition>);

impl fmt::Display for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(topic_partition) => write!(f, " for {topic_partition}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_what_and_what_to_do() {
        let error = ConsumerError::NoOffset {
            topic_partition: TopicPartition::new("orders", 3),
        };
        assert!(error.to_string().contains("orders-3"));
        assert_eq!(error.advice(), Advice::GiveUp);
        assert_eq!(ConsumerError::RebalanceInProgress.advice(), Advice::Rejoin);
    }
}
