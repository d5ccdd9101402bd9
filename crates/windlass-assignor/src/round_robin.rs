//! Round-robin: partitions dealt one by one around the circle of members.

use windlass_model::Cluster;

use crate::claim_count::ClaimCount;
use crate::roster::Roster;
use crate::topic_index::{NONE, number};
use crate::{AssignError, Assignment, Assignor, Members};

/// Kafka's `RoundRobinAssignor` (`roundrobin`), partition for partition: all partitions in order of
/// topic and index, members in a circle in order of instance id and member id, each partition to the
/// next member that subscribes to its topic.
///
/// Even where subscriptions are equal; with mixed ones it may be far from even. Cost: O(partitions +
/// subscribed names), and a binary search a topic.
#[derive(Clone, Copy, Debug, Default)]
pub struct RoundRobinAssignor;

impl RoundRobinAssignor {
    /// The strategy.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Assignor for RoundRobinAssignor {
    fn name(&self) -> &'static str {
        "roundrobin"
    }

    fn assign(&self, cluster: &Cluster, members: &Members) -> Result<Assignment, AssignError> {
        let roster = Roster::new(cluster, members)?;
        let mut owners = vec![NONE; roster.topics.partition_total() as usize];
        // The member whose turn it is; only its place in the circle counts, not who subscribes.
        let mut turn = 0;
        for topic in 0..roster.topics.len() {
            let class = roster.class_of_topic[topic as usize];
            if class == NONE {
                continue;
            }
            let subscribers = &roster.classes[class as usize].members;
            let mut next = subscribers.partition_point(|member| *member < turn);
            for partition in roster.topics.partitions(topic) {
                if next == subscribers.len() {
                    next = 0;
                }
                let member = subscribers[next];
                owners[partition as usize] = member;
                turn = member + 1;
                next += 1;
            }
            if turn == number(roster.members.len()) {
                turn = 0;
            }
        }
        Ok(Assignment::from_owners(
            &roster,
            &owners,
            ClaimCount::default(),
        ))
    }
}

#[cfg(test)]
mod tests;
