//! What is committed, when, and what a commit says when it is too late.

use std::time::Duration;

use windlass::protocol::{ApiKey, ErrorCode};
use windlass::{Advice, Consumer, ConsumerError, OffsetAndMetadata, TopicPartition};
use windlass_test_consumer::{Scene, take, text};

const SECOND: Duration = Duration::from_secs(1);

fn partition(index: i32) -> TopicPartition {
    TopicPartition::new("events", index)
}

async fn scene_of(count: i32) -> Scene {
    let scene = Scene::new(1, &[("events", 1)]).await;
    scene.fill("events", 1, count).await;
    scene
}

fn member(scene: &Scene) -> Consumer {
    let builder = scene.consumer().group_id("g").subscribe(["events"]);
    builder.max_poll_records(10).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_group_goes_on_where_it_committed() {
    let scene = scene_of(30).await;
    let mut consumer = member(&scene);
    take(&mut consumer, 10).await.unwrap();
    consumer.commit().await.unwrap();
    take(&mut consumer, 10).await.unwrap();
    consumer.close(SECOND).await.unwrap();
    assert_eq!(scene.committed("g").await[&partition(0)], 10);
    let mut next = member(&scene);
    let records = take(&mut next, 20).await.unwrap();
    assert_eq!(text(&records[0]), "0:10");
    assert_eq!(records.len(), 20);
    let committed = next.committed([partition(0)]).await.unwrap();
    let offset = committed[&partition(0)]
        .as_ref()
        .map(|committed| committed.offset);
    assert_eq!(offset, Some(10));
}

#[tokio::test(start_paused = true)]
async fn recv_commits_up_to_the_record_given() {
    let scene = scene_of(30).await;
    let mut consumer = member(&scene);
    for _ in 0..3 {
        consumer.recv().await.unwrap();
    }
    consumer.commit().await.unwrap();
    assert_eq!(scene.committed("g").await[&partition(0)], 3);
}

#[tokio::test(start_paused = true)]
async fn commits_arrive_in_the_order_of_their_calls() {
    let scene = scene_of(40).await;
    let mut consumer = member(&scene);
    scene.cluster.delay(ApiKey::OffsetCommit, SECOND).await;
    let mut pending = Vec::new();
    for _ in 0..4 {
        take(&mut consumer, 10).await.unwrap();
        pending.push(consumer.commit_async());
    }
    for commit in pending {
        commit.wait().await.unwrap();
    }
    assert_eq!(scene.committed("g").await[&partition(0)], 40);
}

#[tokio::test(start_paused = true)]
async fn offsets_and_words_of_ones_own_are_committed() {
    let scene = scene_of(30).await;
    let mut consumer = member(&scene);
    take(&mut consumer, 10).await.unwrap();
    let mut own = OffsetAndMetadata::from(4);
    own.metadata = "half way".to_owned();
    consumer
        .commit_offsets([(partition(0), own)])
        .await
        .unwrap();
    let committed = consumer.committed([partition(0)]).await.unwrap();
    let found = committed[&partition(0)].as_ref().unwrap();
    assert_eq!((found.offset, found.metadata.as_str()), (4, "half way"));
    let stranger = [(TopicPartition::new("others", 0), 1)];
    let error = consumer.commit_offsets(stranger).await.unwrap_err();
    assert!(
        matches!(error, ConsumerError::NotAssigned { .. }),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_commit_outlasts_what_passes() {
    let scene = scene_of(10).await;
    let mut consumer = member(&scene);
    take(&mut consumer, 10).await.unwrap();
    let code = ErrorCode::COORDINATOR_LOAD_IN_PROGRESS;
    scene
        .cluster
        .inject_error(ApiKey::OffsetCommit, 3, code)
        .await;
    consumer.commit().await.unwrap();
    assert_eq!(scene.committed("g").await[&partition(0)], 10);
}

#[tokio::test(start_paused = true)]
async fn the_timer_commits_only_what_was_come_back_from() {
    let scene = scene_of(30).await;
    let builder = scene.consumer().group_id("g").subscribe(["events"]);
    let mut consumer = builder
        .max_poll_records(10)
        .enable_auto_commit(true)
        .auto_commit_interval(SECOND)
        .build()
        .unwrap();
    take(&mut consumer, 10).await.unwrap();
    tokio::time::sleep(60 * SECOND).await;
    // As Java does, it may commit where reading began.
    let begun = scene.committed("g").await.get(&partition(0)).copied();
    assert!(
        begun.is_none_or(|offset| offset == 0),
        "the first ten are still in hand: {begun:?}"
    );
    take(&mut consumer, 10).await.unwrap();
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(scene.committed("g").await[&partition(0)], 10);
    consumer.close(SECOND).await.unwrap();
    assert_eq!(scene.committed("g").await[&partition(0)], 20);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_dropped_leaves_without_committing_what_was_in_hand() {
    let scene = scene_of(30).await;
    let builder = scene.consumer().group_id("g").subscribe(["events"]);
    let mut consumer = builder
        .max_poll_records(10)
        .enable_auto_commit(true)
        .build()
        .unwrap();
    take(&mut consumer, 10).await.unwrap();
    take(&mut consumer, 10).await.unwrap();
    drop(consumer);
    tokio::time::sleep(5 * SECOND).await;
    let view = scene
        .cluster
        .with_core(|core, _| core.group("g"))
        .await
        .flatten();
    assert!(view.is_none_or(|view| view.members.is_empty()), "it left");
    let committed = scene.committed("g").await.get(&partition(0)).copied();
    assert!(committed.is_none_or(|offset| offset <= 10), "{committed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_member_that_was_expelled_learns_it_from_its_commit() {
    let scene = scene_of(30).await;
    let builder = scene.consumer().group_id("g").subscribe(["events"]);
    let mut consumer = builder
        .max_poll_records(10)
        .max_poll_interval(5 * SECOND)
        .build()
        .unwrap();
    take(&mut consumer, 10).await.unwrap();
    tokio::time::sleep(20 * SECOND).await;
    let error = consumer.commit().await.unwrap_err();
    assert_eq!(error.advice(), Advice::Rejoin, "{error}");
    assert!(scene.committed("g").await.is_empty());
    let again = take(&mut consumer, 30).await.unwrap();
    assert_eq!(
        text(&again[0]),
        "0:0",
        "what was not committed is read again"
    );
}
