//! Has the new leader what was read from the old one (KIP-320)?

use std::time::Duration;

use windlass_fetch::{FetchConfig, FetchError, OffsetReset, Standing, StartPosition};
use windlass_machine::FailureKind;
use windlass_model::OffsetAndMetadata;
use windlass_protocol::ErrorCode;

use crate::answer::{Part, is_quiet, node, wanted};
use crate::batches::of_epoch;
use crate::scene::{Scene, at, at_epoch, epoch, partition};

const OK: ErrorCode = ErrorCode::NONE;

fn standing_at(reset: OffsetReset, start: StartPosition) -> Scene {
    let mut scene = Scene::with({
        let mut config = FetchConfig::default();
        config.offset_reset = reset;
        config
    });
    scene.leaders(&[(1, 7)]);
    scene.assign(&[(0, start)]);
    scene
}

#[test]
fn only_a_position_with_an_epoch_is_asked_about() {
    let mut scene = standing_at(OffsetReset::Latest, at(10));
    let _fetch = scene.fetch();
    scene.leaders(&[(2, 8)]);
    assert_eq!(node(&scene.fetch().0), 2);

    let mut scene = standing_at(OffsetReset::Latest, at_epoch(10, 6));
    let (asked, request) = scene.epoch_question();
    let question = &request.topics[0].partitions[0];
    assert_eq!(
        (question.current_leader_epoch, question.leader_epoch),
        (7, 6)
    );
    assert_eq!(request.replica_id, -1);
    assert_eq!(scene.position(0), Some(10));
    scene.ends(&asked, &[(0, OK, 6, 10)]);
    assert_eq!(wanted(&scene.fetch().1), [(0, 10)]);
}

#[test]
fn committed_offsets_and_seeks_with_an_epoch_are_asked_about() {
    let mut scene = standing_at(OffsetReset::Latest, StartPosition::Awaiting);
    let committed = OffsetAndMetadata {
        leader_epoch: epoch(6),
        ..OffsetAndMetadata::new(10)
    };
    scene.input(|machine, now| machine.set_committed(&partition(0), Some(committed), now));
    let (asked, _) = scene.epoch_question();
    // The answer counts only for the position that was asked about.
    scene.input(|machine, now| machine.seek(&partition(0), 20, epoch(7), now));
    let (second, _) = scene.epoch_question();
    scene.ends(&asked, &[(0, OK, 6, 4)]);
    assert_eq!(scene.position(0), Some(20));
    assert_eq!(scene.standing(0), Standing::Validating);
    scene.ends(&second, &[(0, OK, 7, 30)]);
    assert_eq!(wanted(&scene.fetch().1), [(0, 20)]);
}

#[test]
fn a_truncated_log_leads_to_where_the_logs_part_and_no_further() {
    let mut scene = standing_at(OffsetReset::Latest, at_epoch(10, 6));
    let (asked, _) = scene.epoch_question();
    scene.ends(&asked, &[(0, OK, 5, 8)]);
    assert_eq!(scene.moves(), [(0, Some(10), 8)]);
    let position = scene.machine.position(&partition(0)).unwrap();
    assert_eq!((position.offset, position.leader_epoch), (8, epoch(5)));
    assert_eq!(wanted(&scene.fetch().1), [(0, 8)]);
}

#[test]
fn a_truncated_log_without_a_policy_is_told() {
    let mut scene = standing_at(OffsetReset::None, at_epoch(10, 6));
    let (asked, _) = scene.epoch_question();
    scene.ends(&asked, &[(0, OK, 5, 8)]);
    let error = FetchError::LogTruncated {
        offset: 10,
        divergent_offset: Some(8),
    };
    assert_eq!(scene.failures(), [(0, error)]);
    assert!(is_quiet(&scene));
}

#[test]
fn an_unknown_epoch_leads_where_the_policy_says() {
    let mut scene = standing_at(OffsetReset::Earliest, at_epoch(10, 6));
    let (asked, _) = scene.epoch_question();
    scene.ends(&asked, &[(0, OK, -1, -1)]);
    let (asked, _) = scene.list_offsets();
    scene.listed(&asked, &[(0, OK, 3)]);
    assert_eq!(scene.moves(), [(0, Some(10), 3)]);

    let mut scene = standing_at(OffsetReset::None, at_epoch(10, 6));
    let (asked, _) = scene.epoch_question();
    scene.ends(&asked, &[(0, OK, -1, -1)]);
    let error = FetchError::LogTruncated {
        offset: 10,
        divergent_offset: None,
    };
    assert_eq!(scene.failures(), [(0, error)]);
}

#[test]
fn an_error_is_no_reason_to_reset() {
    let codes = [
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
        ErrorCode::FENCED_LEADER_EPOCH,
        ErrorCode::UNKNOWN_LEADER_EPOCH,
        ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        ErrorCode::UNKNOWN_SERVER_ERROR,
    ];
    for code in codes {
        let mut scene = standing_at(OffsetReset::Earliest, at_epoch(10, 6));
        for _ in 0..3 {
            let (asked, _) = scene.epoch_question();
            scene.ends(&asked, &[(0, code, -1, -1)]);
            assert_eq!(scene.standing(0), Standing::Validating);
            assert!(scene.requests.is_empty());
            assert!(scene.wake() >= Duration::from_millis(80));
        }
        let (asked, _) = scene.epoch_question();
        scene.ends(&asked, &[(0, OK, 6, 10)]);
        assert_eq!(wanted(&scene.fetch().1), [(0, 10)]);
    }
}

#[test]
fn brokers_that_cannot_be_asked_are_believed() {
    let mut scene = standing_at(OffsetReset::Latest, at_epoch(10, 6));
    let (asked, _) = scene.epoch_question();
    scene.fail_request(&asked, FailureKind::UnsupportedVersion);
    assert_eq!(wanted(&scene.fetch().1), [(0, 10)]);

    let mut scene = standing_at(OffsetReset::Latest, at_epoch(10, 6));
    let (asked, _) = scene.epoch_question();
    let code = ErrorCode::CLUSTER_AUTHORIZATION_FAILED;
    scene.ends(&asked, &[(0, code, -1, -1)]);
    assert_eq!(wanted(&scene.fetch().1), [(0, 10)]);
}

#[test]
fn what_was_fetched_is_cut_where_the_logs_part() {
    let mut scene = standing_at(OffsetReset::Latest, at(0));
    let (fetch, _) = scene.fetch();
    let batches = Part::of(0)
        .batch(of_epoch(0, 3, 5))
        .batch(of_epoch(3, 6, 5))
        .batch(of_epoch(6, 9, 7));
    scene.respond(&fetch, vec![batches]);
    let _next = scene.fetch();
    let bytes = scene.machine.buffered_bytes();
    scene.leaders(&[(2, 8)]);
    // The epoch of what was fetched last is asked about, then that of what is left.
    let (asked, request) = scene.epoch_question();
    assert_eq!(request.topics[0].partitions[0].leader_epoch, 7);
    scene.ends(&asked, &[(0, OK, 5, 5)]);
    assert_eq!(scene.machine.buffered_bytes(), bytes / 3);
    let (asked, request) = scene.epoch_question();
    assert_eq!(request.topics[0].partitions[0].leader_epoch, 5);
    scene.ends(&asked, &[(0, OK, 5, 5)]);
    assert_eq!(wanted(&scene.fetch().1), [(0, 3)]);
    assert_eq!(scene.moves(), []);
    assert_eq!(scene.take(100), [(0, vec![0, 1, 2])]);
    assert_eq!(scene.machine.buffered_bytes(), 0);
}

#[test]
fn quick_changes_of_leaders_cost_one_question_each() {
    let mut scene = standing_at(OffsetReset::Latest, at_epoch(10, 6));
    let mut late = vec![scene.epoch_question().0];
    for change in 8..12 {
        scene.leaders(&[(1 + change % 3, change)]);
        let (asked, _) = scene.epoch_question();
        assert_eq!(node(&asked), 1 + change % 3);
        assert!(scene.requests.is_empty());
        late.push(asked);
    }
    let last = late.pop().unwrap();
    for asked in late {
        scene.ends(&asked, &[(0, OK, 6, 1)]);
        assert_eq!(scene.standing(0), Standing::Validating);
    }
    scene.ends(&last, &[(0, OK, 6, 10)]);
    assert_eq!(wanted(&scene.fetch().1), [(0, 10)]);
    assert_eq!(scene.moves(), []);
}

#[test]
fn a_deposed_leader_is_not_asked_what_it_cannot_know() {
    // What was read is of epoch 9; metadata still says that epoch 7 is the newest.
    let mut scene = standing_at(OffsetReset::Earliest, at_epoch(10, 9));
    assert!(is_quiet(&scene));
    assert!(scene.wants_metadata());
    scene.leaders(&[(2, 9)]);
    let (asked, _) = scene.epoch_question();
    assert_eq!(node(&asked), 2);
    scene.ends(&asked, &[(0, OK, 9, 10)]);
    assert_eq!(wanted(&scene.fetch().1), [(0, 10)]);
}

#[test]
fn a_leader_that_stays_outdated_is_asked_in_the_end() {
    let mut scene = standing_at(OffsetReset::Earliest, at_epoch(10, 9));
    let mut complaints = 0;
    while scene.requests.is_empty() {
        complaints += u32::from(scene.wants_metadata());
        scene.wake();
    }
    assert_eq!(complaints, 3);
    let (asked, _) = scene.epoch_question();
    scene.ends(&asked, &[(0, OK, -1, -1)]);
    let _reset = scene.list_offsets();
}
