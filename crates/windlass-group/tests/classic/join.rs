//! The first join, and what JoinGroup says.

use std::time::Duration;

use windlass_group::{GroupError, GroupState};
use windlass_model::{Generation, TopicPartitions};
use windlass_protocol::ErrorCode;
use windlass_protocol::consumer_protocol::Subscription;
use windlass_protocol::messages::join_group::JoinGroupResponse;

use crate::member::{Member, config, expect_event, expect_request, partitions};
use crate::script::{
    assigns, finish_sync, follows, heartbeat_answered, join_error, joining, stable, sync_error,
    syncing, use_id,
};

#[test]
fn a_member_alone_goes_through_the_states() {
    let mut member = joining(config(&["range"]));
    let (id, _) = expect_request!(member, JoinGroup);
    member.answer(id, follows("m", 1, "range"));
    finish_sync(&mut member, &partitions("orders", &[0]));
    let trace = member.take_trace();
    assert_eq!(
        trace,
        [
            GroupState::Unjoined,
            GroupState::PreparingRebalance,
            GroupState::CompletingRebalance,
            GroupState::Reconciling,
            GroupState::Stable,
        ]
    );
    assert_eq!(member.member_id(), "m");
    assert_eq!(member.machine.generation(), Generation::from_wire(1));
}

#[test]
fn the_request_says_everything_in_order_of_preference() {
    let mut settings = config(&["range", "cooperative-sticky"]);
    settings.client_rack = Some("r1".to_owned());
    let mut member = joining(settings);
    let outgoing = member.next_request();
    assert_eq!(
        outgoing.deadline,
        member.now + Duration::from_secs(65),
        "rebalance timeout + 5 s"
    );
    let windlass_protocol::RequestKind::JoinGroup(request) = outgoing.request else {
        panic!("{:?}", outgoing.request);
    };
    assert_eq!(request.group_id, "g");
    assert_eq!(request.member_id, "");
    assert_eq!(request.group_instance_id, None);
    assert_eq!(request.protocol_type, "consumer");
    assert_eq!(request.session_timeout_ms, 10_000);
    assert_eq!(request.rebalance_timeout_ms, 60_000);
    assert_eq!(request.reason.as_deref(), Some("subscribed to `orders`"));
    let names: Vec<&str> = request
        .protocols
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(names, ["range", "cooperative-sticky"]);
    let subscription = Subscription::decode(&request.protocols[0].metadata).unwrap();
    assert_eq!(subscription.topics, ["orders"]);
    assert_eq!(subscription.rack.as_deref(), Some("r1"));
    assert_eq!(subscription.generation, None);
    assert_eq!(
        subscription.user_data, None,
        "range says nothing of its own"
    );
    let sticky = Subscription::decode(&request.protocols[1].metadata).unwrap();
    assert_eq!(
        sticky.user_data.as_deref(),
        Some(&[0xff; 4][..]),
        "no generation yet"
    );
    assert_eq!(&request.protocols[0].metadata[..2], [0, 3], "version 3");
}

#[test]
fn a_cooperative_member_claims_what_it_owns_and_since_when() {
    let mut member = stable(config(&["cooperative-sticky"]), &[0, 2]);
    member.input(|machine, now| machine.request_rejoin("a test", now));
    let (_, request) = expect_request!(member, JoinGroup);
    let subscription = Subscription::decode(&request.protocols[0].metadata).unwrap();
    let owned: TopicPartitions = partitions("orders", &[0, 2]).iter().collect();
    assert_eq!(subscription.owned_partitions, owned);
    assert_eq!(subscription.generation, Generation::from_wire(1));
    assert_eq!(subscription.user_data.as_deref(), Some(&[0, 0, 0, 1][..]));
    assert_eq!(request.reason.as_deref(), Some("a test"));
}

#[test]
fn an_eager_member_claims_nothing_but_a_sticky_one_says_what_it_had() {
    let mut member = stable(config(&["sticky"]), &[0]);
    heartbeat_answered(&mut member, ErrorCode::REBALANCE_IN_PROGRESS);
    let (token,) = expect_event!(member, Revoke { token });
    member.done(token);
    let (_, request) = expect_request!(member, JoinGroup);
    let subscription = Subscription::decode(&request.protocols[0].metadata).unwrap();
    assert!(subscription.owned_partitions.is_empty());
    // One topic `orders` with partition 0, generation 1, as Kafka's sticky strategy writes it.
    let expected = b"\0\0\0\x01\0\x06orders\0\0\0\x01\0\0\0\0\0\0\0\x01";
    assert_eq!(subscription.user_data.as_deref(), Some(&expected[..]));
}

#[test]
fn a_required_member_id_is_used_at_once_without_taking_leave_again() {
    let mut member = stable(config(&["range"]), &[0]);
    heartbeat_answered(&mut member, ErrorCode::UNKNOWN_MEMBER_ID);
    let (token,) = expect_event!(member, Lost { token });
    member.done(token);
    let (id, request) = expect_request!(member, JoinGroup);
    assert_eq!(request.member_id, "");
    member.events.clear();
    member.answer(id, use_id("given"));
    let (_, request) = expect_request!(member, JoinGroup);
    assert_eq!(request.member_id, "given");
    assert!(member.events.is_empty(), "{:?}", member.events);
}

#[test]
fn a_coordinator_that_requires_ids_for_ever_is_not_asked_in_a_tight_loop() {
    let mut member = joining(config(&["range"]));
    let mut joins = 0;
    let end = member.now + Duration::from_secs(10);
    while member.now < end {
        match member.requests.pop_front() {
            Some(outgoing) => {
                joins += 1;
                assert!(joins < 30, "{joins} joins in ten seconds");
                member.answer(outgoing.id, use_id("another"));
            }
            None => {
                member.wake();
            }
        }
    }
}

#[test]
fn a_rebalance_that_never_ends_is_not_joined_in_a_tight_loop() {
    for code in [
        ErrorCode::REBALANCE_IN_PROGRESS,
        ErrorCode::UNKNOWN_MEMBER_ID,
    ] {
        let mut member = joining(config(&["range"]));
        let mut joins = 0;
        let end = member.now + Duration::from_secs(10);
        while member.now < end {
            let Some(outgoing) = member.requests.pop_front() else {
                member.wake();
                continue;
            };
            match outgoing.request {
                windlass_protocol::RequestKind::JoinGroup(_) => {
                    joins += 1;
                    assert!(joins < 30, "{joins} joins in ten seconds");
                    member.answer(outgoing.id, follows("m", joins, "range"));
                }
                _ => member.answer(outgoing.id, sync_error(code)),
            }
        }
    }
}

#[test]
fn a_long_reason_is_cut() {
    let mut member = stable(config(&["cooperative-sticky"]), &[0]);
    let reason = "ö".repeat(400);
    member.input(|machine, now| machine.request_rejoin(&reason, now));
    let (_, request) = expect_request!(member, JoinGroup);
    assert_eq!(request.reason.unwrap().chars().count(), 255);
}

#[test]
fn an_answer_of_another_type_or_strategy_is_fatal() {
    let other_type = JoinGroupResponse {
        protocol_type: Some("connect".to_owned()),
        ..follows("m", 1, "range")
    };
    let no_name = JoinGroupResponse {
        protocol_name: None,
        ..follows("m", 1, "range")
    };
    for response in [other_type, no_name, follows("m", 1, "roundrobin")] {
        let mut member = joining(config(&["range"]));
        let (id, _) = expect_request!(member, JoinGroup);
        member.answer(id, response);
        let (error,) = expect_event!(member, Failed { error });
        assert!(
            matches!(error, GroupError::InconsistentProtocol { .. }),
            "{error:?}"
        );
        assert_eq!(member.state(), GroupState::Fatal);
    }
}

#[test]
fn an_old_coordinator_names_no_type() {
    let mut member = joining(config(&["range"]));
    let (id, _) = expect_request!(member, JoinGroup);
    let response = JoinGroupResponse {
        protocol_type: None,
        ..follows("m", 1, "range")
    };
    member.answer(id, response);
    assert_eq!(member.state(), GroupState::CompletingRebalance);
}

#[test]
fn a_success_without_a_generation_is_no_success() {
    let mut member = joining(config(&["range"]));
    let (id, _) = expect_request!(member, JoinGroup);
    member.answer(id, follows("m", -1, "range"));
    assert_eq!(member.state(), GroupState::PreparingRebalance);
    assert_eq!(member.wake(), "join is tried again");
    expect_request!(member, JoinGroup);
}

#[test]
fn a_sync_that_answers_with_another_strategy_is_fatal() {
    for (protocol_type, name) in [
        ("consumer", "roundrobin"),
        ("connect", "range"),
        ("consumer", "sticky"),
    ] {
        let mut member = syncing(config(&["range", "roundrobin"]));
        let (id, _) = expect_request!(member, SyncGroup);
        let mut response = assigns(&partitions("orders", &[0]));
        response.protocol_type = Some(protocol_type.to_owned());
        response.protocol_name = Some(name.to_owned());
        member.answer(id, response);
        assert_eq!(member.state(), GroupState::Fatal, "{protocol_type} {name}");
    }
}

#[test]
fn an_unreadable_assignment_is_asked_for_again_after_a_pause() {
    let mut member = syncing(config(&["range"]));
    let (id, _) = expect_request!(member, SyncGroup);
    let mut response = assigns(&partitions("orders", &[0]));
    response.assignment = response.assignment.slice(..7);
    member.answer(id, response);
    assert_eq!(member.wake(), "join is tried again");
    let (_, request) = expect_request!(member, JoinGroup);
    assert!(request.reason.unwrap().contains("cannot be read"));
}

#[test]
fn no_bytes_at_all_are_an_empty_assignment() {
    let mut member = syncing(config(&["range"]));
    let (id, _) = expect_request!(member, SyncGroup);
    let mut response = assigns(&partitions("orders", &[]));
    response.assignment = bytes::Bytes::new();
    member.answer(id, response);
    let (added, owned) = expect_event!(member, Assigned { added, owned });
    assert!(added.is_empty() && owned.is_empty());
}

#[test]
fn partitions_that_cannot_exist_are_not_taken() {
    let mut member = syncing(config(&["range"]));
    let (id, _) = expect_request!(member, SyncGroup);
    member.answer(id, assigns(&partitions("orders", &[-1, 0])));
    let (owned,) = expect_event!(member, Assigned { owned });
    assert_eq!(owned, partitions("orders", &[0]));
}

#[test]
fn an_assignment_of_a_topic_no_longer_wanted_is_not_taken() {
    let mut member = syncing(config(&["range"]));
    let (id, _) = expect_request!(member, SyncGroup);
    member.subscribe(&["payments"]);
    member.answer(id, assigns(&partitions("orders", &[0])));
    assert!(member.machine.owned().is_empty());
    let (_, request) = expect_request!(member, JoinGroup);
    assert!(
        request
            .reason
            .unwrap()
            .contains("not subscribed to any more")
    );
    let subscription = Subscription::decode(&request.protocols[0].metadata).unwrap();
    assert_eq!(subscription.topics, ["payments"]);
}

#[test]
fn an_answer_to_a_join_that_was_given_up_is_late() {
    let mut member = joining(config(&["range"]));
    let (id, _) = expect_request!(member, JoinGroup);
    let deadline = member.now + Duration::from_secs(1);
    let mode = windlass_group::LeaveMode::Default;
    member.input(|machine, now| machine.leave(mode, deadline, "closed", now));
    assert_eq!(member.state(), GroupState::Unsubscribed);
    member.answer(id, follows("m", 1, "range"));
    assert_eq!(member.machine.counters().late_answers, 1);
    assert_eq!(member.state(), GroupState::Unsubscribed);
    member.expect_silence();
}

#[test]
fn a_fatal_join_can_be_begun_again() {
    let mut member = joining(config(&["range"]));
    let (id, _) = expect_request!(member, JoinGroup);
    member.answer(id, join_error(ErrorCode::INVALID_SESSION_TIMEOUT));
    let (error,) = expect_event!(member, Failed { error });
    let expected = matches!(error, GroupError::InvalidSessionTimeout { .. });
    assert!(expected, "{error:?}");
    member.pass(Duration::from_secs(600));
    member.expect_silence();
    member.subscribe(&["orders"]);
    let (_, request) = expect_request!(member, JoinGroup);
    assert_eq!(request.member_id, "");
}

#[test]
fn subscribing_to_nothing_is_unsubscribing() {
    let mut member: Member = stable(config(&["range"]), &[0]);
    member.subscribe(&[]);
    assert_eq!(member.state(), GroupState::Leaving);
}
