//! The same error for everything a request asked for.

mod partitions;

use windlass_protocol::messages::api_versions::ApiVersionsResponse;
use windlass_protocol::messages::consumer_group_describe::ConsumerGroupDescribeResponse;
use windlass_protocol::messages::consumer_group_heartbeat::ConsumerGroupHeartbeatResponse;
use windlass_protocol::messages::create_partitions::{
    CreatePartitionsResponse, CreatePartitionsTopic, CreatePartitionsTopicResult,
};
use windlass_protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicResult, CreateTopicsResponse,
};
use windlass_protocol::messages::delete_groups::{DeletableGroupResult, DeleteGroupsResponse};
use windlass_protocol::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsResponse,
};
use windlass_protocol::messages::describe_groups::{DescribeGroupsResponse, DescribedGroup};
use windlass_protocol::messages::end_txn::EndTxnResponse;
use windlass_protocol::messages::find_coordinator::{Coordinator, FindCoordinatorResponse};
use windlass_protocol::messages::heartbeat::HeartbeatResponse;
use windlass_protocol::messages::init_producer_id::InitProducerIdResponse;
use windlass_protocol::messages::join_group::JoinGroupResponse;
use windlass_protocol::messages::leave_group::LeaveGroupResponse;
use windlass_protocol::messages::list_groups::ListGroupsResponse;
use windlass_protocol::messages::sasl_authenticate::SaslAuthenticateResponse;
use windlass_protocol::messages::sasl_handshake::SaslHandshakeResponse;
use windlass_protocol::messages::sync_group::SyncGroupResponse;
use windlass_protocol::{ErrorCode, RequestKind, ResponseKind};

/// Refuses a request with this error, in every place where its response has one.
pub(crate) fn refusal(request: &RequestKind, error_code: ErrorCode) -> ResponseKind {
    about_partitions(request, error_code)
        .or_else(|| about_groups(request, error_code))
        .or_else(|| about_topics(request, error_code))
        .unwrap_or_else(|| about_the_rest(request, error_code))
}

fn about_partitions(request: &RequestKind, error_code: ErrorCode) -> Option<ResponseKind> {
    Some(match request {
        RequestKind::Produce(request) => partitions::produce(request, error_code).into(),
        RequestKind::Fetch(request) => partitions::fetch(request, error_code).into(),
        RequestKind::ListOffsets(request) => partitions::list_offsets(request, error_code).into(),
        RequestKind::Metadata(request) => partitions::metadata(request, error_code).into(),
        RequestKind::OffsetCommit(request) => partitions::offset_commit(request, error_code).into(),
        RequestKind::OffsetFetch(request) => partitions::offset_fetch(request, error_code).into(),
        RequestKind::OffsetForLeaderEpoch(request) => {
            partitions::offset_for_leader_epoch(request, error_code).into()
        }
        RequestKind::AddPartitionsToTxn(request) => {
            partitions::add_partitions_to_txn(request, error_code).into()
        }
        _ => return None,
    })
}

fn about_groups(request: &RequestKind, error_code: ErrorCode) -> Option<ResponseKind> {
    Some(match request {
        RequestKind::FindCoordinator(request) => {
            let refuse = |key: &String| Coordinator {
                key: key.clone(),
                node_id: -1,
                port: -1,
                error_code,
                ..Coordinator::default()
            };
            FindCoordinatorResponse {
                coordinators: request.coordinator_keys.iter().map(refuse).collect(),
                ..FindCoordinatorResponse::default()
            }
            .into()
        }
        RequestKind::JoinGroup(request) => JoinGroupResponse {
            error_code,
            generation_id: -1,
            protocol_name: Some(String::new()),
            member_id: request.member_id.clone(),
            ..JoinGroupResponse::default()
        }
        .into(),
        RequestKind::SyncGroup(_) => SyncGroupResponse {
            error_code,
            ..SyncGroupResponse::default()
        }
        .into(),
        RequestKind::Heartbeat(_) => HeartbeatResponse {
            error_code,
            ..HeartbeatResponse::default()
        }
        .into(),
        RequestKind::LeaveGroup(_) => LeaveGroupResponse {
            error_code,
            ..LeaveGroupResponse::default()
        }
        .into(),
        RequestKind::DescribeGroups(request) => {
            let refuse = |group: &String| DescribedGroup {
                group_id: group.clone(),
                error_code,
                ..DescribedGroup::default()
            };
            DescribeGroupsResponse {
                groups: request.groups.iter().map(refuse).collect(),
                ..DescribeGroupsResponse::default()
            }
            .into()
        }
        RequestKind::DeleteGroups(request) => {
            let refuse = |group: &String| DeletableGroupResult {
                group_id: group.clone(),
                error_code,
            };
            DeleteGroupsResponse {
                results: request.groups_names.iter().map(refuse).collect(),
                ..DeleteGroupsResponse::default()
            }
            .into()
        }
        RequestKind::ListGroups(_) => ListGroupsResponse {
            error_code,
            ..ListGroupsResponse::default()
        }
        .into(),
        _ => return None,
    })
}

fn about_topics(request: &RequestKind, error_code: ErrorCode) -> Option<ResponseKind> {
    Some(match request {
        RequestKind::CreateTopics(request) => {
            let refuse = |topic: &CreatableTopic| CreatableTopicResult {
                name: topic.name.clone(),
                error_code,
                ..CreatableTopicResult::default()
            };
            CreateTopicsResponse {
                topics: request.topics.iter().map(refuse).collect(),
                ..CreateTopicsResponse::default()
            }
            .into()
        }
        RequestKind::DeleteTopics(request) => {
            let refuse = |topic: &DeleteTopicState| DeletableTopicResult {
                name: topic.name.clone(),
                topic_id: topic.topic_id,
                error_code,
                ..DeletableTopicResult::default()
            };
            DeleteTopicsResponse {
                responses: request.topics.iter().map(refuse).collect(),
                ..DeleteTopicsResponse::default()
            }
            .into()
        }
        RequestKind::CreatePartitions(request) => {
            let refuse = |topic: &CreatePartitionsTopic| CreatePartitionsTopicResult {
                name: topic.name.clone(),
                error_code,
                ..CreatePartitionsTopicResult::default()
            };
            CreatePartitionsResponse {
                results: request.topics.iter().map(refuse).collect(),
                ..CreatePartitionsResponse::default()
            }
            .into()
        }
        _ => return None,
    })
}

fn about_the_rest(request: &RequestKind, error_code: ErrorCode) -> ResponseKind {
    match request {
        RequestKind::ApiVersions(_) => ApiVersionsResponse {
            error_code,
            ..ApiVersionsResponse::default()
        }
        .into(),
        RequestKind::SaslHandshake(_) => SaslHandshakeResponse {
            error_code,
            ..SaslHandshakeResponse::default()
        }
        .into(),
        RequestKind::SaslAuthenticate(_) => SaslAuthenticateResponse {
            error_code,
            ..SaslAuthenticateResponse::default()
        }
        .into(),
        RequestKind::InitProducerId(_) => InitProducerIdResponse {
            error_code,
            producer_id: -1,
            ..InitProducerIdResponse::default()
        }
        .into(),
        RequestKind::EndTxn(_) => EndTxnResponse {
            error_code,
            ..EndTxnResponse::default()
        }
        .into(),
        RequestKind::ConsumerGroupHeartbeat(_) => ConsumerGroupHeartbeatResponse {
            error_code,
            ..ConsumerGroupHeartbeatResponse::default()
        }
        .into(),
        // Nothing is said of what this broker does not know.
        _ => ConsumerGroupDescribeResponse::default().into(),
    }
}
