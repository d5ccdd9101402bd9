//! Plans made by hand, and each way in which one can be wrong.

use windlass_model::{Partition, Topic};

use super::*;
use crate::Member;

fn cluster() -> Cluster {
    let mut cluster = Cluster::default();
    for name in ["t", "u"] {
        let entry = Topic {
            partitions: vec![Partition::default(); 2],
            ..Topic::default()
        };
        cluster.topics.insert(name.into(), entry);
    }
    cluster
}

fn members() -> Members {
    [
        ("a", Member::subscribed_to(["t", "gone"])),
        ("b", Member::subscribed_to(["t", "u"])),
    ]
    .into_iter()
    .collect()
}

fn plan(pairs: &[(&str, &str, i32)]) -> Assignment {
    let pair = |(member, topic, partition): &(&str, &str, i32)| {
        let mut partitions = TopicPartitions::new();
        partitions.push(&TopicName::from(*topic), *partition);
        (MemberId::from(*member), partitions)
    };
    pairs.iter().map(pair).collect()
}

fn fault(pairs: &[(&str, &str, i32)]) -> String {
    let result = plan(pairs).validate(&cluster(), &members());
    result.unwrap_err().to_string()
}

#[test]
fn a_good_plan_passes_though_it_is_not_complete() {
    let good = plan(&[("b", "u", 0), ("a", "t", 1), ("b", "t", 0)]);
    good.validate(&cluster(), &members()).unwrap();
    assert_eq!(good.len(), 2);
    assert_eq!(good.get("a").unwrap().len(), 1);
    assert_eq!(good.get("b").unwrap().to_topic_partitions().len(), 2);
    assert!(good.get("c").is_none());
}

#[test]
fn every_fault_has_a_name() {
    assert_eq!(
        fault(&[("c", "t", 0)]),
        "c was given partitions but is no member of the group"
    );
    assert_eq!(
        fault(&[("a", "gone", 0)]),
        "a was given partitions of gone, which the cluster does not have"
    );
    assert_eq!(
        fault(&[("a", "u", 0)]),
        "a was given partitions of u, to which it is not subscribed"
    );
    assert_eq!(
        fault(&[("a", "t", 2)]),
        "a was given t-2, but the topic has 2 partitions"
    );
    assert_eq!(
        fault(&[("a", "t", -1)]),
        "a was given t--1, but the topic has 2 partitions"
    );
    assert_eq!(
        fault(&[("b", "t", 1), ("a", "t", 1)]),
        "t-1 was given to a and to b"
    );
    assert_eq!(
        fault(&[("a", "t", 1), ("a", "t", 1)]),
        "t-1 was given to a and to a"
    );
}

#[test]
fn plans_compare_by_what_they_give() {
    let left = plan(&[("a", "t", 0), ("b", "u", 1)]);
    assert_eq!(left, plan(&[("b", "u", 1), ("a", "t", 0)]));
    assert_ne!(left, plan(&[("a", "t", 1), ("b", "u", 1)]));
    assert_eq!(format!("{left:?}"), r#"{"a": {"t": [0]}, "b": {"u": [1]}}"#);
}
