//! What OffsetCommit says, and what its answer says of each partition.

use std::collections::BTreeMap;

use windlass_model::{LeaderEpoch, OffsetAndMetadata, TopicPartition};
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::offset_commit::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use windlass_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};

use crate::GroupConfig;
use crate::identity::Identity;

/// The request for these offsets. Without a membership it names no member, no generation and no
/// instance.
pub(crate) fn write(
    config: &GroupConfig,
    identity: &Identity,
    is_manual: bool,
    offsets: &BTreeMap<&TopicPartition, &OffsetAndMetadata>,
) -> OffsetCommitRequest {
    let mut topics: Vec<OffsetCommitRequestTopic> = Vec::new();
    for (topic_partition, offset) in offsets {
        let partition = OffsetCommitRequestPartition {
            partition_index: topic_partition.partition,
            committed_offset: offset.offset,
            committed_leader_epoch: LeaderEpoch::to_wire(offset.leader_epoch),
            committed_metadata: Some(offset.metadata.clone()),
        };
        let name = topic_partition.topic.as_str();
        match topics.last_mut() {
            Some(topic) if topic.name == name => topic.partitions.push(partition),
            _ => topics.push(OffsetCommitRequestTopic {
                name: name.to_owned(),
                partitions: vec![partition],
                ..OffsetCommitRequestTopic::default()
            }),
        }
    }
    OffsetCommitRequest {
        group_id: config.group_id.as_str().to_owned(),
        generation_id_or_member_epoch: identity.wire_generation(),
        member_id: identity.member_id_text(),
        group_instance_id: if is_manual {
            None
        } else {
            config.instance_id_text()
        },
        topics,
        ..OffsetCommitRequest::default()
    }
}

/// The error of each partition that the answer names.
pub(crate) fn read(response: OffsetCommitResponse) -> BTreeMap<TopicPartition, ErrorCode> {
    let mut codes = BTreeMap::new();
    for topic in response.topics {
        for partition in topic.partitions {
            let topic_partition =
                TopicPartition::new(topic.name.as_str(), partition.partition_index);
            codes.insert(topic_partition, partition.error_code);
        }
    }
    codes
}
