//! ListOffsets: beginnings, ends, timestamps.

use windlass_protocol::ErrorCode;
use windlass_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse,
};

use super::fetch::{check_leader, limit};
use crate::topic::Partition;
use crate::{ClusterCore, Inbound};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const YOUNGEST: i64 = -3;
/// The beginning of what is on the node itself: everything is.
const EARLIEST_LOCAL: i64 = -4;

impl ClusterCore {
    pub(super) fn list_offsets(
        &self,
        inbound: &Inbound,
        request: ListOffsetsRequest,
    ) -> ListOffsetsResponse {
        let topics = request
            .topics
            .into_iter()
            .map(|topic| {
                let partitions = topic
                    .partitions
                    .iter()
                    .map(|question| {
                        let found = self.topics.by_name.get(&topic.name);
                        let found =
                            found.and_then(|found| found.partition(question.partition_index));
                        let result = found.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION).and_then(
                            |partition| {
                                look_up(inbound, partition, question, request.isolation_level)
                            },
                        );
                        answer(question, result)
                    })
                    .collect();
                ListOffsetsTopicResponse {
                    name: topic.name,
                    partitions,
                }
            })
            .collect();
        ListOffsetsResponse {
            topics,
            ..ListOffsetsResponse::default()
        }
    }
}

/// Offset, timestamp and leader epoch; none where no record is that young.
type Found = Option<(i64, i64, i32)>;

fn look_up(
    inbound: &Inbound,
    partition: &Partition,
    question: &ListOffsetsPartition,
    isolation_level: i8,
) -> Result<Found, ErrorCode> {
    check_leader(partition, inbound, question.current_leader_epoch)?;
    let log = &partition.log;
    let end = limit(partition, isolation_level);
    match question.timestamp {
        LATEST => Ok(Some((end, -1, partition.leader_epoch))),
        EARLIEST | EARLIEST_LOCAL => Ok(Some((log.start(), -1, log.epoch_at(log.start())))),
        YOUNGEST => Ok(log
            .youngest()
            .filter(|(offset, _)| *offset < end)
            .map(|(offset, timestamp)| (offset, timestamp, log.epoch_at(offset)))),
        timestamp if timestamp >= 0 => Ok(log
            .at_or_after(timestamp)
            .filter(|(offset, _)| *offset < end)
            .map(|(offset, timestamp)| (offset, timestamp, log.epoch_at(offset)))),
        _ => Ok(None),
    }
}

fn answer(
    question: &ListOffsetsPartition,
    result: Result<Found, ErrorCode>,
) -> ListOffsetsPartitionResponse {
    let (error_code, found) = match result {
        Ok(found) => (ErrorCode::NONE, found),
        Err(code) => (code, None),
    };
    let (offset, timestamp, leader_epoch) = found.unwrap_or((-1, -1, -1));
    ListOffsetsPartitionResponse {
        partition_index: question.partition_index,
        error_code,
        timestamp,
        offset,
        leader_epoch,
    }
}
