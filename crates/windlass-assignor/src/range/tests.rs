//! Range by examples worked out by hand; the comparison with Kafka's own is a test of its own.

use windlass_model::{BrokerEndpoint, Cluster, NodeId, Partition, Topic};

use super::*;
use crate::Member;

/// No replicas that anybody knows of.
const NOWHERE: &[i32] = &[];

/// Topics with the replicas of each partition; node *n* stands in rack *n*.
fn cluster(topics: &[(&str, &[&[i32]])]) -> Cluster {
    let mut cluster = Cluster::default();
    for node in 0..3 {
        let mut broker = BrokerEndpoint::new("host", 9092);
        broker.rack = Some(node.to_string());
        cluster.brokers.insert(NodeId(node), broker);
    }
    for (name, partitions) in topics {
        let partitions = partitions.iter().map(|replicas| Partition {
            replicas: replicas.iter().map(|node| NodeId(*node)).collect(),
            ..Partition::default()
        });
        let entry = Topic {
            partitions: partitions.collect(),
            ..Topic::default()
        };
        cluster.topics.insert((*name).into(), entry);
    }
    cluster
}

fn in_rack(rack: &str, topics: &[&str]) -> Member {
    Member {
        rack: Some(rack.to_owned()),
        ..Member::subscribed_to(topics.iter().copied())
    }
}

fn plan(cluster: &Cluster, members: &Members) -> String {
    let plan = RangeAssignor::new()
        .assign_validated(cluster, members)
        .unwrap();
    let members = plan.iter().map(|(id, partitions)| {
        let topics = partitions.topics();
        let lists = topics.map(|(topic, list)| format!(" {topic}{list:?}"));
        format!("{id}:{}", lists.collect::<String>())
    });
    members.collect::<Vec<_>>().join("; ")
}

#[test]
fn the_first_members_get_the_remainder_of_every_topic() {
    let cluster = cluster(&[("t", &[NOWHERE; 5]), ("u", &[NOWHERE; 3])]);
    let members = ["a", "b"].map(|id| (id, Member::subscribed_to(["t", "u"])));
    assert_eq!(
        plan(&cluster, &members.into_iter().collect()),
        "a: t[0, 1, 2] u[0, 1]; b: t[3, 4] u[2]"
    );
}

#[test]
fn instance_ids_come_before_member_ids() {
    let cluster = cluster(&[("t", &[NOWHERE; 3])]);
    let mut members: Members = ["a", "b"]
        .map(|id| (id, Member::subscribed_to(["t"])))
        .into_iter()
        .collect();
    members.get_mut("b").unwrap().instance_id = Some("static".into());
    assert_eq!(plan(&cluster, &members), "a: t[2]; b: t[0, 1]");
}

#[test]
fn partitions_go_to_members_in_their_rack() {
    let cluster = cluster(&[("t", &[&[1], &[0], &[1], &[0]])]);
    let members = [("a", in_rack("0", &["t"])), ("b", in_rack("1", &["t"]))];
    assert_eq!(
        plan(&cluster, &members.into_iter().collect()),
        "a: t[1, 3]; b: t[0, 2]"
    );
}

#[test]
fn racks_are_ignored_where_every_partition_is_everywhere() {
    let cluster = cluster(&[("t", &[&[0, 1], &[1, 0], &[0, 1], &[0, 1]])]);
    let members = [("a", in_rack("1", &["t"])), ("b", in_rack("0", &["t"]))];
    assert_eq!(
        plan(&cluster, &members.into_iter().collect()),
        "a: t[0, 1]; b: t[2, 3]"
    );
}

#[test]
fn co_partitioned_topics_stay_together_even_against_racks() {
    // Partition 0 of t is in rack 1 and that of u in rack 0: no member matches both, so racks have
    // no say about it; partition 1 of both is in rack 0.
    let cluster = cluster(&[("t", &[&[1], &[0]]), ("u", &[&[0], &[0]])]);
    let members = [
        ("a", in_rack("1", &["t", "u"])),
        ("b", in_rack("0", &["t", "u"])),
    ];
    assert_eq!(
        plan(&cluster, &members.into_iter().collect()),
        "a: t[0] u[0]; b: t[1] u[1]"
    );
}

#[test]
fn topics_without_subscribers_or_partitions_are_left_out() {
    let cluster = cluster(&[("empty", &[]), ("t", &[NOWHERE; 1]), ("u", &[NOWHERE; 1])]);
    let members = [("a", Member::subscribed_to(["t", "empty", "gone"]))];
    assert_eq!(plan(&cluster, &members.into_iter().collect()), "a: t[0]");
    assert_eq!(plan(&cluster, &Members::new()), "");
}
