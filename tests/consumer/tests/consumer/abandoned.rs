//! Futures that are dropped half-way, and partitions that go while records of them are here.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use windlass::protocol::{ApiKey, ErrorCode};
use windlass::{Consumer, TopicPartition};
use windlass_test_consumer::{Listener, Scene, take, text};

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

/// A poll that is begun, answered, and dropped before anybody takes the answer.
async fn abandon_a_poll(consumer: &mut Consumer) {
    let mut poll = Box::pin(consumer.poll(60 * SECOND));
    poll_fn(|cx| {
        assert!(poll.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    tokio::time::sleep(10 * SECOND).await;
    drop(poll);
}

#[tokio::test(start_paused = true)]
async fn a_commit_covers_nothing_of_an_abandoned_poll() {
    let scene = scene_of(30).await;
    let mut consumer = member(&scene);
    abandon_a_poll(&mut consumer).await;
    consumer.commit().await.unwrap();
    let committed = scene.committed("g").await.get(&partition(0)).copied();
    assert!(
        committed.is_none_or(|o| o == 0),
        "nothing was handed out: {committed:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_seek_goes_before_what_an_abandoned_poll_brought() {
    let scene = scene_of(30).await;
    let mut consumer = member(&scene);
    abandon_a_poll(&mut consumer).await;
    consumer.seek(&partition(0), 20).await.unwrap();
    let records = take(&mut consumer, 1).await.unwrap();
    assert_eq!(text(&records[0]), "0:20");
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_back_what_an_abandoned_poll_brought() {
    let scene = scene_of(30).await;
    let mut consumer = member(&scene);
    abandon_a_poll(&mut consumer).await;
    consumer.pause(&[partition(0)]).await.unwrap();
    assert_eq!(consumer.poll(SECOND).await.unwrap().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_seek_that_is_dropped_is_still_carried_out() {
    let scene = scene_of(30).await;
    let mut consumer = member(&scene);
    consumer.recv().await.unwrap();
    {
        let partition = partition(0);
        let mut seek = Box::pin(consumer.seek(&partition, 20));
        poll_fn(|cx| {
            assert!(seek.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }
    let record = consumer.recv().await.unwrap();
    assert_eq!(
        text(&record),
        "0:20",
        "any other call that is dropped is still carried out"
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_here_of_a_partition_does_not_outlive_its_assignment() {
    let scene = Scene::new(1, &[("events", 2)]).await;
    scene.fill("events", 2, 10).await;
    let mut consumer = scene.consumer().build().unwrap();
    consumer.assign([partition(0)]).await.unwrap();
    consumer.recv().await.unwrap();
    consumer.assign([partition(1)]).await.unwrap();
    consumer.assign([partition(0)]).await.unwrap();
    let mut offsets = Vec::new();
    for _ in 0..10 {
        offsets.push(consumer.recv().await.unwrap().offset);
    }
    assert_eq!(offsets, (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn what_was_here_of_a_partition_does_not_outlive_its_loss() {
    let scene = scene_of(10).await;
    let listener = Listener::default();
    let mut consumer = scene
        .consumer()
        .group_id("g")
        .subscribe(["events"])
        .rebalance_listener(listener.clone())
        .build()
        .unwrap();
    assert_eq!(consumer.recv().await.unwrap().offset, 0);
    scene
        .cluster
        .inject_error(ApiKey::Heartbeat, 1, ErrorCode::UNKNOWN_MEMBER_ID)
        .await;
    tokio::time::sleep(120 * SECOND).await;
    let told = listener.told();
    let mut offsets = Vec::new();
    for _ in 0..10 {
        offsets.push(consumer.recv().await.unwrap().offset);
    }
    assert_eq!(offsets, (0..10).collect::<Vec<_>>(), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_partition_can_be_taken_by_hand_from_the_group() {
    let scene = scene_of(10).await;
    let mut consumer = member(&scene);
    assert_eq!(take(&mut consumer, 10).await.unwrap().len(), 10);
    consumer.assign([partition(0)]).await.unwrap();
    consumer.poll(10 * SECOND).await.unwrap();
    scene.fill("events", 1, 10).await;
    tokio::time::sleep(10 * SECOND).await;
    let got = take(&mut consumer, 1).await.unwrap().len();
    let assignment = consumer.assignment().await.unwrap();
    assert!(got > 0, "assigned {assignment:?}");
}

#[tokio::test(start_paused = true)]
async fn unsubscribing_leaves_the_group_whatever_is_left_of_a_poll() {
    let scene = scene_of(10).await;
    let mut consumer = member(&scene);
    consumer.recv().await.unwrap();
    consumer.unsubscribe().await.unwrap();
    tokio::time::sleep(10 * SECOND).await;
    let assignment = consumer.assignment().await.unwrap();
    let view = scene
        .cluster
        .with_core(|core, _| core.group("g"))
        .await
        .flatten();
    assert!(
        view.is_none_or(|view| view.members.is_empty()),
        "it did not leave the group; assigned {assignment:?}"
    );
    assert!(assignment.is_empty(), "{assignment:?}");
}

#[tokio::test(start_paused = true)]
async fn a_poll_may_wait_for_ever() {
    let scene = scene_of(3).await;
    let mut consumer = member(&scene);
    assert_eq!(consumer.poll(Duration::MAX).await.unwrap().count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_close_may_take_for_ever() {
    let scene = scene_of(3).await;
    let mut consumer = member(&scene);
    assert_eq!(take(&mut consumer, 3).await.unwrap().len(), 3);
    consumer.close(Duration::MAX).await.unwrap();
}
