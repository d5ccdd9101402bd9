//! The end of a consumer takes as long as it may, whatever the brokers do.

use std::time::Duration;

use tokio::time::Instant;
use windlass::protocol::ApiKey;
use windlass::{Consumer, ConsumerError};
use windlass_test_consumer::{Listener, Scene, Told, take};

const SECOND: Duration = Duration::from_secs(1);

async fn settled(scene: &Scene, listener: &Listener) -> Consumer {
    scene.fill("events", 2, 10).await;
    let mut consumer = scene
        .consumer()
        .group_id("g")
        .subscribe(["events"])
        .enable_auto_commit(true)
        .rebalance_listener(listener.clone())
        .build()
        .unwrap();
    take(&mut consumer, 20).await.unwrap();
    consumer
}

#[tokio::test(start_paused = true)]
async fn closing_commits_tells_the_listener_and_leaves() {
    let scene = Scene::new(1, &[("events", 2)]).await;
    let listener = Listener::default();
    let consumer = settled(&scene, &listener).await;
    let start = Instant::now();
    consumer.close(10 * SECOND).await.unwrap();
    assert!(start.elapsed() < SECOND);
    let told = [Told::Assigned(vec![0, 1]), Told::Revoked(vec![0, 1])];
    assert_eq!(listener.told(), told);
    assert_eq!(scene.committed("g").await.values().sum::<i64>(), 20);
    let view = scene
        .cluster
        .with_core(|core, _| core.group("g"))
        .await
        .flatten();
    assert!(view.is_none_or(|view| view.members.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn closing_ends_in_time_when_nobody_answers() {
    for deaf in [true, false] {
        let scene = Scene::new(1, &[("events", 2)]).await;
        let consumer = settled(&scene, &Listener::default()).await;
        if deaf {
            for api in [ApiKey::OffsetCommit, ApiKey::LeaveGroup] {
                scene.cluster.delay(api, 3_600 * SECOND).await;
            }
        } else {
            scene.cluster.kill_node(1).await;
        }
        let start = Instant::now();
        // Whether it calls that a failure or not, it ends.
        drop(consumer.close(3 * SECOND).await);
        assert!(start.elapsed() <= 4 * SECOND, "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_a_consumer_takes_no_time_and_frees_its_partitions() {
    let scene = Scene::new(1, &[("events", 2)]).await;
    let consumer = settled(&scene, &Listener::default()).await;
    let start = Instant::now();
    drop(consumer);
    assert_eq!(start.elapsed(), Duration::ZERO);
    let mut next = scene
        .consumer()
        .group_id("g")
        .subscribe(["events"])
        .build()
        .unwrap();
    assert!(next.poll(2 * SECOND).await.unwrap().count() <= 20);
    assert_eq!(next.assignment().await.unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_a_group_group_calls_say_so() {
    let scene = Scene::new(1, &[("events", 1)]).await;
    let mut consumer = scene.consumer().build().unwrap();
    let error = consumer.subscribe(["events"]).await.unwrap_err();
    assert!(matches!(error, ConsumerError::NoGroup { .. }), "{error}");
    assert!(error.to_string().contains("group.id"), "{error}");
}
