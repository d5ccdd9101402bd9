//! Batches that cannot be used.

use windlass_fetch::{FetchError, Standing};
use windlass_protocol::ErrorCode;

use crate::answer::{Part, is_quiet, node, wanted};
use crate::batches::{dense, of_epoch};
use crate::scene::{Scene, at, partition};

fn one() -> Scene {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(3))]);
    scene
}

fn only_failure(scene: &mut Scene) -> (i64, String) {
    let failures = scene.failures();
    assert_eq!(failures.len(), 1, "{failures:?}");
    match &failures[0].1 {
        FetchError::Corrupt { offset, detail } => (*offset, detail.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_corrupt_batch_stops_the_partition_until_a_seek_beyond_it() {
    let mut scene = one();
    let (fetch, _) = scene.fetch();
    let part = Part::of(0).corrupt(0, Some(9)).batch(dense(10, 12));
    scene.respond(&fetch, vec![part]);
    // The position lies inside of the batch: that is what cannot be read.
    let (offset, detail) = only_failure(&mut scene);
    assert_eq!(offset, 3);
    assert!(detail.contains("the next batch begins at 10"), "{detail}");
    assert_eq!(scene.standing(0), Standing::Failed);
    assert_eq!(scene.position(0), Some(3));
    // What follows it is not handed out.
    assert_eq!(scene.take(100), []);
    assert_eq!(scene.machine.buffered_bytes(), 0);
    assert!(is_quiet(&scene));
    scene.input(|machine, now| machine.seek(&partition(0), 10, None, now));
    assert_eq!(wanted(&scene.fetch().1), [(0, 10)]);
}

#[test]
fn sound_batches_before_it_are_handed_out_first() {
    let mut scene = one();
    let (fetch, _) = scene.fetch();
    let part = Part::of(0)
        .batch(dense(3, 6))
        .corrupt(6, None)
        .batch(dense(9, 12));
    scene.respond(&fetch, vec![part]);
    assert!(is_quiet(&scene));
    assert_eq!(scene.failures(), []);
    assert_eq!(scene.take(2), [(0, vec![3, 4])]);
    assert_eq!(scene.failures(), []);
    assert_eq!(scene.take(2), [(0, vec![5])]);
    assert_eq!(only_failure(&mut scene).0, 6);
    assert_eq!(scene.position(0), Some(6));
    assert!(is_quiet(&scene));
}

#[test]
fn the_same_fault_is_told_again_after_a_seek_to_it() {
    let mut scene = one();
    for _ in 0..2 {
        let (fetch, _) = scene.fetch();
        scene.respond(&fetch, vec![Part::of(0).corrupt(3, Some(5))]);
        assert_eq!(only_failure(&mut scene).0, 3);
        scene.input(|machine, now| machine.seek(&partition(0), 3, None, now));
    }
}

#[test]
fn a_new_leader_may_have_it_whole() {
    let mut scene = one();
    let (fetch, _) = scene.fetch();
    let part = Part::of(0).batch(dense(3, 6)).corrupt(6, None);
    scene.respond(&fetch, vec![part]);
    scene.leaders(&[(2, 6)]);
    let (asked, _) = scene.epoch_question();
    scene.ends(&asked, &[(0, ErrorCode::NONE, 5, 9)]);
    let (fetch, request) = scene.fetch();
    assert_eq!((node(&fetch), wanted(&request)), (2, vec![(0, 6)]));
    scene.respond(&fetch, vec![Part::of(0).batch(of_epoch(6, 9, 5))]);
    assert_eq!(scene.take(100), [(0, vec![3, 4, 5]), (0, vec![6, 7, 8])]);
    assert_eq!(scene.failures(), []);
}

#[test]
fn a_follower_with_a_corrupt_batch_is_left_for_its_leader_a_few_times() {
    let mut scene = one();
    let mut left = 0;
    while scene.standing(0) == Standing::Fetching {
        while scene.requests.is_empty() {
            scene.wake();
        }
        let (fetch, _) = scene.fetch();
        let part = if node(&fetch) == 1 {
            Part::of(0).rather_read_from(2)
        } else {
            left += 1;
            assert!(left < 10, "round and round in silence");
            Part::of(0).corrupt(3, Some(4))
        };
        scene.respond(&fetch, vec![part]);
    }
    assert!(left > 1);
    assert_eq!(only_failure(&mut scene).0, 3);
}
