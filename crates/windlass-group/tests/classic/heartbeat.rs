//! Heartbeats and the session.

use std::time::Duration;

use windlass_group::GroupState;
use windlass_machine::{Destination, FailureKind};
use windlass_protocol::ErrorCode;

use crate::member::{COORDINATOR, config, expect_event, expect_request, partitions};
use crate::script::{assigns, follows, heartbeat, heartbeat_answered, stable, syncing};

const INTERVAL: Duration = Duration::from_secs(3);

#[test]
fn one_goes_out_each_interval_and_names_the_member() {
    let mut settings = config(&["range"]);
    settings.group_instance_id = Some("i".into());
    let mut member = stable(settings, &[0]);
    for _ in 0..3 {
        member.expect_silence();
        member.pass(INTERVAL);
        let outgoing = member.next_request();
        assert_eq!(outgoing.destination, Destination::Coordinator(COORDINATOR));
        assert_eq!(
            outgoing.deadline,
            member.now + Duration::from_secs(10),
            "the session's length"
        );
        let windlass_protocol::RequestKind::Heartbeat(request) = outgoing.request else {
            panic!("{:?}", outgoing.request);
        };
        assert_eq!(request.group_id, "g");
        assert_eq!(request.generation_id, 1);
        assert_eq!(request.member_id, "m");
        assert_eq!(request.group_instance_id.as_deref(), Some("i"));
        member.answer(outgoing.id, heartbeat(ErrorCode::NONE));
    }
}

#[test]
fn never_two_at_a_time() {
    let mut member = stable(config(&["range"]), &[0]);
    member.pass(INTERVAL);
    let (id, _) = expect_request!(member, Heartbeat);
    member.pass(INTERVAL * 2);
    member.expect_silence();
    member.answer(id, heartbeat(ErrorCode::NONE));
    expect_request!(member, Heartbeat);
}

#[test]
fn they_begin_while_the_assignment_is_awaited() {
    let mut member = syncing(config(&["range"]));
    expect_request!(member, SyncGroup);
    member.pass(INTERVAL);
    let (_, request) = expect_request!(member, Heartbeat);
    assert_eq!(request.generation_id, 1);
}

#[test]
fn they_go_on_while_partitions_are_given_up_under_the_old_generation() {
    let mut member = stable(config(&["range"]), &[0]);
    heartbeat_answered(&mut member, ErrorCode::REBALANCE_IN_PROGRESS);
    let (token,) = expect_event!(member, Revoke { token });
    for _ in 0..5 {
        member.pass(INTERVAL);
        let (id, request) = expect_request!(member, Heartbeat);
        assert_eq!(request.generation_id, 1);
        // It is known already, and the member lives.
        member.answer(id, heartbeat(ErrorCode::REBALANCE_IN_PROGRESS));
        assert_eq!(member.state(), GroupState::PreparingRebalance);
    }
    member.done(token);
    expect_request!(member, JoinGroup);
    // The coordinator keeps joining members alive by itself.
    member.pass(Duration::from_secs(40));
    member.expect_silence();
}

#[test]
fn they_go_on_during_a_long_callback_after_the_join() {
    let mut member = syncing(config(&["range"]));
    let (id, _) = expect_request!(member, SyncGroup);
    member.answer(id, assigns(&partitions("orders", &[0])));
    expect_event!(member, Assigned { token });
    for _ in 0..5 {
        member.pass(INTERVAL);
        let (id, _) = expect_request!(member, Heartbeat);
        member.answer(id, heartbeat(ErrorCode::NONE));
    }
    assert_eq!(member.state(), GroupState::Reconciling);
}

#[test]
fn a_rebalance_called_during_the_callback_is_joined_after_it() {
    let mut member = syncing(config(&["range"]));
    let (id, _) = expect_request!(member, SyncGroup);
    member.answer(id, assigns(&partitions("orders", &[0])));
    let (token,) = expect_event!(member, Assigned { token });
    heartbeat_answered(&mut member, ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(member.state(), GroupState::Reconciling);
    member.done(token);
    assert_eq!(member.state(), GroupState::PreparingRebalance);
    let (_, reason) = expect_event!(member, Revoke { partitions, reason });
    assert!(reason.contains("REBALANCE_IN_PROGRESS"), "{reason}");
}

#[test]
fn a_session_without_an_answer_loses_the_coordinator_but_not_the_membership() {
    let mut member = stable(config(&["range"]), &[0]);
    member.pass(INTERVAL);
    let (old, _) = expect_request!(member, Heartbeat);
    member.pass(Duration::from_secs(7));
    let (reason,) = expect_event!(member, CoordinatorLost { reason });
    assert!(reason.contains("session.timeout.ms"), "{reason}");
    assert_eq!(member.state(), GroupState::Stable);
    assert_eq!(member.machine.owned(), partitions("orders", &[0]));
    member.find_coordinator();
    let (new, request) = expect_request!(member, Heartbeat);
    assert_eq!(request.generation_id, 1);
    member.answer(new, heartbeat(ErrorCode::NONE));
    // The old connection's failure says nothing about the coordinator that was found since.
    member.fail(old, FailureKind::Disconnected);
    member.expect_silence();
    assert_eq!(member.machine.counters().late_answers, 1);
}

#[test]
fn a_rebalance_answer_keeps_the_session_alive() {
    let mut member = stable(config(&["range"]), &[0]);
    heartbeat_answered(&mut member, ErrorCode::REBALANCE_IN_PROGRESS);
    expect_event!(member, Revoke { token });
    member.pass(Duration::from_secs(9));
    assert!(
        !member
            .events
            .iter()
            .any(|one| matches!(one, windlass_group::GroupEvent::CoordinatorLost { .. })),
        "{:?}",
        member.events
    );
}

#[test]
fn no_heartbeat_is_sent_without_a_generation() {
    let mut member = stable(config(&["range"]), &[0]);
    heartbeat_answered(&mut member, ErrorCode::UNKNOWN_MEMBER_ID);
    expect_event!(member, Lost { token });
    member.pass(Duration::from_secs(30));
    member.expect_silence();
}

#[test]
fn the_heartbeat_of_the_next_generation_names_it() {
    let mut member = stable(config(&["range"]), &[0]);
    heartbeat_answered(&mut member, ErrorCode::REBALANCE_IN_PROGRESS);
    let (token,) = expect_event!(member, Revoke { token });
    member.done(token);
    let (id, _) = expect_request!(member, JoinGroup);
    member.answer(id, follows("m", 2, "range"));
    expect_request!(member, SyncGroup);
    member.pass(INTERVAL);
    let (_, request) = expect_request!(member, Heartbeat);
    assert_eq!(request.generation_id, 2);
}
