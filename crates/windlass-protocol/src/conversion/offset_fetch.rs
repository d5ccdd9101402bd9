//! OffsetFetch asked about one group before version 8.

use super::only_one;
use crate::encode_error::EncodeError;
use crate::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestBefore8, OffsetFetchRequestGroup,
    OffsetFetchRequestTopic, OffsetFetchRequestTopics, OffsetFetchResponse,
    OffsetFetchResponseBefore8, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use windlass_model::TopicId;

impl TryFrom<&OffsetFetchRequest> for OffsetFetchRequestBefore8 {
    type Error = EncodeError;

    fn try_from(request: &OffsetFetchRequest) -> Result<Self, EncodeError> {
        let group = only_one(&request.groups, "groups")?;
        let old_topic = |topic: &OffsetFetchRequestTopics| OffsetFetchRequestTopic {
            name: topic.name.clone(),
            partition_indexes: topic.partition_indexes.clone(),
        };
        let topics = group.topics.as_ref();
        Ok(Self {
            group_id: group.group_id.clone(),
            topics: topics.map(|topics| topics.iter().map(old_topic).collect()),
            require_stable: request.require_stable,
        })
    }
}

impl From<OffsetFetchRequestBefore8> for OffsetFetchRequest {
    fn from(old: OffsetFetchRequestBefore8) -> Self {
        let new_topic = |topic: OffsetFetchRequestTopic| OffsetFetchRequestTopics {
            name: topic.name,
            topic_id: TopicId::ZERO,
            partition_indexes: topic.partition_indexes,
        };
        let topics = old.topics;
        Self {
            groups: vec![OffsetFetchRequestGroup {
                group_id: old.group_id,
                topics: topics.map(|topics| topics.into_iter().map(new_topic).collect()),
                ..OffsetFetchRequestGroup::default()
            }],
            require_stable: old.require_stable,
        }
    }
}

impl TryFrom<&OffsetFetchResponse> for OffsetFetchResponseBefore8 {
    type Error = EncodeError;

    fn try_from(response: &OffsetFetchResponse) -> Result<Self, EncodeError> {
        let group = only_one(&response.groups, "groups")?;
        let old_partition =
            |partition: &OffsetFetchResponsePartitions| OffsetFetchResponsePartition {
                partition_index: partition.partition_index,
                committed_offset: partition.committed_offset,
                committed_leader_epoch: partition.committed_leader_epoch,
                metadata: partition.metadata.clone(),
                error_code: partition.error_code,
            };
        let old_topic = |topic: &OffsetFetchResponseTopics| OffsetFetchResponseTopic {
            name: topic.name.clone(),
            partitions: topic.partitions.iter().map(old_partition).collect(),
        };
        Ok(Self {
            throttle_time_ms: response.throttle_time_ms,
            topics: group.topics.iter().map(old_topic).collect(),
            error_code: group.error_code,
        })
    }
}

impl From<OffsetFetchResponseBefore8> for OffsetFetchResponse {
    /// The old form does not repeat the group that was asked for: its id stays empty.
    fn from(old: OffsetFetchResponseBefore8) -> Self {
        let new_partition =
            |partition: OffsetFetchResponsePartition| OffsetFetchResponsePartitions {
                partition_index: partition.partition_index,
                committed_offset: partition.committed_offset,
                committed_leader_epoch: partition.committed_leader_epoch,
                metadata: partition.metadata,
                error_code: partition.error_code,
            };
        let new_topic = |topic: OffsetFetchResponseTopic| OffsetFetchResponseTopics {
            name: topic.name,
            topic_id: TopicId::ZERO,
            partitions: topic.partitions.into_iter().map(new_partition).collect(),
        };
        Self {
            throttle_time_ms: old.throttle_time_ms,
            groups: vec![OffsetFetchResponseGroup {
                group_id: String::new(),
                topics: old.topics.into_iter().map(new_topic).collect(),
                error_code: old.error_code,
            }],
        }
    }
}
