//! Every row of the classic protocol's table of errors, for every API of a member: what the member
//! does about it.

use std::collections::BTreeMap;
use std::time::Duration;

use windlass_group::{CommitMode, GroupEvent, GroupState};
use windlass_machine::FailureKind;
use windlass_model::{OffsetAndMetadata, TopicPartition};
use windlass_protocol::{ErrorCode, RequestKind};

use crate::commit::stored;
use crate::member::{Member, config, expect_request, partitions};
use crate::script::{
    coordinator_at, follows, heartbeat, join_error, joining, no_coordinator, stable, sync_error,
    syncing,
};

/// What the member does until it comes to rest or joins again, in words: every callback is answered
/// at once, the coordinator is always found, and pauses after failures are sat out.
fn aftermath(member: &mut Member) -> String {
    let mut story = Vec::new();
    loop {
        for event in std::mem::take(&mut member.events) {
            match event {
                GroupEvent::CoordinatorLost { .. } => story.push("coordinator lost".to_owned()),
                GroupEvent::Revoke { token, .. } => {
                    story.push("revoked".to_owned());
                    member.done(token);
                }
                GroupEvent::Lost { token, .. } => {
                    story.push("lost".to_owned());
                    member.done(token);
                }
                GroupEvent::Failed { .. } => story.push("failed".to_owned()),
                GroupEvent::Trouble { .. } => story.push("told".to_owned()),
                _ => {}
            }
        }
        let Some(outgoing) = member.requests.pop_front() else {
            let pause = ["join is tried again", "coordinator is looked for again"];
            match member.machine.poll_timeout() {
                Some(wakeup) if pause.contains(&wakeup.reason) => {
                    story.push("pauses".to_owned());
                    member.wake();
                    continue;
                }
                _ => {}
            }
            story.push(format!("is {}", member.state()));
            return story.join(", ");
        };
        match outgoing.request {
            RequestKind::FindCoordinator(_) => {
                member.answer(outgoing.id, coordinator_at(crate::member::COORDINATOR));
            }
            RequestKind::JoinGroup(request) => {
                story.push(format!("joins as `{}`", request.member_id));
                return story.join(", ");
            }
            RequestKind::SyncGroup(_) => {
                story.push("syncs again".to_owned());
                return story.join(", ");
            }
            // A coordinator that was just found is greeted.
            RequestKind::Heartbeat(_) => {}
            RequestKind::LeaveGroup(_) => story.push("leaves".to_owned()),
            other => panic!("{other:?}"),
        }
    }
}

fn check(table: &[(ErrorCode, &str)], act: impl Fn(ErrorCode) -> Member) {
    for (code, expected) in table {
        let mut member = act(*code);
        assert_eq!(&aftermath(&mut member), expected, "{code}");
    }
}

#[test]
fn heartbeat_of_a_stable_member() {
    let table = [
        (ErrorCode::NONE, "is stable"),
        (ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, "is stable"),
        (ErrorCode::REQUEST_TIMED_OUT, "is stable"),
        (ErrorCode::NOT_COORDINATOR, "coordinator lost, is stable"),
        (
            ErrorCode::COORDINATOR_NOT_AVAILABLE,
            "coordinator lost, is stable",
        ),
        (ErrorCode::ILLEGAL_GENERATION, "lost, joins as `m`"),
        (ErrorCode::UNKNOWN_MEMBER_ID, "lost, joins as ``"),
        (ErrorCode::REBALANCE_IN_PROGRESS, "revoked, joins as `m`"),
        (ErrorCode::FENCED_INSTANCE_ID, "lost, failed, is fatal"),
        // A heartbeat that was missed.
        (ErrorCode::GROUP_AUTHORIZATION_FAILED, "told, is stable"),
        (ErrorCode::UNKNOWN_SERVER_ERROR, "told, is stable"),
    ];
    check(&table, |code| {
        let mut member = stable(config(&["range"]), &[0, 1]);
        crate::script::heartbeat_answered(&mut member, code);
        member
    });
}

#[test]
fn heartbeat_while_the_assignment_is_awaited() {
    let table = [
        (ErrorCode::NONE, "is completing rebalance"),
        // The answer to SyncGroup will tell.
        (ErrorCode::REBALANCE_IN_PROGRESS, "is completing rebalance"),
        (ErrorCode::ILLEGAL_GENERATION, "joins as `m`"),
        (ErrorCode::UNKNOWN_MEMBER_ID, "joins as ``"),
        (ErrorCode::NOT_COORDINATOR, "coordinator lost, joins as `m`"),
        (ErrorCode::FENCED_INSTANCE_ID, "failed, is fatal"),
    ];
    check(&table, |code| {
        let mut member = syncing(config(&["range"]));
        expect_request!(member, SyncGroup);
        crate::script::heartbeat_answered(&mut member, code);
        member
    });
}

#[test]
fn heartbeat_of_a_generation_that_is_over_is_ignored() {
    for code in [
        ErrorCode::ILLEGAL_GENERATION,
        ErrorCode::UNKNOWN_MEMBER_ID,
        ErrorCode::FENCED_INSTANCE_ID,
        ErrorCode::REBALANCE_IN_PROGRESS,
    ] {
        let mut member = stable(config(&["cooperative-sticky"]), &[0]);
        member.pass(Duration::from_secs(3));
        let (old, _) = expect_request!(member, Heartbeat);
        member.input(|machine, now| machine.request_rejoin("a test", now));
        crate::script::finish_join(
            &mut member,
            2,
            "cooperative-sticky",
            &partitions("orders", &[0]),
        );
        let late = member.machine.counters().late_answers;
        member.answer(old, heartbeat(code));
        assert_eq!(member.state(), GroupState::Stable, "{code}");
        assert_eq!(member.machine.counters().late_answers, late + 1);
        member.expect_silence();
    }
}

#[test]
fn first_join() {
    let table = [
        (
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            "pauses, joins as ``",
        ),
        (ErrorCode::NOT_COORDINATOR, "coordinator lost, joins as ``"),
        (
            ErrorCode::COORDINATOR_NOT_AVAILABLE,
            "coordinator lost, joins as ``",
        ),
        (ErrorCode::REBALANCE_IN_PROGRESS, "joins as ``"),
        (ErrorCode::UNKNOWN_MEMBER_ID, "joins as ``"),
        (ErrorCode::FENCED_INSTANCE_ID, "failed, is fatal"),
        (ErrorCode::INCONSISTENT_GROUP_PROTOCOL, "failed, is fatal"),
        (ErrorCode::INVALID_SESSION_TIMEOUT, "failed, is fatal"),
        (ErrorCode::INVALID_GROUP_ID, "failed, is fatal"),
        (
            ErrorCode::GROUP_AUTHORIZATION_FAILED,
            "told, pauses, joins as ``",
        ),
        (
            ErrorCode::GROUP_MAX_SIZE_REACHED,
            "told, pauses, joins as ``",
        ),
        (ErrorCode::UNSUPPORTED_VERSION, "told, pauses, joins as ``"),
        (ErrorCode::UNKNOWN_SERVER_ERROR, "told, pauses, joins as ``"),
    ];
    check(&table, |code| {
        let mut member = joining(config(&["range"]));
        let (id, _) = expect_request!(member, JoinGroup);
        member.answer(id, join_error(code));
        member
    });
}

#[test]
fn rejoin_of_a_member_that_keeps_its_partitions() {
    let table = [
        (
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            "pauses, joins as `m`",
        ),
        (ErrorCode::NOT_COORDINATOR, "coordinator lost, joins as `m`"),
        (ErrorCode::REBALANCE_IN_PROGRESS, "joins as `m`"),
        (ErrorCode::ILLEGAL_GENERATION, "lost, joins as `m`"),
        (ErrorCode::UNKNOWN_MEMBER_ID, "lost, joins as ``"),
        (ErrorCode::FENCED_INSTANCE_ID, "lost, failed, is fatal"),
        (
            ErrorCode::INVALID_GROUP_ID,
            "lost, failed, leaves, is fatal",
        ),
        (
            ErrorCode::GROUP_AUTHORIZATION_FAILED,
            "told, pauses, joins as `m`",
        ),
        (
            ErrorCode::UNKNOWN_SERVER_ERROR,
            "told, pauses, joins as `m`",
        ),
    ];
    check(&table, |code| {
        let mut member = stable(config(&["cooperative-sticky"]), &[0]);
        member.input(|machine, now| machine.request_rejoin("a test", now));
        let (id, _) = expect_request!(member, JoinGroup);
        member.answer(id, join_error(code));
        member
    });
}

#[test]
fn sync() {
    let table = [
        (
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            "pauses, syncs again",
        ),
        (ErrorCode::NOT_COORDINATOR, "coordinator lost, joins as `m`"),
        (
            ErrorCode::COORDINATOR_NOT_AVAILABLE,
            "coordinator lost, joins as `m`",
        ),
        (ErrorCode::ILLEGAL_GENERATION, "joins as `m`"),
        (ErrorCode::UNKNOWN_MEMBER_ID, "joins as ``"),
        (ErrorCode::REBALANCE_IN_PROGRESS, "joins as `m`"),
        (ErrorCode::FENCED_INSTANCE_ID, "failed, is fatal"),
        (
            ErrorCode::GROUP_AUTHORIZATION_FAILED,
            "told, pauses, joins as `m`",
        ),
        (
            ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
            "failed, leaves, is fatal",
        ),
        (ErrorCode::REQUEST_TIMED_OUT, "pauses, joins as `m`"),
        (
            ErrorCode::UNKNOWN_SERVER_ERROR,
            "told, pauses, joins as `m`",
        ),
    ];
    check(&table, |code| {
        let mut member = syncing(config(&["range"]));
        let (id, _) = expect_request!(member, SyncGroup);
        member.answer(id, sync_error(code));
        member
    });
}

/// What became of the commit, and what the member does.
fn after_commit(code: ErrorCode, mode: CommitMode, member: &mut Member) -> String {
    let one = TopicPartition::new("orders", 0);
    let offsets = BTreeMap::from([(one.clone(), OffsetAndMetadata::new(5))]);
    member.input(|machine, now| machine.commit(offsets, mode, now));
    let (id, request) = expect_request!(member, OffsetCommit);
    member.answer(id, stored(&request, code));
    let told = match member.commit_results().remove(&1) {
        None => "tried again".to_owned(),
        Some(results) => match &results[&one] {
            Ok(()) => "stored".to_owned(),
            Err(error) => error.split(':').next().unwrap_or_default().to_owned(),
        },
    };
    format!("{told}; {}", aftermath(member))
}

#[test]
fn commit_of_a_stable_member() {
    const LOST: &str = "the partition was taken away before the offset was stored";
    let refused = |name: &str, rest: &str| {
        format!("the coordinator answered OffsetCommit with {name}; {rest}")
    };
    let table = [
        (ErrorCode::NONE, "stored; is stable".to_owned()),
        (ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, "tried again; is stable".to_owned()),
        (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "tried again; is stable".to_owned()),
        (ErrorCode::NOT_COORDINATOR, "tried again; coordinator lost, is stable".to_owned()),
        (
            ErrorCode::COORDINATOR_NOT_AVAILABLE,
            "tried again; coordinator lost, is stable".to_owned(),
        ),
        (ErrorCode::REQUEST_TIMED_OUT, "tried again; coordinator lost, is stable".to_owned()),
        (ErrorCode::ILLEGAL_GENERATION, format!("{LOST}; lost, joins as `m`")),
        (ErrorCode::UNKNOWN_MEMBER_ID, format!("{LOST}; lost, joins as ``")),
        (
            ErrorCode::REBALANCE_IN_PROGRESS,
            "a rebalance is under way; revoked, joins as `m`".to_owned(),
        ),
        (
            ErrorCode::FENCED_INSTANCE_ID,
            "another member with the same group.instance.id has taken this one's place; lost, failed, is fatal"
                .to_owned(),
        ),
        (
            ErrorCode::GROUP_AUTHORIZATION_FAILED,
            "not authorized to use group `g`; is stable".to_owned(),
        ),
        (
            ErrorCode::TOPIC_AUTHORIZATION_FAILED,
            refused("TOPIC_AUTHORIZATION_FAILED", "is stable"),
        ),
        (
            ErrorCode::OFFSET_METADATA_TOO_LARGE,
            refused("OFFSET_METADATA_TOO_LARGE", "is stable"),
        ),
        (
            ErrorCode::INVALID_COMMIT_OFFSET_SIZE,
            refused("INVALID_COMMIT_OFFSET_SIZE", "is stable"),
        ),
    ];
    for (code, expected) in &table {
        let mut member = stable(config(&["range"]), &[0]);
        let deadline = member.now + Duration::from_secs(5);
        let mode = CommitMode::Sync { deadline };
        assert_eq!(&after_commit(*code, mode, &mut member), expected, "{code}");
        // An asynchronous commit is never tried again.
        let mut member = stable(config(&["range"]), &[0]);
        let told = after_commit(*code, CommitMode::Async, &mut member);
        if expected.starts_with("tried again; ") {
            let rest = expected.strip_prefix("tried again; ").unwrap();
            assert_eq!(told, refused(&code.to_string(), rest), "{code}");
        } else {
            assert_eq!(&told, expected, "{code}");
        }
    }
}

#[test]
fn commit_of_a_generation_that_is_being_replaced_drops_nothing() {
    // The coordinator has moved on, and the answer to the join has not come yet.
    let mut member = stable(config(&["cooperative-sticky"]), &[0]);
    member.input(|machine, now| machine.request_rejoin("a test", now));
    let (join, _) = expect_request!(member, JoinGroup);
    let offsets = BTreeMap::from([(TopicPartition::new("orders", 0), OffsetAndMetadata::new(5))]);
    let deadline = member.now + Duration::from_secs(5);
    member.input(|machine, now| machine.commit(offsets, CommitMode::Sync { deadline }, now));
    let (id, request) = expect_request!(member, OffsetCommit);
    member.answer(id, stored(&request, ErrorCode::ILLEGAL_GENERATION));
    assert!(member.commit_results().is_empty(), "it is tried again");
    assert_eq!(member.machine.owned().len(), 1, "the assignment is kept");
    member.answer(join, follows("m", 2, "cooperative-sticky"));
    assert_eq!(member.state(), GroupState::CompletingRebalance);
}

#[test]
fn lookup_of_the_coordinator() {
    let table = [
        (ErrorCode::COORDINATOR_NOT_AVAILABLE, "pauses, joins as ``"),
        (
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            "pauses, joins as ``",
        ),
        (
            ErrorCode::GROUP_AUTHORIZATION_FAILED,
            "told, pauses, joins as ``",
        ),
        (ErrorCode::INVALID_GROUP_ID, "failed, is fatal"),
        (ErrorCode::UNKNOWN_SERVER_ERROR, "told, pauses, joins as ``"),
    ];
    check(&table, |code| {
        let mut member = Member::new(config(&["range"]));
        member.subscribe(&["orders"]);
        let (id, request) = expect_request!(member, FindCoordinator);
        assert_eq!(request.coordinator_keys, ["g"]);
        assert_eq!(request.key_type, 0);
        member.answer(id, no_coordinator(code));
        member
    });
}

#[test]
fn requests_that_are_not_answered() {
    let table = [
        (FailureKind::Disconnected, "coordinator lost, joins as ``"),
        (FailureKind::TimedOut, "coordinator lost, joins as ``"),
        (FailureKind::Undecodable, "coordinator lost, joins as ``"),
        // Another broker may be the coordinator by the next time, or this one may have changed.
        (
            FailureKind::UnsupportedVersion,
            "told, coordinator lost, joins as ``",
        ),
        (
            FailureKind::AuthenticationFailed,
            "told, coordinator lost, joins as ``",
        ),
        (FailureKind::Unencodable, "failed, is fatal"),
    ];
    for (kind, expected) in table {
        let mut member = joining(config(&["range"]));
        let (id, _) = expect_request!(member, JoinGroup);
        member.fail(id, kind);
        assert_eq!(aftermath(&mut member), expected, "{kind:?}");
    }
    let mut member = stable(config(&["range"]), &[0]);
    member.pass(Duration::from_secs(3));
    let (id, _) = expect_request!(member, Heartbeat);
    member.fail(id, FailureKind::Disconnected);
    assert_eq!(aftermath(&mut member), "coordinator lost, is stable");
    let mut member = syncing(config(&["range"]));
    let (id, _) = expect_request!(member, SyncGroup);
    member.fail(id, FailureKind::TimedOut);
    assert_eq!(aftermath(&mut member), "coordinator lost, joins as `m`");
}

#[test]
fn an_answer_to_another_api_is_no_answer() {
    let mut member = joining(config(&["range"]));
    let (id, _) = expect_request!(member, JoinGroup);
    member.answer(id, heartbeat(ErrorCode::NONE));
    assert_eq!(aftermath(&mut member), "coordinator lost, joins as ``");
}
