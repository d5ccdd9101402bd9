//! Members with lasting identities: restarted unnoticed, and fenced by their doubles.

use std::time::Duration;

use windlass_test_kafka::log::Told;
use windlass_test_kafka::member::{Client, Group, Member};

use crate::main_job::{await_distinct, await_settled};
use crate::stage::{NotRun, Stage};
use crate::view;

const PARTITIONS: i32 = 6;

const PATIENCE: Duration = Duration::from_secs(120);

/// Sessions outlast every restart by far.
const SESSION: Duration = Duration::from_secs(60);

pub(crate) fn a_static_member_is_restarted_unnoticed(stage: &Stage) -> Result<String, NotRun> {
    let cluster = stage.cluster();
    let topic = Stage::unique("static");
    cluster.create_topic(&topic, 6);
    let mut group = Group::new(cluster, &topic, &topic);
    group.set_session_timeout(SESSION);
    let start = |group: &Group, name: &str, instance: &str| {
        group.start_client(name, Client::Windlass, &["--group-instance-id", instance])
    };
    let one = start(&group, "one", "i1");
    await_settled(&group.log, std::slice::from_ref(&one), PARTITIONS);
    let members = [
        one,
        start(&group, "two", "i2"),
        start(&group, "three", "i3"),
    ];
    await_settled(&group.log, &members, PARTITIONS);
    group.log.wait("two partitions each", PATIENCE, |all| {
        all.iter().all(|told| told.judge.owned().count() == 2)
    });
    let mut read = 3_000;
    cluster.produce(&topic, read);
    await_distinct(&group.log, read);
    let before = group.log.read(moves);

    // One leads the group. Stopped cleanly it does not leave; killed it cannot.
    let [one, two, three] = members;
    let mut members = vec![two, three];
    restart(&group, one, "one-again", "i1", true, &mut members);
    let two = members.remove(0);
    restart(&group, two, "two-again", "i2", false, &mut members);
    read += 3_000;
    cluster.produce(&topic, read - 3_000);
    await_distinct(&group.log, read);
    let after = group.log.read(moves);
    assert_eq!(
        before[2],
        after[2],
        "the member that stayed was disturbed\n{}",
        group.log.story()
    );
    members.into_iter().for_each(Member::stop);
    let twice = view::assert_complete(&group.log, &view::ends(cluster, &topic, PARTITIONS));
    Ok(format!(
        "the leader stopped and a follower killed, both restarted within their sessions: 0 revocations and 0 \
         assignments for the others, {read} records read, {twice} twice"
    ))
}

/// Ends the member, and starts one of the same identity that has to be given the same partitions.
fn restart(
    group: &Group,
    old: Member,
    name: &str,
    instance: &str,
    is_clean: bool,
    members: &mut Vec<Member>,
) {
    let owned = |told: &Told| told.judge.owned().cloned().collect::<Vec<_>>();
    let had = group.log.read(|all| owned(&all[old.place]));
    let before = group.log.read(|all| {
        members
            .iter()
            .map(|member| moves(all)[member.place])
            .collect::<Vec<_>>()
    });
    if is_clean {
        old.stop();
    } else {
        old.kill();
    }
    let new = group.start_client(name, Client::Windlass, &["--group-instance-id", instance]);
    group
        .log
        .wait("it is back with what it had", PATIENCE, |all| {
            owned(&all[new.place]) == had
        });
    let after = group.log.read(|all| {
        members
            .iter()
            .map(|member| moves(all)[member.place])
            .collect::<Vec<_>>()
    });
    assert_eq!(
        before,
        after,
        "{name} disturbed the others\n{}",
        group.log.story()
    );
    members.push(new);
}

pub(crate) fn a_double_of_a_static_member_fences_it(stage: &Stage) -> Result<String, NotRun> {
    let cluster = stage.cluster();
    let topic = Stage::unique("double");
    cluster.create_topic(&topic, 6);
    let mut group = Group::new(cluster, &topic, &topic);
    group.set_session_timeout(Duration::from_secs(9));
    let start = |name: &str, instance: &str| {
        group.start_client(name, Client::Windlass, &["--group-instance-id", instance])
    };
    let old = start("old", "i1");
    let other = start("other", "i2");
    group.log.wait("three partitions each", PATIENCE, |all| {
        all.iter().all(|told| told.judge.owned().count() == 3)
    });
    let before = group.log.read(moves)[other.place];
    let new = start("new", "i1");
    group.log.wait("the newcomer has them", PATIENCE, |all| {
        all[new.place].judge.owned().count() == 3
    });
    let code = old.await_end();
    assert!(
        code.is_some_and(|code| code != 0),
        "the fenced member says that it failed: {code:?}"
    );
    cluster.produce(&topic, 3_000);
    await_distinct(&group.log, 3_000);
    assert_eq!(
        group.log.read(moves)[other.place],
        before,
        "{}",
        group.log.story()
    );
    let read_by_old = group.log.read(|all| all[0].judge.records);
    assert_eq!(read_by_old, 0);
    new.stop();
    other.stop();
    let ends = view::ends(cluster, &topic, PARTITIONS);
    assert_eq!(view::committed(cluster, &topic, &topic, PARTITIONS), ends);
    Ok(format!(
        "the newcomer was given 3 partitions, the old member ended with code {}, 0 moves for the other, 3000 \
         records read",
        code.unwrap_or_default()
    ))
}

/// How often partitions came to and went from each member.
fn moves(all: &[Told]) -> Vec<(u64, u64)> {
    all.iter()
        .map(|told| (told.judge.assignments, told.judge.revocations))
        .collect()
}
