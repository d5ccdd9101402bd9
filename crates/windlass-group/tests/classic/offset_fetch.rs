//! Questions for committed offsets.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use windlass_group::{Answering, CommitMode, OffsetFetchError, OffsetFetchId, OffsetFetchResults};
use windlass_machine::FailureKind;
use windlass_model::{LeaderEpoch, OffsetAndMetadata, TopicPartition};
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::OffsetFetchRequest;
use windlass_protocol::messages::offset_fetch::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
};

use crate::commit::stored;
use crate::member::{Member, config, expect_event, expect_request, partitions};

fn ask(member: &mut Member, asked: BTreeSet<TopicPartition>) -> OffsetFetchId {
    let deadline = member.now + Duration::from_secs(5);
    member.input(|machine, now| machine.fetch_offsets(asked, Answering::AtOnce, deadline, now))
}

/// A machine that has asked about these partitions of `orders`.
fn asking(indexes: &[i32]) -> Member {
    let mut member = Member::new(config(&["range"]));
    ask(&mut member, partitions("orders", indexes));
    member.find_coordinator();
    member
}

fn group(error_code: ErrorCode, told: &[(i32, i64, ErrorCode)]) -> OffsetFetchResponse {
    let partition = |(index, offset, code): &(i32, i64, ErrorCode)| OffsetFetchResponsePartitions {
        partition_index: *index,
        committed_offset: *offset,
        committed_leader_epoch: 3,
        metadata: Some("a note".to_owned()),
        error_code: *code,
    };
    let topic = OffsetFetchResponseTopics {
        name: "orders".to_owned(),
        partitions: told.iter().map(partition).collect(),
        ..OffsetFetchResponseTopics::default()
    };
    OffsetFetchResponse {
        groups: vec![OffsetFetchResponseGroup {
            group_id: "g".to_owned(),
            topics: vec![topic],
            error_code,
        }],
        ..OffsetFetchResponse::default()
    }
}

fn results(member: &mut Member) -> OffsetFetchResults {
    expect_event!(member, OffsetsFetched { results }).0
}

/// The offset, `none`, or the error, of every partition.
fn told(results: &OffsetFetchResults) -> Vec<String> {
    let text = |result: &Result<Option<OffsetAndMetadata>, OffsetFetchError>| match result {
        Ok(Some(offset)) => offset.offset.to_string(),
        Ok(None) => "none".to_owned(),
        Err(error) => error.to_string(),
    };
    results.values().map(text).collect()
}

#[test]
fn offsets_come_with_epoch_and_note_or_not_at_all() {
    let mut member = asking(&[0, 1]);
    let outgoing = member.next_request();
    assert_eq!(outgoing.max_version, Some(9), "topic ids are not used yet");
    let windlass_protocol::RequestKind::OffsetFetch(request) = outgoing.request else {
        panic!("{:?}", outgoing.request);
    };
    assert!(request.require_stable);
    assert_eq!(request.groups.len(), 1);
    assert_eq!(request.groups[0].group_id, "g");
    let topics = request.groups[0].topics.as_ref().unwrap();
    assert_eq!(topics[0].name, "orders");
    assert_eq!(topics[0].partition_indexes, [0, 1]);
    let none = ErrorCode::NONE;
    member.answer(outgoing.id, group(none, &[(0, 7, none), (1, -1, none)]));
    let results = results(&mut member);
    assert_eq!(told(&results), ["7", "none"]);
    let offset = results[&TopicPartition::new("orders", 0)]
        .as_ref()
        .unwrap()
        .as_ref()
        .unwrap();
    assert_eq!(offset.leader_epoch, LeaderEpoch::from_wire(3));
    assert_eq!(offset.metadata, "a note");
    assert_eq!(member.machine.poll_timeout(), None);
}

#[test]
fn errors_of_the_group() {
    let retried = [
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode::NOT_COORDINATOR,
        ErrorCode::COORDINATOR_NOT_AVAILABLE,
    ];
    for code in retried {
        let mut member = asking(&[0]);
        let (id, _) = expect_request!(member, OffsetFetch);
        member.answer(id, group(code, &[]));
        if code != ErrorCode::COORDINATOR_LOAD_IN_PROGRESS {
            member.find_coordinator();
        }
        assert_eq!(member.wake(), "offset fetch is tried again", "{code}");
        let (id, _) = expect_request!(member, OffsetFetch);
        member.answer(id, group(ErrorCode::NONE, &[(0, 7, ErrorCode::NONE)]));
        assert_eq!(told(&results(&mut member)), ["7"]);
    }
    for (code, expected) in [
        (
            ErrorCode::GROUP_AUTHORIZATION_FAILED,
            "not authorized to use group `g`",
        ),
        (ErrorCode::UNKNOWN_SERVER_ERROR, "UNKNOWN_SERVER_ERROR"),
    ] {
        let mut member = asking(&[0]);
        let (id, _) = expect_request!(member, OffsetFetch);
        member.answer(id, group(code, &[]));
        let told = told(&results(&mut member));
        assert!(told[0].contains(expected), "{told:?}");
    }
}

#[test]
fn errors_of_a_partition() {
    let mut member = asking(&[0, 1, 2, 3]);
    let (id, _) = expect_request!(member, OffsetFetch);
    let codes = [
        (0, 7, ErrorCode::NONE),
        (1, -1, ErrorCode::UNSTABLE_OFFSET_COMMIT),
        (2, -1, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (3, -1, ErrorCode::TOPIC_AUTHORIZATION_FAILED),
    ];
    member.answer(id, group(ErrorCode::NONE, &codes));
    member.expect_silence();
    assert_eq!(member.wake(), "offset fetch is tried again");
    let (id, request) = expect_request!(member, OffsetFetch);
    let topics = request.groups[0].topics.as_ref().unwrap();
    assert_eq!(topics[0].partition_indexes, [1], "only what is open");
    member.answer(id, group(ErrorCode::NONE, &[(1, 9, ErrorCode::NONE)]));
    let told = told(&results(&mut member));
    assert_eq!((told[0].as_str(), told[1].as_str()), ("7", "9"));
    assert!(told[2].contains("UNKNOWN_TOPIC_OR_PARTITION"), "{told:?}");
    assert!(told[3].contains("TOPIC_AUTHORIZATION_FAILED"), "{told:?}");
}

#[test]
fn answers_that_come_piece_by_piece_are_told_so_where_that_is_wanted() {
    let mut member = Member::new(config(&["range"]));
    let asked = partitions("orders", &[0, 1]);
    let id = member.input(|machine, now| {
        let deadline = now + Duration::from_secs(60);
        machine.fetch_offsets(asked, Answering::AsItComes, deadline, now)
    });
    member.find_coordinator();
    let none = ErrorCode::NONE;
    let unstable = ErrorCode::UNSTABLE_OFFSET_COMMIT;
    let (request, _) = expect_request!(member, OffsetFetch);
    member.answer(request, group(none, &[(0, 7, none), (1, -1, unstable)]));
    let (of, known, is_last) = expect_event!(
        member,
        OffsetsFetched {
            id,
            results,
            is_last
        }
    );
    assert_eq!(
        (of, is_last, told(&known)),
        (id, false, vec!["7".to_owned()])
    );
    member.wake();
    let (request, _) = expect_request!(member, OffsetFetch);
    member.answer(request, group(none, &[(1, 9, none)]));
    let (of, known, is_last) = expect_event!(
        member,
        OffsetsFetched {
            id,
            results,
            is_last
        }
    );
    assert_eq!(
        (of, is_last, told(&known)),
        (id, true, vec!["9".to_owned()])
    );
}

#[test]
fn the_deadline_ends_it_and_says_what_it_waited_for() {
    let mut member = asking(&[0, 1]);
    let (id, _) = expect_request!(member, OffsetFetch);
    let none = ErrorCode::NONE;
    let unstable = ErrorCode::UNSTABLE_OFFSET_COMMIT;
    member.answer(id, group(none, &[(0, 7, none), (1, -1, unstable)]));
    while !member
        .events
        .iter()
        .any(|one| matches!(one, windlass_group::GroupEvent::OffsetsFetched { .. }))
    {
        if let Some(outgoing) = member.requests.pop_front() {
            member.answer(outgoing.id, group(none, &[(1, -1, unstable)]));
        } else {
            member.wake();
        }
    }
    let told = told(&results(&mut member));
    assert_eq!(told[0], "7");
    assert!(
        told[1].contains("UNSTABLE_OFFSET_COMMIT for orders-1"),
        "{told:?}"
    );
}

#[test]
fn without_a_coordinator_the_deadline_ends_it_too() {
    let mut member = Member::new(config(&["range"]));
    ask(&mut member, partitions("orders", &[0]));
    let (id, _) = expect_request!(member, FindCoordinator);
    member.fail(id, FailureKind::Disconnected);
    member.pass(Duration::from_secs(5));
    let told = told(&results(&mut member));
    assert!(
        told[0].contains("the group's coordinator to be found"),
        "{told:?}"
    );
}

#[test]
fn a_question_about_nothing_is_answered_at_once() {
    let mut member = Member::new(config(&["range"]));
    ask(&mut member, BTreeSet::new());
    assert!(results(&mut member).is_empty());
    member.expect_silence();
}

#[test]
fn questions_go_side_by_side() {
    let mut member = asking(&[0]);
    let second = ask(&mut member, partitions("orders", &[1]));
    let (_, _) = expect_request!(member, OffsetFetch);
    let (id, _) = expect_request!(member, OffsetFetch);
    member.answer(id, group(ErrorCode::NONE, &[(1, 9, ErrorCode::NONE)]));
    let (id, results) = expect_event!(member, OffsetsFetched { id, results });
    assert_eq!(id, second);
    assert_eq!(told(&results), ["9"]);
}

#[test]
fn what_is_being_committed_is_asked_for_when_that_is_over() {
    let mut member = Member::new(config(&["range"]));
    let offset = OffsetAndMetadata::new(5);
    let offsets = BTreeMap::from([(TopicPartition::new("orders", 0), offset)]);
    let deadline = member.now + Duration::from_secs(60);
    member.input(|machine, now| machine.commit(offsets, CommitMode::Sync { deadline }, now));
    ask(&mut member, partitions("orders", &[0]));
    ask(&mut member, partitions("orders", &[1]));
    member.find_coordinator();
    let (commit, request) = expect_request!(member, OffsetCommit);
    let (_, other) = expect_request!(member, OffsetFetch);
    let indexes = |request: &OffsetFetchRequest| {
        let topics = request.groups[0].topics.as_ref().unwrap();
        topics[0].partition_indexes.clone()
    };
    assert_eq!(indexes(&other), [1]);
    member.expect_silence();
    member.answer(commit, stored(&request, ErrorCode::NONE));
    let (_, held) = expect_request!(member, OffsetFetch);
    assert_eq!(indexes(&held), [0]);
}

#[test]
fn a_broker_that_cannot_wait_for_transactions_is_asked_without() {
    let mut member = asking(&[0]);
    let (id, _) = expect_request!(member, OffsetFetch);
    member.fail(id, FailureKind::Unencodable);
    let (id, request) = expect_request!(member, OffsetFetch);
    assert!(!request.require_stable);
    member.fail(id, FailureKind::Unencodable);
    let told = told(&results(&mut member));
    assert!(told[0].contains("OffsetFetch cannot be sent"), "{told:?}");
}

#[test]
fn an_old_broker_does_not_repeat_the_group() {
    let mut member = asking(&[0]);
    let (id, _) = expect_request!(member, OffsetFetch);
    let mut response = group(ErrorCode::NONE, &[(0, 7, ErrorCode::NONE)]);
    response.groups[0].group_id = String::new();
    member.answer(id, response);
    assert_eq!(told(&results(&mut member)), ["7"]);
}

#[test]
fn an_answer_about_another_group_is_refused() {
    let mut member = asking(&[0]);
    let (id, _) = expect_request!(member, OffsetFetch);
    member.answer(id, OffsetFetchResponse::default());
    assert!(results(&mut member).values().all(Result::is_err));
}

#[test]
fn an_unanswered_question_goes_to_the_next_coordinator() {
    let mut member = asking(&[0]);
    let (id, _) = expect_request!(member, OffsetFetch);
    member.fail(id, FailureKind::TimedOut);
    member.find_coordinator();
    assert_eq!(member.wake(), "offset fetch is tried again");
    expect_request!(member, OffsetFetch);
}
