//! What the application asks of the core, and what it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use windlass_fetch::{OffsetReset, TakenRecords};
use windlass_group::{AssignmentJob, AssignmentToken};
use windlass_machine::OutgoingRequest;
use windlass_model::{
    BrokerEndpoint, Cluster, Generation, MemberId, NodeId, OffsetAndMetadata, TopicName,
    TopicPartition,
};

use crate::ConsumerError;

/// The name of something the application asked for; later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub u64);

/// The name of a call to the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallbackId(pub u64);

/// How far the application is with what it was handed: it came back from everything of all polls up
/// to `through`, was given everything of all polls up to `given`, and of the poll after that what lies
/// below the offsets in `partial`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The last poll whose records the application has come back from.
    pub through: Option<OperationId>,
    /// The last poll whose records the application was given to the end.
    pub given: Option<OperationId>,
    /// Next offsets inside the records that it was handed and not given to the end.
    pub partial: BTreeMap<TopicPartition, OffsetAndMetadata>,
    /// Where what it was handed turned out to be unreadable.
    pub unreadable: BTreeMap<TopicPartition, i64>,
}

/// Which moment of a partition is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OffsetQuery {
    /// The oldest record that exists.
    Beginning,
    /// Behind the newest record that may be read.
    End,
    /// The first record whose timestamp is at least this, in milliseconds since the Unix epoch.
    AtOrAfter(i64),
}

/// An offset found by its timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetAndTimestamp {
    /// The offset.
    pub offset: i64,
    /// The record's timestamp, in milliseconds since the Unix epoch; absent for beginnings and ends.
    pub timestamp: Option<i64>,
}

/// Where to move a position.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SeekTo {
    /// To this offset.
    Offset(OffsetAndMetadata),
    /// To where a reset of this kind leads.
    Reset(OffsetReset),
}

/// What to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommitWhat {
    /// Everything given out so far, the record in hand included.
    HandedOut,
    /// Everything the application came back from: where a caller that is not the application cannot
    /// say how far it is.
    Finished,
    /// These offsets.
    Offsets(BTreeMap<TopicPartition, OffsetAndMetadata>),
}

/// What the application asks for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Intent {
    /// Records, at most this many. Stays open until there are some or [`Intent::EndPoll`].
    Poll {
        /// The most records to hand out.
        max_records: usize,
    },
    /// The application no longer waits for this poll.
    EndPoll(OperationId),
    /// The application asks which of its partitions are still its own.
    CheckIn,
    /// Share these topics with the group.
    Subscribe(BTreeSet<TopicName>),
    /// Leave the group, or drop a manual assignment.
    Unsubscribe,
    /// Read these partitions without a group's assignment.
    Assign(BTreeSet<TopicPartition>),
    /// Commit; with a deadline until which retriable failures are retried, without one at most once.
    Commit {
        /// What to commit.
        what: CommitWhat,
        /// Until when to retry.
        retry_until: Option<Instant>,
    },
    /// The partitions that are assigned.
    Assignment,
    /// The committed offsets of these partitions.
    Committed(BTreeSet<TopicPartition>),
    /// The offset after what the application was given of this partition, waited for while it is not
    /// known.
    Position(TopicPartition),
    /// As [`Intent::Position`], but after what the application came back from.
    FinishedPosition(TopicPartition),
    /// Move a position.
    Seek(TopicPartition, SeekTo),
    /// Hand out and fetch nothing of these until they are resumed; what was handed out of them and
    /// not given comes again then.
    Pause {
        /// The partitions.
        partitions: BTreeSet<TopicPartition>,
        /// What was handed out of them and not given. It is fetched again where it is not here.
        returned: Vec<TakenRecords>,
    },
    /// End the pause of these.
    Resume(BTreeSet<TopicPartition>),
    /// Look offsets up.
    ListOffsets(BTreeMap<TopicPartition, OffsetQuery>),
    /// Commit what auto-commit covers, leave the group, and stop, all by the deadline.
    Close,
}

impl Intent {
    /// Whether who asks for this has come back from what it was given.
    pub(crate) const fn comes_back(&self) -> bool {
        matches!(
            self,
            Self::Poll { .. } | Self::CheckIn | Self::Unsubscribe | Self::Close
        )
    }
}

/// What the application is told.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reply {
    /// It is done.
    Done,
    /// Records, none where the poll ended without.
    Records {
        /// The records.
        records: Vec<TakenRecords>,
        /// [`ConsumerCore::attention`](super::ConsumerCore::attention) at that moment.
        attention: u64,
    },
    /// The partitions that are assigned now.
    Partitions(BTreeSet<TopicPartition>),
    /// Committed offsets; `None` where the group has none.
    Offsets(BTreeMap<TopicPartition, Option<OffsetAndMetadata>>),
    /// A position.
    Position(i64),
    /// Offsets that were looked up; `None` where no record is that young.
    Listed(BTreeMap<TopicPartition, Option<OffsetAndTimestamp>>),
}

/// What a listener is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RebalanceNotice {
    /// What happens to the partitions.
    pub kind: RebalanceKind,
    /// The partitions.
    pub partitions: Vec<TopicPartition>,
    /// The generation that the member belonged to when it began, if to any.
    pub generation: Option<Generation>,
    /// The id that the member had then, if any.
    pub member_id: Option<MemberId>,
    /// Why, in words for a person.
    pub reason: String,
}

/// What happens to partitions, and so which method of the listener is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RebalanceKind {
    /// Partitions are about to go.
    Revoked,
    /// Partitions have come.
    Assigned,
    /// Partitions are gone.
    Lost,
}

impl RebalanceKind {
    /// What happens to the partitions, in a word.
    pub(crate) const fn participle(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Assigned => "assigned",
            Self::Lost => "lost",
        }
    }
}

/// What the core wants done, in this order: what a request depends on comes before it.
#[derive(Debug)]
pub enum Effect {
    /// Send this request.
    Send(OutgoingRequest),
    /// Tell the application.
    Reply {
        /// What it had asked for.
        operation: OperationId,
        /// The answer.
        outcome: Result<Reply, ConsumerError>,
    },
    /// Call the listener, then say so with `on_callback_done`.
    Callback {
        /// The name to say it under.
        id: CallbackId,
        /// What to tell it.
        notice: RebalanceNotice,
    },
    /// Compute an assignment, here or on another thread, and give it to `on_assignment_computed`.
    ComputeAssignment {
        /// The name to give it back under.
        token: AssignmentToken,
        /// The work.
        job: AssignmentJob,
    },
    /// Tell the transport where one broker is.
    BrokerFound {
        /// The broker.
        node: NodeId,
        /// Where it listens.
        endpoint: BrokerEndpoint,
    },
    /// Tell the transport where the brokers are.
    ClusterChanged(Arc<Cluster>),
}
