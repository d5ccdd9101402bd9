//! Refusals that say something of every partition.

use windlass_protocol::ErrorCode;
use windlass_protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopicResult,
};
use windlass_protocol::messages::fetch::{
    FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData,
};
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

pub(super) fn produce(request: &ProduceRequest, error_code: ErrorCode) -> ProduceResponse {
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

pub(super) fn fetch(request: &FetchRequest, error_code: ErrorCode) -> FetchResponse {
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

pub(super) fn list_offsets(
    request: &ListOffsetsRequest,
    error_code: ErrorCode,
) -> ListOffsetsResponse {
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

pub(super) fn metadata(request: &MetadataRequest, error_code: ErrorCode) -> MetadataResponse {
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

pub(super) fn offset_commit(
    request: &OffsetCommitRequest,
    error_code: ErrorCode,
) -> OffsetCommitResponse {
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

pub(super) fn offset_fetch(
    request: &OffsetFetchRequest,
    error_code: ErrorCode,
) -> OffsetFetchResponse {
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

pub(super) fn offset_for_leader_epoch(
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

pub(super) fn add_partitions_to_txn(
    request: &AddPartitionsToTxnRequest,
    partition_error_code: ErrorCode,
) -> AddPartitionsToTxnResponse {
    let topics = request
        .v3_and_below_topics
        .iter()
        .map(|topic| AddPartitionsToTxnTopicResult {
            name: topic.name.clone(),
            results_by_partition: topic
                .partitions
                .iter()
                .map(|partition_index| AddPartitionsToTxnPartitionResult {
                    partition_index: *partition_index,
                    partition_error_code,
                })
                .collect(),
        })
        .collect();
    AddPartitionsToTxnResponse {
        results_by_topic_v3_and_below: topics,
        ..AddPartitionsToTxnResponse::default()
    }
}
