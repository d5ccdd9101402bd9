//! Bytes: what is asked for, what waits, and what is released.

use std::time::Duration;

use windlass_fetch::FetchConfig;

use crate::answer::{Part, is_quiet, node, wanted};
use crate::batches::{dense, large};
use crate::scene::{Scene, at, partition, set};

const KIB: usize = 1024;

fn small(buffer_kib: usize, partition_kib: i32) -> FetchConfig {
    {
        let mut config = FetchConfig::default();
        config.buffer_bytes = buffer_kib * KIB;
        config.max_partition_bytes = partition_kib * 1024;
        config
    }
}

#[test]
fn a_full_buffer_stops_fetching_until_something_is_taken() {
    let mut scene = Scene::with(small(64, 16));
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let mut offset = 0;
    while !scene.requests.is_empty() {
        let (fetch, request) = scene.fetch();
        assert!(usize::try_from(request.max_bytes).unwrap() <= 64 * KIB);
        scene.respond(&fetch, vec![Part::of(0).batch(large(offset, 15 * KIB))]);
        offset += 1;
        assert!(offset < 10, "without bounds");
    }
    // Half of the budget, and what one fetch may bring beyond that.
    assert!(scene.machine.buffered_bytes() >= 32 * KIB);
    assert!(scene.machine.buffered_bytes() <= 64 * KIB);
    let _one = scene.take(1);
    assert!(!scene.requests.is_empty());
}

#[test]
fn an_oversize_batch_is_taken_in_and_accounted_for() {
    let mut scene = Scene::with(small(64, 16));
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (fetch, _) = scene.fetch();
    scene.respond(&fetch, vec![Part::of(0).batch(large(0, 500 * KIB))]);
    assert!(is_quiet(&scene));
    assert!(scene.machine.buffered_bytes() > 500 * KIB);
    assert_eq!(scene.take(10), [(0, vec![0])]);
    assert_eq!(scene.machine.buffered_bytes(), 0);
    assert!(!scene.requests.is_empty());
}

#[test]
fn a_full_partition_does_not_keep_its_neighbour_waiting() {
    let mut scene = Scene::with(small(64, 16));
    scene.leaders(&[(1, 5), (1, 5)]);
    scene.assign(&[(0, at(0)), (1, at(0))]);
    let (fetch, _) = scene.fetch();
    let full = Part::of(0).batch(large(0, 17 * KIB));
    scene.respond(&fetch, vec![full]);
    let (fetch, request) = scene.fetch();
    assert_eq!(wanted(&request), [(1, 0)]);
    // Nor does it wait itself, once there is room, for a neighbour that has nothing.
    assert_eq!(request.max_wait_ms, 10);
    scene.pass(Duration::from_millis(10));
    scene.respond(&fetch, vec![Part::of(1)]);
    let (_, request) = scene.fetch();
    assert_eq!(request.max_wait_ms, 20);
}

#[test]
fn what_is_paused_does_not_stop_the_others() {
    let mut scene = Scene::with(small(32, 16));
    scene.leaders(&[(1, 5), (1, 5)]);
    scene.assign(&[(0, at(0)), (1, at(0))]);
    let (fetch, _) = scene.fetch();
    let full = Part::of(0).batch(large(0, 40 * KIB));
    scene.respond(&fetch, vec![full]);
    assert!(is_quiet(&scene));
    scene.input(|machine, now| machine.pause(&set(&[0]), now));
    let (_, request) = scene.fetch();
    assert_eq!(wanted(&request), [(1, 0)]);
    assert_eq!(request.max_bytes, 16 * 1024);
}

#[test]
fn every_way_out_releases_what_waited() {
    let ways: [fn(&mut Scene); 6] = [
        |scene| scene.input(|machine, now| machine.unassign(&set(&[0]), now)),
        |scene| scene.input(|machine, now| machine.seek(&partition(0), 1, None, now)),
        |scene| {
            let to = windlass_fetch::OffsetReset::Earliest;
            scene.input(|machine, now| machine.seek_to(&partition(0), to, now));
        },
        |scene| {
            let to = windlass_fetch::OffsetReset::None;
            scene.input(|machine, now| machine.seek_to(&partition(0), to, now));
        },
        |scene| scene.assign(&[(0, at(7))]),
        |scene| {
            let _all = scene.input(|machine, now| machine.take(2, now));
        },
    ];
    for way in ways {
        let mut scene = Scene::new();
        scene.leaders(&[(1, 5), (1, 5)]);
        scene.assign(&[(0, at(0)), (1, at(0))]);
        let (fetch, _) = scene.fetch();
        let kept = large(0, 3 * KIB);
        let bytes = kept.bytes().len();
        let parts = vec![Part::of(0).batch(dense(0, 2)), Part::of(1).batch(kept)];
        scene.respond(&fetch, parts);
        way(&mut scene);
        assert_eq!(scene.machine.buffered_bytes(), bytes);
    }
}

#[test]
fn partitions_are_first_in_turn_and_brokers_share() {
    let mut scene = Scene::fetching({
        let mut config = FetchConfig::default();
        config.buffer_bytes = 100 * KIB;
        config.max_partition_bytes = 1024;
        config
    });
    let (one, first) = scene.fetch();
    let (other, request) = scene.fetch();
    assert_eq!((node(&one), node(&other)), (1, 2));
    assert_eq!((first.max_bytes, request.max_bytes), (50 * 1024, 50 * 1024));
    assert_eq!(wanted(&first), [(0, 0), (1, 0)]);
    scene.pass(Duration::from_millis(500));
    scene.respond(&one, vec![Part::of(0), Part::of(1)]);
    assert_eq!(wanted(&scene.fetch().1), [(1, 0), (0, 0)]);
}

#[test]
fn a_fetch_that_nobody_wants_any_more_leaves_its_budget_to_others() {
    let mut scene = Scene::with(small(40, 16));
    scene.leaders(&[(1, 5), (2, 5)]);
    scene.assign(&[(0, at(0)), (1, at(0))]);
    let (of_the_lost, _) = scene.fetch();
    let (fetch, _) = scene.fetch();
    assert_eq!((node(&of_the_lost), node(&fetch)), (1, 2));
    scene.input(|machine, now| machine.withdraw(&set(&[0]), now));
    scene.respond(&fetch, vec![Part::of(1).batch(large(0, 10 * KIB))]);
    assert_eq!(wanted(&scene.fetch().1), [(1, 1)]);
}
