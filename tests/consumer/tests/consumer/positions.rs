//! Where reading begins and goes on.

use std::time::Duration;

use windlass::{Advice, Consumer, ConsumerError, OffsetReset, TopicPartition};
use windlass_test_consumer::{Scene, take, text};

const SECOND: Duration = Duration::from_secs(1);

fn partition(index: i32) -> TopicPartition {
    TopicPartition::new("events", index)
}

async fn scene_of(partitions: i32, count: i32) -> Scene {
    let scene = Scene::new(1, &[("events", partitions)]).await;
    scene.fill("events", partitions, count).await;
    scene
}

/// A consumer without a group that reads partition 0.
async fn reader(scene: &Scene, reset: OffsetReset) -> Consumer {
    let mut consumer = scene.consumer().auto_offset_reset(reset).build().unwrap();
    consumer.assign([partition(0)]).await.unwrap();
    consumer
}

#[tokio::test(start_paused = true)]
async fn a_reset_leads_to_either_end_or_to_an_error() {
    let scene = scene_of(1, 10).await;
    let mut earliest = reader(&scene, OffsetReset::Earliest).await;
    assert_eq!(text(&take(&mut earliest, 10).await.unwrap()[0]), "0:0");
    let mut latest = reader(&scene, OffsetReset::Latest).await;
    assert!(latest.poll(SECOND).await.unwrap().is_empty());
    scene.produce("events", 0, &["new".to_owned()]).await;
    assert_eq!(text(&take(&mut latest, 1).await.unwrap()[0]), "new");
    let builder = scene.consumer().group_id("g").subscribe(["events"]);
    let mut none = builder
        .auto_offset_reset(OffsetReset::None)
        .build()
        .unwrap();
    let error = none.poll(60 * SECOND).await.unwrap_err();
    assert!(matches!(error, ConsumerError::NoOffset { .. }), "{error}");
    assert_eq!(error.advice(), Advice::GiveUp);
    none.seek(&partition(0), 5).await.unwrap();
    assert_eq!(text(&take(&mut none, 1).await.unwrap()[0]), "0:5");
}

#[tokio::test(start_paused = true)]
async fn seeks_are_heard_at_once() {
    let scene = scene_of(1, 100).await;
    let mut consumer = reader(&scene, OffsetReset::Earliest).await;
    for target in [50, 0, 99, 3] {
        consumer.seek(&partition(0), target).await.unwrap();
        assert_eq!(consumer.position(&partition(0)).await.unwrap(), target);
        let record = consumer.recv().await.unwrap();
        assert_eq!(record.offset, target);
    }
    consumer.seek_to_end(&[partition(0)]).await.unwrap();
    assert_eq!(consumer.position(&partition(0)).await.unwrap(), 100);
    consumer.seek_to_beginning(&[partition(0)]).await.unwrap();
    assert_eq!(consumer.recv().await.unwrap().offset, 0);
    let error = consumer.seek(&partition(1), 0).await.unwrap_err();
    assert!(
        matches!(error, ConsumerError::NotAssigned { .. }),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_paused_keeps_its_place() {
    let scene = scene_of(2, 20).await;
    let builder = scene.consumer().group_id("g").subscribe(["events"]);
    let mut consumer = builder.max_poll_records(5).build().unwrap();
    let first = consumer.poll(60 * SECOND).await.unwrap();
    assert!(!first.is_empty());
    consumer.pause(&[partition(0)]).await.unwrap();
    let at = consumer.position(&partition(0)).await.unwrap();
    let mut others = 0;
    loop {
        let records = consumer.poll(SECOND).await.unwrap();
        if records.is_empty() {
            break;
        }
        assert!(records.by_partition().all(|(one, _)| *one == partition(1)));
        others += records.count();
    }
    assert!(others > 0);
    assert_eq!(consumer.position(&partition(0)).await.unwrap(), at);
    consumer.resume(&[partition(0)]).await.unwrap();
    let rest = take(&mut consumer, usize::try_from(20 - at).unwrap())
        .await
        .unwrap();
    let offsets: Vec<i64> = rest.iter().map(|record| record.offset).collect();
    assert_eq!(offsets, (at..20).collect::<Vec<i64>>());
}

#[tokio::test(start_paused = true)]
async fn the_ends_of_a_log_and_the_offset_for_a_time() {
    let scene = scene_of(2, 10).await;
    scene
        .cluster
        .with_core(|core, _| core.delete_records_before("events", 1, 4))
        .await;
    let mut consumer = scene.consumer().build().unwrap();
    let both = || [partition(0), partition(1)];
    let beginning = consumer.beginning_offsets(both()).await.unwrap();
    assert_eq!((beginning[&partition(0)], beginning[&partition(1)]), (0, 4));
    let end = consumer.end_offsets(both()).await.unwrap();
    assert_eq!((end[&partition(0)], end[&partition(1)]), (10, 10));
    let times = [(partition(0), 1_006), (partition(1), 99_999)];
    let found = consumer.offsets_for_times(times).await.unwrap();
    let of = |index| {
        found[&partition(index)]
            .as_ref()
            .map(|found| (found.offset, found.timestamp))
    };
    assert_eq!((of(0), of(1)), (Some((6, Some(1_006))), None));
}

#[tokio::test(start_paused = true)]
async fn records_that_were_deleted_are_passed_over_as_the_reset_says() {
    let scene = scene_of(1, 10).await;
    let mut consumer = reader(&scene, OffsetReset::Earliest).await;
    consumer.seek(&partition(0), 2).await.unwrap();
    scene
        .cluster
        .with_core(|core, _| core.delete_records_before("events", 0, 7))
        .await;
    assert_eq!(text(&take(&mut consumer, 1).await.unwrap()[0]), "0:7");
    let mut strict = reader(&scene, OffsetReset::None).await;
    strict.seek(&partition(0), 2).await.unwrap();
    let error = strict.poll(60 * SECOND).await.unwrap_err();
    assert!(
        matches!(error, ConsumerError::OffsetOutOfRange { offset: 2, .. }),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_moves_or_dies_is_followed() {
    let scene = Scene::new(3, &[("events", 1)]).await;
    scene.fill("events", 1, 5).await;
    let mut consumer = reader(&scene, OffsetReset::Earliest).await;
    assert_eq!(take(&mut consumer, 5).await.unwrap().len(), 5);
    for round in 0..6 {
        let leader = scene
            .cluster
            .with_core(|core, _| core.leader("events", 0))
            .await;
        let leader = leader.flatten().unwrap().0;
        if round % 2 == 0 {
            scene.cluster.move_leader("events", 0, leader % 3 + 1).await;
        } else {
            scene.cluster.kill_node(leader).await;
        }
        scene
            .produce("events", 0, &[format!("round {round}")])
            .await;
        let records = take(&mut consumer, 1).await.unwrap();
        assert_eq!(text(&records[0]), format!("round {round}"));
        if round % 2 == 1 {
            scene.cluster.restart_node(leader).await;
        }
    }
}
