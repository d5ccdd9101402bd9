//! Who the member is to the coordinator.

use windlass_model::{Generation, MemberId};

/// Member id and generation: what every request of a member carries and every answer is compared
/// against. Mirrors Kafka's `AbstractCoordinator.Generation`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Empty until the coordinator has given one.
    pub(crate) member_id: MemberId,
    /// `None` while the member belongs to no generation.
    pub(crate) generation: Option<Generation>,
}

/// How much of the identity an error invalidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reset {
    /// ILLEGAL_GENERATION: the coordinator still knows the member, so its id must be kept, or the
    /// group would wait for the old one until its session ends.
    Generation,
    /// UNKNOWN_MEMBER_ID: the coordinator does not know the member any more.
    MemberId,
}

impl Identity {
    pub(crate) fn reset(&mut self, reset: Reset) {
        self.generation = None;
        match reset {
            Reset::Generation => {}
            Reset::MemberId => self.member_id = MemberId::default(),
        }
    }

    pub(crate) fn member_id_text(&self) -> String {
        self.member_id.as_str().to_owned()
    }

    /// The generation as the wire has it.
    pub(crate) const fn wire_generation(&self) -> i32 {
        Generation::to_wire(self.generation)
    }
}
