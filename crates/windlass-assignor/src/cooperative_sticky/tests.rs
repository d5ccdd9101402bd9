//! Rounds of a cooperative group, by example.

use windlass_model::{Partition, Topic};

use super::*;

fn cluster() -> Cluster {
    let mut cluster = Cluster::default();
    let entry = Topic {
        partitions: vec![Partition::default(); 4],
        ..Topic::default()
    };
    cluster.topics.insert("t".into(), entry);
    cluster
}

fn claiming(partitions: &[i32], generation: i32) -> Member {
    let mut member = Member::subscribed_to(["t"]);
    for partition in partitions {
        member.owned.push(&"t".into(), *partition);
    }
    member.generation = Generation::from_wire(generation);
    member
}

fn plan(members: &Members) -> Vec<(String, Vec<i32>)> {
    let plan = CooperativeStickyAssignor::new()
        .assign_validated(&cluster(), members)
        .unwrap();
    let lists = plan.iter().map(|(id, partitions)| {
        let list = partitions.topics().flat_map(|(_, list)| list.to_vec());
        (id.to_string(), list.collect())
    });
    lists.collect()
}

#[test]
fn what_moves_is_nobodys_for_one_round() {
    let mut members: Members = [("a", claiming(&[0, 1, 2, 3], 1)), ("b", claiming(&[], -1))]
        .into_iter()
        .collect();
    let first = plan(&members);
    let kept = first[0].1.clone();
    assert_eq!((kept.len(), first[1].1.len()), (2, 0));
    members.insert("a", claiming(&kept, 2));
    members.insert("b", claiming(&[], 2));
    let second = plan(&members);
    assert_eq!((&second[0].1, second[1].1.len()), (&kept, 2));
}

#[test]
fn a_partition_with_two_owners_is_taken_from_both_first() {
    let members: Members = [("a", claiming(&[0, 1], 3)), ("b", claiming(&[0, 2], 3))]
        .into_iter()
        .collect();
    for (_, list) in plan(&members) {
        assert!(!list.contains(&0), "{list:?}");
    }
}

#[test]
fn the_rightful_owner_keeps_a_partition_that_a_stale_member_claims() {
    let members: Members = [("a", claiming(&[0, 1], 3)), ("b", claiming(&[0, 2], 2))]
        .into_iter()
        .collect();
    assert_eq!(plan(&members)[0].1[..2], [0, 1]);
}

#[test]
fn a_partition_held_by_one_that_no_longer_subscribes_waits_a_round() {
    let mut gone = claiming(&[0], 3);
    gone.topics.clear();
    let members: Members = [("a", claiming(&[], 3)), ("b", gone)].into_iter().collect();
    assert_eq!(plan(&members)[0].1, [1, 2, 3]);
}

#[test]
fn the_generation_may_be_in_the_user_data() {
    let mut early = claiming(&[0, 1], -1);
    early.user_data = write_generation(Generation::from_wire(2));
    let mut late = claiming(&[0, 1], -1);
    late.user_data = write_generation(Generation::from_wire(3));
    let members: Members = [("a", early), ("b", late)].into_iter().collect();
    assert_eq!(plan(&members)[1].1, [0, 1]);
}
