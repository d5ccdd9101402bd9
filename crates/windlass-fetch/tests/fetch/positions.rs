//! Where partitions begin, and how seeks, pauses and holds move or stop them.

use std::time::Duration;

use windlass_fetch::{FetchConfig, FetchError, OffsetReset, Position, Standing, StartPosition};
use windlass_model::OffsetAndMetadata;
use windlass_protocol::ErrorCode;

use crate::answer::{Part, is_quiet, node, wanted};
use crate::batches::dense;
use crate::scene::{Scene, at, epoch, partition, set};

fn awaiting(reset: OffsetReset) -> Scene {
    let mut scene = Scene::with({
        let mut config = FetchConfig::default();
        config.offset_reset = reset;
        config
    });
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, StartPosition::Awaiting)]);
    assert_eq!(scene.standing(0), Standing::Awaiting);
    assert!(is_quiet(&scene));
    scene
}

fn committed(scene: &mut Scene, offset: Option<i64>) {
    let committed = offset.map(OffsetAndMetadata::new);
    scene.input(|machine, now| machine.set_committed(&partition(0), committed, now));
}

#[test]
fn a_committed_offset_is_where_it_goes_on() {
    let mut scene = awaiting(OffsetReset::Latest);
    committed(&mut scene, Some(42));
    let (_, request) = scene.fetch();
    assert_eq!(wanted(&request), [(0, 42)]);
    assert_eq!(scene.position(0), Some(42));
}

#[test]
fn without_a_committed_offset_the_policy_decides() {
    for (policy, timestamp) in [(OffsetReset::Earliest, -2), (OffsetReset::Latest, -1)] {
        let mut scene = awaiting(policy);
        committed(&mut scene, None);
        let (asked, request) = scene.list_offsets();
        assert_eq!(request.topics[0].partitions[0].timestamp, timestamp);
        assert_eq!(request.replica_id, -1);
        assert_eq!(scene.position(0), None);
        scene.listed(&asked, &[(0, ErrorCode::NONE, 17)]);
        assert_eq!(wanted(&scene.fetch().1), [(0, 17)]);
        assert_eq!(scene.moves(), [(0, None, 17)]);
    }
}

#[test]
fn without_a_policy_the_application_is_told_once_and_seeks() {
    let mut scene = awaiting(OffsetReset::None);
    committed(&mut scene, None);
    assert_eq!(scene.failures(), [(0, FetchError::NoOffset)]);
    assert_eq!(scene.standing(0), Standing::Nowhere);
    scene.tell_cluster();
    assert_eq!(scene.failures(), []);
    assert!(is_quiet(&scene));
    scene.input(|machine, now| machine.seek(&partition(0), 3, None, now));
    assert_eq!(wanted(&scene.fetch().1), [(0, 3)]);
}

#[test]
fn a_committed_offset_that_comes_after_a_seek_does_not_count() {
    let mut scene = awaiting(OffsetReset::Latest);
    scene.input(|machine, now| machine.seek(&partition(0), 7, None, now));
    assert_eq!(wanted(&scene.fetch().1), [(0, 7)]);
    committed(&mut scene, Some(42));
    committed(&mut scene, None);
    assert_eq!(scene.position(0), Some(7));
    assert!(scene.requests.is_empty());
}

#[test]
fn what_was_under_way_at_a_seek_is_thrown_away() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (fetch, _) = scene.fetch();
    scene.send_parts(&fetch, vec![Part::of(0).batch(dense(0, 5))]);
    assert!(scene.machine.buffered_bytes() > 0);
    scene.input(|machine, now| machine.seek(&partition(0), 100, None, now));
    assert_eq!(scene.machine.buffered_bytes(), 0);
    scene.send_parts(&fetch, vec![Part::of(0).batch(dense(5, 10))]);
    scene.finish(&fetch);
    assert_eq!(scene.take(100), []);
    assert_eq!(scene.position(0), Some(100));
    assert_eq!(wanted(&scene.fetch().1), [(0, 100)]);
    assert!(scene.machine.tally().stale_parts > 0);
}

#[test]
fn a_seek_in_the_middle_of_a_partition_stops_its_part() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (fetch, _) = scene.fetch();
    let pieces = [dense(0, 5), dense(5, 10)];
    let [first, second] = pieces;
    scene.send_parts(&fetch, vec![Part::of(0).batch(first)]);
    scene.input(|machine, now| machine.seek(&partition(0), 5, None, now));
    // Even though it would fit: it was asked for before the seek.
    scene.send_parts(&fetch, vec![Part::of(0).batch(second)]);
    assert_eq!(scene.take(100), []);
    assert_eq!(scene.machine.buffered_bytes(), 0);
}

#[test]
fn what_is_rewound_comes_again_without_a_question_to_the_leader() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (fetch, _) = scene.fetch();
    scene.send_parts(&fetch, vec![Part::of(0).batch(dense(0, 5))]);
    scene.finish(&fetch);
    assert_eq!(scene.take(100), [(0, vec![0, 1, 2, 3, 4])]);
    let (overtaken, request) = scene.fetch();
    assert_eq!(wanted(&request), [(0, 5)]);
    let given = Position {
        offset: 2,
        leader_epoch: epoch(5),
    };
    scene.input(|machine, now| machine.rewind(&partition(0), given, now));
    assert_eq!(scene.position(0), Some(2));
    assert_eq!(scene.standing(0), Standing::Fetching);
    scene.send_parts(&overtaken, vec![Part::of(0).batch(dense(5, 10))]);
    scene.finish(&overtaken);
    assert_eq!(scene.take(100), [], "it follows what was not given yet");
    let (fetch, request) = scene.fetch();
    assert_eq!(wanted(&request), [(0, 2)]);
    scene.send_parts(&fetch, vec![Part::of(0).batch(dense(0, 5))]);
    assert_eq!(scene.take(100), [(0, vec![2, 3, 4])]);
}

#[test]
fn what_is_given_back_is_not_fetched_again() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (fetch, _) = scene.fetch();
    scene.send_parts(&fetch, vec![Part::of(0).batch(dense(0, 5))]);
    scene.finish(&fetch);
    let returned = scene.machine.take(100, scene.now);
    let (next, request) = scene.fetch();
    assert_eq!(wanted(&request), [(0, 5)]);
    let given = Position {
        offset: 2,
        leader_epoch: epoch(5),
    };
    scene.input(|machine, now| machine.give_back(&partition(0), given, returned, now));
    assert_eq!(scene.position(0), Some(2));
    scene.send_parts(&next, vec![Part::of(0).batch(dense(5, 7))]);
    assert_eq!(scene.take(100), [(0, vec![2, 3, 4]), (0, vec![5, 6])]);
}

#[test]
fn a_rewind_to_where_it_stands_keeps_what_was_fetched() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (fetch, _) = scene.fetch();
    scene.send_parts(&fetch, vec![Part::of(0).batch(dense(0, 5))]);
    let here = Position {
        offset: 0,
        leader_epoch: None,
    };
    scene.input(|machine, now| machine.rewind(&partition(0), here, now));
    assert_eq!(scene.take(100), [(0, vec![0, 1, 2, 3, 4])]);
}

#[test]
fn a_reset_that_is_answered_after_a_seek_does_not_count() {
    let mut scene = awaiting(OffsetReset::Earliest);
    committed(&mut scene, None);
    let (asked, _) = scene.list_offsets();
    scene.input(|machine, now| machine.seek(&partition(0), 9, epoch(5), now));
    scene.listed(&asked, &[(0, ErrorCode::NONE, 0)]);
    assert_eq!(scene.position(0), Some(9));
    assert_eq!(scene.moves(), []);
    assert_eq!(scene.machine.tally().late_answers, 1);
}

#[test]
fn a_pause_keeps_what_was_fetched_and_what_is_on_its_way() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (fetch, _) = scene.fetch();
    scene.input(|machine, now| machine.pause(&set(&[0]), now));
    scene.respond(&fetch, vec![Part::of(0).batch(dense(0, 5))]);
    assert_eq!(scene.take(100), []);
    assert!(is_quiet(&scene));
    assert_eq!(scene.machine.paused().count(), 1);
    scene.input(|machine, now| machine.resume(&set(&[0]), now));
    assert_eq!(wanted(&scene.fetch().1), [(0, 5)]);
    assert_eq!(scene.take(100), [(0, vec![0, 1, 2, 3, 4])]);
}

#[test]
fn what_is_about_to_go_makes_room_for_the_others_and_keeps_its_position() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5), (1, 5)]);
    scene.assign(&[(0, at(0)), (1, at(0))]);
    let (fetch, _) = scene.fetch();
    scene.respond(&fetch, vec![Part::of(0).batch(dense(0, 4))]);
    assert_eq!(scene.take(1), [(0, vec![0])]);
    let (on_its_way, request) = scene.fetch();
    assert_eq!(wanted(&request), [(1, 0), (0, 4)]);
    scene.input(|machine, now| machine.withdraw(&set(&[0, 1]), now));
    assert_eq!(scene.machine.buffered_bytes(), 0);
    scene.respond(&on_its_way, vec![Part::of(1).batch(dense(0, 4))]);
    assert_eq!(scene.machine.buffered_bytes(), 0);
    assert_eq!(scene.take(100), []);
    assert_eq!((scene.position(0), scene.position(1)), (Some(1), Some(0)));
    assert!(is_quiet(&scene));
}

#[test]
fn what_is_held_is_neither_fetched_nor_handed_out_but_kept() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (fetch, _) = scene.fetch();
    scene.respond(&fetch, vec![Part::of(0).batch(dense(0, 5))]);
    let (next, _) = scene.fetch();
    scene.input(|machine, now| machine.hold(&set(&[0]), now));
    scene.respond(&next, vec![Part::of(0).batch(dense(5, 7))]);
    assert_eq!(scene.take(100), []);
    assert!(is_quiet(&scene));
    scene.input(|machine, now| machine.release(&set(&[0]), now));
    assert_eq!(scene.take(100), [(0, vec![0, 1, 2, 3, 4]), (0, vec![5, 6])]);
    assert_eq!(wanted(&scene.fetch().1), [(0, 7)]);
}

#[test]
fn a_pause_does_not_outlive_the_assignment() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (fetch, _) = scene.fetch();
    scene.respond(&fetch, vec![Part::of(0).batch(dense(0, 5))]);
    scene.input(|machine, now| machine.pause(&set(&[0]), now));
    scene.input(|machine, now| machine.unassign(&set(&[0]), now));
    assert_eq!(scene.machine.buffered_bytes(), 0);
    assert_eq!(scene.machine.position(&partition(0)), None);
    let (old, _) = scene.fetch();
    scene.assign(&[(0, at(3))]);
    // What the former assignment asked for is not what this one wants.
    scene.pass(Duration::from_millis(500));
    scene.respond(&old, vec![Part::of(0).batch(dense(5, 9))]);
    assert_eq!(scene.take(100), []);
    assert_eq!(wanted(&scene.fetch().1), [(0, 3)]);
}

#[test]
fn an_application_may_go_to_either_end() {
    let mut scene = Scene::new();
    scene.leaders(&[(2, 5)]);
    scene.assign(&[(0, at(10))]);
    let (fetch, _) = scene.fetch();
    scene.respond(&fetch, vec![Part::of(0).batch(dense(10, 12))]);
    let _next = scene.fetch();
    scene.input(|machine, now| machine.seek_to(&partition(0), OffsetReset::Latest, now));
    let (asked, request) = scene.list_offsets();
    assert_eq!(node(&asked), 2);
    assert_eq!(request.topics[0].partitions[0].timestamp, -1);
    assert_eq!(request.topics[0].partitions[0].current_leader_epoch, 5);
    scene.listed(&asked, &[(0, ErrorCode::NONE, 50)]);
    assert_eq!(scene.moves(), [(0, Some(10), 50)]);
}

#[test]
fn going_nowhere_releases_what_was_fetched_once() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5), (1, 5)]);
    scene.assign(&[(0, at(0)), (1, at(0))]);
    let (fetch, _) = scene.fetch();
    let kept = dense(0, 3);
    let bytes = kept.bytes().len();
    scene.respond(
        &fetch,
        vec![Part::of(0).batch(dense(0, 3)), Part::of(1).batch(kept)],
    );
    scene.input(|machine, now| machine.seek_to(&partition(0), OffsetReset::None, now));
    assert_eq!(scene.standing(0), Standing::Nowhere);
    assert_eq!(scene.machine.buffered_bytes(), bytes);
}
