//! Leaving: bounded, in order, and over when it says so.

use std::time::Duration;

use windlass_group::{GroupEvent, GroupState, LeaveMode};
use windlass_machine::FailureKind;
use windlass_protocol::ErrorCode;

use crate::member::{Member, config, expect_event, expect_request, partitions};
use crate::script::{
    assigns, follows, heartbeat, heartbeat_answered, joining, leave, no_coordinator, stable,
    syncing,
};

fn go(member: &mut Member, mode: LeaveMode, patience: Duration) {
    let deadline = member.now + patience;
    member.input(|machine, now| machine.leave(mode, deadline, "the consumer was closed", now));
}

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn partitions_are_given_up_then_the_group_is_told() {
    let mut member = stable(config(&["range"]), &[0]);
    go(&mut member, LeaveMode::Default, PATIENCE);
    let (token, revoked) = expect_event!(member, Revoke { token, partitions });
    assert_eq!(revoked, partitions("orders", &[0]));
    member.expect_silence();
    member.done(token);
    let (id, request) = expect_request!(member, LeaveGroup);
    assert_eq!(request.group_id, "g");
    assert_eq!(request.members[0].member_id, "m");
    assert_eq!(request.members[0].group_instance_id, None);
    assert_eq!(
        request.members[0].reason.as_deref(),
        Some("the consumer was closed")
    );
    assert_eq!(member.state(), GroupState::Leaving);
    member.answer(id, leave(ErrorCode::NONE));
    let (reason,) = expect_event!(member, Left { reason });
    assert_eq!(reason, "left the group (the consumer was closed)");
    assert_eq!(member.state(), GroupState::Unsubscribed);
    assert_eq!(member.member_id(), "");
    assert_eq!(member.machine.poll_timeout(), None);
}

#[test]
fn the_member_stays_alive_while_it_packs() {
    let mut member = stable(config(&["range"]), &[0]);
    go(&mut member, LeaveMode::Default, PATIENCE);
    member.pass(Duration::from_secs(3));
    let (id, _) = expect_request!(member, Heartbeat);
    member.answer(id, heartbeat(ErrorCode::REBALANCE_IN_PROGRESS));
    assert_eq!(member.state(), GroupState::Leaving);
}

#[test]
fn whatever_the_answer_it_has_left() {
    let mut member = stable(config(&["range"]), &[]);
    go(&mut member, LeaveMode::Default, PATIENCE);
    let (id, _) = expect_request!(member, LeaveGroup);
    member.answer(id, leave(ErrorCode::UNKNOWN_MEMBER_ID));
    let (reason,) = expect_event!(member, Left { reason });
    assert!(reason.contains("UNKNOWN_MEMBER_ID"), "{reason}");
    let mut member = stable(config(&["range"]), &[]);
    go(&mut member, LeaveMode::Default, PATIENCE);
    let (id, _) = expect_request!(member, LeaveGroup);
    member.fail(id, FailureKind::Disconnected);
    expect_event!(member, Left { reason });
    assert_eq!(member.state(), GroupState::Unsubscribed);
}

#[test]
fn it_ends_at_its_deadline_in_every_phase() {
    // The application does not let go.
    let mut member = stable(config(&["range"]), &[0]);
    go(&mut member, LeaveMode::Default, PATIENCE);
    let (token,) = expect_event!(member, Revoke { token });
    member.pass(PATIENCE);
    let (reason,) = expect_event!(member, Left { reason });
    assert!(reason.contains("time"), "{reason}");
    assert_eq!(member.state(), GroupState::Unsubscribed);
    assert!(member.machine.owned().is_empty());
    member.done(token);
    assert_eq!(member.state(), GroupState::Unsubscribed);

    // LeaveGroup is not answered.
    let mut member = stable(config(&["range"]), &[]);
    go(&mut member, LeaveMode::Default, PATIENCE);
    let (id, _) = expect_request!(member, LeaveGroup);
    member.pass(PATIENCE);
    expect_event!(member, Left { reason });
    member.answer(id, leave(ErrorCode::NONE));
    assert_eq!(member.machine.counters().late_answers, 1);

    // The coordinator cannot be found at all.
    let mut member = stable(config(&["range"]), &[]);
    heartbeat_answered(&mut member, ErrorCode::NOT_COORDINATOR);
    expect_request!(member, FindCoordinator);
    go(&mut member, LeaveMode::Default, PATIENCE);
    member.pass(PATIENCE);
    expect_event!(member, Left { reason });
}

#[test]
fn a_coordinator_that_is_not_found_is_not_waited_for() {
    let mut member = stable(config(&["range"]), &[]);
    heartbeat_answered(&mut member, ErrorCode::NOT_COORDINATOR);
    let (id, _) = expect_request!(member, FindCoordinator);
    go(&mut member, LeaveMode::Default, PATIENCE);
    assert_eq!(member.state(), GroupState::Leaving, "one look is worth it");
    member.answer(id, no_coordinator(ErrorCode::COORDINATOR_NOT_AVAILABLE));
    let (reason,) = expect_event!(member, Left { reason });
    assert!(reason.contains("not found"), "{reason}");
}

#[test]
fn the_group_is_told_by_the_next_coordinator() {
    let mut member = stable(config(&["range"]), &[]);
    heartbeat_answered(&mut member, ErrorCode::NOT_COORDINATOR);
    go(&mut member, LeaveMode::Default, PATIENCE);
    member.find_coordinator();
    expect_request!(member, LeaveGroup);
}

#[test]
fn a_dynamic_member_can_go_without_telling() {
    let mut member = stable(config(&["range"]), &[]);
    go(&mut member, LeaveMode::Remain, PATIENCE);
    member.expect_silence();
    expect_event!(member, Left { reason });
}

#[test]
fn there_is_nothing_to_leave_before_the_first_join() {
    let mut member = Member::new(config(&["range"]));
    go(&mut member, LeaveMode::Default, PATIENCE);
    expect_event!(member, Left { reason });
    let mut member = Member::new(config(&["range"]));
    member.subscribe(&["orders"]);
    go(&mut member, LeaveMode::Default, PATIENCE);
    expect_event!(member, Left { reason });
    assert_eq!(member.state(), GroupState::Unsubscribed);
}

#[test]
fn a_member_that_was_only_given_an_id_takes_it_off_the_books() {
    let mut member = joining(config(&["range"]));
    let (id, _) = expect_request!(member, JoinGroup);
    member.answer(id, crate::script::use_id("given"));
    expect_request!(member, JoinGroup);
    go(&mut member, LeaveMode::Default, PATIENCE);
    let (_, request) = expect_request!(member, LeaveGroup);
    assert_eq!(request.members[0].member_id, "given");
}

#[test]
fn a_revocation_under_way_is_not_asked_for_twice() {
    let mut member = stable(config(&["range"]), &[0]);
    heartbeat_answered(&mut member, ErrorCode::REBALANCE_IN_PROGRESS);
    let (token,) = expect_event!(member, Revoke { token });
    go(&mut member, LeaveMode::Default, PATIENCE);
    let again = member
        .events
        .iter()
        .any(|one| matches!(one, GroupEvent::Revoke { .. }));
    assert!(!again, "{:?}", member.events);
    member.done(token);
    expect_request!(member, LeaveGroup);
}

#[test]
fn what_a_cooperative_revocation_leaves_over_is_given_up_next() {
    let mut member = stable(config(&["cooperative-sticky"]), &[0, 1]);
    member.input(|machine, now| machine.request_rejoin("a test", now));
    let (id, _) = expect_request!(member, JoinGroup);
    member.answer(id, follows("m", 2, "cooperative-sticky"));
    let (id, _) = expect_request!(member, SyncGroup);
    member.answer(id, assigns(&partitions("orders", &[0])));
    let (first, revoked) = expect_event!(member, Revoke { token, partitions });
    assert_eq!(revoked, partitions("orders", &[1]));
    go(&mut member, LeaveMode::Default, PATIENCE);
    member.done(first);
    let (second, revoked) = expect_event!(member, Revoke { token, partitions });
    assert_eq!(revoked, partitions("orders", &[0]));
    member.done(second);
    expect_request!(member, LeaveGroup);
}

#[test]
fn an_assignment_being_told_is_finished_first() {
    let mut member = syncing(config(&["range"]));
    let (id, _) = expect_request!(member, SyncGroup);
    member.answer(id, assigns(&partitions("orders", &[0])));
    let (assigned,) = expect_event!(member, Assigned { token });
    go(&mut member, LeaveMode::Default, PATIENCE);
    member.expect_silence();
    member.done(assigned);
    let (revoke,) = expect_event!(member, Revoke { token });
    member.done(revoke);
    expect_request!(member, LeaveGroup);
}

#[test]
fn an_assignment_being_told_when_time_is_over_is_lost() {
    let mut member = syncing(config(&["range"]));
    let (id, _) = expect_request!(member, SyncGroup);
    member.answer(id, assigns(&partitions("orders", &[0])));
    expect_event!(member, Assigned { token });
    go(&mut member, LeaveMode::Default, PATIENCE);
    member.pass(PATIENCE);
    let (lost,) = expect_event!(member, Lost { partitions });
    assert_eq!(lost, partitions("orders", &[0]));
    expect_event!(member, Left { reason });
}

#[test]
fn a_member_that_is_expelled_while_it_packs_loses_what_it_has() {
    let mut member = stable(config(&["range"]), &[0]);
    go(&mut member, LeaveMode::Default, PATIENCE);
    let (revoke,) = expect_event!(member, Revoke { token });
    heartbeat_answered(&mut member, ErrorCode::UNKNOWN_MEMBER_ID);
    let (lost,) = expect_event!(member, Lost { token });
    member.done(revoke);
    assert_eq!(member.state(), GroupState::Leaving);
    member.done(lost);
    member.expect_silence();
    expect_event!(member, Left { reason });
}

#[test]
fn unsubscribing_leaves_and_subscribing_again_joins_anew() {
    let mut member = stable(config(&["range"]), &[0]);
    member.input(windlass_group::GroupMachine::unsubscribe);
    let (token,) = expect_event!(member, Revoke { token });
    member.subscribe(&["payments"]);
    assert_eq!(member.state(), GroupState::Leaving);
    member.done(token);
    let (id, _) = expect_request!(member, LeaveGroup);
    member.answer(id, leave(ErrorCode::NONE));
    let (_, request) = expect_request!(member, JoinGroup);
    assert_eq!(request.member_id, "");
    assert_eq!(request.reason.as_deref(), Some("subscribed to `payments`"));
}

#[test]
fn leaving_twice_takes_no_longer_than_once() {
    let mut member = stable(config(&["range"]), &[0]);
    member.input(windlass_group::GroupMachine::unsubscribe);
    expect_event!(member, Revoke { token });
    go(&mut member, LeaveMode::Default, Duration::from_secs(5));
    go(&mut member, LeaveMode::Default, Duration::from_secs(50));
    member.pass(Duration::from_secs(5));
    expect_event!(member, Left { reason });
}

#[test]
fn a_failed_membership_can_be_left() {
    let mut member = stable(config(&["range"]), &[0]);
    heartbeat_answered(&mut member, ErrorCode::FENCED_INSTANCE_ID);
    let (token,) = expect_event!(member, Lost { token });
    go(&mut member, LeaveMode::Default, PATIENCE);
    member.done(token);
    expect_event!(member, Left { reason });
    assert_eq!(member.state(), GroupState::Unsubscribed);
}

#[test]
fn no_pause_outlives_the_membership() {
    let mut member = joining(config(&["range"]));
    let (id, _) = expect_request!(member, JoinGroup);
    let busy = ErrorCode::COORDINATOR_LOAD_IN_PROGRESS;
    member.answer(id, crate::script::join_error(busy));
    assert!(member.machine.poll_timeout().is_some());
    go(&mut member, LeaveMode::Default, PATIENCE);
    expect_event!(member, Left { reason });
    assert_eq!(member.machine.poll_timeout(), None);
}
