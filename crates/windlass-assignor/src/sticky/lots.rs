//! Lots: partitions that can stand for each other, so that a plan need only say how many of each lot
//! a member gets.

use std::collections::BTreeMap;

use super::claims::Claims;
use crate::racks::Racks;
use crate::roster::Roster;
use crate::topic_index::{NONE, number};

/// Partitions with the same subscribers and, where that matters, replicas in the same racks. Each lot
/// has one *place* for each subscriber; the places of all lots are numbered through.
#[derive(Debug)]
pub(crate) struct Lots {
    /// Partition numbers, lot by lot, ascending within each.
    pub(super) partitions: Vec<u32>,
    /// One more than lots: where each lot's partitions begin.
    pub(super) first_partition: Vec<u32>,
    /// One more than lots: where each lot's places begin.
    pub(super) first_place: Vec<u32>,
    /// The member at each place, ascending within each lot.
    pub(super) members: Vec<u32>,
    /// How many partitions of the lot the member at each place owns.
    pub(super) claimed: Vec<u32>,
    /// Whether the member at each place is in a rack where the lot has no replica.
    pub(super) mismatched: Vec<bool>,
    /// How many members there are, with and without places.
    pub(super) member_count: usize,
    /// How many partitions there are in the cluster, in lots or not.
    pub(super) partition_total: usize,
}

impl Lots {
    /// Sorts the partitions into lots. O(partitions + places), and with racks a lookup a partition.
    pub(crate) fn new(roster: &Roster<'_>, racks: Option<&Racks>, claims: &Claims) -> Self {
        let mut lots = Self {
            partitions: Vec::with_capacity(roster.topics.partition_total() as usize),
            first_partition: vec![0],
            first_place: vec![0],
            members: Vec::new(),
            claimed: Vec::new(),
            mismatched: Vec::new(),
            member_count: roster.members.len(),
            partition_total: roster.topics.partition_total() as usize,
        };
        for class in &roster.classes {
            let racks = racks.filter(|racks| {
                let mut members = class.members.iter();
                members.any(|member| racks.of_member[*member as usize] != NONE)
            });
            match racks {
                None => {
                    for topic in &class.topics {
                        lots.partitions.extend(roster.topics.partitions(*topic));
                    }
                    lots.close(&class.members, |_| false);
                }
                Some(racks) => lots.add_by_racks(roster, racks, class),
            }
        }
        lots.claimed = vec![0; lots.members.len()];
        if claims.any() {
            lots.count_claims(claims);
        }
        lots
    }

    /// How many lots there are.
    pub(super) fn len(&self) -> usize {
        self.first_place.len() - 1
    }

    /// The places of the lot.
    pub(super) fn places(&self, lot: usize) -> std::ops::Range<usize> {
        self.first_place[lot] as usize..self.first_place[lot + 1] as usize
    }

    /// The partitions of the lot.
    pub(super) fn partitions(&self, lot: usize) -> &[u32] {
        let range = self.first_partition[lot] as usize..self.first_partition[lot + 1] as usize;
        &self.partitions[range]
    }

    /// Ends a lot of the partitions pushed since the last.
    fn close(&mut self, members: &[u32], mismatched: impl Fn(u32) -> bool) {
        self.first_partition.push(number(self.partitions.len()));
        self.members.extend_from_slice(members);
        self.first_place.push(number(self.members.len()));
        let flags = members.iter().map(|member| mismatched(*member));
        self.mismatched.extend(flags);
    }

    /// One lot for each set of racks among the class's partitions. Racks without a subscriber tell
    /// nobody anything and are left out.
    fn add_by_racks(
        &mut self,
        roster: &Roster<'_>,
        racks: &Racks,
        class: &crate::roster::TopicClass,
    ) {
        let mut inhabited: Vec<u32> = class
            .members
            .iter()
            .map(|member| racks.of_member[*member as usize])
            .filter(|rack| *rack != NONE)
            .collect();
        inhabited.sort_unstable();
        inhabited.dedup();
        let mut by_racks: BTreeMap<Vec<u32>, Vec<u32>> = BTreeMap::new();
        let mut list = Vec::new();
        for topic in &class.topics {
            let entry = roster.topics.topic(*topic);
            for (partition, replicas) in roster.topics.partitions(*topic).zip(&entry.partitions) {
                racks.of_partition(replicas, &mut list);
                list.retain(|rack| inhabited.binary_search(rack).is_ok());
                match by_racks.get_mut(&list) {
                    Some(partitions) => partitions.push(partition),
                    None => {
                        by_racks.insert(list.clone(), vec![partition]);
                    }
                }
            }
        }
        for (replicas, partitions) in by_racks {
            self.partitions.extend(partitions);
            self.close(&class.members, |member| {
                let rack = racks.of_member[member as usize];
                rack != NONE && replicas.binary_search(&rack).is_err()
            });
        }
    }

    fn count_claims(&mut self, claims: &Claims) {
        let mut place_of = vec![NONE; self.member_count];
        for lot in 0..self.len() {
            for place in self.first_place[lot]..self.first_place[lot + 1] {
                place_of[self.members[place as usize] as usize] = place;
            }
            let range = self.first_partition[lot] as usize..self.first_partition[lot + 1] as usize;
            for partition in &self.partitions[range] {
                if let Some(owner) = claims.owner(*partition) {
                    self.claimed[place_of[owner as usize] as usize] += 1;
                }
            }
        }
    }
}
