//! Cooperative rebalances (KIP-429): only what moves is given up, and then once more around.

use std::time::Duration;

use windlass_group::{GroupEvent, GroupState};
use windlass_protocol::ErrorCode;

use crate::member::{config, expect_event, expect_request, partitions};
use crate::script::{
    assigns, finish_join, follows, heartbeat, heartbeat_answered, join_error, stable, sync_error,
};

const STICKY: &str = "cooperative-sticky";

fn callbacks(events: &[GroupEvent]) -> Vec<&'static str> {
    let name = |event: &GroupEvent| match event {
        GroupEvent::Revoke { .. } => Some("revoke"),
        GroupEvent::Lost { .. } => Some("lost"),
        GroupEvent::Assigned { .. } => Some("assigned"),
        _ => None,
    };
    events.iter().filter_map(name).collect()
}

#[test]
fn nothing_is_given_up_before_the_join() {
    let mut member = stable(config(&[STICKY]), &[0, 1]);
    heartbeat_answered(&mut member, ErrorCode::REBALANCE_IN_PROGRESS);
    expect_request!(member, JoinGroup);
    assert!(callbacks(&member.events).is_empty());
    assert_eq!(member.machine.owned(), partitions("orders", &[0, 1]));
}

#[test]
fn what_moves_is_given_up_then_the_rest_is_told_then_the_second_round_begins() {
    let mut member = stable(config(&[STICKY]), &[0, 1]);
    heartbeat_answered(&mut member, ErrorCode::REBALANCE_IN_PROGRESS);
    let (id, _) = expect_request!(member, JoinGroup);
    member.answer(id, follows("m", 2, STICKY));
    let (id, _) = expect_request!(member, SyncGroup);
    member.answer(id, assigns(&partitions("orders", &[0, 5])));
    let (token, moved) = expect_event!(member, Revoke { token, partitions });
    assert_eq!(moved, partitions("orders", &[1]));
    assert!(
        callbacks(&member.events).is_empty(),
        "first the leave, then the news"
    );
    assert_eq!(member.machine.owned(), partitions("orders", &[0, 1]));
    member.done(token);
    let (token, added, owned) = expect_event!(
        member,
        Assigned {
            token,
            added,
            owned
        }
    );
    assert_eq!(added, partitions("orders", &[5]));
    assert_eq!(owned, partitions("orders", &[0, 5]));
    assert_eq!(member.machine.owned(), owned);
    member.expect_silence();
    member.done(token);
    let (_, request) = expect_request!(member, JoinGroup);
    let reason = request.reason.unwrap();
    assert_eq!(reason, "1 partition given up, to be assigned now");
    assert!(
        callbacks(&member.events).is_empty(),
        "nothing more to give up"
    );
    assert_eq!(member.state(), GroupState::PreparingRebalance);
    assert_eq!(member.machine.owned(), partitions("orders", &[0, 5]));
}

#[test]
fn a_round_that_moves_nothing_is_the_last() {
    let mut member = stable(config(&[STICKY]), &[0]);
    heartbeat_answered(&mut member, ErrorCode::REBALANCE_IN_PROGRESS);
    finish_join(&mut member, 2, STICKY, &partitions("orders", &[0, 1]));
    assert_eq!(member.state(), GroupState::Stable);
    member.expect_silence();
}

#[test]
fn an_unchanged_assignment_is_told_with_nothing_added() {
    let mut member = stable(config(&[STICKY]), &[0]);
    member.input(|machine, now| machine.request_rejoin("a test", now));
    let (id, _) = expect_request!(member, JoinGroup);
    member.answer(id, follows("m", 2, STICKY));
    let (id, _) = expect_request!(member, SyncGroup);
    member.answer(id, assigns(&partitions("orders", &[0])));
    let (added, owned) = expect_event!(member, Assigned { added, owned });
    assert!(added.is_empty());
    assert_eq!(owned, partitions("orders", &[0]));
}

#[test]
fn topics_no_longer_wanted_are_given_up_before_the_join() {
    let mut member = stable(config(&[STICKY]), &[0, 1]);
    member.subscribe(&["payments"]);
    let (token, revoked) = expect_event!(member, Revoke { token, partitions });
    assert_eq!(revoked, partitions("orders", &[0, 1]));
    member.expect_silence();
    member.done(token);
    expect_request!(member, JoinGroup);
    assert!(member.machine.owned().is_empty());
}

#[test]
fn a_subscription_that_shrinks_while_leave_is_taken_takes_more_leave() {
    let mut member = stable(config(&[STICKY]), &[0]);
    member.subscribe(&["orders", "payments"]);
    finish_join(&mut member, 2, STICKY, &{
        let mut both = partitions("orders", &[0]);
        both.extend(partitions("payments", &[0]));
        both
    });
    member.subscribe(&["orders"]);
    let (first, revoked) = expect_event!(member, Revoke { token, partitions });
    assert_eq!(revoked, partitions("payments", &[0]));
    member.subscribe(&["others"]);
    member.done(first);
    let (second, revoked) = expect_event!(member, Revoke { token, partitions });
    assert_eq!(revoked, partitions("orders", &[0]));
    member.expect_silence();
    member.done(second);
    expect_request!(member, JoinGroup);
}

#[test]
fn failed_joins_and_syncs_take_nothing_away() {
    let mut member = stable(config(&[STICKY]), &[0, 1]);
    heartbeat_answered(&mut member, ErrorCode::REBALANCE_IN_PROGRESS);
    let (id, _) = expect_request!(member, JoinGroup);
    member.answer(id, join_error(ErrorCode::REBALANCE_IN_PROGRESS));
    let (id, _) = expect_request!(member, JoinGroup);
    member.answer(id, follows("m", 2, STICKY));
    let (id, _) = expect_request!(member, SyncGroup);
    member.answer(id, sync_error(ErrorCode::REBALANCE_IN_PROGRESS));
    let (id, _) = expect_request!(member, JoinGroup);
    member.answer(id, join_error(ErrorCode::NOT_COORDINATOR));
    member.find_coordinator();
    assert_eq!(member.machine.owned(), partitions("orders", &[0, 1]));
    assert!(callbacks(&member.events).is_empty());
}

#[test]
fn a_stray_assignment_is_not_taken_and_takes_nothing_away() {
    let mut member = stable(config(&[STICKY]), &[0, 1]);
    member.input(|machine, now| machine.request_rejoin("a test", now));
    let (id, _) = expect_request!(member, JoinGroup);
    member.answer(id, follows("m", 2, STICKY));
    let (id, _) = expect_request!(member, SyncGroup);
    member.answer(id, assigns(&partitions("strange", &[0])));
    assert_eq!(member.state(), GroupState::PreparingRebalance);
    assert_eq!(member.machine.owned(), partitions("orders", &[0, 1]));
    assert!(callbacks(&member.events).is_empty());
    expect_request!(member, JoinGroup);
}

#[test]
fn everything_is_lost_with_the_member_id_during_a_join() {
    let mut member = stable(config(&[STICKY]), &[0, 1]);
    heartbeat_answered(&mut member, ErrorCode::REBALANCE_IN_PROGRESS);
    let (id, _) = expect_request!(member, JoinGroup);
    member.answer(id, join_error(ErrorCode::UNKNOWN_MEMBER_ID));
    let (token, lost) = expect_event!(member, Lost { token, partitions });
    assert_eq!(lost, partitions("orders", &[0, 1]));
    member.expect_silence();
    member.done(token);
    let (_, request) = expect_request!(member, JoinGroup);
    assert_eq!(request.member_id, "");
}

#[test]
fn one_eager_strategy_in_the_list_makes_the_member_give_up_everything() {
    let mut member = stable(config(&[STICKY, "range"]), &[0, 1]);
    heartbeat_answered(&mut member, ErrorCode::REBALANCE_IN_PROGRESS);
    let (_, revoked) = expect_event!(member, Revoke { token, partitions });
    assert_eq!(revoked, partitions("orders", &[0, 1]));
}

#[test]
fn a_heartbeat_that_was_overtaken_by_the_join_takes_nothing_away() {
    let mut member = stable(config(&[STICKY]), &[0, 1]);
    member.pass(Duration::from_secs(3));
    let (beat, _) = expect_request!(member, Heartbeat);
    member.input(|machine, now| machine.request_rejoin("a test", now));
    let (join, _) = expect_request!(member, JoinGroup);
    member.answer(beat, heartbeat(ErrorCode::ILLEGAL_GENERATION));
    assert!(callbacks(&member.events).is_empty());
    member.expect_silence();
    member.answer(join, follows("m", 2, STICKY));
    assert_eq!(member.state(), GroupState::CompletingRebalance);
    assert_eq!(member.machine.owned(), partitions("orders", &[0, 1]));
}

#[test]
fn a_member_id_that_is_refused_during_the_join_makes_the_join_void() {
    let mut member = stable(config(&[STICKY]), &[0, 1]);
    member.pass(Duration::from_secs(3));
    let (beat, _) = expect_request!(member, Heartbeat);
    member.input(|machine, now| machine.request_rejoin("a test", now));
    let (old, _) = expect_request!(member, JoinGroup);
    member.answer(beat, heartbeat(ErrorCode::UNKNOWN_MEMBER_ID));
    let (token,) = expect_event!(member, Lost { token });
    member.answer(old, join_error(ErrorCode::UNKNOWN_MEMBER_ID));
    member.expect_silence();
    member.done(token);
    let (_, request) = expect_request!(member, JoinGroup);
    assert_eq!(request.member_id, "");
}
