//! What was handed out and never given is never committed, and comes again.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use windlass::assignor::by_name;
use windlass::protocol::ApiKey;
use windlass::{
    Consumer, ConsumerBuilder, ListenerError, Rebalance, RebalanceListener, TopicPartition,
    async_trait,
};
use windlass_test_consumer::Scene;

const SECOND: Duration = Duration::from_secs(1);
const RECORDS: i32 = 30;

/// Takes ten seconds to give partitions up, and then commits if it is told to.
struct TakesLeaveSlowly {
    commits: bool,
}

#[async_trait]
impl RebalanceListener for TakesLeaveSlowly {
    async fn on_revoked(&self, rebalance: &Rebalance) -> Result<(), ListenerError> {
        let handle = rebalance.handle();
        tokio::time::sleep(10 * SECOND).await;
        if self.commits {
            handle.commit().await?;
        }
        Ok(())
    }
}

/// Two partitions with thirty records each, and who was given which.
struct Shared {
    scene: Scene,
    given: BTreeSet<(i32, i64)>,
}

impl Shared {
    async fn new() -> Self {
        let scene = Scene::new(1, &[("events", 2)]).await;
        scene.fill("events", 2, RECORDS).await;
        Self {
            scene,
            given: BTreeSet::new(),
        }
    }

    fn member(&self) -> ConsumerBuilder {
        let strategy = by_name("cooperative-sticky").unwrap();
        let member = self.scene.consumer().group_id("g").subscribe(["events"]);
        member.assignors([strategy])
    }

    /// Takes one record, if one comes in half a second.
    async fn recv(&mut self, member: &mut Consumer) -> bool {
        let Ok(record) = tokio::time::timeout(SECOND / 2, member.recv()).await else {
            return false;
        };
        let record = record.unwrap();
        let place = (record.topic_partition.partition, record.offset);
        self.given.insert(place);
        true
    }

    async fn poll(&mut self, member: &mut Consumer, wait: Duration) {
        let records = member.poll(wait).await.unwrap();
        for record in records.iter() {
            let record = record.unwrap();
            self.given.insert((record.partition(), record.offset()));
        }
    }

    /// Lets both go on for so many turns, and holds what is committed meanwhile against what anybody
    /// was given.
    async fn read_on(&mut self, one: &mut Consumer, other: &mut Consumer, turns: u32) {
        for _ in 0..turns {
            self.recv(one).await;
            self.poll(other, SECOND / 2).await;
            self.require_no_more_committed_than_given().await;
        }
    }

    async fn require_no_more_committed_than_given(&self) {
        for (partition, next) in self.scene.committed("g").await {
            let index = partition.partition;
            let missing = (0..next).find(|offset| !self.given.contains(&(index, *offset)));
            assert_eq!(missing, None, "{next} of {partition} is committed");
        }
    }

    fn require_all_given(&self) {
        assert_eq!(self.given.len(), 60, "{:?}", self.given);
    }
}

/// Begins a call, and leaves it when it waits for the first time.
async fn begin<F: Future>(call: F) {
    let mut call = Box::pin(call);
    std::future::poll_fn(|cx| {
        assert!(call.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_commit_while_a_partition_takes_leave_covers_no_more_of_it_than_was_given() {
    for commits in [false, true] {
        let mut shared = Shared::new().await;
        let listener = TakesLeaveSlowly { commits };
        let mut first = shared.member().rebalance_listener(listener);
        first = first.enable_auto_commit(false);
        let mut first = first.build().unwrap();
        for _ in 0..3 {
            assert!(shared.recv(&mut first).await);
        }
        let mut second = shared.member().build().unwrap();
        for _ in 0..16 {
            shared.poll(&mut second, SECOND / 2).await;
        }
        // The revocation waits for the application by now; it comes back, and commits at once.
        for _ in 0..4 {
            shared.recv(&mut first).await;
            drop(first.commit().await);
            shared.require_no_more_committed_than_given().await;
        }
        shared.read_on(&mut first, &mut second, 80).await;
        shared.require_all_given();
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_for_each_record_that_takes_a_moment_covers_what_was_given() {
    let mut shared = Shared::new().await;
    let mut first = shared.member().enable_auto_commit(false).build().unwrap();
    let delay = SECOND / 10;
    shared
        .scene
        .cluster
        .delay(ApiKey::OffsetCommit, delay)
        .await;
    for _ in 0..10 {
        assert!(shared.recv(&mut first).await);
        tokio::time::sleep(SECOND / 20).await;
        drop(first.commit_async());
    }
    let mut second = shared.member().build().unwrap();
    for _ in 0..60 {
        if shared.recv(&mut first).await {
            tokio::time::sleep(SECOND / 20).await;
            drop(first.commit_async());
        }
        shared.poll(&mut second, SECOND / 1000).await;
        shared.require_no_more_committed_than_given().await;
    }
    shared.read_on(&mut first, &mut second, 80).await;
    shared.require_all_given();
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_took_before_the_revocation_is_not_committed() {
    let mut shared = Shared::new().await;
    let listener = TakesLeaveSlowly { commits: false };
    let member = shared.member().enable_auto_commit(false);
    let mut first = member.rebalance_listener(listener).build().unwrap();
    begin(first.poll(60 * SECOND)).await;
    tokio::time::sleep(10 * SECOND).await;
    let mut second = shared.member().build().unwrap();
    for _ in 0..16 {
        shared.poll(&mut second, SECOND / 2).await;
    }
    drop(first.commit().await);
    shared.require_no_more_committed_than_given().await;
    shared.read_on(&mut first, &mut second, 80).await;
    shared.require_all_given();
}

#[tokio::test(start_paused = true)]
async fn what_unsubscribing_throws_away_is_not_committed() {
    let mut shared = Shared::new().await;
    let listener = TakesLeaveSlowly { commits: true };
    let mut member = shared
        .member()
        .rebalance_listener(listener)
        .build()
        .unwrap();
    for _ in 0..3 {
        assert!(shared.recv(&mut member).await);
    }
    member.unsubscribe().await.unwrap();
    drop(member.commit().await);
    shared.require_no_more_committed_than_given().await;
    tokio::time::sleep(15 * SECOND).await;
    shared.require_no_more_committed_than_given().await;
    member.subscribe(["events"]).await.unwrap();
    let mut other = shared.member().build().unwrap();
    shared.read_on(&mut member, &mut other, 80).await;
    shared.require_all_given();
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_is_dropped_half_way_is_carried_out_and_loses_nothing() {
    let mut shared = Shared::new().await;
    let mut member = shared.member().build().unwrap();
    let both = [
        TopicPartition::new("events", 0),
        TopicPartition::new("events", 1),
    ];
    assert!(shared.recv(&mut member).await);
    begin(member.pause(&both)).await;
    tokio::time::sleep(SECOND / 2).await;
    assert!(
        !shared.recv(&mut member).await,
        "given out though it is paused"
    );
    member.resume(&both).await.unwrap();
    while shared.recv(&mut member).await {}
    shared.require_all_given();
}

#[tokio::test(start_paused = true)]
async fn a_pause_while_an_answer_is_on_its_way_stops_what_it_brings() {
    let mut shared = Shared::new().await;
    let mut member = shared.member().build().unwrap();
    let both = [
        TopicPartition::new("events", 0),
        TopicPartition::new("events", 1),
    ];
    begin(member.poll(60 * SECOND)).await;
    tokio::time::sleep(5 * SECOND).await;
    member.pause(&both).await.unwrap();
    assert_eq!(member.position(&both[0]).await.unwrap(), 0);
    shared.poll(&mut member, SECOND).await;
    assert_eq!(shared.given.len(), 0, "given out though it is paused");
    member.resume(&both).await.unwrap();
    while shared.recv(&mut member).await {}
    shared.require_all_given();
}
