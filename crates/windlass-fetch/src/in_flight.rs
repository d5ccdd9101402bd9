//! What was asked and is not answered yet.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use windlass_model::{NodeId, TopicId, TopicName, TopicPartition};

use windlass_protocol::fetch_response::LeaderIdAndEpoch;

use crate::ListOffsetsId;
use crate::aborted::AbortedTransactions;

/// A question under way.
#[derive(Clone, Debug)]
pub(crate) enum InFlight {
    Fetch(FetchInFlight),
    Reset(ResetInFlight),
    Validation(ValidationInFlight),
    Lookup(LookupInFlight),
}

/// A fetch under way.
#[derive(Clone, Debug)]
pub(crate) struct FetchInFlight {
    pub(crate) node: NodeId,
    /// The epoch each partition had when it was asked for.
    pub(crate) asked: BTreeMap<TopicPartition, u64>,
    /// The names that go with the topic ids of the request.
    pub(crate) names: BTreeMap<TopicId, TopicName>,
    /// The partition whose part of the response is arriving.
    pub(crate) current: Option<TopicPartition>,
    /// What this response says of aborted transactions in it. It goes with this response alone: that of
    /// another broker may say less.
    pub(crate) aborted: AbortedTransactions,
    /// Up to where transactions are decided in it, as this response has it.
    pub(crate) last_stable_offset: Option<i64>,
    /// The brokers that this response names as leaders of what was asked for.
    pub(crate) hinted: BTreeSet<NodeId>,
    /// Leaders that the metadata does not list: they are asked nothing before this response has said where
    /// they are, which it does at its end.
    pub(crate) unlisted: Vec<(TopicPartition, LeaderIdAndEpoch)>,
    /// Whether a batch of it came.
    pub(crate) has_batches: bool,
    /// Whether the broker said anything of what was asked for.
    pub(crate) answered: bool,
    /// Whether the next fetch will not be the same again.
    pub(crate) progressed: bool,
    /// An answer with nothing in it is not to be expected before.
    pub(crate) patient_until: Instant,
}

/// A question for the ends of logs: the epoch each partition had when it was asked about.
#[derive(Clone, Debug)]
pub(crate) struct ResetInFlight {
    pub(crate) node: NodeId,
    pub(crate) asked: BTreeMap<TopicPartition, u64>,
}

/// A question for the ends of epochs: the epoch each partition had when it was asked about.
#[derive(Clone, Debug)]
pub(crate) struct ValidationInFlight {
    pub(crate) node: NodeId,
    pub(crate) asked: BTreeMap<TopicPartition, u64>,
}

/// A question under way to one leader.
#[derive(Clone, Debug)]
pub(crate) struct LookupInFlight {
    pub(crate) node: NodeId,
    pub(crate) id: ListOffsetsId,
    pub(crate) asked: Vec<TopicPartition>,
}
