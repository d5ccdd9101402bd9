//! Groups in which clients have gone wrong before, by name.

use windlass_model::{MemberId, Partition, Topic};

use super::*;

fn cluster(topics: &[(&str, usize)]) -> Cluster {
    let mut cluster = Cluster::default();
    for (name, count) in topics {
        let entry = Topic {
            partitions: vec![Partition::default(); *count],
            ..Topic::default()
        };
        cluster.topics.insert((*name).into(), entry);
    }
    cluster
}

/// A member with claims on `t`.
fn claiming(partitions: &[i32], generation: i32) -> Member {
    let mut member = Member::subscribed_to(["t"]);
    for partition in partitions {
        member.owned.push(&"t".into(), *partition);
    }
    member.generation = Generation::from_wire(generation);
    member
}

fn owned(plan: &Assignment, member: &str) -> Vec<i32> {
    let lists = plan.get(member).unwrap().topics();
    lists.flat_map(|(_, list)| list.to_vec()).collect()
}

#[test]
fn the_claim_of_the_later_generation_wins() {
    let members: Members = [("a", claiming(&[0, 1], 4)), ("b", claiming(&[0, 1], 5))]
        .into_iter()
        .collect();
    let cluster = cluster(&[("t", 4)]);
    let plan = StickyAssignor::new().assign(&cluster, &members).unwrap();
    assert_eq!(owned(&plan, "b"), [0, 1]);
    assert_eq!((plan.claims().valid, plan.claims().stale), (2, 2));
}

#[test]
fn a_claim_of_an_earlier_generation_stands_where_nobody_contradicts() {
    let members: Members = [("a", claiming(&[3], 2)), ("b", claiming(&[0], 5))]
        .into_iter()
        .collect();
    let plan = StickyAssignor::new()
        .assign(&cluster(&[("t", 4)]), &members)
        .unwrap();
    assert!(owned(&plan, "a").contains(&3));
    assert_eq!(plan.claims().valid, 2);
}

#[test]
fn two_claims_of_one_generation_cancel_each_other_and_a_third_of_an_earlier_one_gains_nothing() {
    let members: Members = [
        ("a", claiming(&[0], 5)),
        ("b", claiming(&[0], 5)),
        ("c", claiming(&[0], 4)),
    ]
    .into_iter()
    .collect();
    let plan = StickyAssignor::new()
        .assign(&cluster(&[("t", 3)]), &members)
        .unwrap();
    let claims = plan.claims();
    assert_eq!((claims.valid, claims.cancelled, claims.stale), (0, 2, 1));
}

#[test]
fn claims_on_what_does_not_exist_are_counted_and_forgotten() {
    let mut odd = claiming(&[0, 0, -1, 7, i32::MAX, i32::MIN], 5);
    odd.owned.push(&"gone".into(), 0);
    odd.owned.push(&"u".into(), 0);
    let members: Members = [("a", odd)].into_iter().collect();
    let plan = StickyAssignor::new()
        .assign(&cluster(&[("t", 1), ("u", 1)]), &members)
        .unwrap();
    assert_eq!(
        plan.claims().to_string(),
        "1 claims valid, 1 on unknown topics, 4 on partitions that do not exist, \
         1 on topics not subscribed to, 1 repeated"
    );
}

#[test]
fn user_data_is_believed_before_the_subscription_and_garbage_is_not() {
    let mut member = claiming(&[0], 9);
    member.user_data = write_sticky(&claiming(&[1], 0).owned, Generation::from_wire(3));
    let members: Members = [("a", claiming(&[], -1)), ("b", member.clone())]
        .into_iter()
        .collect();
    let cluster = cluster(&[("t", 2)]);
    let plan = StickyAssignor::new().assign(&cluster, &members).unwrap();
    assert_eq!(owned(&plan, "b"), [1]);

    member.user_data = vec![0xff; 3];
    let members: Members = [("a", claiming(&[], -1)), ("b", member)]
        .into_iter()
        .collect();
    let plan = StickyAssignor::new().assign(&cluster, &members).unwrap();
    assert_eq!(owned(&plan, "b"), [0]);
    assert_eq!(plan.claims().unreadable_user_data, 1);
}

#[test]
fn a_group_where_nothing_can_be_evened_out_ends() {
    // Each member alone with its own topic, one with none that exists: the shape in which searches
    // that move partition by partition have looped for ever.
    let mut members = Members::new();
    let names: Vec<String> = (0..40).map(|number| format!("t{number}")).collect();
    let mut topics = Vec::new();
    for (count, name) in names.iter().enumerate() {
        topics.push((name.as_str(), count));
        members.insert(name.as_str(), Member::subscribed_to([name.as_str()]));
    }
    members.insert("idle", Member::subscribed_to(["gone"]));
    let plan = StickyAssignor::new()
        .assign_validated(&cluster(&topics), &members)
        .unwrap();
    for (count, name) in names.iter().enumerate() {
        assert_eq!(plan.get(name).unwrap().len(), count);
    }
    assert!(plan.get("idle").unwrap().is_empty());
}

#[test]
fn what_a_member_gives_up_is_spread_over_topics() {
    let topics: Vec<String> = (0..10).map(|number| format!("t{number}")).collect();
    let sizes: Vec<(&str, usize)> = topics.iter().map(|name| (name.as_str(), 100)).collect();
    let cluster = cluster(&sizes);
    let strategy = StickyAssignor::new();
    let subscribed = || Member::subscribed_to(topics.iter().map(String::as_str));
    let mut members: Members = (0..9).map(|n| (format!("m{n}"), subscribed())).collect();
    let plan = strategy.assign(&cluster, &members).unwrap();
    for (id, partitions) in plan.iter() {
        members.get_mut(id.as_str()).unwrap().owned = partitions.to_topic_partitions();
    }
    members.insert("new", subscribed());
    let plan = strategy.assign(&cluster, &members).unwrap();
    let gained: Vec<usize> = plan
        .get("new")
        .unwrap()
        .topics()
        .map(|(_, l)| l.len())
        .collect();
    assert_eq!(gained.iter().sum::<usize>(), 100);
    assert!(
        gained.len() == 10 && *gained.iter().max().unwrap() <= 20,
        "{gained:?}"
    );
}

#[test]
fn nothing_is_sent_before_the_first_assignment() {
    let strategy = StickyAssignor::new();
    let topics = BTreeSet::new();
    let nothing = TopicPartitions::new();
    assert_eq!(
        strategy.subscription_user_data(&nothing, None, &topics),
        None
    );
    let generation = Generation::from_wire(1);
    let data = strategy.subscription_user_data(&nothing, generation, &topics);
    assert_eq!(data.unwrap(), [0, 0, 0, 0, 0, 0, 0, 1]);
}

#[test]
fn a_group_of_one_gets_everything_and_a_group_of_none_nothing() {
    let cluster = cluster(&[("t", 5)]);
    let members: Members = [(MemberId::from("a"), Member::subscribed_to(["t"]))]
        .into_iter()
        .collect();
    let strategy = StickyAssignor::new();
    assert_eq!(
        owned(&strategy.assign(&cluster, &members).unwrap(), "a").len(),
        5
    );
    assert!(
        strategy
            .assign(&cluster, &Members::new())
            .unwrap()
            .is_empty()
    );
}
