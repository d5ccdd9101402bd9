//! Records come out whole, in order, once, and no more of them than asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use windlass::protocol::records::Compression;
use windlass::protocol::{ApiKey, ErrorCode};
use windlass::{
    Advice, Consumer, ConsumerError, IsolationLevel, Json, OwnedRecord, TopicPartition,
};
use windlass_test_consumer::{Scene, take, text};

fn offsets_by_partition(records: &[OwnedRecord]) -> BTreeMap<i32, Vec<i64>> {
    let mut offsets: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    for record in records {
        let partition = record.topic_partition.partition;
        assert_eq!(text(record), format!("{partition}:{}", record.offset));
        offsets.entry(partition).or_default().push(record.offset);
    }
    offsets
}

/// Every record of each partition once and in order.
fn assert_all(records: &[OwnedRecord], partitions: i32, count: i64) {
    let expected = (0..partitions).map(|partition| (partition, (0..count).collect()));
    assert_eq!(offsets_by_partition(records), expected.collect());
}

async fn scene_of(partitions: i32, count: i32) -> Scene {
    let scene = Scene::new(1, &[("events", partitions)]).await;
    scene.fill("events", partitions, count).await;
    scene
}

fn member(scene: &Scene) -> Consumer {
    let consumer = scene.consumer().group_id("g").subscribe(["events"]);
    consumer.build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn poll_hands_out_every_record_once_and_in_order() {
    let scene = scene_of(3, 700).await;
    let mut consumer = member(&scene);
    assert_all(&take(&mut consumer, 2_100).await.unwrap(), 3, 700);
    let none = consumer.poll(Duration::from_millis(50)).await.unwrap();
    assert!(none.is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_poll_hands_out_more_than_max_poll_records() {
    let scene = scene_of(2, 95).await;
    let builder = scene.consumer().group_id("g").subscribe(["events"]);
    let mut consumer = builder.max_poll_records(10).build().unwrap();
    let mut all = Vec::new();
    while all.len() < 190 {
        let records = consumer.poll(Duration::from_secs(10)).await.unwrap();
        assert!(!records.is_empty() && records.count() <= 10);
        all.extend(
            records
                .iter()
                .map(|record| record.unwrap().to_owned().unwrap()),
        );
    }
    assert_all(&all, 2, 95);
}

#[tokio::test(start_paused = true)]
async fn a_batch_larger_than_a_poll_comes_in_parts() {
    for compression in [Compression::None, Compression::Lz4, Compression::Zstd] {
        let scene = Scene::new(1, &[("events", 3)]).await;
        for partition in 0..3 {
            for batch in 0..2 {
                let values: Vec<String> = (batch * 100..batch * 100 + 100)
                    .map(|offset| format!("{partition}:{offset}"))
                    .collect();
                scene
                    .produce_compressed("events", partition, &values, compression)
                    .await;
            }
        }
        let builder = scene.consumer().group_id("g").subscribe(["events"]);
        let mut consumer = builder.max_poll_records(7).build().unwrap();
        let mut all = Vec::new();
        while all.len() < 600 {
            let records = consumer.poll(Duration::from_secs(10)).await.unwrap();
            assert_eq!(records.count(), 7.min(600 - all.len()), "{compression:?}");
            // Some walks are not finished, and the next part does not suffer from it.
            let _first = records.iter().next().unwrap().unwrap();
            if all.len() % 3 == 0 {
                let _second = records.iter().nth(1);
            }
            all.extend(
                records
                    .iter()
                    .map(|record| record.unwrap().to_owned().unwrap()),
            );
        }
        assert_all(&all, 3, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn errors_are_told_while_records_keep_coming() {
    let scene = Scene::new(1, &[("events", 2)]).await;
    scene.fill("events", 1, 1_000).await;
    let mut consumer = scene.consumer().max_poll_records(1).build().unwrap();
    let partitions = [0, 1].map(|index| TopicPartition::new("events", index));
    consumer.assign(partitions.clone()).await.unwrap();
    let _joined = consumer.poll(Duration::from_secs(10)).await.unwrap();
    let (api, code) = (ApiKey::ListOffsets, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    scene.cluster.inject_error(api, 1, code).await;
    consumer.seek_to_end(&partitions[1..]).await.unwrap();
    let mut before = 0;
    let error = loop {
        match consumer.poll(Duration::from_secs(10)).await {
            Ok(records) => before += records.count(),
            Err(error) => break error,
        }
        // The leader answers when the fetch before it is over.
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert!(
        matches!(error, ConsumerError::TopicAuthorization { .. }),
        "{error}"
    );
    assert!(before < 100, "{before} records came before it");
    let after = take(&mut consumer, 999 - before).await.unwrap();
    assert_eq!(after.last().unwrap().offset, 999, "and none is lost by it");
}

#[tokio::test(start_paused = true)]
async fn read_committed_leaves_out_what_was_aborted() {
    let scene = Scene::new(1, &[("events", 1)]).await;
    let to = TopicPartition::new("events", 0);
    for (value, committed) in [("kept", true), ("undone", false), ("kept too", true)] {
        scene.transact(&to, value, committed).await;
    }
    for (level, expected) in [
        (
            IsolationLevel::ReadUncommitted,
            &["kept", "undone", "kept too"][..],
        ),
        (IsolationLevel::ReadCommitted, &["kept", "kept too"]),
    ] {
        let builder = scene.consumer().isolation_level(level);
        let mut consumer = builder.build().unwrap();
        consumer.assign([to.clone()]).await.unwrap();
        let records = take(&mut consumer, expected.len()).await.unwrap();
        assert_eq!(records.iter().map(text).collect::<Vec<_>>(), expected);
        assert!(
            consumer
                .poll(Duration::from_secs(1))
                .await
                .unwrap()
                .is_empty()
        );
        // Markers and what was aborted are passed: a committed position leaves none of it to be lag.
        assert_eq!(consumer.position(&to).await.unwrap(), 6);
    }
}

#[tokio::test(start_paused = true)]
async fn records_may_be_held_while_the_consumer_goes_on() {
    let scene = scene_of(1, 20).await;
    let builder = scene.consumer().group_id("g").subscribe(["events"]);
    let mut consumer = builder.max_poll_records(10).build().unwrap();
    let first = consumer.poll(Duration::from_secs(10)).await.unwrap();
    let second = consumer.poll(Duration::from_secs(10)).await.unwrap();
    consumer.close(Duration::from_secs(5)).await.unwrap();
    let offsets: Vec<i64> = [&first, &second]
        .into_iter()
        .flat_map(|records| records.iter().map(|record| record.unwrap().offset()))
        .collect();
    assert_eq!(offsets, (0..20).collect::<Vec<i64>>());
}

#[tokio::test(start_paused = true)]
async fn recv_and_poll_share_one_order() {
    let scene = scene_of(1, 50).await;
    let mut consumer = member(&scene);
    let mut all = Vec::new();
    for _ in 0..7 {
        all.push(consumer.recv().await.unwrap());
    }
    all.extend(take(&mut consumer, 43).await.unwrap());
    assert_all(&all, 1, 50);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_loses_nothing() {
    let scene = scene_of(2, 150).await;
    let mut consumer = member(&scene);
    let mut all = Vec::new();
    let mut dropped = 0;
    // Every wait is cut off after a while that grows, in the middle of joining, fetching, handing out.
    for wait in (0_u64..).map(|round| Duration::from_micros(round % 997)) {
        if all.len() >= 300 {
            break;
        }
        match tokio::time::timeout(wait, consumer.recv()).await {
            Ok(record) => all.push(record.unwrap()),
            Err(_) => dropped += 1,
        }
        match tokio::time::timeout(wait, consumer.poll(Duration::from_secs(60))).await {
            Ok(records) => {
                let records = records.unwrap();
                all.extend(
                    records
                        .iter()
                        .map(|record| record.unwrap().to_owned().unwrap()),
                );
            }
            Err(_) => dropped += 1,
        }
        if let Ok(committed) = tokio::time::timeout(wait, consumer.commit()).await {
            committed.unwrap();
        }
    }
    assert_all(&all, 2, 150);
    assert!(dropped > 0, "nothing was dropped");
}

#[tokio::test(start_paused = true)]
async fn a_poison_record_is_named_and_skipped() {
    let scene = Scene::new(1, &[("events", 1)]).await;
    let values = ["1", "2", "not a number", "4"].map(str::to_owned);
    scene.produce("events", 0, &values).await;
    let mut consumer = member(&scene);
    let mut numbers = consumer.typed::<u32, _>(Json);
    assert_eq!(numbers.recv().await.unwrap().value, 1);
    assert_eq!(numbers.recv().await.unwrap().value, 2);
    let error = numbers.recv().await.unwrap_err();
    assert_eq!(error.advice(), Advice::Retry);
    let ConsumerError::Deserialize {
        topic_partition,
        offset,
        ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(
        (topic_partition, offset),
        (TopicPartition::new("events", 0), 2)
    );
    assert_eq!(numbers.recv().await.unwrap().value, 4);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_the_application_is_bounded() {
    let scene = Scene::new(1, &[("events", 4)]).await;
    let value = "x".repeat(10_000);
    for partition in 0..4 {
        for _ in 0..50 {
            let values = vec![value.clone(); 10];
            scene.produce("events", partition, &values).await;
        }
    }
    let builder = scene.consumer().group_id("g").subscribe(["events"]);
    let mut consumer = builder
        .buffer_bytes(1 << 20)
        .max_poll_records(1)
        .max_partition_fetch_bytes(200_000)
        .build()
        .unwrap();
    for _ in 0..20 {
        assert_eq!(
            consumer
                .poll(Duration::from_secs(60))
                .await
                .unwrap()
                .count(),
            1
        );
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    // 20 MB lie there. What waits here is what can still be had when nobody answers any more.
    scene.cluster.kill_node(1).await;
    let mut waiting = 0;
    while let Ok(records) = consumer.poll(Duration::ZERO).await {
        if records.is_empty() {
            break;
        }
        waiting += records.count();
    }
    assert!(
        (1..=105).contains(&waiting),
        "{waiting} records of 10 kB waited under a budget of 1 MiB"
    );
}
