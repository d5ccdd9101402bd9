//! What a listener is told.

use windlass_core::RebalanceNotice;
use windlass_model::{Generation, MemberId, TopicPartition};

use crate::{RebalanceHandle, RebalanceKind};

/// One call to a [`RebalanceListener`](crate::RebalanceListener): which partitions come or go, in which
/// generation of the group and why, and a handle to act on the consumer meanwhile.
#[derive(Clone, Debug)]
pub struct Rebalance {
    notice: RebalanceNotice,
    handle: RebalanceHandle,
}

impl Rebalance {
    pub(crate) const fn new(notice: RebalanceNotice, handle: RebalanceHandle) -> Self {
        Self { notice, handle }
    }

    /// Whether the partitions come, go, or are gone.
    #[must_use]
    pub const fn kind(&self) -> RebalanceKind {
        self.notice.kind
    }

    /// The partitions in question; none where a rebalance brought nothing new.
    #[must_use]
    pub fn partitions(&self) -> &[TopicPartition] {
        &self.notice.partitions
    }

    /// The generation of the group that the member belonged to when this began; `None` where it belonged
    /// to none any more. Later generations are greater: a database that stores it with the results can
    /// refuse what a member of an earlier one still writes.
    #[must_use]
    pub const fn generation(&self) -> Option<Generation> {
        self.notice.generation
    }

    /// The id that the coordinator had given the member; `None` where it had none any more.
    #[must_use]
    pub const fn member_id(&self) -> Option<&MemberId> {
        self.notice.member_id.as_ref()
    }

    /// Why, in words for a person.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.notice.reason
    }

    /// What the listener may do with the consumer.
    #[must_use]
    pub const fn handle(&self) -> &RebalanceHandle {
        &self.handle
    }
}
