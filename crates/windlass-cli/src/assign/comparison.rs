//! What a strategy makes of a situation: who gets what, and what that costs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use windlass::Generation;
use windlass::assignor::{
    AssignError, Assignment, Assignor, MemberPartitions, Members, RebalanceProtocol,
};
use windlass::model::{Cluster, MemberId, TopicName, TopicPartitions};

/// How long a strategy is timed; the best of the runs in that time counts.
const TIMING: Duration = Duration::from_millis(50);

/// Who owns each partition, by topic and partition.
pub(crate) type Owners<'a> = BTreeMap<(&'a TopicName, i32), &'a MemberId>;

/// What is said of a partition: since when, and by whom; by nobody where two contradict each other.
type Claim<'a> = (Option<Generation>, Option<&'a MemberId>);

/// The plan of one strategy and its figures.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What everybody has in the end.
    pub(crate) plan: Assignment,
    /// How many partitions have another owner than now. One without an owner now does not count.
    pub(crate) moves: usize,
    /// How many partitions are withheld until their present owner has let go.
    pub(crate) withheld: usize,
    /// How many rebalances it takes.
    pub(crate) rounds: u32,
    /// Partitions whose owner stands in a rack with a replica.
    pub(crate) rack_matches: usize,
    /// Partitions with known racks whose owner's rack is known.
    pub(crate) with_racks: usize,
    /// Partitions that nobody gets.
    pub(crate) without_owner: usize,
    /// Claims that were not taken as the truth.
    pub(crate) ignored_claims: u64,
    /// The time of computing the first round's plan.
    pub(crate) time: Duration,
}

/// Lets a strategy assign until nothing moves any more.
pub(crate) fn compare(
    assignor: &Arc<dyn Assignor>,
    cluster: &Cluster,
    members: &Members,
) -> Result<Outcome, AssignError> {
    let (first, time) = timed(assignor, cluster, members)?;
    let ignored_claims = first.claims().ignored();
    let total: usize = cluster
        .topics
        .values()
        .map(|topic| topic.partitions.len())
        .sum();
    let assigned = |plan: &Assignment| plan.iter().map(|(_, list)| list.len()).sum::<usize>();
    let first_assigned = assigned(&first);
    let mut plan = first;
    let mut rounds = 1;
    if assignor
        .supported_protocols()
        .contains(&RebalanceProtocol::Cooperative)
    {
        let mut members = members.clone();
        // Whoever lost something joins again, until a round takes nothing from anybody.
        while is_reduced(&members, &plan) && rounds < 10 {
            adopt(&mut members, &plan);
            plan = assignor.assign_validated(cluster, &members)?;
            rounds += 1;
        }
    }
    let last_assigned = assigned(&plan);
    let (rack_matches, with_racks) = racks(cluster, members, &plan);
    Ok(Outcome {
        moves: moves(&owners_now(cluster, members), &plan),
        withheld: last_assigned.saturating_sub(first_assigned),
        without_owner: total - last_assigned,
        rounds,
        rack_matches,
        with_racks,
        ignored_claims,
        time,
        plan,
    })
}

fn timed(
    assignor: &Arc<dyn Assignor>,
    cluster: &Cluster,
    members: &Members,
) -> Result<(Assignment, Duration), AssignError> {
    let begin = Instant::now();
    let mut best = Duration::MAX;
    loop {
        let start = Instant::now();
        let plan = assignor.assign_validated(cluster, members)?;
        best = best.min(start.elapsed());
        if begin.elapsed() >= TIMING {
            return Ok((plan, best));
        }
    }
}

/// Who owns what now: of several that claim a partition the one of the latest generation, nobody
/// where two of that generation do. What does not exist or was not asked for is nobody's.
pub(crate) fn owners_now<'a>(cluster: &Cluster, members: &'a Members) -> Owners<'a> {
    let mut claims: BTreeMap<(&TopicName, i32), Claim<'_>> = BTreeMap::new();
    for (id, member) in members {
        for list in &member.owned.topics {
            let count = cluster.partition_count(list.topic.as_str()).unwrap_or(0);
            if !member.subscribes_to(list.topic.as_str()) {
                continue;
            }
            for partition in &list.partitions {
                if !usize::try_from(*partition).is_ok_and(|index| index < count) {
                    continue;
                }
                let claim = claims
                    .entry((&list.topic, *partition))
                    .or_insert((member.generation, Some(id)));
                if claim.0 < member.generation {
                    *claim = (member.generation, Some(id));
                } else if claim.0 == member.generation && claim.1 != Some(id) {
                    claim.1 = None;
                }
            }
        }
    }
    let owned = claims.into_iter();
    owned
        .filter_map(|(partition, (_, owner))| Some((partition, owner?)))
        .collect()
}

fn moves(now: &Owners<'_>, plan: &Assignment) -> usize {
    let mut kept = 0;
    for (id, list) in plan.iter() {
        for (topic, partitions) in list.topics() {
            let mine = |partition: &&i32| now.get(&(topic, **partition)) == Some(&id);
            kept += partitions.iter().filter(mine).count();
        }
    }
    now.len() - kept
}

/// Whether somebody would have to give something up.
fn is_reduced(members: &Members, plan: &Assignment) -> bool {
    members.iter().any(|(id, member)| {
        let given = plan
            .get(id.as_str())
            .map(MemberPartitions::to_topic_partitions);
        let given: BTreeSet<_> = given.iter().flat_map(TopicPartitions::iter).collect();
        member.owned.iter().any(|owned| !given.contains(&owned))
    })
}

/// Makes what the plan says what the members own.
fn adopt(members: &mut Members, plan: &Assignment) {
    let latest = members.iter().filter_map(|(_, member)| member.generation);
    let next = Generation::to_wire(latest.max()).saturating_add(1);
    let ids: Vec<MemberId> = members.iter().map(|(id, _)| id.clone()).collect();
    for id in ids {
        if let Some(member) = members.get_mut(id.as_str()) {
            let given = plan
                .get(id.as_str())
                .map(MemberPartitions::to_topic_partitions);
            member.owned = given.unwrap_or_default();
            member.generation = Generation::from_wire(next);
        }
    }
}

/// How many partitions have an owner in the rack of a replica, and how many could be judged.
fn racks(cluster: &Cluster, members: &Members, plan: &Assignment) -> (usize, usize) {
    let (mut matches, mut judged) = (0, 0);
    for (id, list) in plan.iter() {
        let rack = members
            .get(id.as_str())
            .and_then(|member| member.known_rack());
        let Some(rack) = rack else { continue };
        for (topic, partitions) in list.topics() {
            let Some(topic) = cluster.topics.get(topic) else {
                continue;
            };
            for partition in partitions {
                let index = usize::try_from(*partition).unwrap_or(usize::MAX);
                let replicas = topic.partitions.get(index).map(|found| &found.replicas);
                let mut racks = replicas
                    .into_iter()
                    .flatten()
                    .filter_map(|node| cluster.brokers.get(node)?.rack.as_deref())
                    .peekable();
                judged += usize::from(racks.peek().is_some());
                matches += usize::from(racks.any(|found| found == rack));
            }
        }
    }
    (matches, judged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assign::situation::Situation;

    fn outcome(name: &str, json: &str) -> Outcome {
        let (cluster, members) = Situation::read(json, "a test").unwrap().group().unwrap();
        let assignor = windlass::assignor::by_name(name).unwrap();
        compare(&assignor, &cluster, &members).unwrap()
    }

    const ONE_JOINS: &str = r#"{"topics": {"t": {"partitions": 6}}, "members": {
        "a": {"topics": ["t"], "owned": [["t", 0], ["t", 1], ["t", 2]], "generation": 4},
        "b": {"topics": ["t"], "owned": [["t", 3], ["t", 4], ["t", 5]], "generation": 4},
        "c": {"topics": ["t"]}}}"#;

    #[test]
    fn figures_of_a_member_that_joins() {
        let range = outcome("range", ONE_JOINS);
        assert_eq!((range.moves, range.withheld, range.rounds), (3, 0, 1));
        let sticky = outcome("sticky", ONE_JOINS);
        assert_eq!((sticky.moves, sticky.withheld, sticky.rounds), (2, 0, 1));
        let cooperative = outcome("cooperative-sticky", ONE_JOINS);
        assert_eq!(cooperative.plan, sticky.plan);
        assert_eq!((cooperative.moves, cooperative.withheld), (2, 2));
        assert_eq!((cooperative.rounds, cooperative.without_owner), (2, 0));
    }

    #[test]
    fn racks_are_counted_where_they_are_known() {
        let json = r#"{"topics": {"t": {"partitions": 3, "racks": [["x"], ["y"], []]}, "u": {"partitions": 1}},
            "members": {"a": {"topics": ["t"], "rack": "x"}}}"#;
        let found = outcome("range", json);
        assert_eq!((found.rack_matches, found.with_racks), (1, 2));
        assert_eq!(found.without_owner, 1);
    }

    #[test]
    fn a_claim_counts_where_nobody_contradicts_it() {
        let json = r#"{"topics": {"t": {"partitions": 3}}, "members": {
            "a": {"topics": ["t"], "owned": [["t", 0], ["t", 1], ["t", 2], ["t", 3], ["u", 0]], "generation": 1},
            "b": {"topics": ["t"], "owned": [["t", 0]], "generation": 1},
            "c": {"topics": ["t"], "owned": [["t", 1]], "generation": 2},
            "d": {"topics": [], "owned": [["t", 2]], "generation": 9}}}"#;
        let (cluster, members) = Situation::read(json, "a test").unwrap().group().unwrap();
        let owners: Vec<(i32, &str)> = owners_now(&cluster, &members)
            .into_iter()
            .map(|((_, partition), owner)| (partition, owner.as_str()))
            .collect();
        assert_eq!(owners, [(1, "c"), (2, "a")]);
    }
}
