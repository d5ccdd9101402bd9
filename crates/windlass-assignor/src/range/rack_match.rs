//! The first half of a rack-aware range split: partitions to members in a rack of their replicas.

use std::collections::BTreeMap;

use super::TopicSplit;
use crate::racks::Racks;
use crate::roster::Roster;
use crate::topic_index::NONE;

/// The racks of every partition, as far as they matter to a split.
#[derive(Debug)]
pub(super) struct RackMatch<'r> {
    racks: &'r Racks,
    /// By partition number, the racks with a replica; empty lists for topics whose subscribers name
    /// no rack at all.
    of_partition: Vec<Vec<u32>>,
    /// By place in the list of topics.
    needs: Vec<Need>,
}

/// What racks mean to one topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// No subscriber names a rack.
    Nothing,
    /// Subscribers name racks, but all partitions are in the same ones, or none is in theirs.
    Indifferent,
    /// Who gets which partition makes a difference.
    Match,
}

impl<'r> RackMatch<'r> {
    /// Looks up the racks; `None` where they make no difference to any topic.
    pub(super) fn new(
        racks: &'r Racks,
        roster: &Roster<'_>,
        topics: &[TopicSplit<'_>],
    ) -> Option<Self> {
        let mut of_partition = vec![Vec::new(); roster.topics.partition_total() as usize];
        let mut needs = Vec::with_capacity(topics.len());
        for split in topics {
            let mut wanted: Vec<u32> = split
                .members
                .iter()
                .map(|member| racks.of_member[*member as usize])
                .filter(|rack| *rack != NONE)
                .collect();
            if wanted.is_empty() {
                needs.push(Need::Nothing);
                continue;
            }
            let topic = roster.topics.topic(split.topic);
            let mut all = Vec::new();
            for (number, partition) in split.partitions.clone().zip(&topic.partitions) {
                let list = &mut of_partition[number as usize];
                racks.of_partition(partition, list);
                all.extend_from_slice(list);
            }
            all.sort_unstable();
            all.dedup();
            wanted.retain(|rack| all.binary_search(rack).is_ok());
            let alike = split
                .partitions
                .clone()
                .all(|number| of_partition[number as usize] == all);
            needs.push(if wanted.is_empty() || alike {
                Need::Indifferent
            } else {
                Need::Match
            });
        }
        needs.contains(&Need::Match).then_some(Self {
            racks,
            of_partition,
            needs,
        })
    }

    /// Matches topic by topic, or all topics of one co-partitioned set at a time: those with the same
    /// subscribers and as many partitions.
    pub(super) fn assign(&self, topics: &mut [TopicSplit<'_>], owners: &mut [u32]) {
        let mut sets: BTreeMap<(u32, u32), Vec<usize>> = BTreeMap::new();
        for (place, split) in topics.iter().enumerate() {
            if self.needs[place] != Need::Nothing {
                let count = split.partitions.end - split.partitions.start;
                sets.entry((split.class, count)).or_default().push(place);
            }
        }
        for set in sets.values() {
            match set.as_slice() {
                [place] if self.needs[*place] == Need::Match => {
                    self.assign_alone(&mut topics[*place], owners);
                }
                [_] => {}
                set => self.assign_together(set, topics, owners),
            }
        }
    }

    /// One topic: each member in turn takes the first free partitions that match, up to its room.
    fn assign_alone(&self, split: &mut TopicSplit<'_>, owners: &mut [u32]) {
        // One cursor for each rack, and one for the members that name none and so match everything:
        // what a cursor has passed is either taken or not in its rack.
        let mut cursors = vec![split.partitions.start; self.racks.count as usize + 1];
        for place in 0..split.members.len() {
            let member = split.members[place];
            let rack = self.racks.of_member[member as usize];
            let cursor = match rack {
                NONE => &mut cursors[self.racks.count as usize],
                _ => &mut cursors[rack as usize],
            };
            let room = split.room(place);
            let mut given = 0;
            while given < room && *cursor < split.partitions.end {
                let number = *cursor as usize;
                if owners[number] == NONE && matches(rack, &self.of_partition[number]) {
                    owners[number] = member;
                    given += 1;
                }
                *cursor += 1;
            }
            split.note(place, given);
        }
    }

    /// A co-partitioned set: partition *n* of all topics to the first member that matches all of them
    /// and has room. The topics keep step, so the room in one is the room in all.
    fn assign_together(&self, set: &[usize], topics: &mut [TopicSplit<'_>], owners: &mut [u32]) {
        let members = topics[set[0]].members;
        let count = topics[set[0]].partitions.end - topics[set[0]].partitions.start;
        // The members of each rack in order, those without a rack last; room only ever shrinks to
        // nothing, so a queue's head never comes back.
        let mut queues = vec![Vec::new(); self.racks.count as usize + 1];
        for (place, member) in members.iter().enumerate() {
            let queue = match self.racks.of_member[*member as usize] {
                NONE => self.racks.count,
                rack => rack,
            };
            queues[queue as usize].push(place);
        }
        let mut heads = vec![0; queues.len()];
        for index in 0..count {
            let number = |place: usize| topics[place].partitions.start + index;
            let mut first: Option<usize> = None;
            for (queue, head) in (0..).zip(&mut heads) {
                let rack = if queue == self.racks.count {
                    NONE
                } else {
                    queue
                };
                let fits = set
                    .iter()
                    .all(|place| matches(rack, &self.of_partition[number(*place) as usize]));
                if !fits {
                    continue;
                }
                let list = &queues[queue as usize];
                while *head < list.len() && topics[set[0]].room(list[*head]) == 0 {
                    *head += 1;
                }
                if let Some(place) = list.get(*head) {
                    first = Some(first.map_or(*place, |best| best.min(*place)));
                }
            }
            if let Some(place) = first {
                for topic in set {
                    let split = &mut topics[*topic];
                    owners[(split.partitions.start + index) as usize] = members[place];
                    split.note(place, 1);
                }
            }
        }
    }
}

/// Whether a member in `rack` is as near to the replicas as it can tell.
fn matches(rack: u32, replicas: &[u32]) -> bool {
    rack == NONE || replicas.binary_search(&rack).is_ok()
}
