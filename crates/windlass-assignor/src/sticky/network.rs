//! The flow network under a plan: lots give partitions to members, members may give them back.
//!
//! Nodes are numbered through: members, then lots, then pools. A pool stands for the members of one
//! level of balance that have one partition more than the others (see `balance`): a member's arc to
//! it is full when the member has such an extra. What flows are counts of partitions; no node ever
//! stands for a single one, so the size of the search depends on lots × members only.

use super::lots::Lots;
use crate::topic_index::{NONE, number};

/// The network and the flow through it.
#[derive(Debug)]
pub(super) struct Network<'a> {
    pub(super) lots: &'a Lots,
    /// How many partitions of its lot the member at each place gets.
    pub(super) counts: Vec<u32>,
    /// The lot of each place.
    lot_of_place: Vec<u32>,
    /// One more than members: where each member's entries begin in `places_of_member`.
    first_of_member: Vec<u32>,
    places_of_member: Vec<u32>,
    /// The level of each member; `NONE` for members without places.
    pub(super) level_of_member: Vec<u32>,
    /// The level of each lot: it gives to members of the same level only.
    pub(super) level_of_lot: Vec<u32>,
    /// The members of each level, once there are pools.
    pub(super) pools: Vec<Vec<u32>>,
    /// Whether each member's arc to its pool is full.
    pub(super) has_extra: Vec<bool>,
}

/// A step from one node to another along which more can flow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arc {
    pub(super) to: u32,
    pub(super) kind: ArcKind,
    /// How much more can flow.
    pub(super) capacity: u32,
}

/// What a step means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArcKind {
    /// The lot gives to the member at the place.
    Give(u32),
    /// The member at the place gives back to the lot.
    Return(u32),
    /// The member takes an extra.
    TakeExtra,
    /// The member, where the step leads to, loses its extra.
    LoseExtra,
}

/// What the arc number of a node holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Something can flow.
    Open(Arc),
    /// Nothing can flow now.
    Shut,
    /// The node has no more arcs.
    End,
}

impl<'a> Network<'a> {
    /// The network of the lots with nothing flowing. O(places).
    pub(super) fn new(lots: &'a Lots) -> Self {
        let mut first_of_member = vec![0_u32; lots.member_count + 1];
        for member in &lots.members {
            first_of_member[*member as usize + 1] += 1;
        }
        let mut total = 0;
        for first in &mut first_of_member {
            total += *first;
            *first = total;
        }
        let mut next = first_of_member.clone();
        let mut places_of_member = vec![0; lots.members.len()];
        for (place, member) in (0..).zip(&lots.members) {
            let slot = &mut next[*member as usize];
            places_of_member[*slot as usize] = place;
            *slot += 1;
        }
        let mut lot_of_place = Vec::with_capacity(lots.members.len());
        for lot in 0..lots.len() {
            lot_of_place.resize(lots.first_place[lot + 1] as usize, number(lot));
        }
        let level_of_member = first_of_member
            .windows(2)
            .map(|window| if window[0] == window[1] { NONE } else { 0 });
        Self {
            counts: vec![0; lots.members.len()],
            lot_of_place,
            level_of_member: level_of_member.collect(),
            level_of_lot: vec![0; lots.len()],
            pools: Vec::new(),
            has_extra: vec![false; lots.member_count],
            first_of_member,
            places_of_member,
            lots,
        }
    }

    /// How many nodes there are.
    pub(super) fn node_count(&self) -> usize {
        self.lots.member_count + self.lots.len() + self.pools.len()
    }

    /// The node of the lot.
    pub(super) fn lot_node(&self, lot: usize) -> usize {
        self.lots.member_count + lot
    }

    /// The node of the pool.
    pub(super) fn pool_node(&self, level: usize) -> usize {
        self.lots.member_count + self.lots.len() + level
    }

    /// What each member gets in all.
    pub(super) fn loads(&self) -> Vec<u32> {
        let mut loads = vec![0; self.lots.member_count];
        for (member, count) in self.lots.members.iter().zip(&self.counts) {
            loads[*member as usize] += count;
        }
        loads
    }

    /// Whether the lot of the place may give to its member.
    pub(super) fn is_open(&self, place: usize) -> bool {
        let lot = self.lot_of_place[place] as usize;
        self.level_of_lot[lot] == self.level_of_member[self.lots.members[place] as usize]
    }

    /// The arc of that number at the node.
    pub(super) fn step(&self, node: usize, arc: u32) -> Step {
        let members = self.lots.member_count;
        if node < members {
            return self.step_from_member(node, arc);
        }
        let lot = node - members;
        if lot >= self.lots.len() {
            return self.step_from_pool(lot - self.lots.len(), arc);
        }
        let place = self.lots.first_place[lot] + arc;
        if place >= self.lots.first_place[lot + 1] {
            return Step::End;
        }
        let member = self.lots.members[place as usize];
        if self.level_of_lot[lot] != self.level_of_member[member as usize] {
            return Step::Shut;
        }
        Step::Open(Arc {
            to: member,
            kind: ArcKind::Give(place),
            capacity: NONE,
        })
    }

    fn step_from_member(&self, member: usize, arc: u32) -> Step {
        let entry = self.first_of_member[member] + arc;
        let end = self.first_of_member[member + 1];
        if entry < end {
            let place = self.places_of_member[entry as usize];
            let capacity = self.counts[place as usize];
            if capacity == 0 {
                return Step::Shut;
            }
            let lot = self.lot_of_place[place as usize];
            return Step::Open(Arc {
                to: number(self.lots.member_count) + lot,
                kind: ArcKind::Return(place),
                capacity,
            });
        }
        if entry > end || self.pools.is_empty() {
            return Step::End;
        }
        let level = self.level_of_member[member];
        if self.has_extra[member] || level == NONE {
            return Step::Shut;
        }
        Step::Open(Arc {
            to: number(self.pool_node(0)) + level,
            kind: ArcKind::TakeExtra,
            capacity: 1,
        })
    }

    fn step_from_pool(&self, level: usize, arc: u32) -> Step {
        match self.pools[level].get(arc as usize) {
            None => Step::End,
            Some(member) if self.has_extra[*member as usize] => Step::Open(Arc {
                to: *member,
                kind: ArcKind::LoseExtra,
                capacity: 1,
            }),
            Some(_) => Step::Shut,
        }
    }

    /// Lets `amount` flow along an arc that leaves `node`.
    pub(super) fn push(&mut self, node: usize, arc: Arc, amount: u32) {
        match arc.kind {
            ArcKind::Give(place) => self.counts[place as usize] += amount,
            ArcKind::Return(place) => self.counts[place as usize] -= amount,
            ArcKind::TakeExtra => self.has_extra[node] = true,
            ArcKind::LoseExtra => self.has_extra[arc.to as usize] = false,
        }
    }
}
