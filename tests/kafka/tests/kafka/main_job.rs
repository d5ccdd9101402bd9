//! The main job: groups share a topic, stop, crash, and go on where they left off.

use std::collections::BTreeSet;
use std::time::Duration;

use windlass_test_kafka::log::{Log, Told};
use windlass_test_kafka::member::{Group, Member};
use windlass_test_kafka::ranges::Ranges;

use crate::stage::{NotRun, Stage};
use crate::view;

const PARTITIONS: i32 = 6;

/// How long anything may take that happens in seconds when all is well.
const PATIENCE: Duration = Duration::from_secs(120);

/// The session of a member that is going to be killed.
const SESSION: Duration = Duration::from_secs(6);

pub(crate) fn members_share_a_topic_through_stops_and_crashes(
    stage: &Stage,
) -> Result<String, NotRun> {
    let cluster = stage.cluster();
    let records = Stage::number("WINDLASS_RECORDS", 100_000);
    let topic = Stage::unique("shared");
    cluster.create_topic(&topic, 6);
    let mut group = Group::new(cluster, &topic, &topic);
    group.set_session_timeout(SESSION);
    let mut members: Vec<Member> = ["a", "b", "c"].map(|name| group.start(name)).into();
    await_settled(&group.log, &members, PARTITIONS);

    let producing = cluster.producing(&topic, records, records / 10);
    await_distinct(&group.log, records / 5);
    members.remove(0).stop();
    await_settled(&group.log, &members, PARTITIONS);
    let before_kill = await_distinct(&group.log, records * 2 / 5);
    let twice_by_stops: i64 = group.log.consumed().values().map(Ranges::repeated).sum();
    assert_eq!(twice_by_stops, 0, "{}", group.log.story());
    members.remove(0).kill();
    members.extend(["d", "e"].map(|name| group.start(name)));
    await_settled(&group.log, &members, PARTITIONS);
    producing.wait();
    await_distinct(&group.log, records);
    members.drain(..).for_each(Member::stop);
    let ends = view::ends(cluster, &topic, PARTITIONS);
    assert_eq!(ends.values().sum::<i64>(), records);
    let twice = view::assert_complete(&group.log, &ends);
    assert_eq!(view::committed(cluster, &topic, &topic, PARTITIONS), ends);

    let more = records / 10;
    cluster.produce(&topic, more);
    let members = ["f", "g", "h"].map(|name| group.start(name));
    await_settled(&group.log, &members, PARTITIONS);
    await_distinct(&group.log, records + more);
    members.into_iter().for_each(Member::stop);
    let ends = view::ends(cluster, &topic, PARTITIONS);
    assert_eq!(
        view::assert_complete(&group.log, &ends),
        twice,
        "the restart read nothing again"
    );
    assert_eq!(view::committed(cluster, &topic, &topic, PARTITIONS), ends);
    Ok(format!(
        "{records} records produced, {before_kill} read before the crash, all read, {twice} twice (all of them \
         uncommitted by the killed member), 0 by clean stops; {more} more read after a restart of all, 0 again"
    ))
}

pub(crate) fn two_of_eight_members_of_six_partitions_are_idle(
    stage: &Stage,
) -> Result<String, NotRun> {
    let cluster = stage.cluster();
    let topic = Stage::unique("eight");
    cluster.create_topic(&topic, 6);
    let group = Group::new(cluster, &topic, &topic);
    let members: Vec<Member> = (1..=8)
        .map(|number| group.start(&format!("m{number}")))
        .collect();
    await_settled(&group.log, &members, PARTITIONS);
    let busy_of = |all: &[Told]| {
        all.iter()
            .filter(|told| told.judge.owned().count() == 1)
            .count()
    };
    group
        .log
        .wait("six have one partition each", PATIENCE, |all| {
            busy_of(all) == 6
        });
    let records = 6_000;
    cluster.produce(&topic, records);
    await_distinct(&group.log, records);
    let idle = group
        .log
        .read(|all| all.iter().filter(|told| told.judge.records == 0).count());
    let assigned = group
        .log
        .read(|all| all.iter().filter(|told| told.judge.assignments > 0).count());
    assert_eq!((idle, assigned), (2, 8), "{}", group.log.story());
    members.into_iter().for_each(Member::stop);
    view::assert_complete(&group.log, &view::ends(cluster, &topic, PARTITIONS));
    Ok(format!(
        "8 members, 6 with one partition, {idle} idle, {records} records read"
    ))
}

pub(crate) fn two_groups_have_offsets_of_their_own(stage: &Stage) -> Result<String, NotRun> {
    let cluster = stage.cluster();
    let topic = Stage::unique("twice");
    let records = 20_000;
    cluster.create_topic(&topic, 6);
    cluster.produce(&topic, records);
    let ends = view::ends(cluster, &topic, PARTITIONS);
    let names = [format!("{topic}-first"), format!("{topic}-second")];
    for (place, name) in names.iter().enumerate() {
        let group = Group::new(cluster, &topic, name);
        let members = ["a", "b"].map(|name| group.start(name));
        await_distinct(&group.log, records);
        members.into_iter().for_each(Member::stop);
        assert_eq!(view::assert_complete(&group.log, &ends), 0);
        for (other, name) in names.iter().enumerate() {
            let committed = view::committed(cluster, name, &topic, PARTITIONS);
            let expected = if other <= place {
                ends.clone()
            } else {
                [].into()
            };
            assert_eq!(committed, expected, "{name}");
        }
    }
    Ok(format!(
        "{records} records read by each of two groups, one after the other"
    ))
}

/// Waits until these members, and nobody else, share all partitions.
pub(crate) fn await_settled(log: &Log, members: &[Member], partitions: i32) {
    let places: BTreeSet<usize> = members.iter().map(|member| member.place).collect();
    log.wait("every partition has one owner", PATIENCE, |all| {
        let mut owned: Vec<i32> = Vec::new();
        for (place, told) in all.iter().enumerate() {
            let of_member: Vec<i32> = told.judge.owned().map(|owned| owned.partition).collect();
            let has_joined = told.judge.assignments > 0;
            if places.contains(&place) && !has_joined
                || !places.contains(&place) && !of_member.is_empty()
            {
                return false;
            }
            owned.extend(of_member);
        }
        owned.sort_unstable();
        owned == (0..partitions).collect::<Vec<i32>>()
    });
}

/// Waits until so many different records have been consumed; how many there are then.
pub(crate) fn await_distinct(log: &Log, records: i64) -> i64 {
    let mut seen = 0;
    log.wait(&format!("{records} records"), PATIENCE, |all| {
        // Counting records is quick, and there are never more different ones than that.
        let count: i64 = all.iter().map(|told| told.judge.records).sum();
        if count >= records {
            seen = Log::distinct(all);
        }
        seen >= records
    });
    seen
}
