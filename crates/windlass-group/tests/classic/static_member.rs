//! Static members (KIP-345): restart, fencing, leaving.

use std::time::Duration;

use windlass_group::{GroupConfig, GroupError, GroupState, LeaveMode};
use windlass_protocol::ErrorCode;

use crate::member::{Member, config, expect_event, expect_request, partitions};
use crate::script::{
    finish_sync, follows, heartbeat_answered, join_error, joining, leave, live, stable,
};

fn fixed() -> GroupConfig {
    {
        let mut config = config(&["range"]);
        config.group_instance_id = Some("instance".into());
        config
    }
}

fn go(member: &mut Member, mode: LeaveMode) {
    let deadline = member.now + Duration::from_secs(30);
    member.input(|machine, now| machine.leave(mode, deadline, "closed", now));
    let (token,) = expect_event!(member, Revoke { token });
    member.done(token);
}

#[test]
fn every_request_of_a_member_names_the_instance() {
    let mut member = joining(fixed());
    let (id, request) = expect_request!(member, JoinGroup);
    assert_eq!(request.group_instance_id.as_deref(), Some("instance"));
    member.answer(id, follows("m", 1, "range"));
    let (_, request) = expect_request!(member, SyncGroup);
    assert_eq!(request.group_instance_id.as_deref(), Some("instance"));
    let mut member = stable(fixed(), &[0]);
    let offsets = [(windlass_model::TopicPartition::new("orders", 0), 5.into())];
    let mode = windlass_group::CommitMode::Async;
    member.input(|machine, now| machine.commit(offsets.into(), mode, now));
    let (_, request) = expect_request!(member, OffsetCommit);
    assert_eq!(request.group_instance_id.as_deref(), Some("instance"));
}

#[test]
fn closing_does_not_leave_unless_told_to() {
    for (mode, leaves) in [
        (LeaveMode::Default, false),
        (LeaveMode::Remain, false),
        (LeaveMode::Leave, true),
    ] {
        let mut member = stable(fixed(), &[0]);
        go(&mut member, mode);
        if leaves {
            let (id, request) = expect_request!(member, LeaveGroup);
            assert_eq!(
                request.members[0].group_instance_id.as_deref(),
                Some("instance")
            );
            assert_eq!(request.members[0].member_id, "m");
            member.answer(id, leave(ErrorCode::NONE));
        }
        member.expect_silence();
        expect_event!(member, Left { reason });
        assert_eq!(member.state(), GroupState::Unsubscribed);
    }
}

#[test]
fn a_restarted_member_joins_unknown_and_gets_its_place_back() {
    let mut before = stable(fixed(), &[0]);
    go(&mut before, LeaveMode::Default);
    let mut after = joining(fixed());
    let (id, request) = expect_request!(after, JoinGroup);
    assert_eq!(request.member_id, "");
    // The same generation, a new member id, no rebalance.
    after.answer(id, follows("m-2", 1, "range"));
    finish_sync(&mut after, &partitions("orders", &[0]));
    assert_eq!(after.state(), GroupState::Stable);
    assert_eq!(after.member_id(), "m-2");
}

#[test]
fn a_fenced_member_is_over_whoever_says_so() {
    let fenced = ErrorCode::FENCED_INSTANCE_ID;
    let by_heartbeat = {
        let mut member = stable(fixed(), &[0]);
        heartbeat_answered(&mut member, fenced);
        member
    };
    let by_join = {
        let mut member = joining(fixed());
        let (id, _) = expect_request!(member, JoinGroup);
        member.answer(id, join_error(fenced));
        member
    };
    for mut member in [by_heartbeat, by_join] {
        let (error, reason) = expect_event!(member, Failed { error, reason });
        assert!(
            matches!(&error, GroupError::Fenced { instance_id: Some(id) } if id.as_str() == "instance"),
            "{error:?}"
        );
        assert!(reason.contains("`instance`"), "{reason}");
        assert_eq!(member.state(), GroupState::Fatal);
        assert!(member.machine.owned().is_empty());
        member.pass(Duration::from_secs(3600));
        member.expect_silence();
    }
}

#[test]
fn a_static_member_whose_application_is_stuck_keeps_its_place() {
    let mut member = stable(fixed(), &[0]);
    member.polling(false);
    live(&mut member, Duration::from_secs(60));
    assert_eq!(member.state(), GroupState::Stale);
    let leaves = member
        .requests
        .iter()
        .any(|one| matches!(one.request, windlass_protocol::RequestKind::LeaveGroup(_)));
    assert!(!leaves);
    // Nobody was told that it went: with another id it would fence itself (KAFKA-20985).
    assert_eq!(member.member_id(), "m");
}

#[test]
fn an_unknown_member_joins_again_as_unknown() {
    let mut member = stable(fixed(), &[0]);
    heartbeat_answered(&mut member, ErrorCode::UNKNOWN_MEMBER_ID);
    let (token,) = expect_event!(member, Lost { token });
    member.done(token);
    let (_, request) = expect_request!(member, JoinGroup);
    assert_eq!(request.member_id, "");
    assert_eq!(request.group_instance_id.as_deref(), Some("instance"));
}

#[test]
fn a_fenced_member_that_is_wanted_again_joins_after_the_application_knows_what_it_lost() {
    let mut member = stable(fixed(), &[0]);
    heartbeat_answered(&mut member, ErrorCode::FENCED_INSTANCE_ID);
    let (token,) = expect_event!(member, Lost { token });
    expect_event!(member, Failed { error });
    member.subscribe(&["orders"]);
    assert_eq!(member.state(), GroupState::Unjoined);
    member.expect_silence();
    member.done(token);
    expect_request!(member, JoinGroup);
    assert_eq!(member.state(), GroupState::PreparingRebalance);
}
