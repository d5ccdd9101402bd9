//! Leading: reading the others, waiting for metadata, computing, handing out, watching.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use windlass_assignor::{AssignError, Assignment};
use windlass_group::{AssignmentJob, AssignmentToken, GroupConfig, GroupError, GroupState};
use windlass_model::{Generation, TopicPartition};
use windlass_protocol::ErrorCode;
use windlass_protocol::consumer_protocol;
use windlass_protocol::messages::describe_groups::{
    DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use windlass_protocol::messages::join_group::JoinGroupResponseMember;
use windlass_protocol::messages::sync_group::SyncGroupRequest;

use crate::member::{Member, config, expect_event, expect_request, partitions, topics};
use crate::script::{finish_sync, heartbeat, joining, leads, subscription};

/// A member that leads a group of itself, subscribed to `orders`, and `n`, subscribed to these.
fn leading(settings: GroupConfig, other: &[&str]) -> Member {
    let protocol = settings.assignors[0].name().to_owned();
    let mut member = joining(settings);
    let (id, _) = expect_request!(member, JoinGroup);
    let (mine, other) = (subscription(&["orders"]), subscription(other));
    member.answer(id, leads("m", 1, &protocol, &[("m", &mine), ("n", &other)]));
    member
}

fn compute(member: &mut Member) -> (AssignmentToken, AssignmentJob) {
    expect_event!(member, ComputeAssignment { token, job })
}

/// Who gets what in the request.
fn handed_out(request: &SyncGroupRequest) -> Vec<(String, Vec<String>)> {
    let entries = request.assignments.iter().map(|one| {
        let assignment = consumer_protocol::Assignment::decode(&one.assignment).unwrap();
        let partitions = assignment.partitions.iter();
        let partitions = partitions.map(|one| one.to_string()).collect();
        (one.member_id.clone(), partitions)
    });
    entries.collect()
}

#[test]
fn a_leader_assigns_for_all() {
    let mut member = joining(config(&["range"]));
    member.show(&[("orders", 3)]);
    let (id, _) = expect_request!(member, JoinGroup);
    let mine = subscription(&["orders"]);
    member.answer(id, leads("m", 1, "range", &[("m", &mine), ("n", &mine)]));
    let (token, job) = compute(&mut member);
    assert_eq!((job.strategy(), job.member_count()), ("range", 2));
    member.input(|machine, now| machine.on_assignment_computed(token, job.run(), now));
    let (id, request) = expect_request!(member, SyncGroup);
    assert_eq!(request.member_id, "m");
    assert_eq!(request.generation_id, 1);
    assert_eq!(request.protocol_type.as_deref(), Some("consumer"));
    assert_eq!(request.protocol_name.as_deref(), Some("range"));
    assert_eq!(
        handed_out(&request),
        [
            (
                "m".to_owned(),
                vec!["orders-0".to_owned(), "orders-1".to_owned()]
            ),
            ("n".to_owned(), vec!["orders-2".to_owned()]),
        ]
    );
    member.answer(id, crate::script::assigns(&partitions("orders", &[0, 1])));
    let (owned,) = expect_event!(member, Assigned { owned });
    assert_eq!(owned, partitions("orders", &[0, 1]));
}

#[test]
fn a_follower_hands_out_nothing() {
    let mut member = crate::script::syncing(config(&["range"]));
    let (_, request) = expect_request!(member, SyncGroup);
    assert!(request.assignments.is_empty());
}

#[test]
fn a_leader_waits_for_topics_only_others_want() {
    let mut member = leading(config(&["range"]), &["payments"]);
    let (wanted, reason) = expect_event!(member, MetadataNeeded { topics, reason });
    assert_eq!(wanted, topics(&["orders", "payments"]));
    assert!(reason.contains("leads"), "{reason}");
    member.expect_silence();
    // An answer that was on its way before the question was asked.
    member.show(&[("orders", 1)]);
    assert_eq!(member.state(), GroupState::CompletingRebalance);
    member.show(&[("orders", 1), ("payments", 1)]);
    let (token, job) = compute(&mut member);
    member.input(|machine, now| machine.on_assignment_computed(token, job.run(), now));
    let (_, request) = expect_request!(member, SyncGroup);
    assert_eq!(
        handed_out(&request),
        [
            ("m".to_owned(), vec!["orders-0".to_owned()]),
            ("n".to_owned(), vec!["payments-0".to_owned()]),
        ]
    );
}

#[test]
fn a_topic_that_does_not_exist_holds_nobody_up_for_long() {
    let mut member = leading(config(&["range"]), &["ghost"]);
    member.show(&[("orders", 1)]);
    member.show(&[("orders", 1)]);
    // The second picture cannot be older than the question.
    let (token, job) = compute(&mut member);
    member.input(|machine, now| machine.on_assignment_computed(token, job.run(), now));
    expect_request!(member, SyncGroup);
}

#[test]
fn without_metadata_a_leader_assigns_what_it_knows_after_a_while() {
    let mut member = leading(config(&["range"]), &["ghost"]);
    let mut waited = Duration::ZERO;
    let begin = member.now;
    while !member
        .events
        .iter()
        .any(|one| matches!(one, windlass_group::GroupEvent::ComputeAssignment { .. }))
    {
        member.wake();
        // The member stays alive meanwhile.
        while let Some(outgoing) = member.requests.pop_front() {
            member.answer(outgoing.id, heartbeat(ErrorCode::NONE));
        }
        waited = member.now - begin;
    }
    assert_eq!(waited, Duration::from_secs(30));
}

#[test]
fn a_member_that_cannot_be_read_gets_nothing_and_harms_nobody() {
    let mut member = joining(config(&["range"]));
    member.show(&[("orders", 2)]);
    let (id, _) = expect_request!(member, JoinGroup);
    let mine = subscription(&["orders"]);
    let mut response = leads("m", 1, "range", &[("m", &mine)]);
    for (index, garbage) in [
        &b""[..],
        b"\0",
        b"\0\x03\xff\xff\xff\xff",
        b"\xff\xff\0\0",
        &[0x7f; 40],
    ]
    .into_iter()
    .enumerate()
    {
        response.members.push(JoinGroupResponseMember {
            member_id: format!("garbage-{index}"),
            group_instance_id: None,
            metadata: Bytes::from_static(garbage),
        });
    }
    member.answer(id, response);
    let ignored = member.machine.counters().unreadable_subscriptions;
    assert!(ignored >= 4, "{ignored}");
    member
        .events
        .retain(|one| !matches!(one, windlass_group::GroupEvent::MemberIgnored { .. }));
    let (token, job) = compute(&mut member);
    member.input(|machine, now| machine.on_assignment_computed(token, job.run(), now));
    let (_, request) = expect_request!(member, SyncGroup);
    let out = handed_out(&request);
    assert_eq!(out.len(), 6, "everybody gets an entry");
    for (id, partitions) in out {
        assert_eq!(partitions.len(), if id == "m" { 2 } else { 0 }, "{id}");
    }
}

#[test]
fn a_strategy_that_fails_ends_the_membership_and_makes_room_for_another_leader() {
    let mut member = leading(config(&["range"]), &["orders"]);
    member.show(&[("orders", 2)]);
    let (token, _) = compute(&mut member);
    let failed: Result<Assignment, AssignError> = Err(AssignError::TooLarge);
    member.input(|machine, now| machine.on_assignment_computed(token, failed, now));
    let (error,) = expect_event!(member, Failed { error });
    assert!(
        matches!(error, GroupError::Assignment(AssignError::TooLarge)),
        "{error:?}"
    );
    let (_, request) = expect_request!(member, LeaveGroup);
    assert_eq!(request.members[0].member_id, "m");
    assert_eq!(member.state(), GroupState::Fatal);
}

#[test]
fn an_assignment_computed_too_late_is_dropped() {
    let mut member = leading(config(&["range"]), &["orders"]);
    member.show(&[("orders", 2)]);
    let (token, job) = compute(&mut member);
    member.pass(Duration::from_secs(3));
    let (id, _) = expect_request!(member, Heartbeat);
    member.answer(id, heartbeat(ErrorCode::UNKNOWN_MEMBER_ID));
    expect_request!(member, JoinGroup);
    member.input(|machine, now| machine.on_assignment_computed(token, job.run(), now));
    member.expect_silence();
    assert_eq!(member.machine.counters().late_answers, 1);
}

#[test]
fn heartbeats_go_on_while_the_assignment_is_computed() {
    let mut member = leading(config(&["range"]), &["orders"]);
    member.show(&[("orders", 2)]);
    compute(&mut member);
    for _ in 0..10 {
        member.pass(Duration::from_secs(3));
        let (id, _) = expect_request!(member, Heartbeat);
        member.answer(id, heartbeat(ErrorCode::NONE));
    }
    assert_eq!(member.state(), GroupState::CompletingRebalance);
}

/// A settled leader of a group of one.
fn stable_leader(shown: &[(&str, usize)]) -> Member {
    let mut member = joining(config(&["cooperative-sticky"]));
    member.show(shown);
    member.show(shown);
    let (id, _) = expect_request!(member, JoinGroup);
    let mine = subscription(&["orders"]);
    member.answer(id, leads("m", 1, "cooperative-sticky", &[("m", &mine)]));
    if shown.is_empty() {
        member.show(shown);
        member.show(shown);
    }
    let (token, job) = compute(&mut member);
    member.input(|machine, now| machine.on_assignment_computed(token, job.run(), now));
    finish_sync(&mut member, &BTreeSet::new());
    assert_eq!(member.state(), GroupState::Stable);
    member
}

#[test]
fn a_leader_rejoins_when_partitions_are_added() {
    let mut member = stable_leader(&[("orders", 6)]);
    member.show(&[("orders", 6), ("others", 3)]);
    member.expect_silence();
    member.show(&[("orders", 8)]);
    let (_, request) = expect_request!(member, JoinGroup);
    let reason = request.reason.unwrap();
    assert_eq!(reason, "partition count of `orders` went 6 → 8");
}

#[test]
fn a_leader_rejoins_when_a_topic_appears_or_goes() {
    let mut member = stable_leader(&[]);
    member.show(&[("orders", 4)]);
    let (_, request) = expect_request!(member, JoinGroup);
    assert_eq!(
        request.reason.unwrap(),
        "topic `orders` appeared with 4 partitions"
    );
    let mut member = stable_leader(&[("orders", 6)]);
    member.show(&[]);
    member.expect_silence();
    member.show(&[]);
    let (_, request) = expect_request!(member, JoinGroup);
    assert_eq!(request.reason.unwrap(), "topic `orders` is gone");
}

#[test]
fn a_change_during_the_rebalance_is_seen_after_it() {
    let mut member = leading(config(&["cooperative-sticky"]), &["orders"]);
    member.show(&[("orders", 2)]);
    let (token, job) = compute(&mut member);
    member.show(&[("orders", 3)]);
    member.input(|machine, now| machine.on_assignment_computed(token, job.run(), now));
    finish_sync(&mut member, &partitions("orders", &[0]));
    let (_, request) = expect_request!(member, JoinGroup);
    assert_eq!(
        request.reason.unwrap(),
        "partition count of `orders` went 2 → 3"
    );
}

#[test]
fn a_follower_watches_nothing() {
    let mut member = crate::script::stable(config(&["range"]), &[0]);
    member.show(&[("orders", 6)]);
    member.show(&[("orders", 8)]);
    member.expect_silence();
    assert_eq!(member.state(), GroupState::Stable);
}

#[test]
fn a_leader_that_becomes_a_follower_needs_no_topics_any_more() {
    let mut member = stable_leader(&[("orders", 6)]);
    member.input(|machine, now| machine.request_rejoin("a test", now));
    member.events.clear();
    let (id, _) = expect_request!(member, JoinGroup);
    member.answer(id, crate::script::follows("m", 2, "cooperative-sticky"));
    let (wanted,) = expect_event!(member, MetadataNeeded { topics });
    assert!(wanted.is_empty());
    finish_sync(&mut member, &BTreeSet::new());
    member.show(&[("orders", 9)]);
    member.expect_silence();
}

/// A static leader that came back to a group subscribed to `orders` and `ghost`.
fn returned_leader() -> Member {
    let (mine, other) = (subscription(&["orders"]), subscription(&["ghost"]));
    returned_leader_of(&[("m", &mine), ("n", &other)])
}

fn returned_leader_of(members: &[(&str, &consumer_protocol::Subscription)]) -> Member {
    let mut settings = config(&["cooperative-sticky"]);
    settings.group_instance_id = Some("i".into());
    let mut member = joining(settings);
    let (id, request) = expect_request!(member, JoinGroup);
    assert_eq!(request.group_instance_id.as_deref(), Some("i"));
    let mut response = leads("m", 4, "cooperative-sticky", members);
    response.skip_assignment = true;
    member.answer(id, response);
    member
}

#[test]
fn a_returning_static_leader_only_watches() {
    let mut member = returned_leader();
    let (wanted,) = expect_event!(member, MetadataNeeded { topics });
    assert_eq!(wanted, topics(&["ghost", "orders"]));
    let (id, request) = expect_request!(member, SyncGroup);
    assert!(
        request.assignments.is_empty(),
        "the coordinator has the assignment"
    );
    member.answer(id, crate::script::assigns(&partitions("orders", &[0])));
    let (token,) = expect_event!(member, Assigned { token });
    member.done(token);
    let (id, request) = expect_request!(member, DescribeGroups);
    assert_eq!(request.groups, ["g"]);
    // Who owns what is what the assignment was made from: no rebalance for the others.
    let others = partitions("orders", &[1, 2, 3, 4, 5]);
    member.answer(id, described(&[partitions("orders", &[0]), others]));
    member.show(&[("orders", 6)]);
    member.show(&[("orders", 6)]);
    member.expect_silence();
    assert_eq!(member.state(), GroupState::Stable);
    member.show(&[("orders", 8)]);
    let (_, request) = expect_request!(member, JoinGroup);
    assert_eq!(
        request.reason.unwrap(),
        "partition count of `orders` went 6 → 8"
    );
}

/// A stable group whose members are assigned these.
fn described(assigned: &[BTreeSet<TopicPartition>]) -> DescribeGroupsResponse {
    let members = assigned.iter().map(|partitions| DescribedGroupMember {
        member_assignment: crate::script::assignment(partitions),
        ..DescribedGroupMember::default()
    });
    DescribeGroupsResponse {
        groups: vec![DescribedGroup {
            group_id: "g".to_owned(),
            group_state: "Stable".to_owned(),
            members: members.collect(),
            ..DescribedGroup::default()
        }],
        ..DescribeGroupsResponse::default()
    }
}

#[test]
fn a_returning_static_leader_sees_what_grew_while_it_was_away() {
    let mut member = returned_leader();
    finish_sync(&mut member, &partitions("orders", &[0]));
    // The first answer tells nothing, as the group is at something else.
    let (id, _) = expect_request!(member, DescribeGroups);
    member.answer(id, DescribeGroupsResponse::default());
    member.show(&[("orders", 6)]);
    crate::script::live(&mut member, Duration::from_secs(10));
    let (id, _) = expect_request!(member, DescribeGroups);
    let others = partitions("orders", &[1, 2, 3]);
    member.answer(id, described(&[partitions("orders", &[0]), others]));
    let (_, request) = expect_request!(member, JoinGroup);
    assert_eq!(
        request.reason.unwrap(),
        "partition count of `orders` went 4 → 6"
    );
}

#[test]
fn a_static_leader_without_followers_sees_what_grew_while_it_was_away() {
    let mut member = returned_leader_of(&[("m", &subscription(&["orders"]))]);
    finish_sync(&mut member, &partitions("orders", &[0, 1]));
    member.show(&[("orders", 3)]);
    let (_, request) = expect_request!(member, JoinGroup);
    assert_eq!(
        request.reason.unwrap(),
        "partition count of `orders` went 2 → 3"
    );
}

#[test]
fn a_returning_static_leader_sees_topics_appear() {
    let mut member = returned_leader();
    finish_sync(&mut member, &BTreeSet::new());
    let (id, _) = expect_request!(member, DescribeGroups);
    let others = partitions("orders", &[0, 1, 2, 3, 4, 5]);
    member.answer(id, described(&[others]));
    member.show(&[("orders", 6)]);
    member.show(&[("orders", 6)]);
    member.show(&[("orders", 6), ("ghost", 1)]);
    let (_, request) = expect_request!(member, JoinGroup);
    assert_eq!(
        request.reason.unwrap(),
        "topic `ghost` appeared with 1 partition"
    );
}

#[test]
fn a_strategy_sees_everything_the_members_say() {
    let mut member = joining(config(&["range"]));
    member.show(&[("orders", 3)]);
    let (id, _) = expect_request!(member, JoinGroup);
    let owned = partitions("orders", &[2]);
    let said = consumer_protocol::Subscription {
        user_data: Some(Bytes::from_static(b"data")),
        owned_partitions: owned.iter().collect(),
        generation: Generation::from_wire(4),
        rack: Some("r1".to_owned()),
        ..subscription(&["orders"])
    };
    let mut response = leads("m", 5, "range", &[("m", &said)]);
    response.members[0].group_instance_id = Some("instance".to_owned());
    member.answer(id, response);
    let (_, job) = compute(&mut member);
    let seen = job.members().get("m").unwrap();
    assert_eq!(seen.instance_id, Some("instance".into()));
    assert_eq!(seen.topics, ["orders"]);
    assert_eq!(seen.owned, owned.iter().collect());
    assert_eq!(seen.generation, Generation::from_wire(4));
    assert_eq!(seen.rack.as_deref(), Some("r1"));
    assert_eq!(seen.user_data, b"data");
}
