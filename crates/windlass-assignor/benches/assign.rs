//! How long a leader thinks: the five cases of the sticky pair, range over many partitions, and the
//! time per partition as partitions grow.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark that cannot go on stops, and it does read the clock"
)]

#[path = "../tests/judge/java.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the benchmark only starts the program"
)]
mod java;

use std::hint::black_box;
use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use windlass_assignor::{
    Assignment, Assignor, CooperativeStickyAssignor, Member, Members, RangeAssignor, StickyAssignor,
};
use windlass_model::{Cluster, Generation, Partition, Topic, TopicName};

/// A cluster of equal topics.
fn cluster(topics: usize, partitions: usize) -> Cluster {
    let mut cluster = Cluster::default();
    for topic in 0..topics {
        let entry = Topic {
            partitions: vec![Partition::default(); partitions],
            ..Topic::default()
        };
        let name = TopicName::from(format!("topic-{topic:05}"));
        cluster.topics.insert(name, entry);
    }
    cluster
}

/// Members that all subscribe to everything; as in a client that keeps one copy of each name, the
/// names are shared.
fn members(cluster: &Cluster, count: usize) -> Members {
    let topics: Vec<TopicName> = cluster.topics.keys().cloned().collect();
    let member = |number| {
        (
            format!("consumer-{number:05}"),
            Member::subscribed_to(&topics),
        )
    };
    (0..count).map(member).collect()
}

/// Each member subscribes to `each` topics of all, picked by a fixed generator.
fn mixed_members(cluster: &Cluster, count: usize, each: usize) -> Members {
    let topics: Vec<TopicName> = cluster.topics.keys().cloned().collect();
    let mut state = 0x5eed_u64;
    let mut pick = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut members = Members::new();
    for number in 0..count {
        let mut mine = std::collections::BTreeSet::new();
        while mine.len() < each {
            mine.insert(topics[pick(topics.len())].clone());
        }
        members.insert(format!("consumer-{number:05}"), Member::subscribed_to(mine));
    }
    members
}

/// Lets every member own what the strategy gives it.
fn settle(cluster: &Cluster, mut members: Members) -> Members {
    let plan = StickyAssignor::new().assign(cluster, &members).unwrap();
    for (id, partitions) in plan.iter() {
        let member = members.get_mut(id.as_str()).unwrap();
        member.owned = partitions.to_topic_partitions();
        member.generation = Generation::from_wire(1);
    }
    members
}

fn assign(cluster: &Cluster, members: &Members) -> Assignment {
    let assignor = CooperativeStickyAssignor::new();
    assignor
        .assign(black_box(cluster), black_box(members))
        .unwrap()
}

fn five_cases(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cooperative-sticky");
    group.sample_size(20);
    let mut run = |name: &str, cluster: &Cluster, members: &Members| {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || (),
                |()| assign(cluster, members),
                BatchSize::PerIteration,
            );
        });
    };

    let million = cluster(500, 2_000);
    run(
        "fresh, 1,000,000 x 2,000",
        &million,
        &members(&million, 2_000),
    );

    let hundred = cluster(100, 1_000);
    let mut settled = settle(&hundred, members(&hundred, 100));
    let newcomer = members(&hundred, 101).remove("consumer-00100").unwrap();
    settled.insert("consumer-00100", newcomer);
    run("rejoin, 100,000 x 100 and one new", &hundred, &settled);

    let wide = cluster(2_000, 100);
    run(
        "mixed, 200,000 x 1,000, 40 of 2,000 topics",
        &wide,
        &mixed_members(&wide, 1_000, 40),
    );
    let mut settled = settle(&wide, mixed_members(&wide, 1_000, 40));
    settled.remove("consumer-00500");
    run("mixed and one left, 200,000 x 999", &wide, &settled);

    let tall = cluster(200, 1_000);
    let mut divergent = members(&tall, 1_000);
    divergent
        .get_mut("consumer-00500")
        .unwrap()
        .topics
        .truncate(100);
    run("one divergent, 200,000 x 1,000", &tall, &divergent);
    let settled = settle(&tall, divergent);
    run(
        "one divergent and settled, 200,000 x 1,000",
        &tall,
        &settled,
    );

    let small = cluster(10, 1_000);
    let mut settled = settle(&small, members(&small, 1_000));
    settled.remove("consumer-00500");
    run("one left, 10,000 x 999", &small, &settled);
}

fn range(criterion: &mut Criterion) {
    let cluster = cluster(100, 1_000);
    let members = members(&cluster, 100);
    criterion.bench_function("range, 100,000 x 100", |bencher| {
        bencher.iter(|| RangeAssignor::new().assign(&cluster, &members).unwrap());
    });
}

/// Ever more topics of 1,000 partitions for 100 members, so that everything there is to do grows as
/// the partitions do: the time per partition must not.
fn series(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("per partition");
    group.sample_size(20);
    for topics in [10, 50, 100, 500, 1_000] {
        let cluster = cluster(topics, 1_000);
        let members = members(&cluster, 100);
        group.throughput(Throughput::Elements(topics as u64 * 1_000));
        group.bench_with_input(
            BenchmarkId::new("fresh", topics * 1_000),
            &(),
            |bencher, ()| {
                bencher.iter_with_large_drop(|| assign(&cluster, &members));
            },
        );
        let settled = settle(&cluster, members);
        group.bench_with_input(
            BenchmarkId::new("settled", topics * 1_000),
            &(),
            |bencher, ()| {
                bencher.iter_with_large_drop(|| assign(&cluster, &settled));
            },
        );
    }
}

/// Kafka's cooperative-sticky on the same five cases: the fastest of fifteen runs in one virtual
/// machine, so with its compiler warm; a case that takes longer than the limit is given up.
fn java(_: &mut Criterion) {
    // Only in a whole run: a filter asks for something else.
    if std::env::args().skip(1).any(|word| word != "--bench") {
        return;
    }
    let limit = Duration::from_secs(60);
    for case in ["fresh", "rejoin", "mixed", "divergent", "leave"] {
        let mut command = match java::program() {
            Ok(command) => command,
            Err(missing) => return say(&format!("not run: Java's cooperative-sticky, {missing}")),
        };
        let mut program = command
            .args(["bench", case])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while program.try_wait().unwrap().is_none() && start.elapsed() < limit {
            std::thread::sleep(Duration::from_millis(100));
        }
        let finished = program.try_wait().unwrap().is_some();
        // Kills what is still running; what has ended stays ended.
        program.kill().unwrap();
        let output = program.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let times = text.lines().filter_map(|line| line.parse::<f64>().ok());
        match times.min_by(f64::total_cmp) {
            Some(best) if finished => say(&format!("Java, {case}: {best:.2} ms")),
            Some(best) => say(&format!(
                "Java, {case}: {best:.2} ms, not all runs within {limit:?}"
            )),
            None => say(&format!("Java, {case}: not one run within {limit:?}")),
        }
    }
}

fn say(line: &str) {
    std::io::stderr()
        .write_all(format!("{line}\n").as_bytes())
        .unwrap();
}

criterion_group!(benches, five_cases, range, series, java);
criterion_main!(benches);
