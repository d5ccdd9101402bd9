//! OffsetForLeaderEpoch: where an epoch ends.

use windlass_protocol::ErrorCode;
use windlass_protocol::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition, OffsetForLeaderTopicResult,
};

use super::fetch::check_leader;
use crate::topic::Partition;
use crate::{ClusterCore, Inbound};

impl ClusterCore {
    pub(super) fn offset_for_leader_epoch(
        &self,
        inbound: &Inbound,
        request: OffsetForLeaderEpochRequest,
    ) -> OffsetForLeaderEpochResponse {
        let topics = request
            .topics
            .into_iter()
            .map(|topic| {
                let partitions = topic
                    .partitions
                    .iter()
                    .map(|question| {
                        let found = self.topics.by_name.get(&topic.topic);
                        let found = found.and_then(|found| found.partition(question.partition));
                        answer(inbound, found, question)
                    })
                    .collect();
                OffsetForLeaderTopicResult {
                    topic: topic.topic,
                    partitions,
                }
            })
            .collect();
        OffsetForLeaderEpochResponse {
            topics,
            ..OffsetForLeaderEpochResponse::default()
        }
    }
}

fn answer(
    inbound: &Inbound,
    partition: Option<&Partition>,
    question: &OffsetForLeaderPartition,
) -> EpochEndOffset {
    let end = partition
        .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        .and_then(|partition| {
            check_leader(partition, inbound, question.current_leader_epoch)?;
            Ok(partition.log.end_of_epoch(question.leader_epoch))
        });
    let (error_code, end) = match end {
        Ok(end) => (ErrorCode::NONE, end),
        Err(code) => (code, None),
    };
    let (leader_epoch, end_offset) = end.unwrap_or((-1, -1));
    EpochEndOffset {
        error_code,
        partition: question.partition,
        leader_epoch,
        end_offset,
    }
}
