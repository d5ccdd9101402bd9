//! A member whose application does not come back in time.

use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use windlass::{
    Advice, Consumer, ListenerError, OffsetReset, Rebalance, RebalanceListener, async_trait,
};
use windlass_test_kafka::cluster::Cluster;
use windlass_test_kafka::member::Group;

use crate::main_job::{await_distinct, await_settled};
use crate::stage::{NotRun, Stage};
use crate::view;

const PARTITIONS: i32 = 6;

const PATIENCE: Duration = Duration::from_secs(120);

/// How long the application may stay away.
const INTERVAL: Duration = Duration::from_secs(3);

/// What the listener was told, and of how many partitions.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    Assigned(usize),
    Revoked(usize),
    Lost(usize),
}

pub(crate) fn a_member_that_stays_away_loses_its_partitions_and_rejoins(
    stage: &Stage,
) -> Result<String, NotRun> {
    let cluster = stage.cluster();
    let topic = Stage::unique("away");
    // So many that every partition has some, and so something to commit.
    let records = 6_000;
    cluster.create_topic(&topic, 6);
    cluster.produce(&topic, records);
    let runtime = view::runtime();
    let (teller, told) = channel();
    let mut consumer = runtime.block_on(async { consumer(cluster, &topic, teller) });
    let handed_out = runtime.block_on(first_records(&mut consumer));
    assert_eq!(told.try_recv(), Ok(Told::Assigned(6)));

    // Nobody calls poll while this thread waits; heartbeats go on in the background.
    let start = Instant::now();
    assert_eq!(told.recv_timeout(PATIENCE), Ok(Told::Lost(6)));
    let away = start.elapsed();
    assert!(away > INTERVAL / 2, "lost after {away:?} already");

    // Nothing was committed, so that another member reads everything.
    let group = Group::new(cluster, &topic, &topic);
    let other = group.start("other");
    await_settled(&group.log, std::slice::from_ref(&other), PARTITIONS);
    await_distinct(&group.log, records);
    let error = runtime.block_on(consumer.commit()).unwrap_err();
    assert_eq!(error.advice(), Advice::Rejoin, "{error}");
    let ends = view::ends(cluster, &topic, PARTITIONS);
    assert_eq!(view::committed(cluster, &topic, &topic, PARTITIONS), ends);

    let mut seen = None;
    while seen != Some(Told::Assigned(3)) {
        assert!(
            start.elapsed() < PATIENCE,
            "polling does not bring partitions back: {seen:?}"
        );
        if let Err(error) = runtime.block_on(consumer.poll(Duration::from_millis(100))) {
            assert_ne!(error.advice(), Advice::GiveUp, "{error}");
        }
        seen = told.try_iter().last().or(seen);
    }
    runtime.block_on(consumer.close(PATIENCE)).unwrap();
    await_settled(&group.log, std::slice::from_ref(&other), PARTITIONS);
    other.stop();
    group.log.assert_sound();
    Ok(format!(
        "{handed_out} records handed out, 6 partitions lost after {:.1} s without poll (max.poll.interval.ms is {}), \
         then a commit refused, all {records} records read by another member, and 3 partitions back by polling",
        away.as_secs_f32(),
        INTERVAL.as_millis(),
    ))
}

fn consumer(cluster: &Cluster, topic: &str, teller: Sender<Told>) -> Consumer {
    Consumer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .group_id(topic)
        .enable_auto_commit(false)
        .auto_offset_reset(OffsetReset::Earliest)
        .session_timeout(Duration::from_secs(30))
        .max_poll_interval(INTERVAL)
        .rebalance_listener(Listener(teller))
        .subscribe([topic])
        .build()
        .unwrap()
}

/// Polls until there are records; how many there are.
async fn first_records(consumer: &mut Consumer) -> usize {
    let start = Instant::now();
    loop {
        let records = consumer.poll(Duration::from_secs(1)).await.unwrap();
        if !records.is_empty() {
            return records
                .by_partition()
                .map(|(_, batch)| batch.into_iter().count())
                .sum();
        }
        assert!(start.elapsed() < PATIENCE, "no record came");
    }
}

/// Tells what it is told.
struct Listener(Sender<Told>);

impl Listener {
    fn tell(&self, told: Told) {
        // Nobody listens any more when the test is over.
        self.0.send(told).ok();
    }
}

#[async_trait]
impl RebalanceListener for Listener {
    async fn on_assigned(&self, rebalance: &Rebalance) -> Result<(), ListenerError> {
        let partitions = rebalance.partitions();
        self.tell(Told::Assigned(partitions.len()));
        Ok(())
    }

    async fn on_revoked(&self, rebalance: &Rebalance) -> Result<(), ListenerError> {
        let partitions = rebalance.partitions();
        self.tell(Told::Revoked(partitions.len()));
        Ok(())
    }

    async fn on_lost(&self, rebalance: &Rebalance) -> Result<(), ListenerError> {
        let partitions = rebalance.partitions();
        self.tell(Told::Lost(partitions.len()));
        Ok(())
    }
}
