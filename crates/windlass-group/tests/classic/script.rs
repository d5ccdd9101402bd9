//! Answers of a coordinator, written by hand, and the ways through the protocol that many tests begin
//! with.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use windlass_group::{GroupConfig, GroupState};
use windlass_model::{NodeId, TopicName, TopicPartition, TopicPartitions};
use windlass_protocol::consumer_protocol::{Assignment, Subscription};
use windlass_protocol::messages::find_coordinator::{Coordinator, FindCoordinatorResponse};
use windlass_protocol::messages::join_group::{JoinGroupResponse, JoinGroupResponseMember};
use windlass_protocol::messages::sync_group::SyncGroupResponse;
use windlass_protocol::messages::{HeartbeatResponse, LeaveGroupResponse};
use windlass_protocol::{ErrorCode, RequestKind};

use crate::member::{Member, expect_event, expect_request, partitions};

pub(crate) fn coordinator_at(node: NodeId) -> FindCoordinatorResponse {
    found(Coordinator {
        key: "g".to_owned(),
        node_id: node.0,
        host: "coordinator".to_owned(),
        port: 9092,
        ..Coordinator::default()
    })
}

pub(crate) fn no_coordinator(error_code: ErrorCode) -> FindCoordinatorResponse {
    found(Coordinator {
        key: "g".to_owned(),
        node_id: -1,
        port: -1,
        error_code,
        ..Coordinator::default()
    })
}

fn found(coordinator: Coordinator) -> FindCoordinatorResponse {
    FindCoordinatorResponse {
        coordinators: vec![coordinator],
        ..FindCoordinatorResponse::default()
    }
}

pub(crate) fn join_error(error_code: ErrorCode) -> JoinGroupResponse {
    JoinGroupResponse {
        error_code,
        ..JoinGroupResponse::default()
    }
}

/// MEMBER_ID_REQUIRED with the id to use.
pub(crate) fn use_id(member_id: &str) -> JoinGroupResponse {
    JoinGroupResponse {
        error_code: ErrorCode::MEMBER_ID_REQUIRED,
        member_id: member_id.to_owned(),
        ..JoinGroupResponse::default()
    }
}

/// The member follows `leader` in this generation.
pub(crate) fn follows(member_id: &str, generation: i32, protocol: &str) -> JoinGroupResponse {
    JoinGroupResponse {
        generation_id: generation,
        protocol_type: Some("consumer".to_owned()),
        protocol_name: Some(protocol.to_owned()),
        leader: "leader".to_owned(),
        member_id: member_id.to_owned(),
        ..JoinGroupResponse::default()
    }
}

/// The member leads a group of these members, each with its subscription.
pub(crate) fn leads(
    member_id: &str,
    generation: i32,
    protocol: &str,
    members: &[(&str, &Subscription)],
) -> JoinGroupResponse {
    let entry = |(id, subscription): &(&str, &Subscription)| JoinGroupResponseMember {
        member_id: (*id).to_owned(),
        group_instance_id: None,
        metadata: subscription.encode(3).unwrap(),
    };
    JoinGroupResponse {
        leader: member_id.to_owned(),
        members: members.iter().map(entry).collect(),
        ..follows(member_id, generation, protocol)
    }
}

pub(crate) fn subscription(names: &[&str]) -> Subscription {
    Subscription {
        topics: names.iter().map(|name| TopicName::new(name)).collect(),
        ..Subscription::default()
    }
}

pub(crate) fn assignment(assigned: &BTreeSet<TopicPartition>) -> Bytes {
    let partitions: TopicPartitions = assigned.iter().collect();
    let assignment = Assignment {
        partitions,
        user_data: None,
    };
    assignment.encode(3).unwrap()
}

pub(crate) fn assigns(assigned: &BTreeSet<TopicPartition>) -> SyncGroupResponse {
    SyncGroupResponse {
        protocol_type: Some("consumer".to_owned()),
        assignment: assignment(assigned),
        ..SyncGroupResponse::default()
    }
}

pub(crate) fn sync_error(error_code: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse {
        error_code,
        ..SyncGroupResponse::default()
    }
}

pub(crate) fn heartbeat(error_code: ErrorCode) -> HeartbeatResponse {
    HeartbeatResponse {
        error_code,
        ..HeartbeatResponse::default()
    }
}

pub(crate) fn leave(error_code: ErrorCode) -> LeaveGroupResponse {
    LeaveGroupResponse {
        error_code,
        ..LeaveGroupResponse::default()
    }
}

/// A member that has subscribed to `orders` and has sent its first JoinGroup.
pub(crate) fn joining(config: GroupConfig) -> Member {
    let mut member = Member::new(config);
    member.polling(true);
    member.subscribe(&["orders"]);
    member.find_coordinator();
    assert_eq!(member.state(), GroupState::PreparingRebalance);
    member
}

/// A follower named `m` in generation 1 that has sent its SyncGroup.
pub(crate) fn syncing(config: GroupConfig) -> Member {
    let protocol = config.assignors[0].name().to_owned();
    let mut member = joining(config);
    let (id, _) = expect_request!(member, JoinGroup);
    member.answer(id, follows("m", 1, &protocol));
    assert_eq!(member.state(), GroupState::CompletingRebalance);
    member
}

/// A settled follower named `m` in generation 1 that owns these partitions of `orders`.
pub(crate) fn stable(config: GroupConfig, owned: &[i32]) -> Member {
    let mut member = syncing(config);
    let owned = partitions("orders", owned);
    finish_sync(&mut member, &owned);
    assert_eq!(member.state(), GroupState::Stable);
    assert_eq!(member.machine.owned(), owned);
    member.expect_silence();
    member.events.clear();
    member.take_trace();
    member
}

/// Answers the SyncGroup that waits, and acknowledges the new assignment.
pub(crate) fn finish_sync(member: &mut Member, assigned: &BTreeSet<TopicPartition>) {
    let (id, _) = expect_request!(member, SyncGroup);
    member.answer(id, assigns(assigned));
    let (token,) = expect_event!(member, Assigned { token });
    member.done(token);
}

/// Answers the JoinGroup that waits as for a follower, then the SyncGroup.
pub(crate) fn finish_join(
    member: &mut Member,
    generation: i32,
    protocol: &str,
    assigned: &BTreeSet<TopicPartition>,
) {
    let (id, _) = expect_request!(member, JoinGroup);
    member.answer(id, follows("m", generation, protocol));
    finish_sync(member, assigned);
}

/// Lets the interval pass and answers the heartbeat that is sent then.
pub(crate) fn heartbeat_answered(member: &mut Member, error_code: ErrorCode) {
    let interval = member.machine.config().heartbeat_interval;
    member.pass(interval);
    let (id, _) = expect_request!(member, Heartbeat);
    member.answer(id, heartbeat(error_code));
}

/// Lets time pass with every heartbeat answered; other requests stay.
pub(crate) fn live(member: &mut Member, duration: Duration) {
    let until = member.now + duration;
    while member.now < until {
        let step = (until - member.now).min(Duration::from_millis(500));
        member.pass(step);
        let (beats, others): (Vec<_>, Vec<_>) = member
            .requests
            .drain(..)
            .partition(|one| matches!(one.request, RequestKind::Heartbeat(_)));
        member.requests.extend(others);
        for outgoing in beats {
            member.answer(outgoing.id, heartbeat(ErrorCode::NONE));
        }
    }
}
