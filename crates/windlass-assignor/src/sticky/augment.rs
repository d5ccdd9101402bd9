//! Moving surplus to where there is room: shortest paths, and blocking flows along them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::network::{Arc, ArcKind, Network, Step};
use crate::topic_index::NONE;

/// What it costs that a partition changes hands, and that it lies in another rack than its owner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Price {
    /// More than all rack mismatches together can cost, so that they only break ties.
    pub(super) of_move: i64,
    pub(super) of_mismatch: i64,
}

/// Surplus and room at the nodes, and the working memory of the search.
#[derive(Debug)]
pub(super) struct Augment {
    /// How much each node has too much.
    pub(super) surplus: Vec<u32>,
    /// How much each node can still take.
    pub(super) room: Vec<u32>,
    /// Nodes that had surplus when they were entered.
    sources: Vec<u32>,
    /// Steps from the nearest surplus; `NONE` where not reached.
    depth: Vec<u32>,
    /// The nodes reached by the last search.
    reached: Vec<u32>,
    /// The arc each node goes on with.
    cursor: Vec<u32>,
    /// The price of reaching each node; empty while nothing has a price.
    potential: Vec<i64>,
    price: Option<Price>,
}

impl Augment {
    /// No surplus, no room. With a price, what flows must be the cheapest flow of its kind so far.
    pub(super) fn new(nodes: usize, price: Option<Price>) -> Self {
        Self {
            surplus: vec![0; nodes],
            room: vec![0; nodes],
            sources: Vec::new(),
            depth: vec![NONE; nodes],
            reached: Vec::new(),
            cursor: vec![0; nodes],
            potential: vec![0; if price.is_some() { nodes } else { 0 }],
            price,
        }
    }

    /// Enters a surplus.
    pub(super) fn add_surplus(&mut self, node: usize, amount: u32) {
        if amount > 0 {
            self.surplus[node] += amount;
            self.sources.push(crate::topic_index::number(node));
        }
    }

    /// Forgets the surplus and room of these nodes.
    pub(super) fn clear(&mut self, nodes: impl Iterator<Item = usize>) {
        self.sources.clear();
        for node in nodes {
            self.surplus[node] = 0;
            self.room[node] = 0;
        }
    }

    /// Moves as much surplus to room as paths allow, without regard to price. Returns how much
    /// surplus is left; then [`reaches`](Self::reaches) tells where it could get to.
    pub(super) fn settle(&mut self, network: &mut Network<'_>) -> u32 {
        while self.layer(network) {
            self.block(network);
        }
        self.left()
    }

    /// Moves all surplus to room at the least price. Returns how much is left: 0 unless there is too
    /// little room.
    pub(super) fn settle_cheaply(&mut self, network: &mut Network<'_>) -> u32 {
        while self.left() > 0 && self.reprice(network) {
            self.settle(network);
        }
        self.left()
    }

    /// Whether the last search reached the node from a surplus.
    pub(super) fn reaches(&self, node: usize) -> bool {
        self.depth[node] != NONE
    }

    fn left(&self) -> u32 {
        let sources = self.sources.iter();
        sources.map(|node| self.surplus[*node as usize]).sum()
    }

    /// Breadth-first search from the surplus, as deep as the nearest room. Returns whether there is
    /// any.
    fn layer(&mut self, network: &Network<'_>) -> bool {
        for node in self.reached.drain(..) {
            self.depth[node as usize] = NONE;
        }
        self.sources.retain(|node| self.surplus[*node as usize] > 0);
        self.sources.sort_unstable();
        self.sources.dedup();
        for node in &self.sources {
            self.depth[*node as usize] = 0;
            self.cursor[*node as usize] = 0;
            self.reached.push(*node);
        }
        let mut nearest = NONE;
        let mut next = 0;
        while let Some(node) = self.reached.get(next).map(|node| *node as usize) {
            next += 1;
            let depth = self.depth[node];
            if depth >= nearest {
                break;
            }
            for number in 0.. {
                let arc = match network.step(node, number) {
                    Step::Open(arc) => arc,
                    Step::Shut => continue,
                    Step::End => break,
                };
                let to = arc.to as usize;
                if self.depth[to] == NONE && self.is_tight(network, node, arc) {
                    self.depth[to] = depth + 1;
                    self.cursor[to] = 0;
                    self.reached.push(arc.to);
                    if self.room[to] > 0 {
                        nearest = nearest.min(depth + 1);
                    }
                }
            }
        }
        nearest != NONE
    }

    /// Sends what it can along paths that go one layer deeper with each step.
    fn block(&mut self, network: &mut Network<'_>) {
        let mut path: Vec<(usize, Arc)> = Vec::new();
        for place in 0..self.sources.len() {
            let source = self.sources[place] as usize;
            path.clear();
            let mut node = source;
            while self.surplus[source] > 0 {
                if node != source && self.room[node] > 0 {
                    self.send(network, source, node, &path);
                    path.clear();
                    node = source;
                } else if let Some(arc) = self.advance(network, node) {
                    path.push((node, arc));
                    node = arc.to as usize;
                } else if let Some((before, _)) = path.pop() {
                    // A dead end: whoever led here looks on from its next arc.
                    self.cursor[before] += 1;
                    node = before;
                } else {
                    break;
                }
            }
        }
    }

    /// The next arc of the node that leads one layer deeper.
    fn advance(&mut self, network: &Network<'_>, node: usize) -> Option<Arc> {
        loop {
            match network.step(node, self.cursor[node]) {
                Step::End => return None,
                Step::Open(arc)
                    if self.depth[arc.to as usize] == self.depth[node] + 1
                        && self.is_tight(network, node, arc) =>
                {
                    return Some(self.limited(network, arc));
                }
                Step::Open(_) | Step::Shut => self.cursor[node] += 1,
            }
        }
    }

    fn send(
        &mut self,
        network: &mut Network<'_>,
        source: usize,
        sink: usize,
        path: &[(usize, Arc)],
    ) {
        let narrowest = path.iter().map(|(_, arc)| arc.capacity).min();
        let amount = narrowest
            .unwrap_or(0)
            .min(self.surplus[source])
            .min(self.room[sink]);
        for (node, arc) in path {
            network.push(*node, *arc, amount);
        }
        self.surplus[source] -= amount;
        self.room[sink] -= amount;
    }

    /// Whether the arc lies on a cheapest path.
    fn is_tight(&self, network: &Network<'_>, node: usize, arc: Arc) -> bool {
        self.price.is_none() || self.reduced(network, node, arc) == 0
    }

    /// The price of the arc beyond the difference of the nodes' potentials; never negative.
    fn reduced(&self, network: &Network<'_>, node: usize, arc: Arc) -> i64 {
        self.cost(network, arc) + self.potential[node] - self.potential[arc.to as usize]
    }

    fn cost(&self, network: &Network<'_>, arc: Arc) -> i64 {
        let Some(price) = self.price else { return 0 };
        let mismatch = |place: u32| {
            if network.lots.mismatched[place as usize] {
                price.of_mismatch
            } else {
                0
            }
        };
        match arc.kind {
            ArcKind::Give(place) => {
                let restores =
                    network.counts[place as usize] < network.lots.claimed[place as usize];
                mismatch(place) - if restores { price.of_move } else { 0 }
            }
            ArcKind::Return(place) => {
                let moves = network.counts[place as usize] <= network.lots.claimed[place as usize];
                -mismatch(place) + if moves { price.of_move } else { 0 }
            }
            ArcKind::TakeExtra | ArcKind::LoseExtra => 0,
        }
    }

    /// The arc with no more capacity than it has at its present price.
    fn limited(&self, network: &Network<'_>, arc: Arc) -> Arc {
        if self.price.is_none() {
            return arc;
        }
        let at_one_price = match arc.kind {
            ArcKind::Give(place) => {
                let claimed = network.lots.claimed[place as usize];
                claimed.checked_sub(network.counts[place as usize])
            }
            ArcKind::Return(place) => {
                let claimed = network.lots.claimed[place as usize];
                network.counts[place as usize].checked_sub(claimed)
            }
            ArcKind::TakeExtra | ArcKind::LoseExtra => None,
        };
        Arc {
            capacity: match at_one_price {
                None | Some(0) => arc.capacity,
                Some(capacity) => capacity.min(arc.capacity),
            },
            ..arc
        }
    }

    /// Dijkstra's search for the cheapest room, after which the arcs of cheapest paths are tight.
    /// Returns whether any room can be reached.
    fn reprice(&mut self, network: &Network<'_>) -> bool {
        let mut distance = vec![i64::MAX; self.potential.len()];
        let mut heap = BinaryHeap::new();
        for node in &self.sources {
            if self.surplus[*node as usize] > 0 {
                distance[*node as usize] = 0;
                heap.push(Reverse((0_i64, *node)));
            }
        }
        let mut nearest = None;
        while let Some(Reverse((so_far, node))) = heap.pop() {
            let node = node as usize;
            if so_far > distance[node] {
                continue;
            }
            if self.room[node] > 0 {
                nearest = Some(so_far);
                break;
            }
            for number in 0.. {
                let arc = match network.step(node, number) {
                    Step::Open(arc) => arc,
                    Step::Shut => continue,
                    Step::End => break,
                };
                let through = so_far + self.reduced(network, node, arc);
                let known = &mut distance[arc.to as usize];
                if through < *known {
                    *known = through;
                    heap.push(Reverse((through, arc.to)));
                }
            }
        }
        let Some(nearest) = nearest else { return false };
        for (potential, distance) in self.potential.iter_mut().zip(distance) {
            *potential += distance.min(nearest);
        }
        true
    }
}
