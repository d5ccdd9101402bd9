//! What happened in a run, as far as the invariants care.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use windlass_model::TopicPartition;

/// One start of one member: a member that crashes and comes back is another incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u32);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Something that happened. Offsets are *next* offsets unless they say otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A broker acknowledged a record at this offset.
    Produced {
        /// Where.
        partition: TopicPartition,
        /// The record's offset.
        offset: i64,
    },
    /// A member was told that these partitions are its own.
    Assigned {
        /// Who.
        who: Incarnation,
        /// Which.
        partitions: Vec<TopicPartition>,
        /// Under which generation of the group.
        generation: Option<i32>,
        /// Who else takes part in this generation, as the coordinator sees it.
        peers: BTreeSet<Incarnation>,
    },
    /// A member that gives up no more than what moves was told that these are its own from now on:
    /// those that it has stay with it.
    Told {
        /// Who.
        who: Incarnation,
        /// Which.
        partitions: Vec<TopicPartition>,
    },
    /// A member's listener is told that these partitions are about to go.
    Revoking {
        /// Who.
        who: Incarnation,
        /// Which.
        partitions: Vec<TopicPartition>,
        /// Whether that is because the member leaves.
        leaves: bool,
    },
    /// A member finished giving these partitions up.
    Revoked {
        /// Who.
        who: Incarnation,
        /// Which; and whether something kept this member from committing this one before.
        partitions: BTreeMap<TopicPartition, bool>,
    },
    /// The group no longer waited for the member to give these up, since it took too long.
    Overdue {
        /// Who.
        who: Incarnation,
        /// Which.
        partitions: Vec<TopicPartition>,
    },
    /// A member's listener has returned from a call about these partitions.
    ListenerDone {
        /// Who.
        who: Incarnation,
        /// Which.
        partitions: Vec<TopicPartition>,
    },
    /// A member was told that these partitions are gone.
    Lost {
        /// Who.
        who: Incarnation,
        /// Which.
        partitions: Vec<TopicPartition>,
        /// Whether the coordinator expelled it, or its application was away for too long.
        excused: bool,
    },
    /// Records were handed to the application: their offsets, in the order of the hand-out.
    HandedOut {
        /// Who.
        who: Incarnation,
        /// Of which partition.
        partition: TopicPartition,
        /// The records' offsets.
        offsets: Vec<i64>,
    },
    /// The application is done with everything handed out of the partition below this offset.
    Processed {
        /// Who.
        who: Incarnation,
        /// Of which partition.
        partition: TopicPartition,
        /// The next offset.
        next_offset: i64,
    },
    /// The coordinator stored offsets, as the broker's books have it.
    Committed {
        /// Who.
        who: Incarnation,
        /// What.
        offsets: BTreeMap<TopicPartition, i64>,
    },
    /// A commit that the application asked for failed, and it was told so.
    CommitFailed {
        /// Who.
        who: Incarnation,
        /// Which; without them, all that it owns.
        partitions: Option<Vec<TopicPartition>>,
        /// Whether something kept this member from committing.
        excused: bool,
    },
    /// A member was killed: it says and does nothing more.
    Killed {
        /// Who.
        who: Incarnation,
    },
    /// A member closed by itself.
    Closed {
        /// Who.
        who: Incarnation,
        /// How long it took.
        took: Duration,
        /// How long it was allowed to take.
        allowed: Duration,
    },
}

/// An event and when it happened, counted from the start of the run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// When.
    pub at: Duration,
    /// What.
    pub event: Event,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>12.6} s  {:?}", self.at.as_secs_f64(), self.event)
    }
}
