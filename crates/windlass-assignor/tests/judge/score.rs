//! An independent judge: what a plan is worth, counted partition by partition.

use std::collections::{BTreeMap, BTreeSet};

use windlass_assignor::{Assignment, Member, Members};
use windlass_model::{Cluster, Generation, MemberId, TopicPartition};

/// A plan, partition by partition.
pub type Owners = BTreeMap<TopicPartition, MemberId>;

/// What the sticky pair promises to minimise, most important first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score {
    pub unassigned: usize,
    /// Sorted, the greatest first.
    pub loads: Vec<usize>,
    pub moves: usize,
    /// Partitions given to a member in a rack without a replica.
    pub mismatches: usize,
}

/// The plan as a map; panics where two members share a partition.
pub fn owners(plan: &Assignment) -> Owners {
    let mut owners = Owners::new();
    for (member, partitions) in plan.iter() {
        for partition in partitions.to_topic_partitions().iter() {
            let before = owners.insert(partition.clone(), member.clone());
            assert_eq!(before, None, "{partition} has two owners");
        }
    }
    owners
}

/// Every partition that somebody subscribes to.
pub fn subscribed(cluster: &Cluster, members: &Members) -> Vec<TopicPartition> {
    let mut all = Vec::new();
    for (name, topic) in &cluster.topics {
        if members
            .iter()
            .any(|(_, member)| member.subscribes_to(name.as_str()))
        {
            for partition in 0..i32::try_from(topic.partitions.len()).unwrap() {
                all.push(TopicPartition::new(name, partition));
            }
        }
    }
    all
}

/// Who said that it owns the partition: each member once, with its generation or −1.
pub fn claimants(members: &Members) -> BTreeMap<TopicPartition, BTreeMap<MemberId, i32>> {
    let mut claimants: BTreeMap<TopicPartition, BTreeMap<MemberId, i32>> = BTreeMap::new();
    for (id, member) in members {
        for partition in member.owned.iter() {
            let generation = Generation::to_wire(member.generation);
            claimants
                .entry(partition)
                .or_default()
                .insert(id.clone(), generation);
        }
    }
    claimants
}

/// Who owns what, if the latest generation is believed and contradictions in one are not; only those
/// that still subscribe.
pub fn rightful(cluster: &Cluster, members: &Members) -> Owners {
    let mut rightful = Owners::new();
    for (partition, claims) in claimants(members) {
        if cluster.partition(&partition).is_none() {
            continue;
        }
        let latest = claims.values().max().copied();
        let mut winners = claims
            .iter()
            .filter(|(_, generation)| Some(**generation) == latest);
        if let (Some((winner, _)), None) = (winners.next(), winners.next()) {
            let member = members.get(winner.as_str()).unwrap();
            if member.subscribes_to(partition.topic.as_str()) {
                rightful.insert(partition, winner.clone());
            }
        }
    }
    rightful
}

/// Whether the member stands in a rack, and the partition has no replica there.
pub fn is_mismatch(
    cluster: &Cluster,
    members: &Members,
    partition: &TopicPartition,
    owner: &MemberId,
) -> bool {
    let Some(rack) = members.get(owner.as_str()).unwrap().known_rack() else {
        return false;
    };
    let replicas = &cluster.partition(partition).unwrap().replicas;
    !replicas.iter().any(|node| {
        cluster
            .brokers
            .get(node)
            .and_then(|broker| broker.rack.as_deref())
            == Some(rack)
    })
}

/// What the plan is worth to the members.
pub fn score(cluster: &Cluster, members: &Members, plan: &Owners) -> Score {
    let mut loads: BTreeMap<&MemberId, usize> = members.iter().map(|(id, _)| (id, 0)).collect();
    for owner in plan.values() {
        *loads.get_mut(owner).unwrap() += 1;
    }
    let mut loads: Vec<usize> = loads.into_values().collect();
    loads.sort_unstable_by(|left, right| right.cmp(left));
    let rightful = rightful(cluster, members);
    Score {
        unassigned: subscribed(cluster, members).len() - plan.len(),
        loads,
        moves: rightful
            .iter()
            .filter(|(partition, owner)| plan.get(*partition) != Some(*owner))
            .count(),
        mismatches: plan
            .iter()
            .filter(|(partition, owner)| is_mismatch(cluster, members, partition, owner))
            .count(),
    }
}

/// The partitions of each member, for plans compared as sets.
pub fn as_sets(plan: &Assignment) -> BTreeMap<MemberId, BTreeSet<TopicPartition>> {
    plan.iter()
        .map(|(id, list)| (id.clone(), list.to_topic_partitions().iter().collect()))
        .collect()
}

/// Replaces what the members own by what the plan gives them, in the next generation.
pub fn adopt(members: &Members, plan: &Owners, generation: i32) -> Members {
    let adopt = |(id, member): (_, &Member)| {
        let mine = plan.iter().filter(|(_, owner)| *owner == id);
        let mut member = member.clone();
        member.owned = mine.map(|(partition, _)| partition).collect();
        member.generation = Generation::from_wire(generation);
        (MemberId::clone(id), member)
    };
    members.iter().map(adopt).collect()
}
