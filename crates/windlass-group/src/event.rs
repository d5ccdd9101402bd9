//! What the machine tells the one who drives it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use windlass_model::{
    BrokerEndpoint, Generation, MemberId, NodeId, OffsetAndMetadata, TopicName, TopicPartition,
};

use crate::{AssignmentJob, CommitError, GroupError, GroupState, OffsetFetchError};

macro_rules! numbered_name {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

numbered_name!(
    /// The name of one thing the application is asked to do; given back when it is done. Only the
    /// newest token counts: an older one that comes back later is dropped.
    CallbackToken, "callback "
);
numbered_name!(
    /// The name of one assignment to be computed; given back with the result.
    AssignmentToken, "assignment "
);
numbered_name!(
    /// The name of one commit; its [`GroupEvent::CommitDone`] carries it.
    CommitId, "commit "
);
numbered_name!(
    /// The name of one question for committed offsets; its [`GroupEvent::OffsetsFetched`] carries it.
    OffsetFetchId, "offset fetch "
);

/// Something that happened. Every event says why, in words for a person.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum GroupEvent {
    /// The machine went from one state to another.
    StateChanged {
        /// The state that was left.
        from: GroupState,
        /// The state that was entered.
        to: GroupState,
        /// Why.
        reason: String,
    },
    /// The group's coordinator is known. It need not be among the brokers of the metadata yet, hence
    /// the endpoint.
    CoordinatorFound {
        /// The node.
        node: NodeId,
        /// Where it listens.
        endpoint: BrokerEndpoint,
        /// How it was found.
        reason: String,
    },
    /// The coordinator is not known any more. The membership stays as it is.
    CoordinatorLost {
        /// The node that was the coordinator.
        node: NodeId,
        /// Why it is not trusted any more.
        reason: String,
    },
    /// Please give up these partitions: stop delivering, commit what was processed (commits are
    /// still possible now), run the listener, then call `on_callback_done`. The partitions stay
    /// owned until then, or until the rebalance timeout.
    Revoke {
        /// To be given back.
        token: CallbackToken,
        /// What to give up. May be empty in an eager rebalance of a member that owned nothing:
        /// Kafka calls the listener then too.
        partitions: BTreeSet<TopicPartition>,
        /// Why.
        reason: String,
    },
    /// These partitions are not ours any more, as of now; somebody else may own them already.
    /// Nothing can be committed for them. An earlier callback that is still running need not be
    /// answered any more.
    Lost {
        /// To be given back when the application knows.
        token: CallbackToken,
        /// What is lost.
        partitions: BTreeSet<TopicPartition>,
        /// Why.
        reason: String,
    },
    /// The rebalance is over for this member; these partitions are ours.
    Assigned {
        /// To be given back when the application knows.
        token: CallbackToken,
        /// What is new. Empty when nothing was added.
        added: BTreeSet<TopicPartition>,
        /// All that is owned now.
        owned: BTreeSet<TopicPartition>,
        /// The generation of the group.
        generation: Generation,
        /// Why the rebalance took place.
        reason: String,
    },
    /// This member leads the group: please run the job, on whatever thread, and call
    /// `on_assignment_computed`.
    ComputeAssignment {
        /// To be given back with the result.
        token: AssignmentToken,
        /// The work.
        job: AssignmentJob,
        /// Who leads whom.
        reason: String,
    },
    /// The cluster pictures must include these topics, from now on and in place of those named
    /// before. Please ask for metadata at once if they do not yet.
    MetadataNeeded {
        /// All topics the group needs; empty when it needs none any more.
        topics: BTreeSet<TopicName>,
        /// Why.
        reason: String,
    },
    /// A member's subscription could not be read, so the leader gives it nothing.
    MemberIgnored {
        /// Whose subscription it was.
        member_id: MemberId,
        /// What was wrong with it.
        reason: String,
    },
    /// A commit ended.
    CommitDone {
        /// Which.
        id: CommitId,
        /// What became of each partition.
        results: BTreeMap<TopicPartition, Result<(), CommitError>>,
        /// In one sentence.
        reason: String,
    },
    /// A question for committed offsets is answered, or a part of one that takes answers as they come.
    OffsetsFetched {
        /// Which.
        id: OffsetFetchId,
        /// The offset of each partition; `None` where none was ever committed.
        results: OffsetFetchResults,
        /// Whether nothing of the question is left to be answered.
        is_last: bool,
        /// In one sentence.
        reason: String,
    },
    /// The member has left (or has stopped being a member without telling): the answer to `leave`
    /// and `unsubscribe`.
    Left {
        /// How it ended.
        reason: String,
    },
    /// Something is wrong that may pass: it is tried again, and told each time.
    Trouble {
        /// What stands in the way.
        error: GroupError,
        /// What was being done.
        reason: String,
    },
    /// Two thirds of the time that the application may stay away from polling are over.
    PollOverdueSoon {
        /// How long it has been away, what the limit is, and what to do.
        reason: String,
    },
    /// The membership is over. A new `subscribe` starts again.
    Failed {
        /// What ended it.
        error: GroupError,
        /// What was being done.
        reason: String,
    },
}

/// What the group has stored for some partitions.
pub type OffsetFetchResults =
    BTreeMap<TopicPartition, Result<Option<OffsetAndMetadata>, OffsetFetchError>>;

impl GroupEvent {
    /// Why it happened, in words for a person.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::StateChanged { reason, .. }
            | Self::CoordinatorFound { reason, .. }
            | Self::CoordinatorLost { reason, .. }
            | Self::Revoke { reason, .. }
            | Self::Lost { reason, .. }
            | Self::Assigned { reason, .. }
            | Self::ComputeAssignment { reason, .. }
            | Self::MetadataNeeded { reason, .. }
            | Self::MemberIgnored { reason, .. }
            | Self::CommitDone { reason, .. }
            | Self::OffsetsFetched { reason, .. }
            | Self::Left { reason }
            | Self::Trouble { reason, .. }
            | Self::PollOverdueSoon { reason }
            | Self::Failed { reason, .. } => reason,
        }
    }
}
