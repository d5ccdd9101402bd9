//! Finding the coordinator, losing it, and finding the next one.

use std::time::Duration;

use windlass_group::{Answering, GroupEvent, GroupState};
use windlass_machine::{Destination, FailureKind};
use windlass_model::NodeId;
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::find_coordinator::{Coordinator, FindCoordinatorResponse};

use crate::member::{Member, config, expect_event, expect_request, partitions};
use crate::script::{coordinator_at, heartbeat, no_coordinator, stable};

#[test]
fn nobody_is_asked_before_somebody_wants_something() {
    let mut member = Member::new(config(&["range"]));
    member.polling(true);
    member.show(&[("orders", 2)]);
    member.expect_silence();
    assert_eq!(member.machine.poll_timeout(), None);
}

#[test]
fn its_endpoint_is_told_because_the_metadata_may_not_have_it() {
    let mut member = Member::new(config(&["range"]));
    member.subscribe(&["orders"]);
    let (id, _) = expect_request!(member, FindCoordinator);
    member.answer(id, coordinator_at(NodeId(3)));
    let (node, endpoint) = expect_event!(member, CoordinatorFound { node, endpoint });
    assert_eq!(node, NodeId(3));
    assert_eq!(endpoint.to_string(), "coordinator:9092");
    assert_eq!(
        member.next_request().destination,
        Destination::Joining(NodeId(3))
    );
}

#[test]
fn an_old_broker_does_not_repeat_the_key() {
    let mut member = Member::new(config(&["range"]));
    member.subscribe(&["orders"]);
    let (id, _) = expect_request!(member, FindCoordinator);
    let coordinator = Coordinator {
        node_id: 3,
        host: "h".to_owned(),
        port: 1,
        ..Coordinator::default()
    };
    let response = FindCoordinatorResponse {
        coordinators: vec![coordinator],
        ..FindCoordinatorResponse::default()
    };
    member.answer(id, response);
    expect_request!(member, JoinGroup);
}

#[test]
fn pauses_between_lookups_grow() {
    let mut member = Member::new(config(&["range"]));
    member.subscribe(&["orders"]);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let (id, _) = expect_request!(member, FindCoordinator);
        member.answer(id, no_coordinator(ErrorCode::COORDINATOR_NOT_AVAILABLE));
        let before = member.now;
        assert_eq!(member.wake(), "coordinator is looked for again");
        pauses.push(member.now - before);
    }
    assert!(pauses[0] >= Duration::from_millis(80) && pauses[0] <= Duration::from_millis(120));
    assert!(pauses[7] >= Duration::from_millis(800) && pauses[7] <= Duration::from_secs(1));
}

#[test]
fn a_lookup_that_is_not_answered_is_repeated() {
    for kind in [
        FailureKind::Disconnected,
        FailureKind::TimedOut,
        FailureKind::Closed,
    ] {
        let mut member = Member::new(config(&["range"]));
        member.subscribe(&["orders"]);
        let (id, _) = expect_request!(member, FindCoordinator);
        member.fail(id, kind);
        member.wake();
        expect_request!(member, FindCoordinator);
    }
}

#[test]
fn an_answer_about_another_group_or_with_no_port_is_none() {
    for (key, port) in [("other", 9092), ("g", -1), ("g", 70_000)] {
        let mut member = Member::new(config(&["range"]));
        member.subscribe(&["orders"]);
        let (id, _) = expect_request!(member, FindCoordinator);
        let coordinator = Coordinator {
            key: key.to_owned(),
            port,
            ..Coordinator::default()
        };
        let response = FindCoordinatorResponse {
            coordinators: vec![coordinator],
            ..FindCoordinatorResponse::default()
        };
        member.answer(id, response);
        member.wake();
        expect_request!(member, FindCoordinator);
    }
}

#[test]
fn when_it_moves_the_membership_stays() {
    let mut member = stable(config(&["range"]), &[0, 1]);
    member.pass(Duration::from_secs(3));
    let (id, _) = expect_request!(member, Heartbeat);
    member.answer(id, heartbeat(ErrorCode::NOT_COORDINATOR));
    let (lookup, _) = expect_request!(member, FindCoordinator);
    member.answer(lookup, coordinator_at(NodeId(8)));
    let outgoing = member.next_request();
    assert_eq!(outgoing.destination, Destination::Coordinator(NodeId(8)));
    member.answer(outgoing.id, heartbeat(ErrorCode::NONE));
    assert_eq!(member.state(), GroupState::Stable);
    assert_eq!(member.machine.owned(), partitions("orders", &[0, 1]));
    assert_eq!(member.member_id(), "m");
    assert!(member.take_trace().is_empty(), "no state was left");
}

#[test]
fn a_coordinator_that_never_works_is_asked_for_ever_more_slowly() {
    let mut member = stable(config(&["range"]), &[0]);
    member.pass(Duration::from_secs(3));
    let mut lookups = 0;
    let end = member.now + Duration::from_secs(10);
    while member.now < end {
        match member.requests.pop_front() {
            None => {
                member.wake();
            }
            Some(outgoing) => match outgoing.request {
                windlass_protocol::RequestKind::FindCoordinator(_) => {
                    lookups += 1;
                    assert!(lookups <= 25, "{lookups} lookups in ten seconds");
                    member.answer(outgoing.id, coordinator_at(NodeId(7)));
                }
                _ => member.fail(outgoing.id, FailureKind::Disconnected),
            },
        }
    }
    assert!(lookups >= 8, "{lookups} lookups in ten seconds");
    assert_eq!(member.state(), GroupState::Stable);
}

#[test]
fn what_an_earlier_coordinator_says_does_not_lose_the_present_one() {
    let mut member = stable(config(&["range"]), &[0]);
    let one = partitions("orders", &[0]);
    let deadline = member.now + Duration::from_secs(20);
    member.input(|machine, now| machine.fetch_offsets(one, Answering::AtOnce, deadline, now));
    let (old, _) = expect_request!(member, OffsetFetch);
    member.pass(Duration::from_secs(3));
    let (id, _) = expect_request!(member, Heartbeat);
    member.answer(id, heartbeat(ErrorCode::NOT_COORDINATOR));
    member.find_coordinator();
    expect_request!(member, Heartbeat);
    member.events.clear();
    member.fail(old, FailureKind::Disconnected);
    let lost = member
        .events
        .iter()
        .any(|one| matches!(one, GroupEvent::CoordinatorLost { .. }));
    assert!(!lost, "{:?}", member.events);
}

#[test]
fn when_the_group_may_not_be_used_everything_that_waits_fails() {
    let mut member = Member::new(config(&["range"]));
    let one = partitions("orders", &[0]);
    let deadline = member.now + Duration::from_secs(20);
    member.input(|machine, now| machine.fetch_offsets(one, Answering::AtOnce, deadline, now));
    member.subscribe(&["orders"]);
    let (id, _) = expect_request!(member, FindCoordinator);
    member.answer(id, no_coordinator(ErrorCode::GROUP_AUTHORIZATION_FAILED));
    let (results,) = expect_event!(member, OffsetsFetched { results });
    assert!(results.values().all(Result::is_err));
    let (error, reason) = expect_event!(member, Trouble { error, reason });
    assert!(
        error
            .to_string()
            .contains("not authorized to use group `g`"),
        "{error}"
    );
    assert!(reason.contains("unjoined"), "{reason}");
    assert_eq!(member.state(), GroupState::Unjoined);
    member.expect_silence();
    // The rights may be granted at any time.
    assert_eq!(member.wake(), "coordinator is looked for again");
    expect_request!(member, FindCoordinator);
}
