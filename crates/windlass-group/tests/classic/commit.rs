//! Commits: in order, only of what is owned, under the generation that holds.

use std::collections::BTreeMap;
use std::time::Duration;

use windlass_group::{CommitError, CommitMode, GroupState, LeaveMode};
use windlass_machine::{FailureKind, RequestId};
use windlass_model::{LeaderEpoch, OffsetAndMetadata, TopicPartition};
use windlass_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
};
use windlass_protocol::{ErrorCode, RequestKind};

use crate::member::{Member, config, expect_event, expect_request, partitions};
use crate::script::{assigns, finish_sync, follows, heartbeat_answered, stable};

/// The answer that says this of every partition in the request.
pub(crate) fn stored(request: &OffsetCommitRequest, error_code: ErrorCode) -> OffsetCommitResponse {
    let topics = request
        .topics
        .iter()
        .map(|topic| OffsetCommitResponseTopic {
            name: topic.name.clone(),
            partitions: topic
                .partitions
                .iter()
                .map(|partition| OffsetCommitResponsePartition {
                    partition_index: partition.partition_index,
                    error_code,
                })
                .collect(),
            ..OffsetCommitResponseTopic::default()
        });
    OffsetCommitResponse {
        topics: topics.collect(),
        ..OffsetCommitResponse::default()
    }
}

fn orders(partition: i32, offset: i64) -> BTreeMap<TopicPartition, OffsetAndMetadata> {
    let one = TopicPartition::new("orders", partition);
    BTreeMap::from([(one, OffsetAndMetadata::new(offset))])
}

fn commit(member: &mut Member, partition: i32, offset: i64, mode: CommitMode) -> u64 {
    let offsets = orders(partition, offset);
    member
        .input(|machine, now| machine.commit(offsets, mode, now))
        .0
}

fn commit_async(member: &mut Member, partition: i32, offset: i64) -> u64 {
    commit(member, partition, offset, CommitMode::Async)
}

fn commit_sync(member: &mut Member, partition: i32, offset: i64) -> u64 {
    let deadline = member.now + Duration::from_secs(20);
    commit(member, partition, offset, CommitMode::Sync { deadline })
}

/// Partition and offset of every entry of the request.
fn content(request: &OffsetCommitRequest) -> Vec<(i32, i64)> {
    let partitions = request.topics.iter().flat_map(|topic| &topic.partitions);
    partitions
        .map(|one| (one.partition_index, one.committed_offset))
        .collect()
}

#[test]
fn a_commit_names_member_generation_epoch_and_note() {
    let mut member = stable(config(&["range"]), &[0]);
    let offset = OffsetAndMetadata {
        offset: 9,
        leader_epoch: LeaderEpoch::from_wire(4),
        metadata: "a note".to_owned(),
    };
    let offsets = BTreeMap::from([(TopicPartition::new("orders", 0), offset)]);
    member.input(|machine, now| machine.commit(offsets, CommitMode::Async, now));
    let outgoing = member.next_request();
    assert_eq!(outgoing.max_version, Some(9), "topic ids are not used yet");
    let RequestKind::OffsetCommit(request) = outgoing.request else {
        panic!("{outgoing:?}");
    };
    assert_eq!(request.group_id, "g");
    assert_eq!(request.member_id, "m");
    assert_eq!(request.generation_id_or_member_epoch, 1);
    assert_eq!(request.group_instance_id, None);
    let partition = &request.topics[0].partitions[0];
    assert_eq!(request.topics[0].name, "orders");
    assert_eq!(partition.committed_leader_epoch, 4);
    assert_eq!(partition.committed_metadata.as_deref(), Some("a note"));
}

#[test]
fn without_a_subscription_commits_name_nobody() {
    let mut settings = config(&["range"]);
    settings.group_instance_id = Some("i".into());
    let mut member = Member::new(settings);
    let id = commit_async(&mut member, 3, 5);
    member.find_coordinator();
    let (request_id, request) = expect_request!(member, OffsetCommit);
    assert_eq!(request.member_id, "");
    assert_eq!(request.generation_id_or_member_epoch, -1);
    assert_eq!(request.group_instance_id, None);
    member.answer(request_id, stored(&request, ErrorCode::NONE));
    assert_eq!(
        member.commit_results()[&id],
        BTreeMap::from([(TopicPartition::new("orders", 3), Ok(()))])
    );
    assert_eq!(member.state(), GroupState::Unsubscribed);
    assert_eq!(member.machine.poll_timeout(), None, "at rest");
}

#[test]
fn a_group_with_members_refuses_commits_from_outside() {
    for code in [ErrorCode::UNKNOWN_MEMBER_ID, ErrorCode::ILLEGAL_GENERATION] {
        let mut member = Member::new(config(&["range"]));
        commit_sync(&mut member, 3, 5);
        member.find_coordinator();
        let (id, request) = expect_request!(member, OffsetCommit);
        member.answer(id, stored(&request, code));
        let (results,) = expect_event!(member, CommitDone { results });
        let error = results.into_values().next().unwrap().unwrap_err();
        assert!(
            matches!(error, CommitError::MembershipLost { .. }),
            "{error:?}"
        );
        assert_eq!(member.state(), GroupState::Unsubscribed);
    }
}

#[test]
fn what_is_not_owned_is_not_committed() {
    let mut member = stable(config(&["range"]), &[0]);
    let id = commit_sync(&mut member, 1, 5);
    member.expect_silence();
    let results = &member.commit_results()[&id];
    let told = results[&TopicPartition::new("orders", 1)]
        .as_ref()
        .unwrap_err();
    assert!(told.contains("not assigned to this member"), "{told}");
}

#[test]
fn an_empty_commit_ends_at_once() {
    let mut member = stable(config(&["range"]), &[0]);
    member.input(|machine, now| machine.commit(BTreeMap::new(), CommitMode::Async, now));
    let (results,) = expect_event!(member, CommitDone { results });
    assert!(results.is_empty());
    member.expect_silence();
}

#[test]
fn commits_go_one_after_the_other_and_what_waits_goes_together() {
    let mut member = stable(config(&["range"]), &[0, 1]);
    let first = commit_async(&mut member, 0, 10);
    let second = commit_async(&mut member, 0, 20);
    let third = commit_async(&mut member, 1, 7);
    let fourth = commit_sync(&mut member, 0, 30);
    let (id, request) = expect_request!(member, OffsetCommit);
    assert_eq!(content(&request), [(0, 10)]);
    member.expect_silence();
    member.answer(id, stored(&request, ErrorCode::NONE));
    assert_eq!(
        member.commit_results().into_keys().collect::<Vec<_>>(),
        [first]
    );
    let (id, request) = expect_request!(member, OffsetCommit);
    assert_eq!(
        content(&request),
        [(0, 30), (1, 7)],
        "the latest of each partition"
    );
    member.answer(id, stored(&request, ErrorCode::NONE));
    let ended: Vec<u64> = member.commit_results().into_keys().collect();
    assert_eq!(ended, [second, third, fourth]);
}

#[test]
fn a_retry_is_never_overtaken() {
    let mut member = stable(config(&["range"]), &[0]);
    let first = commit_sync(&mut member, 0, 10);
    let (id, request) = expect_request!(member, OffsetCommit);
    let second = commit_async(&mut member, 0, 20);
    member.answer(
        id,
        stored(&request, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
    );
    member.expect_silence();
    assert_eq!(member.wake(), "commit is tried again");
    let (id, request) = expect_request!(member, OffsetCommit);
    assert_eq!(content(&request), [(0, 20)], "both, the later one on top");
    member.answer(id, stored(&request, ErrorCode::NONE));
    let results = member.commit_results();
    assert_eq!(results.into_keys().collect::<Vec<_>>(), [first, second]);
}

#[test]
fn retries_end_at_the_deadline_and_say_what_they_waited_for() {
    let mut member = stable(config(&["range"]), &[0]);
    let deadline = member.now + Duration::from_secs(1);
    let id = commit(&mut member, 0, 10, CommitMode::Sync { deadline });
    let mut tries = 0;
    while member.now < deadline {
        if let Some(outgoing) = member.requests.pop_front() {
            let RequestKind::OffsetCommit(request) = outgoing.request else {
                panic!("{outgoing:?}");
            };
            tries += 1;
            member.answer(
                outgoing.id,
                stored(&request, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
            );
        } else {
            member.wake();
        }
    }
    assert!((3..=8).contains(&tries), "{tries} tries in a second");
    let results = &member.commit_results()[&id];
    let told = results.values().next().unwrap().as_ref().unwrap_err();
    assert!(told.contains("COORDINATOR_LOAD_IN_PROGRESS"), "{told}");
}

#[test]
fn a_deadline_that_passes_while_the_request_is_under_way_ends_the_commit_but_keeps_the_order() {
    let mut member = stable(config(&["range"]), &[0]);
    let deadline = member.now + Duration::from_secs(1);
    let first = commit(&mut member, 0, 10, CommitMode::Sync { deadline });
    let (id, request) = expect_request!(member, OffsetCommit);
    member.pass(Duration::from_secs(1));
    assert!(member.commit_results()[&first].values().all(Result::is_err));
    commit_async(&mut member, 0, 20);
    member.expect_silence();
    member.answer(id, stored(&request, ErrorCode::NONE));
    let (_, request) = expect_request!(member, OffsetCommit);
    assert_eq!(content(&request), [(0, 20)]);
}

#[test]
fn an_unanswered_async_commit_fails_and_the_coordinator_is_looked_for() {
    let mut member = stable(config(&["range"]), &[0]);
    let id = commit_async(&mut member, 0, 10);
    let (request_id, _) = expect_request!(member, OffsetCommit);
    member.fail(request_id, FailureKind::Disconnected);
    assert!(member.commit_results()[&id].values().all(Result::is_err));
    member.find_coordinator();
    assert_eq!(member.state(), GroupState::Stable);
    assert_eq!(member.machine.owned(), partitions("orders", &[0]));
}

#[test]
fn a_commit_is_tried_again_at_the_new_coordinator() {
    let mut member = stable(config(&["range"]), &[0]);
    let id = commit_sync(&mut member, 0, 10);
    let (request_id, request) = expect_request!(member, OffsetCommit);
    member.answer(request_id, stored(&request, ErrorCode::NOT_COORDINATOR));
    member.find_coordinator();
    expect_request!(member, Heartbeat);
    assert_eq!(member.wake(), "commit is tried again");
    let (request_id, request) = expect_request!(member, OffsetCommit);
    member.answer(request_id, stored(&request, ErrorCode::NONE));
    assert!(member.commit_results()[&id].values().all(Result::is_ok));
    assert_eq!(member.state(), GroupState::Stable);
}

#[test]
fn while_partitions_are_given_up_the_old_generation_commits() {
    let mut member = stable(config(&["range"]), &[0]);
    heartbeat_answered(&mut member, ErrorCode::REBALANCE_IN_PROGRESS);
    let (token,) = expect_event!(member, Revoke { token });
    let id = commit_sync(&mut member, 0, 10);
    let (request_id, request) = expect_request!(member, OffsetCommit);
    assert_eq!(request.generation_id_or_member_epoch, 1);
    member.answer(request_id, stored(&request, ErrorCode::NONE));
    assert!(member.commit_results()[&id].values().all(Result::is_ok));
    member.done(token);
    expect_request!(member, JoinGroup);
    let id = commit_async(&mut member, 0, 11);
    assert!(
        member.commit_results()[&id].values().all(Result::is_err),
        "given up"
    );
    member.expect_silence();
}

#[test]
fn while_a_cooperative_member_joins_commits_that_nobody_waits_for_take_the_new_generation() {
    let mut member = stable(config(&["cooperative-sticky"]), &[0, 1]);
    member.input(|machine, now| machine.request_rejoin("a test", now));
    let (join, _) = expect_request!(member, JoinGroup);
    let kept = commit_async(&mut member, 0, 10);
    let gone = commit_async(&mut member, 1, 10);
    member.expect_silence();
    member.answer(join, follows("m", 2, "cooperative-sticky"));
    let (sync_id, _) = expect_request!(member, SyncGroup);
    member.expect_silence();
    member.answer(sync_id, assigns(&partitions("orders", &[0])));
    // Partition 1 is being given up: still ours, and the last chance to commit.
    let (token, moved) = expect_event!(member, Revoke { token, partitions });
    assert_eq!(moved, partitions("orders", &[1]));
    let (id, request) = expect_request!(member, OffsetCommit);
    assert_eq!(request.generation_id_or_member_epoch, 2);
    assert_eq!(content(&request), [(0, 10), (1, 10)]);
    member.answer(id, stored(&request, ErrorCode::NONE));
    let results = member.commit_results();
    assert!(
        results[&kept]
            .values()
            .chain(results[&gone].values())
            .all(Result::is_ok)
    );
    member.done(token);
}

#[test]
fn a_commit_that_waits_for_a_lost_partition_ends() {
    let mut member = stable(config(&["cooperative-sticky"]), &[0]);
    member.input(|machine, now| machine.request_rejoin("a test", now));
    let (join, _) = expect_request!(member, JoinGroup);
    let id = commit_async(&mut member, 0, 10);
    member.answer(
        join,
        crate::script::join_error(ErrorCode::UNKNOWN_MEMBER_ID),
    );
    let results = &member.commit_results()[&id];
    let told = results.values().next().unwrap().as_ref().unwrap_err();
    assert!(told.contains("taken away"), "{told}");
}

#[test]
fn a_success_from_before_the_partition_was_lost_is_none() {
    let mut member = stable(config(&["range"]), &[0]);
    let id = commit_sync(&mut member, 0, 10);
    let (request_id, request) = expect_request!(member, OffsetCommit);
    heartbeat_answered(&mut member, ErrorCode::UNKNOWN_MEMBER_ID);
    let (token,) = expect_event!(member, Lost { token });
    member.done(token);
    let (join, _) = expect_request!(member, JoinGroup);
    member.answer(join, follows("n", 3, "range"));
    finish_sync(&mut member, &partitions("orders", &[0]));
    let late = member.machine.counters().late_answers;
    member.answer(request_id, stored(&request, ErrorCode::NONE));
    assert!(member.commit_results()[&id].values().all(Result::is_err));
    assert_eq!(member.machine.counters().late_answers, late + 1);
    assert_eq!(member.state(), GroupState::Stable);
}

/// A member that has joined again, and whose commit was under way meanwhile; the request, and what
/// it was.
fn commit_during_a_join(member: &mut Member) -> (u64, RequestId, OffsetCommitRequest) {
    member.input(|machine, now| machine.request_rejoin("a test", now));
    let (join, _) = expect_request!(member, JoinGroup);
    let commit = commit_sync(member, 0, 10);
    let (id, request) = expect_request!(member, OffsetCommit);
    assert_eq!(request.generation_id_or_member_epoch, 1);
    member.answer(join, follows("m", 2, "cooperative-sticky"));
    finish_sync(member, &partitions("orders", &[0]));
    assert_eq!(member.state(), GroupState::Stable);
    (commit, id, request)
}

#[test]
fn while_a_cooperative_member_joins_a_commit_that_somebody_waits_for_goes_at_once() {
    let mut member = stable(config(&["cooperative-sticky"]), &[0]);
    member.input(|machine, now| machine.request_rejoin("a test", now));
    let joining = member.next_request().destination;
    let commit = commit_sync(&mut member, 0, 10);
    let outgoing = member.next_request();
    let RequestKind::OffsetCommit(request) = outgoing.request else {
        panic!("{outgoing:?}");
    };
    // The coordinator answers nothing behind a join on the same connection.
    assert_ne!(outgoing.destination, joining);
    assert_eq!(request.generation_id_or_member_epoch, 1);
    member.answer(outgoing.id, stored(&request, ErrorCode::NONE));
    let results = &member.commit_results()[&commit];
    assert!(results.values().all(Result::is_ok));
    assert_eq!(member.state(), GroupState::PreparingRebalance);
}

#[test]
fn a_success_from_the_generation_before_counts_for_what_was_kept() {
    let mut member = stable(config(&["cooperative-sticky"]), &[0]);
    let (commit, id, request) = commit_during_a_join(&mut member);
    member.answer(id, stored(&request, ErrorCode::NONE));
    let results = &member.commit_results()[&commit];
    assert!(results.values().all(Result::is_ok));
}

#[test]
fn what_came_too_late_for_one_generation_is_committed_in_the_next() {
    for code in [
        ErrorCode::ILLEGAL_GENERATION,
        ErrorCode::REBALANCE_IN_PROGRESS,
    ] {
        let mut member = stable(config(&["cooperative-sticky"]), &[0]);
        let (commit, id, request) = commit_during_a_join(&mut member);
        member.answer(id, stored(&request, code));
        assert_eq!(member.state(), GroupState::Stable, "{code}");
        // The new generation is what it waited for.
        let (id, request) = expect_request!(member, OffsetCommit);
        assert_eq!(request.generation_id_or_member_epoch, 2);
        member.answer(id, stored(&request, ErrorCode::NONE));
        let results = &member.commit_results()[&commit];
        assert!(results.values().all(Result::is_ok));
    }
}

#[test]
fn old_errors_do_not_reset_the_new_generation() {
    for code in [ErrorCode::UNKNOWN_MEMBER_ID, ErrorCode::FENCED_INSTANCE_ID] {
        let mut member = stable(config(&["cooperative-sticky"]), &[0]);
        let (_, id, request) = commit_during_a_join(&mut member);
        member.answer(id, stored(&request, code));
        let (results,) = expect_event!(member, CommitDone { results });
        let error = results.into_values().next().unwrap().unwrap_err();
        assert!(error.is_retriable(), "{error}");
        assert_eq!(member.state(), GroupState::Stable, "{code}");
        member.expect_silence();
    }
}

#[test]
fn a_join_overtakes_no_commit_and_waits_for_no_other() {
    let mut member = stable(config(&["cooperative-sticky"]), &[0]);
    commit_async(&mut member, 0, 10);
    let (id, request) = expect_request!(member, OffsetCommit);
    member.input(|machine, now| machine.request_rejoin("a test", now));
    commit_sync(&mut member, 0, 20);
    member.expect_silence();
    member.answer(id, stored(&request, ErrorCode::NONE));
    expect_request!(member, JoinGroup);
    let (_, request) = expect_request!(member, OffsetCommit);
    assert_eq!(content(&request), [(0, 20)]);
}

#[test]
fn a_join_waits_for_no_commit_at_a_coordinator_that_is_one_no_more() {
    let mut member = stable(config(&["cooperative-sticky"]), &[0]);
    commit_async(&mut member, 0, 10);
    expect_request!(member, OffsetCommit);
    heartbeat_answered(&mut member, ErrorCode::NOT_COORDINATOR);
    member.input(|machine, now| machine.request_rejoin("a test", now));
    member.find_coordinator();
    expect_request!(member, JoinGroup);
}

#[test]
fn leaving_waits_for_commits_under_way() {
    let mut member = stable(config(&["range"]), &[0]);
    let id = commit_sync(&mut member, 0, 10);
    let (commit_id, request) = expect_request!(member, OffsetCommit);
    let deadline = member.now + Duration::from_secs(30);
    member.input(|machine, now| machine.leave(LeaveMode::Default, deadline, "closed", now));
    let (token,) = expect_event!(member, Revoke { token });
    member.done(token);
    member.expect_silence();
    member.answer(commit_id, stored(&request, ErrorCode::NONE));
    assert!(member.commit_results()[&id].values().all(Result::is_ok));
    expect_request!(member, LeaveGroup);
}
