//! Kafka's own consumer and ours in one group, each leading it in turn.

use std::collections::BTreeSet;
use std::time::Duration;

use windlass_test_kafka::log::Told;
use windlass_test_kafka::member::{Client, Group};

use crate::main_job::{await_distinct, await_settled};
use crate::stage::{NotRun, Stage};
use crate::view;

const PARTITIONS: i32 = 6;

const PATIENCE: Duration = Duration::from_secs(120);

/// How many records each line-up of members reads.
const RECORDS: i64 = 3_000;

pub(crate) fn java_and_windlass_share_a_group_by_range(stage: &Stage) -> Result<String, NotRun> {
    let shares = BTreeSet::from([[0, 1, 2].into(), [3, 4, 5].into()]);
    share(stage, "RangeAssignor", |owned| *owned == shares).map(|(seen, _)| seen)
}

pub(crate) fn java_and_windlass_share_a_group_by_round_robin(
    stage: &Stage,
) -> Result<String, NotRun> {
    let shares = BTreeSet::from([[0, 2, 4].into(), [1, 3, 5].into()]);
    share(stage, "RoundRobinAssignor", |owned| *owned == shares).map(|(seen, _)| seen)
}

pub(crate) fn java_and_windlass_move_only_what_must_move(stage: &Stage) -> Result<String, NotRun> {
    let (seen, group) = share(stage, "CooperativeStickyAssignor", |owned| {
        owned.iter().all(|owned| owned.len() == 3)
    })?;
    // The first leader starts with six, and gives three away; the members after it are given three,
    // then the other three when the leader goes, of which the last has to give none away.
    let came = group
        .log
        .read(|all| all.iter().map(tenures_of).collect::<Vec<_>>());
    assert_eq!(came, [6, 6, 6, 6], "{}", group.log.story());
    Ok(format!(
        "{seen}; no member ever had to give back what it kept"
    ))
}

/// Ours leads, Java comes; ours goes, Java leads, ours comes; Java goes, ours leads, Java comes.
/// Each pair has to come to these shares.
fn share(
    stage: &Stage,
    strategy: &str,
    are_right: impl Fn(&BTreeSet<BTreeSet<i32>>) -> bool,
) -> Result<(String, Group), NotRun> {
    let cluster = stage.cluster();
    let topic = Stage::unique(strategy);
    cluster.create_topic(&topic, 6);
    let mut group = Group::new(cluster, &topic, &topic);
    let class = format!("org.apache.kafka.clients.consumer.{strategy}");
    group.set("--assignment-strategy", &class);
    let mut leader = group.start_client("windlass-1", Client::Windlass, &[]);
    let mut read = 0;
    for (name, client) in [
        ("java-1", Client::Java),
        ("windlass-2", Client::Windlass),
        ("java-2", Client::Java),
    ] {
        await_settled(&group.log, std::slice::from_ref(&leader), PARTITIONS);
        let pair = [leader, group.start_client(name, client, &[])];
        let places = [pair[0].place, pair[1].place];
        group.log.wait("each has its share", PATIENCE, |all| {
            let owned = places.map(|place| owned_by(&all[place]));
            owned.iter().map(BTreeSet::len).sum::<usize>() == 6 && are_right(&owned.into())
        });
        cluster.produce(&topic, RECORDS);
        read += RECORDS;
        await_distinct(&group.log, read);
        let [first, second] = pair;
        first.stop();
        leader = second;
    }
    await_settled(&group.log, std::slice::from_ref(&leader), PARTITIONS);
    leader.stop();
    let twice = view::assert_complete(&group.log, &view::ends(cluster, &topic, PARTITIONS));
    assert_eq!(twice, 0);
    let came: usize = group.log.read(|all| all.iter().map(tenures_of).sum());
    let seen = format!(
        "{read} records read once by 2 windlass and 2 Java members, each kind leading the other; \
         partitions came {came} times"
    );
    Ok((seen, group))
}

/// How often a partition came to the member.
fn tenures_of(told: &Told) -> usize {
    told.judge.tenures.len()
}

fn owned_by(told: &Told) -> BTreeSet<i32> {
    told.judge.owned().map(|owned| owned.partition).collect()
}
