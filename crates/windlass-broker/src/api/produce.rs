//! Produce: batches into logs.

use bytes::Bytes;
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::produce::{
    LeaderIdAndEpoch, PartitionProduceData, PartitionProduceResponse, ProduceRequest,
    ProduceResponse, TopicProduceData, TopicProduceResponse,
};
use windlass_protocol::records::RecordBatch;

use crate::partition_log::Appended;
use crate::topic::Partition;
use crate::{ClusterCore, Inbound};

impl ClusterCore {
    pub(super) fn produce(
        &mut self,
        inbound: &Inbound,
        request: ProduceRequest,
    ) -> ProduceResponse {
        let transactional_id = request.transactional_id;
        let responses = request
            .topic_data
            .into_iter()
            .map(|topic| self.produce_to_topic(inbound, topic, transactional_id.as_deref()))
            .collect();
        ProduceResponse {
            responses,
            ..ProduceResponse::default()
        }
    }

    fn produce_to_topic(
        &mut self,
        inbound: &Inbound,
        topic: TopicProduceData,
        transactional_id: Option<&str>,
    ) -> TopicProduceResponse {
        let name = self
            .topics
            .find(&topic.name, topic.topic_id)
            .map(|(name, _)| name.to_owned());
        let unknown = if topic.name.is_empty() {
            ErrorCode::UNKNOWN_TOPIC_ID
        } else {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        };
        let partition_responses = topic
            .partition_data
            .into_iter()
            .map(|data| {
                let in_transaction = name.as_deref().is_some_and(|name| {
                    transactional_id.is_none_or(|id| self.transactions.holds(id, name, data.index))
                });
                let found = name
                    .as_deref()
                    .and_then(|name| self.topics.partition_mut(name, data.index));
                match found {
                    None => refused(data.index, unknown),
                    Some(_) if !in_transaction => refused(data.index, ErrorCode::INVALID_TXN_STATE),
                    Some(partition) => produce_to_partition(inbound, partition, data),
                }
            })
            .collect();
        TopicProduceResponse {
            name: topic.name,
            topic_id: topic.topic_id,
            partition_responses,
        }
    }
}

fn produce_to_partition(
    inbound: &Inbound,
    partition: &mut Partition,
    data: PartitionProduceData,
) -> PartitionProduceResponse {
    if partition.leader != Some(inbound.node) {
        let mut response = refused(data.index, ErrorCode::NOT_LEADER_OR_FOLLOWER);
        if let Some(leader) = partition.leader {
            response.current_leader = LeaderIdAndEpoch {
                leader_id: leader.0,
                leader_epoch: partition.leader_epoch,
            };
        }
        return response;
    }
    match append_all(partition, data.records.unwrap_or_default()) {
        Ok(base_offset) => PartitionProduceResponse {
            index: data.index,
            base_offset,
            log_append_time_ms: -1,
            log_start_offset: partition.log.start(),
            ..PartitionProduceResponse::default()
        },
        Err(code) => refused(data.index, code),
    }
}

/// Checks every batch before the first one is appended, so that a request is taken whole or not at
/// all.
fn append_all(partition: &mut Partition, mut records: Bytes) -> Result<i64, ErrorCode> {
    let mut batches = Vec::new();
    while !records.is_empty() {
        let batch =
            RecordBatch::split_from(&mut records).map_err(|_| ErrorCode::CORRUPT_MESSAGE)?;
        let batch = batch.ok_or(ErrorCode::CORRUPT_MESSAGE)?;
        batch
            .verify_checksum()
            .map_err(|_| ErrorCode::CORRUPT_MESSAGE)?;
        let header = batch.header();
        if header.is_control || header.record_count <= 0 || !header.is_dense() {
            return Err(ErrorCode::INVALID_RECORD);
        }
        batches.push(batch);
    }
    let mut first = None;
    for batch in &batches {
        let appended = partition.log.append(batch, partition.leader_epoch);
        let offset = match appended.map_err(|_| ErrorCode::CORRUPT_MESSAGE)? {
            Appended::At(offset) | Appended::Duplicate(offset) => offset,
            Appended::OutOfSequence => return Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
            Appended::FencedProducer => return Err(ErrorCode::INVALID_PRODUCER_EPOCH),
        };
        first.get_or_insert(offset);
    }
    Ok(first.unwrap_or_else(|| partition.log.end()))
}

fn refused(index: i32, error_code: ErrorCode) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        error_code,
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: -1,
        ..PartitionProduceResponse::default()
    }
}
