//! The same error for everything a request asked for.

use windlass_protocol::messages::add_partitions_to_txn::AddPartitionsToTxnResponse;
use windlass_protocol::messages::api_versions::ApiVersionsResponse;
use windlass_protocol::messages::consumer_group_describe::ConsumerGroupDescribeResponse;
use windlass_protocol::messages::consumer_group_heartbeat::ConsumerGroupHeartbeatResponse;
use windlass_protocol::messages::create_partitions::CreatePartitionsResponse;
use windlass_protocol::messages::create_topics::CreateTopicsResponse;
use windlass_protocol::messages::delete_groups::{DeletableGroupResult, DeleteGroupsResponse};
use windlass_protocol::messages::delete_topics::DeleteTopicsResponse;
use windlass_protocol::messages::describe_groups::{DescribeGroupsResponse, DescribedGroup};
use windlass_protocol::messages::end_txn::EndTxnResponse;
use windlass_protocol::messages::fetch::{
    FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData,
};
use windlass_protocol::messages::find_coordinator::{Coordinator, FindCoordinatorResponse};
use windlass_protocol::messages::heartbeat::HeartbeatResponse;
use windlass_protocol::messages::init_producer_id::InitProducerIdResponse;
use windlass_protocol::messages::join_group::JoinGroupResponse;
use windlass_protocol::messages::leave_group::LeaveGroupResponse;
use windlass_protocol::messages::list_groups::ListGroupsResponse;
use windlass_protocol::messages::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use windlass_protocol::messages::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseTopic,
};
use windlass_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
};
use windlass_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResponseGroup,
};
use windlass_protocol::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderTopicResult,
};
use windlass_protocol::messages::produce::{
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse,
};
use windlass_protocol::messages::sasl_authenticate::SaslAuthenticateResponse;
use windlass_protocol::messages::sasl_handshake::SaslHandshakeResponse;
use windlass_protocol::messages::sync_group::SyncGroupResponse;
use windlass_protocol::{ErrorCode, RequestKind, ResponseKind};

/// Refuses a request with this error, in every place where its response has one.
pub(crate) fn refusal(request: &RequestKind, error_code: ErrorCode) -> ResponseKind {
    match request {
        RequestKind::Produce(request) => produce(request, error_code).into(),
        RequestKind::Fetch(request) => fetch(request, error_code).into(),
        RequestKind::ListOffsets(request) => list_offsets(request, error_code).into(),
        RequestKind::Metadata(request) => metadata(request, error_code).into(),
        RequestKind::OffsetCommit(request) => offset_commit(request, error_code).into(),
        RequestKind::OffsetFetch(request) => offset_fetch(request, error_code).into(),
        RequestKind::OffsetForLeaderEpoch(request) => {
            offset_for_leader_epoch(request, error_code).into()
        }
        RequestKind::FindCoordinator(request) => {
            let refuse = |key: &String| Coordinator {
                key: key.clone(),
                node_id: -1,
                port: -1,
                error_code,
                ..Coordinator::default()
            };
            let coordinators = request.coordinator_keys.iter().map(refuse).collect();
            FindCoordinatorResponse {
                coordinators,
                ..FindCoordinatorResponse::default()
            }
            .into()
        }
        RequestKind::JoinGroup(request) => JoinGroupResponse {
            error_code,
            generation_id: -1,
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
            let groups = request.groups.iter().map(refuse).collect();
            DescribeGroupsResponse {
                groups,
                ..DescribeGroupsResponse::default()
            }
            .into()
        }
        RequestKind::DeleteGroups(request) => {
            let refuse = |group: &String| DeletableGroupResult {
                group_id: group.clone(),
                error_code,
            };
            let results = request.groups_names.iter().map(refuse).collect();
            DeleteGroupsResponse {
                results,
                ..DeleteGroupsResponse::default()
            }
            .into()
        }
        RequestKind::ListGroups(_) => ListGroupsResponse {
            error_code,
            ..ListGroupsResponse::default()
        }
        .into(),
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
        // Nothing is said of any of the things asked for, which clients take for a failure.
        RequestKind::CreateTopics(_) => CreateTopicsResponse::default().into(),
        RequestKind::DeleteTopics(_) => DeleteTopicsResponse::default().into(),
        RequestKind::CreatePartitions(_) => CreatePartitionsResponse::default().into(),
        RequestKind::AddPartitionsToTxn(_) => AddPartitionsToTxnResponse::default().into(),
        // Nor is anything said of what this broker does not know.
        _ => ConsumerGroupDescribeResponse::default().into(),
    }
}

fn produce(request: &ProduceRequest, error_code: ErrorCode) -> ProduceResponse {
    let responses = request
        .topic_data
        .iter()
        .map(|topic| TopicProduceResponse {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partition_responses: topic
                .partition_data
                .iter()
                .map(|partition| PartitionProduceResponse {
                    index: partition.index,
                    error_code,
                    base_offset: -1,
                    ..PartitionProduceResponse::default()
                })
                .collect(),
        })
        .collect();
    ProduceResponse {
        responses,
        ..ProduceResponse::default()
    }
}

fn fetch(request: &FetchRequest, error_code: ErrorCode) -> FetchResponse {
    let responses = request
        .topics
        .iter()
        .map(|topic| FetchableTopicResponse {
            topic: topic.topic.clone(),
            topic_id: topic.topic_id,
            partitions: topic
                .partitions
                .iter()
                .map(|partition| PartitionData {
                    partition_index: partition.partition,
                    error_code,
                    high_watermark: -1,
                    ..PartitionData::default()
                })
                .collect(),
        })
        .collect();
    FetchResponse {
        responses,
        ..FetchResponse::default()
    }
}

fn list_offsets(request: &ListOffsetsRequest, error_code: ErrorCode) -> ListOffsetsResponse {
    let topics = request
        .topics
        .iter()
        .map(|topic| ListOffsetsTopicResponse {
            name: topic.name.clone(),
            partitions: topic
                .partitions
                .iter()
                .map(|partition| ListOffsetsPartitionResponse {
                    partition_index: partition.partition_index,
                    error_code,
                    offset: -1,
                    timestamp: -1,
                    leader_epoch: -1,
                })
                .collect(),
        })
        .collect();
    ListOffsetsResponse {
        topics,
        ..ListOffsetsResponse::default()
    }
}

fn metadata(request: &MetadataRequest, error_code: ErrorCode) -> MetadataResponse {
    let topics = request
        .topics
        .iter()
        .flatten()
        .map(|topic| MetadataResponseTopic {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            error_code,
            ..MetadataResponseTopic::default()
        })
        .collect();
    MetadataResponse {
        topics,
        ..MetadataResponse::default()
    }
}

fn offset_commit(request: &OffsetCommitRequest, error_code: ErrorCode) -> OffsetCommitResponse {
    let topics = request
        .topics
        .iter()
        .map(|topic| OffsetCommitResponseTopic {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions: topic
                .partitions
                .iter()
                .map(|partition| OffsetCommitResponsePartition {
                    partition_index: partition.partition_index,
                    error_code,
                })
                .collect(),
        })
        .collect();
    OffsetCommitResponse {
        topics,
        ..OffsetCommitResponse::default()
    }
}

fn offset_fetch(request: &OffsetFetchRequest, error_code: ErrorCode) -> OffsetFetchResponse {
    let groups = request
        .groups
        .iter()
        .map(|group| OffsetFetchResponseGroup {
            group_id: group.group_id.clone(),
            error_code,
            ..OffsetFetchResponseGroup::default()
        })
        .collect();
    OffsetFetchResponse {
        groups,
        ..OffsetFetchResponse::default()
    }
}

fn offset_for_leader_epoch(
    request: &OffsetForLeaderEpochRequest,
    error_code: ErrorCode,
) -> OffsetForLeaderEpochResponse {
    let topics = request
        .topics
        .iter()
        .map(|topic| OffsetForLeaderTopicResult {
            topic: topic.topic.clone(),
            partitions: topic
                .partitions
                .iter()
                .map(|partition| EpochEndOffset {
                    partition: partition.partition,
                    error_code,
                    ..EpochEndOffset::default()
                })
                .collect(),
        })
        .collect();
    OffsetForLeaderEpochResponse {
        topics,
        ..OffsetForLeaderEpochResponse::default()
    }
}
