//! The rebalances of a group, counted by how they went.

use crate::member::GROUP;
use crate::upgrade::incarnation;
use crate::world::World;

/// Rebalances by protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// All members gave everything up first.
    pub eager: u64,
    /// No member gave up more than what moved.
    pub cooperative: u64,
    /// Some members went one way, some the other, under a strategy that allows for it.
    pub mixed: u64,
    generation: i32,
}

impl World {
    /// Counts the group's generation, if it has not been counted; it has an assignment by now.
    pub(crate) fn count_rebalance(&mut self) {
        let Some(group) = self.cluster.group(GROUP) else {
            return;
        };
        if group.generation <= self.census.generation || group.members.is_empty() {
            return;
        }
        self.census.generation = group.generation;
        let members = group.members.iter();
        let cooperative = members
            .filter_map(|member| incarnation(&member.client_id))
            .filter(|who| self.cooperative.contains(who))
            .count();
        if cooperative == 0 {
            self.census.eager += 1;
        } else if cooperative == group.members.len() {
            self.census.cooperative += 1;
        } else {
            self.census.mixed += 1;
        }
    }
}
