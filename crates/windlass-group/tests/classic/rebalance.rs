//! Eager rebalances: give up everything, join, get something.

use std::time::Duration;

use windlass_group::{GroupEvent, GroupState};
use windlass_protocol::ErrorCode;
use windlass_protocol::consumer_protocol::Subscription;

use crate::member::{config, expect_event, expect_request, partitions};
use crate::script::{
    finish_join, follows, heartbeat_answered, join_error, live, stable, sync_error, syncing,
};

#[test]
fn everything_is_given_up_before_the_join_and_gone_after_it() {
    let mut member = stable(config(&["range"]), &[0, 1]);
    heartbeat_answered(&mut member, ErrorCode::REBALANCE_IN_PROGRESS);
    let (token, revoked) = expect_event!(member, Revoke { token, partitions });
    assert_eq!(revoked, partitions("orders", &[0, 1]));
    member.expect_silence();
    assert_eq!(
        member.machine.owned(),
        revoked,
        "ours until the application lets go"
    );
    member.done(token);
    assert!(member.machine.owned().is_empty());
    let (id, request) = expect_request!(member, JoinGroup);
    assert_eq!(request.member_id, "m");
    member.answer(id, follows("m", 2, "range"));
    let (id, _) = expect_request!(member, SyncGroup);
    member.answer(id, crate::script::assigns(&partitions("orders", &[1, 2])));
    let (added, owned, generation) = expect_event!(
        member,
        Assigned {
            added,
            owned,
            generation
        }
    );
    assert_eq!(
        added,
        partitions("orders", &[1, 2]),
        "an eager member gets all anew"
    );
    assert_eq!(owned, added);
    assert_eq!(generation.to_string(), "2");
}

#[test]
fn a_member_that_owned_nothing_is_told_too() {
    let mut member = stable(config(&["range"]), &[]);
    heartbeat_answered(&mut member, ErrorCode::REBALANCE_IN_PROGRESS);
    let (token, revoked) = expect_event!(member, Revoke { token, partitions });
    assert!(revoked.is_empty());
    member.done(token);
    expect_request!(member, JoinGroup);
}

#[test]
fn a_member_that_was_reset_with_nothing_is_told_nothing() {
    let mut member = stable(config(&["range"]), &[]);
    heartbeat_answered(&mut member, ErrorCode::UNKNOWN_MEMBER_ID);
    assert!(
        !member
            .events
            .iter()
            .any(|one| matches!(one, GroupEvent::Lost { .. }))
    );
    expect_request!(member, JoinGroup);
}

#[test]
fn a_join_that_fails_does_not_ask_the_application_again() {
    let mut member = stable(config(&["range"]), &[0]);
    heartbeat_answered(&mut member, ErrorCode::REBALANCE_IN_PROGRESS);
    let (token,) = expect_event!(member, Revoke { token });
    member.done(token);
    for code in [
        ErrorCode::REBALANCE_IN_PROGRESS,
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
    ] {
        let (id, _) = expect_request!(member, JoinGroup);
        member.answer(id, join_error(code));
        member.pass(Duration::from_millis(200));
    }
    let (id, _) = expect_request!(member, JoinGroup);
    member.answer(id, follows("m", 2, "range"));
    let (id, _) = expect_request!(member, SyncGroup);
    member.answer(id, sync_error(ErrorCode::REBALANCE_IN_PROGRESS));
    expect_request!(member, JoinGroup);
    assert!(
        !member
            .events
            .iter()
            .any(|one| matches!(one, GroupEvent::Revoke { .. }))
    );
}

#[test]
fn an_application_that_does_not_let_go_is_not_waited_for_longer_than_the_group_would() {
    let mut member = stable(config(&["range"]), &[0]);
    heartbeat_answered(&mut member, ErrorCode::REBALANCE_IN_PROGRESS);
    let (token,) = expect_event!(member, Revoke { token });
    live(&mut member, Duration::from_secs(59));
    assert_eq!(member.state(), GroupState::PreparingRebalance);
    assert!(!member.machine.owned().is_empty());
    member.expect_silence();
    live(&mut member, Duration::from_secs(1));
    assert!(member.machine.owned().is_empty());
    expect_request!(member, JoinGroup);
    let late = member.machine.counters().late_answers;
    member.done(token);
    assert_eq!(member.machine.counters().late_answers, late + 1);
}

#[test]
fn a_new_subscription_is_joined_for_with_its_reason() {
    let mut member = stable(config(&["range"]), &[0]);
    member.subscribe(&["orders"]);
    assert_eq!(member.state(), GroupState::Stable, "nothing changed");
    member.subscribe(&["orders", "payments"]);
    let (token, reason) = expect_event!(member, Revoke { token, reason });
    assert_eq!(reason, "the subscription changed: `payments` added");
    member.done(token);
    let (_, request) = expect_request!(member, JoinGroup);
    assert_eq!(request.reason.as_deref(), Some(reason.as_str()));
    let subscription = Subscription::decode(&request.protocols[0].metadata).unwrap();
    assert_eq!(subscription.topics, ["orders", "payments"]);
}

#[test]
fn a_subscription_that_changes_during_the_join_is_joined_for_after_it() {
    let mut member = stable(config(&["cooperative-sticky"]), &[0]);
    member.input(|machine, now| machine.request_rejoin("a test", now));
    member.subscribe(&["orders", "payments"]);
    finish_join(
        &mut member,
        2,
        "cooperative-sticky",
        &partitions("orders", &[0]),
    );
    let (_, request) = expect_request!(member, JoinGroup);
    assert_eq!(
        request.reason.as_deref(),
        Some("the subscription changed: `payments` added")
    );
}

#[test]
fn a_subscription_that_changes_before_the_join_goes_with_it() {
    let mut member = stable(config(&["range"]), &[0]);
    heartbeat_answered(&mut member, ErrorCode::REBALANCE_IN_PROGRESS);
    let (token,) = expect_event!(member, Revoke { token });
    member.subscribe(&["payments"]);
    member.done(token);
    let (id, request) = expect_request!(member, JoinGroup);
    let subscription = Subscription::decode(&request.protocols[0].metadata).unwrap();
    assert_eq!(subscription.topics, ["payments"]);
    member.answer(id, follows("m", 2, "range"));
    crate::script::finish_sync(&mut member, &partitions("payments", &[0]));
    assert_eq!(member.state(), GroupState::Stable);
    member.expect_silence();
}

#[test]
fn a_wish_to_rejoin_waits_for_the_rebalance_that_is_under_way() {
    let mut member = syncing(config(&["cooperative-sticky"]));
    member.input(|machine, now| machine.request_rejoin("the application asked", now));
    crate::script::finish_sync(&mut member, &partitions("orders", &[0]));
    let (_, request) = expect_request!(member, JoinGroup);
    assert_eq!(request.reason.as_deref(), Some("the application asked"));
    // Once it is on its way, another wish is the same wish.
    member.input(|machine, now| machine.request_rejoin("again", now));
    member.expect_silence();
}

#[test]
fn a_lost_generation_keeps_the_member_id() {
    let mut member = stable(config(&["range"]), &[0]);
    heartbeat_answered(&mut member, ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(member.member_id(), "m");
    assert_eq!(member.machine.generation(), None);
    let (token, lost) = expect_event!(member, Lost { token, partitions });
    assert_eq!(lost, partitions("orders", &[0]));
    assert!(member.machine.owned().is_empty(), "not ours as of now");
    member.expect_silence();
    member.done(token);
    let (_, request) = expect_request!(member, JoinGroup);
    assert_eq!(request.member_id, "m");
}

#[test]
fn what_is_lost_while_it_is_given_up_is_lost() {
    let mut member = stable(config(&["range"]), &[0]);
    heartbeat_answered(&mut member, ErrorCode::REBALANCE_IN_PROGRESS);
    let (revoke,) = expect_event!(member, Revoke { token });
    heartbeat_answered(&mut member, ErrorCode::UNKNOWN_MEMBER_ID);
    let (lost, partitions_lost) = expect_event!(member, Lost { token, partitions });
    assert_eq!(partitions_lost, partitions("orders", &[0]));
    member.done(revoke);
    member.expect_silence();
    member.done(lost);
    let (_, request) = expect_request!(member, JoinGroup);
    assert_eq!(request.member_id, "");
}

#[test]
fn what_was_just_assigned_can_be_lost_before_the_application_knows_it() {
    let mut member = syncing(config(&["range"]));
    let (id, _) = expect_request!(member, SyncGroup);
    member.answer(id, crate::script::assigns(&partitions("orders", &[0])));
    let (assigned,) = expect_event!(member, Assigned { token });
    heartbeat_answered(&mut member, ErrorCode::UNKNOWN_MEMBER_ID);
    let (lost,) = expect_event!(member, Lost { token });
    member.done(assigned);
    member.expect_silence();
    member.done(lost);
    expect_request!(member, JoinGroup);
}
