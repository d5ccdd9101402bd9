//! OffsetCommit and OffsetFetch: what groups remember.

use std::time::Instant;

use windlass_model::NodeId;
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitResponse,
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use windlass_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse, OffsetFetchResponseGroup,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};

use super::refusal::refusal;
use crate::group::CommittedOffset;
use crate::{ClusterCore, Inbound};

/// The longest note that may be kept beside an offset (`offset.metadata.max.bytes`).
const LONGEST_METADATA: usize = 4096;

impl ClusterCore {
    pub(super) fn offset_commit(
        &mut self,
        inbound: &Inbound,
        request: OffsetCommitRequest,
        now: Instant,
    ) -> OffsetCommitResponse {
        let allowed = self
            .check_coordinator(inbound.node, &request.group_id)
            .and_then(|()| self.groups.check_commit(&request, inbound.version, now));
        if let Err(code) = allowed {
            let refused = refusal(&request.into(), code);
            return match refused {
                windlass_protocol::ResponseKind::OffsetCommit(response) => response,
                _ => OffsetCommitResponse::default(),
            };
        }
        let mut topics = Vec::new();
        for topic in request.topics {
            let found = self.topics.find(&topic.name, topic.topic_id);
            let name = found.map(|(name, found)| (name.to_owned(), found.partitions.len()));
            let partitions = topic
                .partitions
                .into_iter()
                .map(|partition| {
                    let error_code = check_offset(name.as_ref(), &topic.name, &partition);
                    let partition_index = partition.partition_index;
                    if let (true, Some((name, _))) = (error_code.is_none(), &name) {
                        let offset = CommittedOffset {
                            offset: partition.committed_offset,
                            leader_epoch: partition.committed_leader_epoch,
                            metadata: partition.committed_metadata.unwrap_or_default(),
                        };
                        self.groups
                            .store_offset(&request.group_id, name, partition_index, offset);
                    }
                    OffsetCommitResponsePartition {
                        partition_index,
                        error_code,
                    }
                })
                .collect();
            topics.push(OffsetCommitResponseTopic {
                name: topic.name,
                topic_id: topic.topic_id,
                partitions,
            });
        }
        OffsetCommitResponse {
            topics,
            ..OffsetCommitResponse::default()
        }
    }

    pub(super) fn offset_fetch(
        &self,
        node: NodeId,
        request: OffsetFetchRequest,
    ) -> OffsetFetchResponse {
        let groups = request
            .groups
            .into_iter()
            .map(|group| self.fetch_of_group(node, group))
            .collect();
        OffsetFetchResponse {
            groups,
            ..OffsetFetchResponse::default()
        }
    }

    fn fetch_of_group(
        &self,
        node: NodeId,
        group: OffsetFetchRequestGroup,
    ) -> OffsetFetchResponseGroup {
        if let Err(error_code) = self.check_coordinator(node, &group.group_id) {
            return OffsetFetchResponseGroup {
                group_id: group.group_id,
                error_code,
                ..OffsetFetchResponseGroup::default()
            };
        }
        let topics = match group.topics {
            None => self.all_offsets(&group.group_id),
            Some(topics) => topics
                .into_iter()
                .map(|topic| {
                    let found = self.topics.find(&topic.name, topic.topic_id);
                    let name = found.map_or(topic.name.as_str(), |(name, _)| name);
                    let unknown_id = name.is_empty();
                    let partitions = topic
                        .partition_indexes
                        .iter()
                        .map(|index| {
                            let offset = self.groups.offset(&group.group_id, name, *index);
                            let mut partition = stored(*index, offset);
                            if unknown_id {
                                partition.error_code = ErrorCode::UNKNOWN_TOPIC_ID;
                            }
                            partition
                        })
                        .collect();
                    OffsetFetchResponseTopics {
                        name: name.to_owned(),
                        topic_id: topic.topic_id,
                        partitions,
                    }
                })
                .collect(),
        };
        OffsetFetchResponseGroup {
            group_id: group.group_id,
            topics,
            ..OffsetFetchResponseGroup::default()
        }
    }

    fn all_offsets(&self, group: &str) -> Vec<OffsetFetchResponseTopics> {
        let mut topics: Vec<OffsetFetchResponseTopics> = Vec::new();
        for ((name, index), offset) in self.groups.offsets(group) {
            let partition = stored(*index, Some(offset));
            match topics.last_mut() {
                Some(topic) if topic.name == *name => topic.partitions.push(partition),
                _ => topics.push(OffsetFetchResponseTopics {
                    name: name.clone(),
                    topic_id: self
                        .topics
                        .by_name
                        .get(name)
                        .map(|topic| topic.id)
                        .unwrap_or_default(),
                    partitions: vec![partition],
                }),
            }
        }
        topics
    }
}

fn check_offset(
    topic: Option<&(String, usize)>,
    asked_name: &str,
    partition: &OffsetCommitRequestPartition,
) -> ErrorCode {
    let Some((_, count)) = topic else {
        return if asked_name.is_empty() {
            ErrorCode::UNKNOWN_TOPIC_ID
        } else {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        };
    };
    let exists = usize::try_from(partition.partition_index).is_ok_and(|index| index < *count);
    if !exists {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    } else if partition
        .committed_metadata
        .as_ref()
        .is_some_and(|text| text.len() > LONGEST_METADATA)
    {
        ErrorCode::OFFSET_METADATA_TOO_LARGE
    } else {
        ErrorCode::NONE
    }
}

fn stored(partition_index: i32, offset: Option<&CommittedOffset>) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: offset.map_or(-1, |offset| offset.offset),
        committed_leader_epoch: offset.map_or(-1, |offset| offset.leader_epoch),
        metadata: Some(
            offset
                .map(|offset| offset.metadata.clone())
                .unwrap_or_default(),
        ),
        error_code: ErrorCode::NONE,
    }
}
