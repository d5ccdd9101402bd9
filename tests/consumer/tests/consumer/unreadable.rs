//! Records that arrive whole and cannot be unpacked: nothing is committed beyond them, and nothing that
//! follows is given out, before the application has decided.

use std::time::Duration;

use windlass::{Consumer, ConsumerError, TopicPartition};
use windlass_test_consumer::Scene;

const SECOND: Duration = Duration::from_secs(1);

fn events() -> TopicPartition {
    TopicPartition::new("events", 0)
}

/// Five records, five that cannot be unpacked, five more.
async fn scene() -> Scene {
    let scene = Scene::new(1, &[("events", 1)]).await;
    scene.fill("events", 1, 5).await;
    scene.produce_unreadable("events", 0, 5).await;
    scene.fill("events", 1, 5).await;
    scene
}

fn reader(scene: &Scene) -> Consumer {
    let reader = scene.consumer().group_id("g").subscribe(["events"]);
    let reader = reader.enable_auto_commit(true);
    let reader = reader.auto_commit_interval(SECOND);
    reader.build().unwrap()
}

/// Polls for so long; the offsets that were given, and the errors in between.
async fn read(reader: &mut Consumer, seconds: u32) -> (Vec<i64>, Vec<ConsumerError>) {
    let (mut offsets, mut errors) = (Vec::new(), Vec::new());
    for _ in 0..seconds {
        match reader.poll(SECOND).await {
            Ok(records) => {
                for record in records.iter() {
                    match record {
                        Ok(record) => offsets.push(record.offset()),
                        Err(error) => errors.push(error),
                    }
                }
            }
            Err(error) => errors.push(error),
        }
    }
    (offsets, errors)
}

#[tokio::test(start_paused = true)]
async fn a_partition_stands_at_what_cannot_be_unpacked_until_it_is_sought() {
    let scene = scene().await;
    let mut reader = reader(&scene);
    let (offsets, errors) = read(&mut reader, 30).await;
    assert_eq!(offsets, [0, 1, 2, 3, 4]);
    assert_eq!(errors.len(), 1, "told once: {errors:?}");
    let ConsumerError::Corrupt { offset, .. } = &errors[0] else {
        panic!("{}", errors[0]);
    };
    assert_eq!(*offset, 5);
    assert_eq!(reader.position(&events()).await.unwrap(), 5);
    let committed = scene.committed("g").await;
    assert_eq!(committed.get(&events()), Some(&5), "nothing passes it");
    reader.commit().await.unwrap();
    assert_eq!(scene.committed("g").await.get(&events()), Some(&5));
    reader.seek(&events(), 10).await.unwrap();
    let (offsets, errors) = read(&mut reader, 10).await;
    assert_eq!(offsets, [10, 11, 12, 13, 14]);
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(scene.committed("g").await.get(&events()), Some(&15));
}

#[tokio::test(start_paused = true)]
async fn who_takes_records_one_by_one_is_stopped_at_the_same_place() {
    let scene = scene().await;
    let mut reader = reader(&scene);
    let (mut offsets, mut errors) = (Vec::new(), 0);
    while let Ok(record) = tokio::time::timeout(20 * SECOND, reader.recv()).await {
        match record {
            Ok(record) => offsets.push(record.offset),
            Err(ConsumerError::Corrupt { offset, .. }) => {
                assert_eq!(offset, 5);
                errors += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((offsets, errors), (vec![0, 1, 2, 3, 4], 1));
    assert_eq!(scene.committed("g").await.get(&events()), Some(&5));
    reader.seek(&events(), 10).await.unwrap();
    assert_eq!(reader.recv().await.unwrap().offset, 10);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_takes_over_finds_it_too() {
    let scene = scene().await;
    let mut first = reader(&scene);
    let (_, errors) = read(&mut first, 10).await;
    assert_eq!(errors.len(), 1);
    first.close(10 * SECOND).await.unwrap();
    let mut second = reader(&scene);
    let (offsets, errors) = read(&mut second, 10).await;
    assert_eq!(offsets, Vec::<i64>::new());
    assert_eq!(errors.len(), 1, "{errors:?}");
}
