//! Control batches, and what `read_committed` leaves out.

use windlass_fetch::{FetchConfig, FetchError, FetchEvent, IsolationLevel};
use windlass_protocol::records::ControlRecordType::{Abort, Commit};
use windlass_protocol::records::{RecordBatch, RecordBatchBuilder};

use crate::answer::{Part, wanted};
use crate::batches::{dense, idempotent, marker, sparse, transactional};
use crate::scene::{Scene, at};

fn reading(isolation_level: IsolationLevel) -> Scene {
    let mut scene = Scene::with({
        let mut config = FetchConfig::default();
        config.isolation_level = isolation_level;
        config
    });
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    scene
}

fn part(batches: Vec<RecordBatch>) -> Part {
    batches.into_iter().fold(Part::of(0), Part::batch)
}

/// All offsets handed out of one answer, and the position after them.
fn read(isolation_level: IsolationLevel, part: Part) -> (Vec<i64>, Option<i64>) {
    let mut scene = reading(isolation_level);
    let (fetch, request) = scene.fetch();
    let level = i8::from(isolation_level == IsolationLevel::ReadCommitted);
    assert_eq!(request.isolation_level, level);
    scene.respond(&fetch, vec![part]);
    let offsets = scene
        .take(1000)
        .into_iter()
        .flat_map(|(_, offsets)| offsets)
        .collect();
    assert_eq!(scene.machine.buffered_bytes(), 0);
    (offsets, scene.position(0))
}

#[test]
fn control_batches_move_the_position_and_are_not_handed_out() {
    let mut scene = reading(IsolationLevel::ReadUncommitted);
    let (fetch, _) = scene.fetch();
    scene.respond(&fetch, vec![part(vec![marker(Commit, 1, 0)])]);
    let ready = |event: &FetchEvent| matches!(event, FetchEvent::RecordsReady);
    assert!(!scene.events.iter().any(ready));
    assert_eq!(scene.position(0), Some(1));
    let (fetch, request) = scene.fetch();
    assert_eq!(wanted(&request), [(0, 1)]);
    let batches = vec![dense(1, 3), marker(Commit, 1, 3), marker(Abort, 2, 4)];
    scene.respond(&fetch, vec![part(batches)]);
    assert!(scene.events.iter().any(ready));
    assert_eq!(scene.position(0), Some(1));
    let taken = scene.input(|machine, now| machine.take(10, now));
    assert_eq!(taken[0].until_offset, 3);
    // A commit of this goes past the markers, so that no lag is left for ever.
    assert_eq!(taken[0].position_after.offset, 5);
    assert_eq!(scene.position(0), Some(5));
}

#[test]
fn aborted_transactions_are_left_out() {
    let batches = || {
        vec![
            transactional(1, 0, 2),
            transactional(2, 2, 4),
            idempotent(1, 4, 5),
            dense(5, 6),
            marker(Abort, 1, 6),
            transactional(1, 7, 9),
            marker(Commit, 1, 9),
            marker(Commit, 2, 10),
        ]
    };
    let all = vec![0, 1, 2, 3, 4, 5, 7, 8];
    let plain = part(batches()).aborted(&[(1, 0)]);
    assert_eq!(
        read(IsolationLevel::ReadUncommitted, plain),
        (all, Some(11))
    );
    let committed = vec![2, 3, 4, 5, 7, 8];
    let part = part(batches()).aborted(&[(1, 0)]);
    assert_eq!(
        read(IsolationLevel::ReadCommitted, part),
        (committed, Some(11))
    );
}

#[test]
fn aborted_lists_may_come_in_any_order() {
    let batches = vec![
        transactional(1, 0, 1),
        transactional(2, 1, 2),
        marker(Abort, 1, 2),
        transactional(1, 3, 4),
        marker(Commit, 1, 4),
        marker(Abort, 2, 5),
        transactional(1, 6, 7),
        marker(Abort, 1, 7),
        dense(8, 9),
    ];
    let part = part(batches).aborted(&[(1, 6), (2, 1), (1, 0)]);
    let expected = (vec![3, 8], Some(9));
    assert_eq!(read(IsolationLevel::ReadCommitted, part), expected);
}

#[test]
fn a_list_is_of_its_answer_alone() {
    let mut scene = reading(IsolationLevel::ReadCommitted);
    let (fetch, _) = scene.fetch();
    let first = part(vec![transactional(1, 0, 2)]).aborted(&[(1, 0)]);
    scene.respond(&fetch, vec![first]);
    assert_eq!(scene.position(0), Some(2));
    assert_eq!(scene.machine.tally().aborted_batches, 1);
    let (fetch, _) = scene.fetch();
    // The transaction reaches into this answer, and so it is named again.
    let batches = vec![
        transactional(1, 2, 4),
        marker(Abort, 1, 4),
        transactional(1, 5, 6),
    ];
    scene.respond(&fetch, vec![part(batches).aborted(&[(1, 0)])]);
    assert_eq!(scene.take(10), [(0, vec![5])]);
}

#[test]
fn nothing_from_the_last_stable_offset_on_is_handed_out() {
    let mut scene = reading(IsolationLevel::ReadCommitted);
    let (fetch, _) = scene.fetch();
    let batches = vec![dense(0, 3), transactional(1, 3, 5), dense(5, 6)];
    scene.respond(&fetch, vec![part(batches).stable_until(3)]);
    assert_eq!(scene.take(100), [(0, vec![0, 1, 2])]);
    let (fetch, request) = scene.fetch();
    assert_eq!(wanted(&request), [(0, 3)]);
    assert_eq!(scene.machine.lag(&crate::scene::partition(0)), Some(0));
    assert_eq!(scene.failures(), []);
    scene.respond(&fetch, vec![part(vec![dense(5, 6)]).stable_until(3)]);
    let told = FetchError::Undecided {
        offset: 3,
        last_stable_offset: 3,
    };
    assert_eq!(scene.failures(), [(0, told)], "a silent stall");
    scene.wake();
    let (fetch, _) = scene.fetch();
    scene.respond(&fetch, vec![part(vec![dense(5, 6)]).stable_until(3)]);
    assert_eq!(scene.failures(), [], "it was told before");
}

/// A marker whose key is too short to say what it is.
fn unreadable_marker(offset: i64) -> RecordBatch {
    let mut builder = RecordBatchBuilder::new()
        .base_offset(offset)
        .producer(1, 0, -1)
        .transactional()
        .control();
    builder.append(0, Some(&[0]), None, &[]).unwrap();
    builder.build().unwrap()
}

#[test]
fn a_marker_that_cannot_be_read_stops_who_has_to_know_what_it_says() {
    let batches = || vec![dense(0, 1), unreadable_marker(1), transactional(1, 2, 3)];
    let mut scene = reading(IsolationLevel::ReadCommitted);
    let (fetch, _) = scene.fetch();
    scene.respond(&fetch, vec![part(batches()).aborted(&[(1, 0)])]);
    assert_eq!(scene.take(100), [(0, vec![0])]);
    let failures = scene.failures();
    assert!(
        matches!(&failures[..], [(0, FetchError::Corrupt { offset: 1, .. })]),
        "{failures:?}"
    );
    assert_eq!(scene.position(0), Some(1), "nothing is passed in silence");
    let all = (vec![0, 2], Some(3));
    assert_eq!(read(IsolationLevel::ReadUncommitted, part(batches())), all);
}

#[test]
fn a_marker_that_was_compacted_away_says_nothing() {
    let empty = RecordBatchBuilder::new()
        .base_offset(0)
        .producer(1, 0, -1)
        .transactional()
        .control()
        .last_offset_delta(0)
        .build()
        .unwrap();
    let part = part(vec![empty, dense(1, 2)]);
    assert_eq!(
        read(IsolationLevel::ReadCommitted, part),
        (vec![1], Some(2))
    );
}

#[test]
fn batches_without_records_move_the_position() {
    let batches = vec![
        sparse(0, &[], 4),
        dense(4, 6),
        sparse(6, &[], 9),
        sparse(9, &[9], 12),
        sparse(12, &[], 15),
    ];
    let expected = (vec![4, 5, 9], Some(15));
    let part = part(batches);
    assert_eq!(read(IsolationLevel::ReadUncommitted, part), expected);
}
