//! `max.poll.interval.ms`: an application that does not poll loses its place.

use std::time::Duration;

use windlass_group::{CommitMode, GroupEvent, GroupState};
use windlass_machine::FailureKind;
use windlass_protocol::ErrorCode;

use crate::member::{Member, config, expect_event, expect_request, partitions};
use crate::script::{
    assigns, finish_join, heartbeat_answered, joining, leave, live, stable, syncing,
};

#[test]
fn it_leaves_loses_everything_and_waits_for_the_next_poll() {
    let mut member = stable(config(&["range"]), &[0, 1]);
    member.polling(false);
    live(&mut member, Duration::from_secs(59));
    assert_eq!(member.state(), GroupState::Stable);
    live(&mut member, Duration::from_secs(1));
    assert_eq!(member.state(), GroupState::Stale);
    let (token, lost, reason) = expect_event!(
        member,
        Lost {
            token,
            partitions,
            reason
        }
    );
    assert_eq!(lost, partitions("orders", &[0, 1]));
    assert!(reason.contains("max.poll.interval.ms"), "{reason}");
    assert!(member.machine.owned().is_empty());
    assert_eq!(member.member_id(), "");
    let (id, request) = expect_request!(member, LeaveGroup);
    assert_eq!(request.members[0].member_id, "m");
    assert!(
        request.members[0]
            .reason
            .as_ref()
            .unwrap()
            .contains("not polled")
    );
    member.answer(id, leave(ErrorCode::NONE));
    member.done(token);
    live(&mut member, Duration::from_secs(600));
    member.expect_silence();
    assert_eq!(
        member.machine.poll_timeout(),
        None,
        "at rest until the application polls"
    );
    member.polling(true);
    let (_, request) = expect_request!(member, JoinGroup);
    assert_eq!(request.member_id, "");
    assert_eq!(
        request.reason.as_deref(),
        Some("the application polls again")
    );
    assert_eq!(member.state(), GroupState::PreparingRebalance);
}

#[test]
fn it_joins_again_only_after_the_application_knows_what_it_lost() {
    let mut member = stable(config(&["range"]), &[0]);
    member.polling(false);
    live(&mut member, Duration::from_secs(60));
    let (token,) = expect_event!(member, Lost { token });
    expect_request!(member, LeaveGroup);
    member.polling(true);
    member.expect_silence();
    member.done(token);
    expect_request!(member, JoinGroup);
}

#[test]
fn polling_in_time_keeps_the_place() {
    let mut member = stable(config(&["range"]), &[0]);
    for _ in 0..5 {
        member.polling(false);
        live(&mut member, Duration::from_secs(50));
        member.polling(true);
        live(&mut member, Duration::from_secs(50));
    }
    assert_eq!(member.state(), GroupState::Stable);
}

#[test]
fn each_hand_out_begins_the_time_anew() {
    let mut member = stable(config(&["range"]), &[0]);
    for _ in 0..5 {
        member.polling(false);
        live(&mut member, Duration::from_secs(50));
    }
    assert_eq!(member.state(), GroupState::Stable);
}

#[test]
fn an_application_that_never_polls_does_not_stay() {
    let mut member = Member::new(config(&["range"]));
    member.subscribe(&["orders"]);
    member.find_coordinator();
    finish_join(&mut member, 1, "range", &partitions("orders", &[0]));
    live(&mut member, Duration::from_secs(60));
    assert_eq!(member.state(), GroupState::Stale);
}

#[test]
fn commits_of_what_was_lost_are_refused() {
    let mut member = stable(config(&["range"]), &[0]);
    member.polling(false);
    live(&mut member, Duration::from_secs(60));
    let offsets = [(windlass_model::TopicPartition::new("orders", 0), 5.into())];
    member.input(|machine, now| machine.commit(offsets.into(), CommitMode::Async, now));
    let (results,) = expect_event!(member, CommitDone { results });
    assert!(results.values().all(Result::is_err));
}

#[test]
fn it_happens_during_a_rebalance_too() {
    // While partitions are given up: the revocation turns into a loss.
    let mut member = stable(config(&["range"]), &[0]);
    member.polling(false);
    live(&mut member, Duration::from_secs(40));
    heartbeat_answered(&mut member, ErrorCode::REBALANCE_IN_PROGRESS);
    let (revoke,) = expect_event!(member, Revoke { token });
    live(&mut member, Duration::from_secs(20));
    let (lost, what) = expect_event!(member, Lost { token, partitions });
    assert_eq!(what, partitions("orders", &[0]));
    member.done(revoke);
    member.polling(true);
    assert_eq!(member.state(), GroupState::Stale);
    member.done(lost);
    assert_eq!(member.state(), GroupState::PreparingRebalance);

    // While joining: what a cooperative member kept is lost.
    let mut member = stable(config(&["cooperative-sticky"]), &[0]);
    member.polling(false);
    member.input(|machine, now| machine.request_rejoin("a test", now));
    let (join, _) = expect_request!(member, JoinGroup);
    member.pass(Duration::from_secs(60));
    expect_event!(member, Lost { token });
    let (_, request) = expect_request!(member, LeaveGroup);
    assert_eq!(request.members[0].member_id, "m");
    member.fail(join, FailureKind::Disconnected);
    assert_eq!(member.machine.counters().late_answers, 1);
    assert_eq!(member.state(), GroupState::Stale);

    // While the new assignment is being told.
    let mut member = syncing(config(&["range"]));
    member.polling(false);
    let (id, _) = expect_request!(member, SyncGroup);
    member.answer(id, assigns(&partitions("orders", &[3])));
    let (assigned,) = expect_event!(member, Assigned { token });
    live(&mut member, Duration::from_secs(60));
    let told_lost = member
        .events
        .iter()
        .any(|one| matches!(one, GroupEvent::Lost { .. }));
    assert!(told_lost, "{:?}", member.events);
    member.done(assigned);
    assert_eq!(member.state(), GroupState::Stale);
}

#[test]
fn a_member_that_owned_nothing_only_leaves() {
    let mut member = joining(config(&["range"]));
    expect_request!(member, JoinGroup);
    member.polling(false);
    member.pass(Duration::from_secs(60));
    assert_eq!(member.state(), GroupState::Stale);
    // It has no id yet, so there is nobody to take off the books.
    member.expect_silence();
    member.polling(true);
    expect_request!(member, JoinGroup);
}

#[test]
fn a_stale_member_can_leave() {
    let mut member = stable(config(&["range"]), &[0]);
    member.polling(false);
    live(&mut member, Duration::from_secs(60));
    let (token,) = expect_event!(member, Lost { token });
    expect_request!(member, LeaveGroup);
    let deadline = member.now + Duration::from_secs(5);
    let mode = windlass_group::LeaveMode::Default;
    member.input(|machine, now| machine.leave(mode, deadline, "closed", now));
    assert_eq!(member.state(), GroupState::Leaving);
    member.done(token);
    expect_event!(member, Left { reason });
    assert_eq!(member.state(), GroupState::Unsubscribed);
}
