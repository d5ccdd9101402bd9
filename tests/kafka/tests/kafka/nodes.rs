//! What a group notices when nodes die and come back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use windlass_test_kafka::cluster::Cluster;
use windlass_test_kafka::log::Told;
use windlass_test_kafka::member::{Group, Member};

use crate::main_job::{await_distinct, await_settled};
use crate::stage::{NotRun, Stage};
use crate::view;

const PARTITIONS: i32 = 6;

const PATIENCE: Duration = Duration::from_secs(120);

/// Sessions outlast the death of a node by far.
const SESSION: Duration = Duration::from_secs(60);

/// How many records come in a second all the while.
const A_SECOND: i64 = 500;

pub(crate) fn a_group_outlives_its_nodes_without_a_rebalance(
    stage: &Stage,
) -> Result<String, NotRun> {
    let cluster = stage.cluster_of(3)?;
    let topic = "nodes";
    cluster.create_topic(topic, 6);
    let mut group = Group::new(&cluster, topic, topic);
    group.set_session_timeout(SESSION);
    let members = ["a", "b", "c"].map(|name| group.start(name));
    group.log.wait("two partitions each", PATIENCE, |all| {
        all.iter().all(|told| told.judge.owned().count() == 2)
    });
    let before = group.log.read(moves);
    let producing = cluster.endless(topic, A_SECOND);
    go_on(&group);

    let mut ended = Vec::new();
    let coordinator = coordinator(&cluster, group.id());
    ended.push(format!("coordinator {coordinator} killed"));
    cluster.kill(coordinator);
    go_on(&group);
    cluster.restart(coordinator);
    await_replicas(&cluster);
    let leader = *leaders(&cluster, topic).values().next().unwrap();
    ended.push(format!("leader {leader} killed"));
    cluster.kill(leader);
    go_on(&group);
    cluster.restart(leader);
    await_replicas(&cluster);
    for node in 1..=3 {
        cluster.restart(node);
        await_replicas(&cluster);
        go_on(&group);
        ended.push(format!("{node} restarted"));
    }
    producing.stop();
    let ends = view::ends(&cluster, topic, PARTITIONS);
    let records = ends.values().sum();
    await_distinct(&group.log, records);
    assert_eq!(group.log.read(moves), before, "{}", group.log.story());
    let failed = group.log.read(|all| {
        let failed = all
            .iter()
            .flat_map(|told| told.judge.failed_commits.clone());
        failed.collect::<Vec<_>>()
    });
    assert!(
        failed.is_empty(),
        "commits have time to find the new coordinator: {failed:?}"
    );
    await_settled(&group.log, &members, PARTITIONS);
    members.into_iter().for_each(Member::stop);
    let twice = view::assert_complete(&group.log, &ends);
    assert_eq!(
        view::committed(&cluster, group.id(), topic, PARTITIONS),
        ends
    );
    Ok(format!(
        "{}: 0 partitions moved, {records} records read, {twice} twice",
        ended.join(", ")
    ))
}

/// Waits until something more was read of every partition.
pub(crate) fn go_on(group: &Group) {
    let count = |all: &[Told]| {
        let mut count: BTreeMap<i32, i64> = BTreeMap::new();
        for (partition, ranges) in all.iter().flat_map(|told| &told.judge.consumed) {
            *count.entry(partition.partition).or_default() += ranges.distinct();
        }
        count
    };
    let before = group.log.read(count);
    group
        .log
        .wait("records of every partition", PATIENCE, |all| {
            let now = count(all);
            (0..PARTITIONS).all(|partition| {
                let before = before.get(&partition).copied().unwrap_or_default();
                now.get(&partition).is_some_and(|now| *now >= before + 20)
            })
        });
}

/// What Kafka's own tool tells of the group, in one row.
pub(crate) fn state(cluster: &Cluster, group: &str) -> String {
    let text = cluster.tool(
        "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
        &["--describe", "--state", "--group", group],
    );
    text.lines()
        .find(|line| line.starts_with(group))
        .unwrap_or_else(|| panic!("{text}"))
        .to_owned()
}

/// The node that coordinates the group.
fn coordinator(cluster: &Cluster, group: &str) -> i32 {
    let row = state(cluster, group);
    let (_, rest) = row.split_once('(').unwrap_or_else(|| panic!("{row}"));
    rest.split(')')
        .next()
        .and_then(|id| id.parse().ok())
        .unwrap_or_else(|| panic!("{row}"))
}

/// The leaders of the topic's partitions.
fn leaders(cluster: &Cluster, topic: &str) -> BTreeMap<i32, i32> {
    let text = cluster.tool(
        "org.apache.kafka.tools.TopicCommand",
        &["--describe", "--topic", topic],
    );
    let number = |line: &str, name: &str| {
        let (_, rest) = line.split_once(name)?;
        rest.split_whitespace().next()?.parse().ok()
    };
    text.lines()
        .filter_map(|line| Some((number(line, "Partition: ")?, number(line, "Leader: ")?)))
        .collect()
}

/// Waits until every partition is everywhere again, so that the next node may go.
fn await_replicas(cluster: &Cluster) {
    let start = Instant::now();
    let arguments = ["--describe", "--under-replicated-partitions"];
    while !cluster
        .tool("org.apache.kafka.tools.TopicCommand", &arguments)
        .trim()
        .is_empty()
    {
        assert!(start.elapsed() < PATIENCE, "a node does not catch up");
    }
}

/// How often partitions came to and went from each member.
fn moves(all: &[Told]) -> Vec<(u64, u64)> {
    all.iter()
        .map(|told| (told.judge.assignments, told.judge.revocations))
        .collect()
}
