//! Round-robin by examples worked out by hand.

use windlass_model::{Partition, Topic};

use super::*;
use crate::Member;

fn plan(topics: &[(&str, usize)], members: &Members) -> String {
    let mut cluster = Cluster::default();
    for (name, count) in topics {
        let entry = Topic {
            partitions: vec![Partition::default(); *count],
            ..Topic::default()
        };
        cluster.topics.insert((*name).into(), entry);
    }
    let plan = RoundRobinAssignor::new()
        .assign_validated(&cluster, members)
        .unwrap();
    let members = plan.iter().map(|(id, partitions)| {
        let topics = partitions.topics();
        let lists = topics.map(|(topic, list)| format!(" {topic}{list:?}"));
        format!("{id}:{}", lists.collect::<String>())
    });
    members.collect::<Vec<_>>().join("; ")
}

#[test]
fn the_circle_goes_on_from_topic_to_topic() {
    let members = ["a", "b"].map(|id| (id, Member::subscribed_to(["t", "u"])));
    assert_eq!(
        plan(&[("t", 3), ("u", 3)], &members.into_iter().collect()),
        "a: t[0, 2] u[1]; b: t[1] u[0, 2]"
    );
}

#[test]
fn members_that_do_not_subscribe_are_passed_over() {
    // The example of Kafka's documentation: t0, t1, t2 with 1, 2 and 3 partitions.
    let members = [
        ("c0", Member::subscribed_to(["t0"])),
        ("c1", Member::subscribed_to(["t0", "t1"])),
        ("c2", Member::subscribed_to(["t0", "t1", "t2"])),
    ];
    assert_eq!(
        plan(
            &[("t0", 1), ("t1", 2), ("t2", 3)],
            &members.into_iter().collect()
        ),
        "c0: t0[0]; c1: t1[0]; c2: t1[1] t2[0, 1, 2]"
    );
}

#[test]
fn static_members_are_first_in_the_circle() {
    let mut last = Member::subscribed_to(["t"]);
    last.instance_id = Some("static".into());
    let members = [("a", Member::subscribed_to(["t"])), ("z", last)];
    assert_eq!(
        plan(&[("t", 3)], &members.into_iter().collect()),
        "a: t[1]; z: t[0, 2]"
    );
}
