//! The parts of a Fetch response, in the order in which they arrive.

use windlass_model::{TopicId, TopicName};

use crate::ErrorCode;
use crate::messages::fetch::{
    AbortedTransaction, EpochEndOffset, LeaderIdAndEpoch, NodeEndpoint, SnapshotId,
};
use crate::records::{BatchError, RecordBatch};

/// One part of a Fetch response.
///
/// They come in this order: one `Head`; for each partition one `Partition`, its batches (sound or
/// corrupt) in the order of the log, one `PartitionEnd`; one `End`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchPart {
    /// The response begins.
    Head {
        /// How long the broker wants to be left alone: milliseconds, 0 for not at all.
        throttle_time_ms: i32,
        /// An error of the whole response, such as a lost fetch session; always none before
        /// version 7.
        error_code: ErrorCode,
        /// The fetch session, 0 for none (KIP-227).
        session_id: i32,
    },
    /// A partition begins.
    Partition(FetchedPartition),
    /// A record batch of the partition that began last; its checksum has been verified.
    Batch(RecordBatch),
    /// A record batch of the partition that began last cannot be used. What follows it is read on.
    CorruptBatch {
        /// The offset at which the batch says it begins.
        base_offset: i64,
        /// The offset at which the batch says it ends, where it says so credibly. When the fault is
        /// the checksum, this number is as doubtful as the rest of the batch.
        last_offset: Option<i64>,
        /// What is wrong.
        error: BatchError,
    },
    /// The partition that began last is complete.
    PartitionEnd(PartitionEnd),
    /// The response is complete.
    End {
        /// Where the leaders named in this response can be reached (KIP-951).
        node_endpoints: Vec<NodeEndpoint>,
    },
}

/// What a Fetch response says of a partition before its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedPartition {
    /// The topic by name, up to version 12; empty from version 13 on.
    pub topic: TopicName,
    /// The topic by id, from version 13 on (KIP-516); zero before.
    pub topic_id: TopicId,
    /// The index of the partition.
    pub partition: i32,
    /// The error of this partition, if any.
    pub error_code: ErrorCode,
    /// One beyond the last offset that all in-sync replicas have.
    pub high_watermark: i64,
    /// One beyond the last offset before which every transaction is decided, −1 if not known.
    pub last_stable_offset: i64,
    /// The first offset of the log, −1 if not known (before version 5).
    pub log_start_offset: i64,
    /// The aborted transactions that reach into the returned records, in order of their first
    /// offsets as brokers send them; only when reading committed records.
    pub aborted_transactions: Vec<AbortedTransaction>,
    /// The replica that the broker would rather have read from, −1 for none (KIP-392).
    pub preferred_read_replica: i32,
}

/// What a Fetch response says of a partition after its records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionEnd {
    /// Where the log of the consumer and that of the leader part (KIP-320).
    pub diverging_epoch: Option<EpochEndOffset>,
    /// The leader, when the one that was asked is not it (KIP-951).
    pub current_leader: Option<LeaderIdAndEpoch>,
    /// The snapshot to fetch instead; only replicas of the metadata log are told.
    pub snapshot_id: Option<SnapshotId>,
    /// Bytes at the end of the records that are not a whole batch, and were dropped: brokers may
    /// cut the last batch anywhere. Without a single batch before them, the batch at the fetched
    /// offset is larger than the fetch allowed.
    pub dropped_tail: usize,
}
