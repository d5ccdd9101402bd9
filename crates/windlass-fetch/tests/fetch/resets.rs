//! Positions that do not exist, and where to go from there.

use std::time::Duration;

use windlass_fetch::{FetchConfig, FetchError, OffsetReset, Standing, StartPosition};
use windlass_machine::FailureKind;
use windlass_protocol::ErrorCode;

use crate::answer::{Part, is_quiet, node, wanted};
use crate::batches::dense;
use crate::scene::{Scene, at, partition};

const OUT: ErrorCode = ErrorCode::OFFSET_OUT_OF_RANGE;

fn one(reset: OffsetReset) -> Scene {
    let mut scene = Scene::with({
        let mut config = FetchConfig::default();
        config.offset_reset = reset;
        config
    });
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(10))]);
    scene
}

#[test]
fn out_of_range_leads_where_the_policy_says() {
    let mut scene = one(OffsetReset::Earliest);
    let (fetch, _) = scene.fetch();
    scene.respond(&fetch, vec![Part::of(0).error(OUT)]);
    assert_eq!(scene.position(0), None);
    let (asked, _) = scene.list_offsets();
    scene.listed(&asked, &[(0, ErrorCode::NONE, 25)]);
    assert_eq!(scene.moves(), [(0, Some(10), 25)]);
    assert_eq!(wanted(&scene.fetch().1), [(0, 25)]);
}

#[test]
fn out_of_range_without_a_policy_stands_still_and_is_told_once() {
    let mut scene = one(OffsetReset::None);
    let (fetch, _) = scene.fetch();
    scene.respond(&fetch, vec![Part::of(0).error(OUT)]);
    let error = FetchError::OffsetOutOfRange { offset: 10 };
    assert_eq!(scene.failures(), [(0, error)]);
    assert_eq!(scene.position(0), Some(10));
    scene.leaders(&[(2, 6)]);
    assert_eq!(scene.failures(), []);
    assert!(is_quiet(&scene));
}

#[test]
fn out_of_range_waits_until_what_was_fetched_is_handed_out() {
    let mut scene = one(OffsetReset::Earliest);
    let (fetch, _) = scene.fetch();
    scene.respond(&fetch, vec![Part::of(0).batch(dense(10, 15))]);
    let (next, request) = scene.fetch();
    assert_eq!(wanted(&request), [(0, 15)]);
    scene.respond(&next, vec![Part::of(0).error(OUT)]);
    assert!(is_quiet(&scene));
    assert_eq!(scene.take(100), [(0, vec![10, 11, 12, 13, 14])]);
    if scene.requests.is_empty() {
        scene.wake();
    }
    let (again, request) = scene.fetch();
    assert_eq!(wanted(&request), [(0, 15)]);
    scene.respond(&again, vec![Part::of(0).error(OUT)]);
    assert_eq!(scene.standing(0), Standing::Resetting);
    while scene.requests.is_empty() {
        scene.wake();
    }
    let _reset = scene.list_offsets();
}

#[test]
fn out_of_range_of_a_position_that_was_left_does_not_count() {
    let mut scene = one(OffsetReset::Earliest);
    let (fetch, _) = scene.fetch();
    scene.input(|machine, now| machine.seek(&partition(0), 3, None, now));
    scene.respond(&fetch, vec![Part::of(0).error(OUT)]);
    assert_eq!(scene.position(0), Some(3));
    assert_eq!(wanted(&scene.fetch().1), [(0, 3)]);
}

#[test]
fn a_circle_of_resets_is_not_a_storm() {
    let mut scene = one(OffsetReset::Latest);
    let begin = scene.now;
    let mut rounds: u32 = 0;
    while rounds < 6 {
        if scene.requests.is_empty() {
            scene.wake();
            continue;
        }
        rounds += 1;
        let (fetch, _) = scene.fetch();
        scene.respond(&fetch, vec![Part::of(0).error(OUT)]);
        if scene.requests.is_empty() {
            scene.wake();
        }
        let (asked, _) = scene.list_offsets();
        scene.listed(&asked, &[(0, ErrorCode::NONE, 25)]);
    }
    assert!(scene.now - begin > Duration::from_secs(2));
}

#[test]
fn an_error_of_the_leader_is_asked_about_again_after_a_pause() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, StartPosition::Reset(OffsetReset::Earliest))]);
    for _ in 0..3 {
        let (asked, _) = scene.list_offsets();
        scene.listed(&asked, &[(0, ErrorCode::NOT_LEADER_OR_FOLLOWER, -1)]);
        assert!(scene.wants_metadata());
        assert!(scene.requests.is_empty());
        assert!(scene.wake() >= Duration::from_millis(80));
    }
    // A new leader is asked at once, and the answer of the old one does not count.
    let (old, _) = scene.list_offsets();
    scene.leaders(&[(2, 6)]);
    let (asked, request) = scene.list_offsets();
    assert_eq!(node(&asked), 2);
    assert_eq!(request.topics[0].partitions[0].current_leader_epoch, 6);
    scene.listed(&old, &[(0, ErrorCode::NONE, 1)]);
    assert_eq!(scene.position(0), None);
    scene.listed(&asked, &[(0, ErrorCode::NONE, 2)]);
    assert_eq!(scene.position(0), Some(2));
}

#[test]
fn a_refusal_is_told_once_and_tried_again() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, StartPosition::Reset(OffsetReset::Earliest))]);
    let code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    let mut told = Vec::new();
    for _ in 0..4 {
        let (asked, _) = scene.list_offsets();
        scene.listed(&asked, &[(0, code, -1)]);
        told.extend(scene.failures());
        scene.wake();
    }
    let api = "ListOffsets";
    assert_eq!(told, [(0, FetchError::Refused { api, code })]);
}

#[test]
fn a_partition_that_is_left_out_of_the_answer_is_asked_about_again() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5), (1, 5)]);
    let start = StartPosition::Reset(OffsetReset::Earliest);
    scene.assign(&[(0, start), (1, start)]);
    let (asked, request) = scene.list_offsets();
    assert_eq!(request.topics[0].partitions.len(), 2);
    scene.listed(&asked, &[(1, ErrorCode::NONE, 4)]);
    assert_eq!((scene.position(0), scene.position(1)), (None, Some(4)));
    let _fetch = scene.fetch();
    scene.wake();
    let (_, request) = scene.list_offsets();
    assert_eq!(request.topics[0].partitions.len(), 1);
}

#[test]
fn a_leader_that_cannot_be_asked_rests() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, StartPosition::Reset(OffsetReset::Earliest))]);
    for _ in 0..3 {
        let (asked, _) = scene.list_offsets();
        scene.fail_request(&asked, FailureKind::Disconnected);
        assert!(scene.wants_metadata());
        while scene.requests.is_empty() {
            scene.wake();
        }
    }
}

#[test]
fn a_topic_made_anew_is_asked_again() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, StartPosition::Reset(OffsetReset::Earliest))]);
    let (old, _) = scene.list_offsets();
    let topic = scene.cluster.topics.values_mut().next().unwrap();
    topic.id = windlass_model::TopicId::new([8; 16]);
    // The same leader, and by chance the same epoch.
    scene.tell_cluster();
    scene.listed(&old, &[(0, ErrorCode::NONE, 99)]);
    assert_eq!(scene.position(0), None);
    let (asked, _) = scene.list_offsets();
    scene.listed(&asked, &[(0, ErrorCode::NONE, 0)]);
    assert_eq!(scene.position(0), Some(0));
}
