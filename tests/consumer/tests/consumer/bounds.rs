//! Every wait has an end of its own: handovers, closing, listeners that take long or never return.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use windlass::assignor::by_name;
use windlass::protocol::{ApiKey, ErrorCode};
use windlass::{
    ConsumerBuilder, ListenerError, Rebalance, RebalanceListener, TopicPartition, async_trait,
};
use windlass_test_consumer::{Scene, take};

const SECOND: Duration = Duration::from_secs(1);

fn events(index: i32) -> TopicPartition {
    TopicPartition::new("events", index)
}

fn member(scene: &Scene) -> ConsumerBuilder {
    let strategy = by_name("cooperative-sticky").unwrap();
    let member = scene.consumer().group_id("g").subscribe(["events"]);
    member.assignors([strategy])
}

/// Writes down when its calls begin and end; each takes so long.
#[derive(Clone)]
struct Diary {
    assigned: Duration,
    revoked: Duration,
    lines: Arc<Mutex<Vec<(&'static str, bool)>>>,
}

impl Diary {
    fn new(assigned: Duration, revoked: Duration) -> Self {
        Self {
            assigned,
            revoked,
            lines: Arc::default(),
        }
    }

    async fn call(&self, name: &'static str, time: Duration) -> Result<(), ListenerError> {
        self.lines.lock().unwrap().push((name, true));
        tokio::time::sleep(time).await;
        self.lines.lock().unwrap().push((name, false));
        Ok(())
    }

    fn begun(&self, name: &str) -> usize {
        let lines = self.lines.lock().unwrap();
        lines.iter().filter(|line| **line == (name, true)).count()
    }
}

#[async_trait]
impl RebalanceListener for Diary {
    async fn on_assigned(&self, _: &Rebalance) -> Result<(), ListenerError> {
        self.call("assigned", self.assigned).await
    }

    async fn on_revoked(&self, _: &Rebalance) -> Result<(), ListenerError> {
        self.call("revoked", self.revoked).await
    }

    async fn on_lost(&self, _: &Rebalance) -> Result<(), ListenerError> {
        self.call("lost", Duration::ZERO).await
    }
}

/// How long a new member waits for its first records.
async fn time_to_first_records(scene: &Scene) -> Duration {
    let begin = Instant::now();
    let mut other = member(scene).build().unwrap();
    while other.poll(SECOND).await.unwrap().is_empty() {
        assert!(begin.elapsed() < 1000 * SECOND, "the group stands still");
    }
    begin.elapsed()
}

#[tokio::test(start_paused = true)]
async fn commits_without_end_do_not_hold_a_revocation_up() {
    let scene = Arc::new(Scene::new(1, &[("events", 2)]).await);
    scene.fill("events", 2, 20_000).await;
    let busy = member(&scene)
        .enable_auto_commit(false)
        .max_poll_records(10);
    let mut busy = busy.build().unwrap();
    take(&mut busy, 10).await.unwrap();
    scene.cluster.delay(ApiKey::OffsetCommit, SECOND / 10).await;
    let other = tokio::spawn({
        let scene = Arc::clone(&scene);
        async move { time_to_first_records(&scene).await }
    });
    while !other.is_finished() {
        if !busy.poll(SECOND).await.unwrap().is_empty() {
            // Two of them are under way at any moment.
            tokio::time::sleep(SECOND / 20).await;
            drop(busy.commit_async());
        }
    }
    let waited = other.await.unwrap();
    assert!(waited < 10 * SECOND, "the other member waited {waited:?}");
}

#[tokio::test(start_paused = true)]
async fn unsubscribing_while_the_listener_works_leaves_when_it_returns() {
    let scene = Scene::new(1, &[("events", 1), ("other", 1)]).await;
    scene.fill("events", 1, 10).await;
    let diary = Diary::new(5 * SECOND, Duration::ZERO);
    let mut first = member(&scene).rebalance_listener(diary).build().unwrap();
    first.recv().await.unwrap();
    first.subscribe(["events", "other"]).await.unwrap();
    tokio::time::sleep(SECOND).await;
    // The second arrival is being told; records of the first are in the application's hands.
    first.unsubscribe().await.unwrap();
    let waited = time_to_first_records(&scene).await;
    assert!(waited < 20 * SECOND, "the other member waited {waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_loss_waits_for_the_listeners_turn() {
    let scene = Scene::new(1, &[("events", 1)]).await;
    let diary = Diary::new(10 * SECOND, SECOND);
    let first = member(&scene).rebalance_listener(diary.clone());
    let mut first = first.build().unwrap();
    first.poll(SECOND).await.unwrap();
    assert_eq!(diary.begun("assigned"), 1);
    let gone = ErrorCode::UNKNOWN_MEMBER_ID;
    scene.cluster.inject_error(ApiKey::Heartbeat, 1, gone).await;
    for _ in 0..40 {
        first.poll(SECOND).await.unwrap();
    }
    assert_eq!(diary.begun("lost"), 1);
    let lines = diary.lines.lock().unwrap().clone();
    for pair in lines.chunks(2) {
        let whole = pair.len() == 2 && pair[0].0 == pair[1].0;
        assert!(whole, "one call inside of another: {lines:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_revoked_is_not_lost_as_well() {
    let scene = Scene::new(1, &[("events", 2)]).await;
    let diary = Diary::new(Duration::ZERO, 20 * SECOND);
    let first = member(&scene).rebalance_listener(diary.clone());
    let mut first = first.build().unwrap();
    first.poll(SECOND).await.unwrap();
    let mut second = member(&scene).build().unwrap();
    for _ in 0..5 {
        first.poll(SECOND).await.unwrap();
        second.poll(SECOND).await.unwrap();
    }
    assert_eq!(diary.begun("revoked"), 1);
    // The coordinator forgets the member while its listener gives one of the two up.
    let gone = ErrorCode::UNKNOWN_MEMBER_ID;
    scene.cluster.inject_error(ApiKey::Heartbeat, 2, gone).await;
    for _ in 0..40 {
        first.poll(SECOND).await.unwrap();
        second.poll(SECOND).await.unwrap();
    }
    let lines = diary.lines.lock().unwrap().clone();
    let lost = diary.begun("lost");
    assert_eq!(lost, 1, "only of the other partition: {lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_commit_leaves_time_for_the_listener_and_for_leaving() {
    let scene = Scene::new(1, &[("events", 1)]).await;
    scene.fill("events", 1, 10).await;
    let diary = Diary::new(Duration::ZERO, Duration::ZERO);
    let first = member(&scene)
        .enable_auto_commit(true)
        .rebalance_listener(diary.clone());
    let mut first = first.build().unwrap();
    take(&mut first, 10).await.unwrap();
    first.poll(SECOND / 10).await.unwrap();
    scene.cluster.delay(ApiKey::OffsetCommit, 25 * SECOND).await;
    let begin = Instant::now();
    first.close(20 * SECOND).await.unwrap();
    assert!(begin.elapsed() <= 20 * SECOND);
    assert_eq!(diary.begun("revoked"), 1);
    scene.fill("events", 1, 10).await;
    let waited = time_to_first_records(&scene).await;
    assert!(waited < 5 * SECOND, "the other member waited {waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_hangs_at_the_end_does_not_keep_the_member_in_the_group() {
    let scene = Scene::new(1, &[("events", 1)]).await;
    scene.fill("events", 1, 10).await;
    let diary = Diary::new(Duration::ZERO, 10_000 * SECOND);
    let first = member(&scene).rebalance_listener(diary.clone());
    let mut first = first.build().unwrap();
    take(&mut first, 10).await.unwrap();
    let begin = Instant::now();
    first.close(20 * SECOND).await.unwrap();
    assert!(begin.elapsed() <= 20 * SECOND);
    assert_eq!(diary.begun("revoked"), 1);
    scene.fill("events", 1, 10).await;
    let waited = time_to_first_records(&scene).await;
    assert!(waited < 5 * SECOND, "the other member waited {waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_manual_assignment_begins_without_a_pause() {
    let scene = Scene::new(3, &[("events", 3)]).await;
    scene.fill("events", 3, 10).await;
    let mut consumer = scene.consumer().build().unwrap();
    let begin = Instant::now();
    let all = (0..3).map(events);
    consumer.assign(all).await.unwrap();
    take(&mut consumer, 30).await.unwrap();
    let took = begin.elapsed();
    assert!(took < SECOND / 20, "it took {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_seek_answers_the_question_for_committed_offsets() {
    let scene = Scene::new(1, &[("events", 1)]).await;
    scene.fill("events", 1, 10).await;
    let refused = ErrorCode::GROUP_AUTHORIZATION_FAILED;
    scene
        .cluster
        .inject_error(ApiKey::OffsetFetch, 1000, refused)
        .await;
    let mut consumer = scene.consumer().group_id("g").build().unwrap();
    consumer.assign([events(0)]).await.unwrap();
    consumer.seek(&events(0), 0).await.unwrap();
    let (mut errors, mut given) = (Vec::new(), 0);
    for _ in 0..60 {
        match consumer.poll(SECOND).await {
            Ok(records) => given += records.count(),
            Err(error) => errors.push(error.to_string()),
        }
    }
    assert_eq!(given, 10);
    // The first answer may have come before the seek.
    assert!(errors.len() <= 1, "{} errors: {errors:?}", errors.len());
}

#[tokio::test(start_paused = true)]
async fn offsets_of_partitions_assigned_by_hand_are_committed_again_and_again() {
    let scene = Scene::new(1, &[("events", 1)]).await;
    scene.fill("events", 1, 10).await;
    let reader = scene.consumer().group_id("g").enable_auto_commit(true);
    let mut reader = reader.build().unwrap();
    reader.assign([events(0)]).await.unwrap();
    take(&mut reader, 10).await.unwrap();
    reader.poll(6 * SECOND).await.unwrap();
    assert_eq!(scene.committed("g").await.get(&events(0)), Some(&10));
    // What somebody else stores in its place stands for the broker that dropped it.
    let mut writer = scene.consumer().group_id("g").build().unwrap();
    writer.assign([events(0)]).await.unwrap();
    writer.commit_offsets([(events(0), 3)]).await.unwrap();
    for _ in 0..60 {
        reader.poll(SECOND).await.unwrap();
    }
    let committed = scene.committed("g").await;
    assert_eq!(committed.get(&events(0)), Some(&10), "it was not renewed");
}
