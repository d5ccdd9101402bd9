//! What a member keeps through a rebalance in which only what moves is given up.

use std::collections::{BTreeMap, BTreeSet};

use windlass_model::TopicPartition;

use super::{Violation, require};
use crate::history::Incarnation;

/// What cooperative members were last told to be theirs.
#[derive(Debug, Default)]
pub(super) struct Retained {
    told: BTreeMap<Incarnation, BTreeSet<TopicPartition>>,
}

impl Retained {
    pub(super) fn told(&mut self, who: Incarnation, partitions: &[TopicPartition]) {
        self.told.insert(who, partitions.iter().cloned().collect());
    }

    /// All of it is gone at once: there is nothing to retain.
    pub(super) fn gone(&mut self, who: Incarnation, partitions: &[TopicPartition]) {
        if let Some(told) = self.told.get_mut(&who) {
            told.retain(|partition| !partitions.contains(partition));
        }
    }

    /// What a member was told to keep, only its own farewell takes from it.
    pub(super) fn revoking(
        &self,
        who: Incarnation,
        partitions: &[TopicPartition],
        leaves: bool,
    ) -> Result<(), Violation> {
        let kept = self.told.get(&who).filter(|_| !leaves);
        let taken = kept.and_then(|kept| partitions.iter().find(|one| kept.contains(one)));
        require(19, taken.is_none(), || {
            let taken = taken.map(ToString::to_string).unwrap_or_default();
            format!("{who} was told to keep {taken}, and had to give it up all the same")
        })
    }
}
