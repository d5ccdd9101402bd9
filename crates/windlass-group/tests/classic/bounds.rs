//! Nobody is waited for without end: listeners, strategies, coordinators that are no more.

use std::collections::BTreeMap;
use std::time::Duration;

use windlass_group::{CommitMode, GroupError, GroupState, LeaveMode};
use windlass_model::{NodeId, OffsetAndMetadata, TopicPartition};
use windlass_protocol::ErrorCode;

use crate::commit::stored;
use crate::member::{Member, config, expect_event, expect_request, partitions};
use crate::script::{
    assigns, coordinator_at, follows, heartbeat, heartbeat_answered, joining, leads, leave, live,
    stable, subscription, syncing,
};

const SECOND: Duration = Duration::from_secs(1);

fn offset(partition: i32, offset: i64) -> BTreeMap<TopicPartition, OffsetAndMetadata> {
    let one = TopicPartition::new("orders", partition);
    BTreeMap::from([(one, OffsetAndMetadata::new(offset))])
}

/// A leader whose strategy is at work.
fn computing() -> Member {
    let mut member = joining(config(&["range"]));
    let (id, _) = expect_request!(member, JoinGroup);
    let orders = subscription(&["orders"]);
    member.answer(id, leads("m", 1, "range", &[("m", &orders)]));
    member.show(&[("orders", 2)]);
    expect_event!(member, ComputeAssignment { token });
    member.polling(true);
    member
}

#[test]
fn a_listener_that_does_not_return_from_an_arrival_leaves_the_partitions_to_others() {
    let mut member = syncing(config(&["range"]));
    member.polling(true);
    let (id, _) = expect_request!(member, SyncGroup);
    member.answer(id, assigns(&partitions("orders", &[0])));
    expect_event!(member, Assigned { token });
    live(&mut member, 59 * SECOND);
    assert_eq!(member.state(), GroupState::Reconciling);
    live(&mut member, SECOND);
    let (error,) = expect_event!(member, Trouble { error });
    assert!(
        matches!(error, GroupError::ListenerOverdue { .. }),
        "{error}"
    );
    let (token, lost) = expect_event!(member, Lost { token, partitions });
    assert_eq!(lost, partitions("orders", &[0]));
    expect_request!(member, LeaveGroup);
    // It is in nobody's way for as long as the listener hangs, and goes on when it returns.
    live(&mut member, 3600 * SECOND);
    member.expect_silence();
    assert_eq!(member.state(), GroupState::Stale);
    member.done(token);
    expect_request!(member, JoinGroup);
}

#[test]
fn a_strategy_that_does_not_return_makes_room_for_another_leader() {
    let mut member = computing();
    live(&mut member, 60 * SECOND);
    let (error,) = expect_event!(member, Failed { error });
    assert!(error.to_string().contains("`range`"), "{error}");
    expect_request!(member, LeaveGroup);
    assert_eq!(member.state(), GroupState::Fatal);
}

#[test]
fn a_leader_does_not_assign_for_a_generation_that_is_void() {
    let mut member = computing();
    heartbeat_answered(&mut member, ErrorCode::REBALANCE_IN_PROGRESS);
    let (_, request) = expect_request!(member, JoinGroup);
    assert_eq!(request.member_id, "m");
}

#[test]
fn a_new_coordinator_is_greeted_though_the_old_one_has_not_answered() {
    let mut member = stable(config(&["range"]), &[0]);
    member.pass(3 * SECOND);
    let (hanging, _) = expect_request!(member, Heartbeat);
    member.input(|machine, now| machine.commit(offset(0, 5), CommitMode::Async, now));
    let (id, request) = expect_request!(member, OffsetCommit);
    member.answer(id, stored(&request, ErrorCode::NOT_COORDINATOR));
    let (id, _) = expect_request!(member, FindCoordinator);
    member.answer(id, coordinator_at(NodeId(8)));
    let (greeting, _) = expect_request!(member, Heartbeat);
    let late = member.machine.counters().late_answers;
    member.answer(hanging, heartbeat(ErrorCode::UNKNOWN_MEMBER_ID));
    assert_eq!(member.machine.counters().late_answers, late + 1);
    member.answer(greeting, heartbeat(ErrorCode::NONE));
    assert_eq!(member.state(), GroupState::Stable);
}

#[test]
fn an_application_that_stays_away_is_warned_at_two_thirds_of_the_limit() {
    let mut member = stable(config(&["range"]), &[0]);
    member.polling(false);
    live(&mut member, 39 * SECOND);
    assert!(member.events.is_empty(), "{:?}", member.events);
    live(&mut member, SECOND);
    let (reason,) = expect_event!(member, PollOverdueSoon { reason });
    for part in ["40 s", "max.poll.interval.ms", "60 s", "poll more often"] {
        assert!(reason.contains(part), "`{part}` is missing: {reason}");
    }
    live(&mut member, 20 * SECOND);
    let (reason,) = expect_event!(member, Lost { reason });
    assert!(reason.contains("not polled for 60 s"), "{reason}");
}

#[test]
fn an_application_that_polls_in_time_is_not_warned() {
    let mut member = stable(config(&["range"]), &[0]);
    for _ in 0..5 {
        member.polling(false);
        live(&mut member, 39 * SECOND);
        member.polling(true);
        live(&mut member, 100 * SECOND);
    }
    assert!(member.events.is_empty(), "{:?}", member.events);
}

fn go(member: &mut Member, patience: Duration) {
    let deadline = member.now + patience;
    member.input(|machine, now| {
        machine.leave(LeaveMode::Default, deadline, "the consumer was closed", now);
    });
}

#[test]
fn the_group_is_told_in_time_though_the_listener_hangs() {
    let mut member = stable(config(&["range"]), &[0]);
    go(&mut member, 20 * SECOND);
    expect_event!(member, Revoke { token });
    live(&mut member, 17 * SECOND);
    assert!(member.requests.is_empty(), "{:?}", member.requests);
    live(&mut member, SECOND);
    let (id, _) = expect_request!(member, LeaveGroup);
    member.answer(id, leave(ErrorCode::NONE));
    expect_event!(member, Left { reason });
    assert_eq!(member.machine.poll_timeout(), None);
}

#[test]
fn the_group_is_told_in_time_though_a_commit_hangs_and_not_behind_it() {
    let mut member = stable(config(&["range"]), &[0]);
    member.input(|machine, now| machine.commit(offset(0, 5), CommitMode::Async, now));
    expect_request!(member, OffsetCommit);
    go(&mut member, 20 * SECOND);
    let (token,) = expect_event!(member, Revoke { token });
    member.done(token);
    live(&mut member, 18 * SECOND);
    let leave = member.next_request();
    let behind = matches!(
        leave.destination,
        windlass_machine::Destination::Coordinator(_)
    );
    assert!(
        !behind,
        "a coordinator answers one after the other: {leave:?}"
    );
    live(&mut member, 2 * SECOND);
    expect_event!(member, Left { reason });
}

#[test]
fn what_is_assigned_by_hand_is_committed_while_the_member_leaves() {
    let mut member = stable(config(&["range"]), &[0]);
    go(&mut member, 20 * SECOND);
    let commit = member.input(|machine, now| machine.commit(offset(1, 5), CommitMode::Async, now));
    let (id, request) = expect_request!(member, OffsetCommit);
    assert_eq!(request.generation_id_or_member_epoch, -1);
    assert_eq!(request.member_id, "");
    member.answer(id, stored(&request, ErrorCode::NONE));
    let results = &member.commit_results()[&commit.0];
    assert!(results.values().all(Result::is_ok), "{results:?}");
    // What it still owns it commits as the member that it still is.
    member.input(|machine, now| machine.commit(offset(0, 7), CommitMode::Async, now));
    let (_, request) = expect_request!(member, OffsetCommit);
    assert_eq!(request.member_id, "m");
}

#[test]
fn a_static_member_that_left_without_a_word_comes_back_under_its_id() {
    let mut fixed = config(&["range"]);
    fixed.group_instance_id = Some("instance".into());
    let mut member = stable(fixed, &[0]);
    member.input(windlass_group::GroupMachine::unsubscribe);
    let (token,) = expect_event!(member, Revoke { token });
    member.done(token);
    expect_event!(member, Left { reason });
    member.subscribe(&["orders"]);
    let (id, request) = expect_request!(member, JoinGroup);
    assert_eq!(
        request.member_id, "m",
        "it would fence itself (KAFKA-20985)"
    );
    member.answer(id, follows("m", 2, "range"));
    expect_request!(member, SyncGroup);
}

#[test]
fn an_offset_of_a_topic_that_is_gone_is_not_tried_again() {
    let mut member = stable(config(&["range"]), &[0]);
    let deadline = member.now + 50 * SECOND;
    let mode = CommitMode::Sync { deadline };
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let commit = member.input(|machine, now| machine.commit(offset(0, 5), mode, now));
    let (id, request) = expect_request!(member, OffsetCommit);
    member.answer(id, stored(&request, unknown));
    assert!(member.commit_results().is_empty(), "it may be new");
    member.show(&[("another", 1)]);
    assert_eq!(member.wake(), "commit is tried again");
    let (id, request) = expect_request!(member, OffsetCommit);
    member.answer(id, stored(&request, unknown));
    let results = &member.commit_results()[&commit.0];
    assert!(results.values().all(Result::is_err), "{results:?}");
}

/// A leader of a cooperative group whose assignment is in place; it gave so many of six partitions to
/// somebody, as the rest has to be given up by another member first.
fn leads_cooperatively(member: &mut Member, generation: i32, given: &[i32]) {
    let (id, _) = expect_request!(member, JoinGroup);
    let orders = subscription(&["orders"]);
    let mut other = subscription(&["orders"]);
    other.owned_partitions = partitions("orders", &[0, 1, 2, 3, 4, 5]).iter().collect();
    other.generation = windlass_model::Generation::from_wire(generation - 1);
    let members = match given {
        [] => vec![("m", &orders), ("other", &other)],
        _ => vec![("m", &orders)],
    };
    member.answer(id, leads("m", generation, "cooperative-sticky", &members));
    member.show(&[("orders", 6)]);
    let (token, job) = expect_event!(member, ComputeAssignment { token, job });
    member.input(|machine, now| machine.on_assignment_computed(token, job.run(), now));
    let (id, _) = expect_request!(member, SyncGroup);
    member.answer(id, assigns(&partitions("orders", given)));
    let (token,) = expect_event!(member, Assigned { token });
    member.done(token);
    assert_eq!(member.state(), GroupState::Stable);
}

#[test]
fn a_leader_calls_for_the_second_round_that_nobody_else_calls_for() {
    let mut member = joining(config(&["cooperative-sticky"]));
    member.polling(true);
    leads_cooperatively(&mut member, 1, &[]);
    live(&mut member, 9 * SECOND);
    member.expect_silence();
    live(&mut member, SECOND);
    // The same again: who gives up nothing will not do so the third time either.
    leads_cooperatively(&mut member, 2, &[]);
    live(&mut member, 600 * SECOND);
    member.expect_silence();
    assert_eq!(member.state(), GroupState::Stable);
}

#[test]
fn a_leader_that_gave_everything_away_calls_for_nothing() {
    let mut member = joining(config(&["cooperative-sticky"]));
    member.polling(true);
    leads_cooperatively(&mut member, 1, &[0, 1, 2, 3, 4, 5]);
    live(&mut member, 600 * SECOND);
    member.expect_silence();
}
