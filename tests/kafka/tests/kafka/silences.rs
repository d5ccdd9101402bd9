//! How long unmoved partitions are silent while the group around them changes. A measurement, and no
//! verdict: it runs when it is asked for by name, and nothing else should run beside it.

use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use windlass_test_kafka::member::{Group, Member};
use windlass_test_kafka::silence::Silences;

use crate::main_job::await_settled;
use crate::nodes::go_on;
use crate::stage::{NotRun, Stage};

const PARTITIONS: i32 = 60;

/// A record every 10 ms for each partition.
const A_SECOND: i64 = 6_000;

const MOMENT: Duration = Duration::from_secs(3);

pub(crate) fn what_does_not_move_is_not_silent(stage: &Stage) -> Result<String, NotRun> {
    let cluster = stage.cluster();
    let topic = Stage::unique("silences");
    cluster.create_topic(&topic, PARTITIONS.unsigned_abs());
    let mut group = Group::new(cluster, &topic, &topic);
    group.set(
        "--assignment-strategy",
        "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
    );
    let mut members: Vec<Member> = (1..=6).map(|one| group.start(&format!("m{one}"))).collect();
    await_settled(&group.log, &members, PARTITIONS);
    let producing = cluster.endless_in_turn(&topic, A_SECOND);
    go_on(&group);
    // A producer in Java is slow at first.
    sleep(10 * MOMENT);
    let mut told = vec![during(&group, "nothing", || sleep(4 * MOMENT))];
    told.push(during(&group, "a join", || {
        members.push(group.start("m7"));
        sleep(MOMENT);
        await_settled(&group.log, &members, PARTITIONS);
    }));
    told.push(during(&group, "a leave", || {
        members.remove(0).stop();
        await_settled(&group.log, &members, PARTITIONS);
        sleep(MOMENT);
    }));
    told.push(during(&group, "a kill", || {
        members.remove(0).kill();
        sleep(Duration::from_secs(12));
        await_settled(&group.log, &members, PARTITIONS);
        sleep(MOMENT);
    }));
    told.push(during(&group, "nothing again", || sleep(4 * MOMENT)));
    producing.stop();
    members.into_iter().for_each(Member::stop);
    group.log.assert_sound();
    Ok(told.join("; "))
}

/// What happens, and how long partitions that stayed were silent meanwhile.
fn during(group: &Group, what: &str, happens: impl FnOnce()) -> String {
    let from = milliseconds();
    happens();
    let to = milliseconds();
    let mut silences = Silences::default();
    let stayed = group.log.read(|all| {
        let tenures = all.iter().flat_map(|told| &told.judge.tenures);
        let stayed = |from_then: u64, until: Option<u64>| {
            from_then < from && until.is_none_or(|until| until > to)
        };
        let stayed: Vec<_> = tenures
            .filter(|tenure| stayed(tenure.from, tenure.to))
            .cloned()
            .collect();
        silences.add(&stayed, (from, to));
        stayed.len()
    });
    assert!(silences.count() > 0, "{what}: nothing was read");
    format!("{what}, {stayed} partitions stayed: {silences}")
}

fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
