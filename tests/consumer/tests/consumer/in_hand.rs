//! Records in the application's hands: what it is not done with is not committed.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use windlass::{
    ConsumerBuilder, ListenerError, Rebalance, RebalanceListener, TopicPartition, async_trait,
};
use windlass_test_consumer::{Listener, Scene, take};

const SECOND: Duration = Duration::from_secs(1);

fn partition(index: i32) -> TopicPartition {
    TopicPartition::new("events", index)
}

async fn scene_of(count: i32) -> Scene {
    let scene = Scene::new(1, &[("events", 1)]).await;
    scene.fill("events", 1, count).await;
    scene
}

fn in_group(scene: &Scene) -> ConsumerBuilder {
    scene.consumer().group_id("g").subscribe(["events"])
}

/// Writes down where each partition stands that it gives up, and commits if it is told to.
#[derive(Clone, Default)]
struct Saves {
    positions: Arc<Mutex<Vec<i64>>>,
    commits: bool,
}

#[async_trait]
impl RebalanceListener for Saves {
    async fn on_revoked(&self, rebalance: &Rebalance) -> Result<(), ListenerError> {
        let partitions = rebalance.partitions();
        let handle = rebalance.handle();
        for partition in partitions {
            let position = handle.position(partition).await?;
            self.positions.lock().unwrap().push(position);
        }
        if self.commits {
            handle.commit().await?;
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_listeners_commit_covers_what_was_taken_one_by_one_and_no_more() {
    let scene = Scene::new(1, &[("events", 2)]).await;
    scene.fill("events", 2, 10).await;
    let saves = Saves {
        commits: true,
        ..Saves::default()
    };
    let mut first = in_group(&scene)
        .rebalance_listener(saves.clone())
        .build()
        .unwrap();
    let mut seen = 0;
    for _ in 0..3 {
        first.recv().await.unwrap();
        seen += 1;
    }
    let mut second = in_group(&scene).build().unwrap();
    // first keeps on: one record every four seconds
    for _ in 0..20 {
        if let Ok(r) = tokio::time::timeout(SECOND, first.recv()).await {
            r.unwrap();
            seen += 1;
        }
        seen += second.poll(SECOND).await.unwrap().count();
    }
    let positions = saves.positions.lock().unwrap().clone();
    assert!(
        seen >= 20,
        "only {seen} of 20 records were ever given to anybody; positions told {positions:?}, committed {:?}",
        scene.committed("g").await
    );
}

#[tokio::test(start_paused = true)]
async fn a_listener_is_told_the_position_after_what_was_taken() {
    let scene = Scene::new(1, &[("events", 2)]).await;
    scene.fill("events", 2, 10).await;
    let saves = Saves::default();
    let mut first = in_group(&scene)
        .rebalance_listener(saves.clone())
        .build()
        .unwrap();
    first.recv().await.unwrap();
    let mut second = in_group(&scene).build().unwrap();
    second.poll(4 * SECOND).await.unwrap();
    drop(tokio::time::timeout(SECOND, first.recv()).await);
    second.poll(4 * SECOND).await.unwrap();
    let positions = saves.positions.lock().unwrap().clone();
    assert!(positions.iter().sum::<i64>() <= 2, "{positions:?}");
}

#[tokio::test(start_paused = true)]
async fn a_listeners_commit_covers_nothing_of_an_answer_that_is_on_its_way() {
    let scene = Scene::new(1, &[("events", 2)]).await;
    scene.fill("events", 2, 10).await;
    let saves = Saves {
        commits: true,
        ..Saves::default()
    };
    let mut first = in_group(&scene)
        .rebalance_listener(saves.clone())
        .build()
        .unwrap();
    let mut seen = 0;
    let mut second;
    {
        // A poll whose task is late to be woken.
        let mut poll = Box::pin(first.poll(60 * SECOND));
        poll_fn(|cx| {
            assert!(poll.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        tokio::time::sleep(10 * SECOND).await;
        second = in_group(&scene).build().unwrap();
        seen += second.poll(8 * SECOND).await.unwrap().count();
        seen += poll.await.unwrap().count();
    }
    for _ in 0..20 {
        seen += first.poll(SECOND).await.unwrap().count();
        seen += second.poll(SECOND).await.unwrap().count();
    }
    let positions = saves.positions.lock().unwrap().clone();
    assert!(
        seen >= 20,
        "only {seen} of 20 were handed out; positions {positions:?}, committed {:?}",
        scene.committed("g").await
    );
}

#[tokio::test(start_paused = true)]
async fn the_timer_does_not_commit_a_record_in_hand_because_of_a_pause() {
    let scene = scene_of(30).await;
    let mut consumer = in_group(&scene)
        .enable_auto_commit(true)
        .auto_commit_interval(SECOND)
        .build()
        .unwrap();
    consumer.recv().await.unwrap();
    consumer.recv().await.unwrap();
    // record 1 goes to a worker, which is slow: no more until it is done
    consumer.pause(&[partition(0)]).await.unwrap();
    tokio::time::sleep(10 * SECOND).await;
    let committed = scene.committed("g").await.get(&partition(0)).copied();
    assert!(
        committed.is_none_or(|o| o <= 1),
        "record 1 is in hand: {committed:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_timer_does_not_commit_a_record_in_hand_because_of_another_commit() {
    let scene = Scene::new(1, &[("events", 2)]).await;
    scene.fill("events", 2, 10).await;
    let mut consumer = in_group(&scene)
        .enable_auto_commit(true)
        .auto_commit_interval(SECOND)
        .build()
        .unwrap();
    let record = consumer.recv().await.unwrap();
    let other = partition(1 - record.topic_partition.partition);
    consumer.commit_offsets([(other, 0)]).await.unwrap();
    tokio::time::sleep(10 * SECOND).await;
    let committed = scene
        .committed("g")
        .await
        .get(&record.topic_partition)
        .copied();
    assert!(committed.is_none_or(|o| o == 0), "{committed:?}");
}

#[tokio::test(start_paused = true)]
async fn the_timer_does_not_commit_records_in_hand_because_of_a_seek() {
    let scene = scene_of(30).await;
    let mut consumer = in_group(&scene)
        .max_poll_records(10)
        .enable_auto_commit(true)
        .auto_commit_interval(SECOND)
        .build()
        .unwrap();
    take(&mut consumer, 10).await.unwrap();
    consumer.seek(&partition(0), 20).await.unwrap();
    tokio::time::sleep(10 * SECOND).await;
    let committed = scene.committed("g").await.get(&partition(0)).copied();
    assert!(committed.is_none_or(|o| o == 0), "{committed:?}");
}

#[tokio::test(start_paused = true)]
async fn the_timer_does_not_take_back_a_commit() {
    let scene = scene_of(30).await;
    let mut consumer = in_group(&scene)
        .max_poll_records(10)
        .enable_auto_commit(true)
        .auto_commit_interval(SECOND)
        .build()
        .unwrap();
    take(&mut consumer, 10).await.unwrap();
    consumer.commit().await.unwrap();
    assert_eq!(scene.committed("g").await[&partition(0)], 10);
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!(scene.committed("g").await[&partition(0)], 10);
}

#[tokio::test(start_paused = true)]
async fn closing_commits_where_a_seek_led() {
    let scene = scene_of(30).await;
    let mut consumer = in_group(&scene)
        .max_poll_records(10)
        .enable_auto_commit(true)
        .build()
        .unwrap();
    take(&mut consumer, 10).await.unwrap();
    take(&mut consumer, 10).await.unwrap();
    consumer.seek(&partition(0), 5).await.unwrap();
    consumer.close(SECOND).await.unwrap();
    assert_eq!(scene.committed("g").await[&partition(0)], 5);
}

#[tokio::test(start_paused = true)]
async fn closing_commits_where_a_seek_led_from_the_middle_of_a_poll() {
    let scene = scene_of(30).await;
    let mut consumer = in_group(&scene)
        .max_poll_records(10)
        .enable_auto_commit(true)
        .build()
        .unwrap();
    for _ in 0..15 {
        consumer.recv().await.unwrap();
    }
    consumer.seek(&partition(0), 5).await.unwrap();
    consumer.close(SECOND).await.unwrap();
    assert_eq!(scene.committed("g").await[&partition(0)], 5);
}

#[tokio::test(start_paused = true)]
async fn taking_records_one_by_one_counts_as_polling() {
    let scene = scene_of(100).await;
    let listener = Listener::default();
    let mut consumer = in_group(&scene)
        .max_poll_interval(10 * SECOND)
        .enable_auto_commit(true)
        .rebalance_listener(listener.clone())
        .build()
        .unwrap();
    let mut offsets = Vec::new();
    for _ in 0..60 {
        let record = consumer.recv().await;
        match record {
            Ok(r) => offsets.push(r.offset),
            Err(e) => panic!("{e}"),
        }
        tokio::time::sleep(SECOND).await;
    }
    let told = listener.told();
    assert_eq!(offsets, (0..60).collect::<Vec<_>>(), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_commit_carries_the_epoch_of_the_record_before_it() {
    let scene = Scene::new(2, &[("events", 1)]).await;
    scene.fill("events", 1, 20).await;
    let mut consumer = in_group(&scene).build().unwrap();
    assert_eq!(take(&mut consumer, 20).await.unwrap().len(), 20);
    consumer.commit().await.unwrap();
    for node in [2, 1, 2] {
        scene.cluster.move_leader("events", 0, node).await;
    }
    scene.fill("events", 1, 20).await;
    for _ in 0..5 {
        consumer.recv().await.unwrap();
    }
    consumer.commit().await.unwrap();
    assert_eq!(scene.committed("g").await[&partition(0)], 25);
    let held = consumer.committed([partition(0)]).await.unwrap();
    consumer.close(SECOND).await.unwrap();
    let mut next = in_group(&scene).build().unwrap();
    let record = next.recv().await.unwrap();
    assert_eq!(record.offset, 25, "{held:?}");
}
