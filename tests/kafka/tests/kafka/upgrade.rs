//! A group that goes over from eager to cooperative rebalances, member by member.

use std::time::Duration;

use windlass_test_kafka::cluster::Cluster;
use windlass_test_kafka::log::Told;
use windlass_test_kafka::member::{Group, Member};

use crate::main_job::{await_distinct, await_settled};
use crate::nodes::{go_on, state};
use crate::stage::{NotRun, Stage};
use crate::view;

const PARTITIONS: i32 = 6;

const PATIENCE: Duration = Duration::from_secs(60);

/// How many records come in a second all the while.
const A_SECOND: i64 = 600;

/// What the members are configured with, one bounce after another.
const BOUNCES: [&str; 3] = [
    "org.apache.kafka.clients.consumer.RangeAssignor",
    "org.apache.kafka.clients.consumer.CooperativeStickyAssignor,org.apache.kafka.clients.consumer.RangeAssignor",
    "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
];

pub(crate) fn a_group_goes_from_eager_to_cooperative_in_two_bounces(
    stage: &Stage,
) -> Result<String, NotRun> {
    let cluster = stage.cluster();
    let topic = Stage::unique("upgrade");
    cluster.create_topic(&topic, 6);
    let mut group = Group::new(cluster, &topic, &topic);
    group.set("--assignment-strategy", BOUNCES[0]);
    let mut members: Vec<Member> = ["a-0", "b-0", "c-0"].map(|name| group.start(name)).into();
    await_settled(&group.log, &members, PARTITIONS);
    let producing = cluster.endless(&topic, A_SECOND);
    go_on(&group);
    let mut strategies = vec![strategy(cluster, &group)];
    for (bounce, configured) in BOUNCES.iter().enumerate().skip(1) {
        group.set("--assignment-strategy", configured);
        for letter in ["a", "b", "c"] {
            members.remove(0).stop();
            members.push(group.start(&format!("{letter}-{bounce}")));
            await_settled(&group.log, &members, PARTITIONS);
            go_on(&group);
        }
        strategies.push(strategy(cluster, &group));
    }
    assert_eq!(
        strategies,
        ["range", "cooperative-sticky", "cooperative-sticky"]
    );

    let before = group.log.read(tenures);
    members.push(group.start("d-2"));
    group
        .log
        .wait("the newcomer has something", PATIENCE, |all| {
            all.last()
                .is_some_and(|told| told.judge.owned().count() > 0)
        });
    await_settled(&group.log, &members, PARTITIONS);
    go_on(&group);
    let newcomer = group.log.read(tenures).pop().unwrap_or_default();
    let after = group.log.read(|all| tenures(&all[..before.len()]));
    assert_eq!(
        after,
        before,
        "nobody is given again what it has\n{}",
        group.log.story()
    );
    producing.stop();
    let ends = view::ends(cluster, &topic, PARTITIONS);
    let records = ends.values().sum();
    await_distinct(&group.log, records);
    members.into_iter().for_each(Member::stop);
    let twice = view::assert_complete(&group.log, &ends);
    assert_eq!(twice, 0);
    assert_eq!(view::committed(cluster, &topic, &topic, PARTITIONS), ends);
    Ok(format!(
        "3 members ended and started twice while {records} records came, strategies {}: every partition went on \
         being read, 0 records lost, {twice} twice; then a newcomer took {newcomer} partition, the others kept theirs",
        strategies.join(", ")
    ))
}

/// How often partitions came to each member.
fn tenures(all: &[Told]) -> Vec<usize> {
    all.iter().map(|told| told.judge.tenures.len()).collect()
}

/// The strategy that the group has agreed on.
fn strategy(cluster: &Cluster, group: &Group) -> String {
    let row = state(cluster, group.id());
    let (_, rest) = row.split_once(')').unwrap_or_else(|| panic!("{row}"));
    rest.split_whitespace()
        .next()
        .unwrap_or_else(|| panic!("{row}"))
        .to_owned()
}
