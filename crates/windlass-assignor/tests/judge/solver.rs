//! The best score there is, found the slow and plain way: a flow of least cost with a node for every
//! partition, and a search through all plans to hold the flow against.

use windlass_assignor::Members;
use windlass_model::{Cluster, MemberId, TopicPartition};

use super::score::{Owners, Score, is_mismatch, rightful, score, subscribed};

struct Edge {
    to: usize,
    capacity: i32,
    cost: i64,
}

/// Successive cheapest paths by Bellman and Ford.
#[derive(Default)]
struct Flow {
    edges: Vec<Edge>,
    from: Vec<Vec<usize>>,
}

impl Flow {
    fn connect(&mut self, from: usize, to: usize, cost: i64) {
        let most = from.max(to) + 1;
        if self.from.len() < most {
            self.from.resize_with(most, Vec::new);
        }
        for (a, b, capacity, cost) in [(from, to, 1, cost), (to, from, 0, -cost)] {
            self.from[a].push(self.edges.len());
            self.edges.push(Edge {
                to: b,
                capacity,
                cost,
            });
        }
    }

    fn run(&mut self, source: usize, sink: usize) {
        loop {
            let mut best = vec![(i64::MAX, usize::MAX); self.from.len()];
            best[source].0 = 0;
            let mut changed = true;
            while changed {
                changed = false;
                for node in 0..self.from.len() {
                    if best[node].0 == i64::MAX {
                        continue;
                    }
                    for edge in &self.from[node] {
                        let Edge { to, capacity, cost } = self.edges[*edge];
                        if capacity > 0 && best[node].0 + cost < best[to].0 {
                            best[to] = (best[node].0 + cost, *edge);
                            changed = true;
                        }
                    }
                }
            }
            if best[sink].0 == i64::MAX {
                return;
            }
            let mut node = sink;
            while node != source {
                let edge = best[node].1;
                self.edges[edge].capacity -= 1;
                self.edges[edge ^ 1].capacity += 1;
                node = self.edges[edge ^ 1].to;
            }
        }
    }
}

/// A plan with the best score.
pub fn solve(cluster: &Cluster, members: &Members) -> Owners {
    let partitions = subscribed(cluster, members);
    let ids: Vec<&MemberId> = members.iter().map(|(id, _)| id).collect();
    let rightful = rightful(cluster, members);
    let of_mismatch = 1;
    let of_move = i64::try_from(partitions.len()).unwrap() + 1;
    let of_load = of_move * of_move + of_move;
    let (source, sink) = (0, 1);
    let mut flow = Flow::default();
    flow.from.resize_with(2, Vec::new);
    for (place, partition) in partitions.iter().enumerate() {
        flow.connect(source, 2 + place, 0);
        for (number, id) in ids.iter().enumerate() {
            if members
                .get(id.as_str())
                .unwrap()
                .subscribes_to(partition.topic.as_str())
            {
                let moves = rightful.get(partition).is_some_and(|owner| owner != *id);
                let cost = i64::from(moves) * of_move
                    + i64::from(is_mismatch(cluster, members, partition, id)) * of_mismatch;
                flow.connect(2 + place, 2 + partitions.len() + number, cost);
            }
        }
    }
    for number in 0..ids.len() {
        for load in 0..partitions.len() {
            let cost = i64::try_from(2 * load + 1).unwrap() * of_load;
            flow.connect(2 + partitions.len() + number, sink, cost);
        }
    }
    flow.run(source, sink);
    let mut plan = Owners::new();
    for (place, partition) in partitions.iter().enumerate() {
        for edge in &flow.from[2 + place] {
            let Edge { to, capacity, .. } = flow.edges[*edge];
            if to != source && capacity == 0 && edge % 2 == 0 {
                plan.insert(partition.clone(), ids[to - 2 - partitions.len()].clone());
            }
        }
    }
    plan
}

/// The best score of all plans that assign everything, by trying each. For very few partitions.
pub fn try_all(cluster: &Cluster, members: &Members) -> Score {
    let partitions = subscribed(cluster, members);
    let mut best = None;
    extend(cluster, members, &partitions, &mut Owners::new(), &mut best);
    best.unwrap()
}

fn extend(
    cluster: &Cluster,
    members: &Members,
    rest: &[TopicPartition],
    plan: &mut Owners,
    best: &mut Option<Score>,
) {
    let Some((partition, rest)) = rest.split_first() else {
        let score = score(cluster, members, plan);
        if best.as_ref().is_none_or(|best| score < *best) {
            *best = Some(score);
        }
        return;
    };
    for (id, member) in members {
        if member.subscribes_to(partition.topic.as_str()) {
            plan.insert(partition.clone(), id.clone());
            extend(cluster, members, rest, plan, best);
            plan.remove(partition);
        }
    }
}
