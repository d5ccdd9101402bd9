//! Racks as numbers: where members stand, and where the replicas of each partition are.

use std::collections::BTreeMap;

use windlass_model::{Cluster, NodeId, Partition};

use crate::roster::Roster;
use crate::topic_index::{NONE, number};

/// The racks that members stand in, numbered in order of their names.
#[derive(Debug)]
pub(crate) struct Racks {
    /// The rack of each member by number; `NONE` where it has none.
    pub(crate) of_member: Vec<u32>,
    /// How many racks there are with members in them.
    pub(crate) count: u32,
    of_node: BTreeMap<NodeId, u32>,
}

impl Racks {
    /// Numbers the racks; `None` where no member names one. A node that is not alive has no rack.
    pub(crate) fn new(cluster: &Cluster, roster: &Roster<'_>) -> Option<Self> {
        let mut numbers: BTreeMap<&str, u32> = roster
            .members
            .iter()
            .filter_map(|(_, member)| member.known_rack())
            .map(|rack| (rack, 0))
            .collect();
        if numbers.is_empty() {
            return None;
        }
        for (next, rack) in (0..).zip(numbers.values_mut()) {
            *rack = next;
        }
        let of_member = roster.members.iter().map(|(_, member)| {
            let rack = member.known_rack().and_then(|rack| numbers.get(rack));
            rack.copied().unwrap_or(NONE)
        });
        // Racks in which no member stands get numbers too: that a partition has a replica there
        // tells it from one that has not.
        let mut all = numbers.clone();
        let mut of_node = BTreeMap::new();
        for (node, broker) in &cluster.brokers {
            if let Some(rack) = broker.rack.as_deref() {
                let next = number(all.len());
                of_node.insert(*node, *all.entry(rack).or_insert(next));
            }
        }
        Some(Self {
            of_member: of_member.collect(),
            count: number(numbers.len()),
            of_node,
        })
    }

    /// Puts the racks of the partition's replicas into `racks`, ascending, each once. All replicas
    /// count, those out of sync or offline too: they are expected back, and members do not rebalance
    /// on such changes.
    pub(crate) fn of_partition(&self, partition: &Partition, racks: &mut Vec<u32>) {
        racks.clear();
        let known = partition
            .replicas
            .iter()
            .filter_map(|node| self.of_node.get(node));
        racks.extend(known);
        racks.sort_unstable();
        racks.dedup();
    }
}
