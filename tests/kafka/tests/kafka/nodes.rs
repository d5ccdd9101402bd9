//! What the group notices when nodes die and come back.

use std::sync::mpsc::channel;
use std::time::Duration;

use windlass_test_kafka::cluster::Cluster;
use windlass_test_kafka::judge::Judge;
use windlass_test_kafka::member::Member;

const PATIENCE: Duration = Duration::from_secs(120);

/// Each of three nodes is killed and restarted in turn, so that the coordinator and every leader die
/// once. The sessions outlast that, so the group has no reason to rebalance.
#[test]
fn the_group_survives_every_node_in_turn() {
    let Some(program) = crate::program() else {
        return;
    };
    let cluster =
        Cluster::start("nodes", 3).unwrap_or_else(|error| panic!("Kafka starts: {error}"));
    cluster.create_topic("events", 6).unwrap();
    let (events, receiver) = channel();
    let mut judge = Judge::new(receiver);
    let arguments = [
        "--bootstrap-server",
        cluster.bootstrap(),
        "--topic",
        "events",
        "--group-id",
        "group",
        "--session-timeout",
        "45000",
    ];
    let start = |name: &str| {
        Member::windlass(&program, name, &arguments, events.clone())
            .unwrap_or_else(|error| panic!("a member starts: {error}"))
    };
    let members = [start("one"), start("two")];
    judge
        .until("two owners", PATIENCE, |judge| {
            judge.owners() == 2 && judge.owned_partitions() == 6
        })
        .unwrap();
    let before = (judge.revocations("one"), judge.revocations("two"));
    let mut total = 0;
    for node in 1..=3 {
        cluster.kill(node).unwrap();
        cluster.produce("events", 3000).unwrap();
        total += 3000;
        judge
            .until("all read without the node", PATIENCE, |judge| {
                judge.consumed() >= total
            })
            .unwrap();
        cluster.restart(node).unwrap();
        cluster.produce("events", 3000).unwrap();
        total += 3000;
        judge
            .until("all read with the node back", PATIENCE, |judge| {
                judge.consumed() >= total
            })
            .unwrap();
    }
    assert_eq!(
        (judge.revocations("one"), judge.revocations("two")),
        before,
        "the group rebalanced"
    );
    println!("three nodes killed and restarted in turn: {total} records read, 0 rebalances");
    for member in members {
        member.terminate().unwrap();
    }
}
