//! Who reads what, when members come and go.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use windlass_test_kafka::cluster::Cluster;
use windlass_test_kafka::judge::Judge;
use windlass_test_kafka::member::{Event, Member};

const PATIENCE: Duration = Duration::from_secs(90);

struct Scene {
    program: std::path::PathBuf,
    cluster: Cluster,
    events: Sender<Event>,
}

impl Scene {
    fn member(&self, name: &str, topic: &str, group: &str, extra: &[&str]) -> Member {
        let mut arguments = vec![
            "--bootstrap-server",
            self.cluster.bootstrap(),
            "--topic",
            topic,
            "--group-id",
            group,
            "--session-timeout",
            "6000",
        ];
        arguments.extend(extra);
        if name.starts_with("java") {
            Member::java(name, &arguments, self.events.clone())
                .unwrap_or_else(|error| panic!("a Java member starts: {error}"))
        } else {
            Member::windlass(&self.program, name, &arguments, self.events.clone())
                .unwrap_or_else(|error| panic!("a member starts: {error}"))
        }
    }
}

fn scene(name: &str) -> Option<(Scene, Judge)> {
    let program = crate::program()?;
    let cluster = Cluster::start(name, 1).unwrap_or_else(|error| panic!("Kafka starts: {error}"));
    let (events, receiver) = channel();
    Some((
        Scene {
            program,
            cluster,
            events,
        },
        Judge::new(receiver),
    ))
}

/// Three members share a topic; one stops, one is killed, two come. Then the whole group is started
/// anew and goes on where it was.
#[test]
fn a_group_loses_nothing_when_members_stop_and_die() {
    let Some((scene, mut judge)) = scene("share") else {
        return;
    };
    let records = crate::records();
    scene.cluster.create_topic("events", 6).unwrap();
    let start = |name: &str| scene.member(name, "events", "group", &[]);
    let mut members = vec![start("one"), start("two"), start("three")];
    judge
        .until("three owners", PATIENCE, |judge| {
            judge.owners() == 3 && judge.owned_partitions() == 6
        })
        .unwrap();
    scene.cluster.produce("events", records / 3).unwrap();
    judge
        .until("the first third", PATIENCE, |judge| {
            judge.consumed() >= records / 6
        })
        .unwrap();

    members.remove(0).terminate().unwrap();
    scene.cluster.produce("events", records / 3).unwrap();
    let victim = members.remove(0);
    let name = victim.name().to_owned();
    victim.kill().unwrap();
    judge.killed(&name);
    members.push(start("four"));
    members.push(start("five"));
    scene
        .cluster
        .produce("events", records - records / 3 * 2)
        .unwrap();
    judge
        .until("everything", PATIENCE, |judge| judge.consumed() == records)
        .unwrap();
    let duplicates = judge.duplicates();

    for member in members.drain(..) {
        member.terminate().unwrap();
    }
    judge
        .until("nobody is left", PATIENCE, |judge| {
            judge.owned_partitions() == 0
        })
        .unwrap();
    members.push(start("six"));
    judge
        .until("a new owner", PATIENCE, |judge| {
            judge.owned_partitions() == 6
        })
        .unwrap();
    scene.cluster.produce("events", 600).unwrap();
    judge
        .until("the new records", PATIENCE, |judge| {
            judge.consumed() == records + 600
        })
        .unwrap();
    assert_eq!(
        judge.duplicates(),
        duplicates,
        "the group began again with what it had committed"
    );
    println!(
        "{} records read by six members one after the other, {duplicates} twice (of the one that was killed), all \
         partitions with one owner at every moment, and the restarted group read the 600 new ones only",
        judge.consumed()
    );
}

/// More members than partitions: the surplus waits.
#[test]
fn surplus_members_are_idle_and_groups_are_independent() {
    let Some((scene, mut judge)) = scene("surplus") else {
        return;
    };
    scene.cluster.create_topic("events", 6).unwrap();
    scene.cluster.produce("events", 6000).unwrap();
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let members: Vec<Member> = names
        .iter()
        .map(|name| scene.member(name, "events", "first", &[]))
        .collect();
    judge
        .until("six owners of eight", PATIENCE, |judge| {
            judge.joined() == 8
                && judge.owners() == 6
                && judge.owned_partitions() == 6
                && judge.consumed() == 6000
        })
        .unwrap();
    let (events, receiver) = channel();
    let mut other = Judge::new(receiver);
    let second = Member::windlass(
        &scene.program,
        "z",
        &[
            "--bootstrap-server",
            scene.cluster.bootstrap(),
            "--topic",
            "events",
            "--group-id",
            "second",
        ],
        events,
    )
    .unwrap();
    other
        .until("the second group reads it all again", PATIENCE, |judge| {
            judge.consumed() == 6000
        })
        .unwrap();
    println!(
        "8 members on 6 partitions: 6 owners, 2 idle; a second group read the same 6000 records for itself"
    );
    second.terminate().unwrap();
    for member in members {
        member.terminate().unwrap();
    }
}

/// Kafka's own consumer and ours share one group, under range and under round-robin, and each of
/// them leads: the first to come does.
#[test]
fn java_and_windlass_share_a_group() {
    let Some((scene, mut judge)) = scene("mixed") else {
        return;
    };
    let mut total = 0;
    for strategy in [
        "RangeAssignor",
        "RoundRobinAssignor",
        "CooperativeStickyAssignor",
    ] {
        let class = format!("org.apache.kafka.clients.consumer.{strategy}");
        let extra = ["--assignment-strategy", class.as_str()];
        for leader in ["java", "windlass"] {
            let topic = format!("{strategy}-{leader}");
            scene.cluster.create_topic(&topic, 6).unwrap();
            let follower = if leader == "java" { "windlass" } else { "java" };
            let first = scene.member(&format!("{leader}-1-{topic}"), &topic, &topic, &extra);
            judge
                .until("the first alone", PATIENCE, |judge| {
                    judge.owners() == 1 && judge.owned_partitions() == 6
                })
                .unwrap();
            let second = scene.member(&format!("{follower}-2-{topic}"), &topic, &topic, &extra);
            judge
                .until("both", PATIENCE, |judge| {
                    judge.owners() == 2 && judge.owned_partitions() == 6
                })
                .unwrap();
            scene.cluster.produce(&topic, 3000).unwrap();
            total += 3000;
            judge
                .until("all read", PATIENCE, |judge| judge.read() == total)
                .unwrap();
            first.terminate().unwrap();
            judge
                .until("the second alone", PATIENCE, |judge| {
                    judge.owners() == 1 && judge.owned_partitions() == 6
                })
                .unwrap();
            second.terminate().unwrap();
            judge
                .until("nobody", PATIENCE, |judge| judge.owned_partitions() == 0)
                .unwrap();
            judge.begin_anew();
        }
    }
    println!(
        "a Java and a windlass member shared a group under 3 strategies, each of them leading: {total} records read once"
    );
}

/// A static member that comes back within its session costs the others nothing.
#[test]
fn a_static_member_comes_back_unnoticed() {
    let Some((scene, mut judge)) = scene("static") else {
        return;
    };
    scene.cluster.create_topic("events", 6).unwrap();
    let start = |name: &str, instance: &str| {
        scene.member(name, "events", "group", &["--group-instance-id", instance])
    };
    let one = start("one", "instance-1");
    let two = start("two", "instance-2");
    judge
        .until("two owners", PATIENCE, |judge| {
            judge.owners() == 2 && judge.owned_partitions() == 6
        })
        .unwrap();
    let before = judge.revocations("one");
    two.terminate().unwrap();
    let back = start("two again", "instance-2");
    judge
        .until("it is back", PATIENCE, |judge| {
            judge.owners() == 2 && judge.owned_partitions() == 6
        })
        .unwrap();
    scene.cluster.produce("events", 3000).unwrap();
    judge
        .until("all read", PATIENCE, |judge| judge.consumed() == 3000)
        .unwrap();
    assert_eq!(
        judge.revocations("one"),
        before,
        "the other member was disturbed"
    );
    println!("a static member was restarted within its session: 0 revocations for the other");
    one.terminate().unwrap();
    back.terminate().unwrap();
}
