//! Errors: told once each, and never in the way of anything else.

use std::time::Duration;

use windlass_fetch::{FetchConfig, FetchError};
use windlass_machine::FailureKind;
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::list_offsets::ListOffsetsResponse;

use crate::answer::{Part, wanted};
use crate::batches::dense;
use crate::scene::{Scene, at, partition};

#[test]
fn a_partition_that_fails_does_not_hold_up_its_neighbours() {
    let mut scene = Scene::fetching(FetchConfig::default());
    let (fetch, _) = scene.fetch();
    let code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    scene.respond(
        &fetch,
        vec![Part::of(0).error(code), Part::of(1).batch(dense(0, 3))],
    );
    assert_eq!(scene.take(100), [(1, vec![0, 1, 2])]);
    let _other_broker = scene.fetch();
    // The fetch of the neighbour does not wait long for more while it is alone.
    let (_, request) = scene.fetch();
    assert_eq!(wanted(&request), [(1, 3)]);
    assert_eq!(request.max_wait_ms, 10);
    let api = "Fetch";
    assert_eq!(scene.failures(), [(0, FetchError::Refused { api, code })]);
}

#[test]
fn an_error_is_told_again_only_after_it_was_over() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    let mut told = 0;
    for round in 0..6 {
        while scene.requests.is_empty() {
            scene.wake();
        }
        let (fetch, _) = scene.fetch();
        let part = if round == 3 {
            Part::of(0).batch(dense(0, 1))
        } else {
            Part::of(0).error(code)
        };
        scene.respond(&fetch, vec![part]);
        told += scene.failures().len();
    }
    assert_eq!(told, 2);
}

#[test]
fn errors_that_pass_ask_for_metadata_and_are_not_told() {
    let codes = [
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
        ErrorCode::FENCED_LEADER_EPOCH,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::UNKNOWN_TOPIC_ID,
        ErrorCode::KAFKA_STORAGE_ERROR,
        ErrorCode::UNKNOWN_LEADER_EPOCH,
    ];
    for code in codes {
        let mut scene = Scene::new();
        scene.leaders(&[(1, 5)]);
        scene.assign(&[(0, at(0))]);
        let (fetch, _) = scene.fetch();
        scene.respond(&fetch, vec![Part::of(0).error(code)]);
        let events = scene.events.clone();
        assert!(scene.wants_metadata(), "{}", code.name());
        scene.events = events;
        assert_eq!(scene.failures(), [], "{}", code.name());
        assert_eq!(scene.position(0), Some(0));
    }
}

#[test]
fn a_broker_that_refuses_us_is_told_once_for_each_partition() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5), (1, 5)]);
    scene.assign(&[(0, at(0)), (1, at(0))]);
    let mut told = Vec::new();
    for _ in 0..4 {
        let (fetch, _) = scene.fetch();
        scene.fail_request(&fetch, FailureKind::AuthenticationFailed);
        told.extend(scene.failures().into_iter().map(|(index, _)| index));
        scene.wake();
    }
    assert_eq!(told, [0, 1]);
}

#[test]
fn a_connection_that_breaks_costs_nothing_that_arrived() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (fetch, _) = scene.fetch();
    scene.send_parts(&fetch, vec![Part::of(0).batch(dense(0, 3))]);
    scene.fail_request(&fetch, FailureKind::Disconnected);
    assert_eq!(scene.take(100), [(0, vec![0, 1, 2])]);
    scene.wake();
    assert_eq!(wanted(&scene.fetch().1), [(0, 3)]);
}

#[test]
fn answers_to_other_questions_and_late_ones_are_counted() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (fetch, _) = scene.fetch();
    let odd = ListOffsetsResponse::default();
    scene.input(|machine, now| machine.on_response(fetch.id, odd.clone().into(), now));
    assert!(scene.wants_metadata());
    scene.input(|machine, now| machine.on_response(fetch.id, odd.into(), now));
    scene.respond(&fetch, vec![Part::of(0).batch(dense(0, 3))]);
    assert_eq!(scene.take(100), []);
    assert!(scene.machine.tally().late_answers >= 3);
    scene.wake();
    assert_eq!(wanted(&scene.fetch().1), [(0, 0)]);
}

#[test]
fn records_that_came_before_an_error_are_handed_out() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (fetch, _) = scene.fetch();
    scene.respond(&fetch, vec![Part::of(0).batch(dense(0, 3))]);
    let (next, _) = scene.fetch();
    scene.pass(Duration::from_millis(5));
    let code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    scene.respond(&next, vec![Part::of(0).error(code)]);
    assert_eq!(scene.take(2), [(0, vec![0, 1])]);
    assert_eq!(scene.take(2), [(0, vec![2])]);
    assert_eq!(scene.machine.position(&partition(0)).unwrap().offset, 3);
}

#[test]
fn an_answer_that_cannot_be_read_is_told_once() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let mut told = Vec::new();
    for _ in 0..4 {
        while scene.requests.is_empty() {
            scene.wake();
        }
        let (fetch, _) = scene.fetch();
        scene.fail_request(&fetch, FailureKind::Undecodable);
        told.extend(scene.failures());
    }
    assert!(
        matches!(&told[..], [(0, FetchError::Unreachable { .. })]),
        "{told:?}"
    );
}
