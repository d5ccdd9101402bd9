//! Range: each topic cut into contiguous ranges, one for each subscriber.

mod rack_match;

use windlass_model::Cluster;

use crate::claim_count::ClaimCount;
use crate::racks::Racks;
use crate::roster::Roster;
use crate::topic_index::{NONE, number};
use crate::{AssignError, Assignment, Assignor, Members};
use rack_match::RackMatch;

/// Kafka's `RangeAssignor` (`range`), partition for partition: each topic's partitions in contiguous
/// ranges over its subscribers in order of instance id and member id, the first ones getting one more
/// where it does not come out even.
///
/// Topics with as many partitions and the same subscribers are co-partitioned: partition *n* of all
/// of them goes to one member. Where members name racks and some partitions have replicas in some
/// racks only (KIP-881), partitions go to members in a rack of their replicas as far as the even
/// split and co-partitioning allow.
///
/// The remainders of all topics go to the same first members, so many small topics load those more.
/// Cost: O(partitions + subscribed names); with racks, times the number of racks.
#[derive(Clone, Copy, Debug, Default)]
pub struct RangeAssignor;

impl RangeAssignor {
    /// The strategy.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Assignor for RangeAssignor {
    fn name(&self) -> &'static str {
        "range"
    }

    fn assign(&self, cluster: &Cluster, members: &Members) -> Result<Assignment, AssignError> {
        let roster = Roster::new(cluster, members)?;
        let mut owners = vec![NONE; roster.topics.partition_total() as usize];
        let mut topics: Vec<TopicSplit<'_>> = Vec::new();
        for (number, class) in (0..).zip(&roster.classes) {
            for topic in &class.topics {
                topics.push(TopicSplit::new(&roster, *topic, number));
            }
        }
        if let Some(racks) = Racks::new(cluster, &roster)
            && let Some(rack_match) = RackMatch::new(&racks, &roster, &topics)
        {
            rack_match.assign(&mut topics, &mut owners);
        }
        for topic in &mut topics {
            topic.assign_ranges(&mut owners);
        }
        Ok(Assignment::from_owners(
            &roster,
            &owners,
            ClaimCount::default(),
        ))
    }
}

/// How far the split of one topic has come.
#[derive(Debug)]
struct TopicSplit<'a> {
    topic: u32,
    /// The number of the class of topics with the same subscribers.
    class: u32,
    /// Numbers of the topic's partitions.
    partitions: std::ops::Range<u32>,
    /// Subscribers, in Java's order.
    members: &'a [u32],
    /// What every subscriber gets at least.
    quota: u32,
    /// How many more subscribers may get one above the quota.
    extras: u32,
    /// How many each subscriber has got, by place in `members`; empty until racks have been matched.
    assigned: Vec<u32>,
}

impl<'a> TopicSplit<'a> {
    fn new(roster: &'a Roster<'_>, topic: u32, class: u32) -> Self {
        let members: &[u32] = &roster.classes[class as usize].members;
        let partitions = roster.topics.partitions(topic);
        let count = partitions.end - partitions.start;
        let subscribers = number(members.len());
        Self {
            topic,
            class,
            partitions,
            members,
            quota: count / subscribers,
            extras: count % subscribers,
            assigned: Vec::new(),
        }
    }

    /// How many more partitions the subscriber at `place` may get now.
    fn room(&self, place: usize) -> u32 {
        let assigned = self.assigned.get(place).copied().unwrap_or(0);
        (self.quota + u32::from(self.extras > 0)).saturating_sub(assigned)
    }

    /// Notes that the subscriber at `place` got `count` more, at most its room.
    fn note(&mut self, place: usize, count: u32) {
        if self.assigned.is_empty() {
            self.assigned = vec![0; self.members.len()];
        }
        self.assigned[place] += count;
        if count > 0 && self.assigned[place] > self.quota {
            self.extras -= 1;
        }
    }

    /// Gives the partitions that nobody has yet to the subscribers with room, in order.
    fn assign_ranges(&mut self, owners: &mut [u32]) {
        let range = self.partitions.start as usize..self.partitions.end as usize;
        let mut free = owners[range].iter_mut().filter(|owner| **owner == NONE);
        for (place, member) in self.members.iter().enumerate() {
            let room = self.room(place);
            let mut given = 0;
            for owner in free.by_ref().take(room as usize) {
                *owner = *member;
                given += 1;
            }
            let before = self.assigned.get(place).copied().unwrap_or(0);
            if given > 0 && before + given > self.quota {
                self.extras -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;
