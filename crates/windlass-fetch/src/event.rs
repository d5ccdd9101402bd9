//! What the machine tells the one who drives it.

use std::collections::BTreeMap;
use std::fmt;

use windlass_model::{BrokerEndpoint, LeaderEpoch, NodeId, TopicPartition};
use windlass_protocol::ErrorCode;

/// The name of one question for offsets; its [`FetchEvent::OffsetsListed`] carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListOffsetsId(pub u64);

impl fmt::Display for ListOffsetsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "offset question {}", self.0)
    }
}

/// Something that happened. Every event says why, in words for a person.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FetchEvent {
    /// The picture of the cluster is missing something, or is wrong. Please refresh it.
    MetadataNeeded {
        /// Why.
        reason: String,
    },
    /// A broker told where another one listens (KIP-951).
    BrokerFound {
        /// The broker.
        node: NodeId,
        /// Where it listens.
        endpoint: BrokerEndpoint,
    },
    /// A position was moved without the application asking for it.
    PositionReset {
        /// Whose.
        topic_partition: TopicPartition,
        /// Where it was, if it was anywhere.
        from: Option<i64>,
        /// Where it is now.
        to: i64,
        /// Why.
        reason: String,
    },
    /// The topic was deleted and created anew: what was read, and whatever was to be committed for it,
    /// belongs to a log that is no more.
    TopicRecreated {
        /// Whose log it was.
        topic_partition: TopicPartition,
    },
    /// A partition stands still, or may not be read.
    PartitionFailed {
        /// Which.
        topic_partition: TopicPartition,
        /// What is the matter.
        error: FetchError,
    },
    /// There are records to take where there were none.
    RecordsReady,
    /// A question for offsets has ended.
    OffsetsListed {
        /// Which.
        id: ListOffsetsId,
        /// What was found for each partition; `None` where no record is that young.
        results: BTreeMap<TopicPartition, Result<Option<FoundOffset>, LookupError>>,
    },
}

/// An offset that was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundOffset {
    /// The offset.
    pub offset: i64,
    /// The timestamp of its record, where the question was for one.
    pub timestamp: Option<i64>,
    /// The leader epoch of its record, where the broker tells it.
    pub leader_epoch: Option<LeaderEpoch>,
}

/// Why a partition is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The leader was asked where the log begins or ends, and answered without an error and without an
    /// offset. It is asked again.
    #[error("the leader does not say where the log begins or ends")]
    NoSuchEnd,
    /// There is no committed offset, and no rule where to begin. The partition waits for a seek.
    #[error("there is no committed offset and no reset policy")]
    NoOffset,
    /// The position does not exist, and there is no rule where to go. The partition waits for a
    /// seek.
    #[error("offset {offset} is out of range and there is no reset policy")]
    OffsetOutOfRange {
        /// The position.
        offset: i64,
    },
    /// What was read before the position has been replaced, and there is no rule where to go. The
    /// partition waits for a seek.
    #[error("the log was truncated below offset {offset}")]
    LogTruncated {
        /// The position.
        offset: i64,
        /// Where the log and what was read part, where known.
        divergent_offset: Option<i64>,
    },
    /// A batch cannot be used. The partition waits for a seek beyond it.
    #[error("the batch at offset {offset} is corrupt: {detail}")]
    Corrupt {
        /// Where it begins, or the position if that lies inside of it.
        offset: i64,
        /// What is wrong, and where the next batch begins if the batch says so credibly.
        detail: String,
    },
    /// The broker sends no more than the beginning of the batch at the position, however much it is
    /// asked for. It is tried again from time to time.
    #[error(
        "the broker does not send the whole batch at offset {offset}, though asked for {asked} bytes"
    )]
    BatchTooLarge {
        /// The next offset to fetch.
        offset: i64,
        /// Bytes that were asked for.
        asked: i32,
    },
    /// Under `read_committed` the broker sends records of which it says itself that they are not decided
    /// yet. They are not handed out, and asked for again from time to time.
    #[error(
        "the broker sends records from offset {offset} on, and says that transactions are decided only below offset {last_stable_offset}; isolation.level=read_uncommitted reads what such a broker sends"
    )]
    Undecided {
        /// The next offset to fetch.
        offset: i64,
        /// The last stable offset that the broker tells.
        last_stable_offset: i64,
    },
    /// The broker cannot be asked, and that will not pass by itself: it does not accept who we are,
    /// or speaks no version that we do. It is tried again from time to time.
    #[error("{detail}")]
    Unreachable {
        /// Which broker, and what happened.
        detail: String,
    },
    /// A broker refuses. The partition is tried again from time to time.
    #[error("the broker answered {}", code.name())]
    Refused {
        /// What was asked for.
        api: &'static str,
        /// Kafka's error.
        code: ErrorCode,
    },
}

/// Why an offset could not be looked up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// A broker refuses.
    #[error("the broker answered ListOffsets with {}", code.name())]
    Refused {
        /// Kafka's error.
        code: ErrorCode,
    },
    /// The broker cannot be asked, and that will not pass by itself.
    #[error("{detail}")]
    Unreachable {
        /// Which broker, and what happened.
        detail: String,
    },
    /// The deadline passed.
    #[error("the offset was not told in time: {waiting_for}")]
    TimedOut {
        /// What it was waiting for.
        waiting_for: String,
    },
}
