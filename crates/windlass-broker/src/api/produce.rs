//! Produce: batches into logs.

use bytes::Bytes;
use windlass_protocol::messages::produce::{
    LeaderIdAndEpoch, PartitionProduceData, PartitionProduceResponse, ProduceRequest,
    ProduceResponse, TopicProduceData, TopicProduceResponse,
};
use windlass_protocol::records::RecordBatch;
use windlass_protocol::{ErrorCode, ResponseKind};

use crate::appended::Appended;
use crate::topic::Partition;
use crate::{ClusterCore, Inbound};

/// The first version that can say who leads instead (KIP-951).
const CURRENT_LEADER_FROM: i16 = 10;

impl ClusterCore {
    pub(super) fn produce(
        &mut self,
        inbound: &Inbound,
        request: ProduceRequest,
    ) -> ProduceResponse {
        if !matches!(request.acks, -1..=1) {
            return refuse_all(request, ErrorCode::INVALID_REQUIRED_ACKS);
        }
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
        let found = self.topics.find(&topic.name, topic.topic_id);
        let name = found.map(|(name, _)| name.to_owned());
        let unknown = if topic.name.is_empty() {
            ErrorCode::UNKNOWN_TOPIC_ID
        } else {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        };
        let partition_responses = topic
            .partition_data
            .into_iter()
            .map(|data| match &name {
                Some(name) => self.produce_to_partition(inbound, name, data, transactional_id),
                None => refused(data.index, unknown),
            })
            .collect();
        TopicProduceResponse {
            name: topic.name,
            topic_id: topic.topic_id,
            partition_responses,
        }
    }

    fn produce_to_partition(
        &mut self,
        inbound: &Inbound,
        topic: &str,
        data: PartitionProduceData,
        transactional_id: Option<&str>,
    ) -> PartitionProduceResponse {
        let index = data.index;
        let transactions = &self.transactions;
        let Some(partition) = self.topics.partition_mut(topic, index) else {
            return refused(index, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        };
        let appended = only_batch(data.records.unwrap_or_default()).and_then(|batch| {
            let header = batch.header();
            if header.is_transactional {
                let id =
                    transactional_id.ok_or(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED)?;
                let producer = (header.producer_id, header.producer_epoch);
                transactions.check(id, (topic, index), producer)?;
            }
            append(inbound, partition, &batch)
        });
        match appended {
            Ok(base_offset) => PartitionProduceResponse {
                index,
                base_offset,
                log_append_time_ms: -1,
                log_start_offset: partition.log.start(),
                ..PartitionProduceResponse::default()
            },
            Err(code) => {
                let mut response = refused(index, code);
                if inbound.version >= CURRENT_LEADER_FROM
                    && code == ErrorCode::NOT_LEADER_OR_FOLLOWER
                    && let Some(leader) = partition.leader
                {
                    response.current_leader = LeaderIdAndEpoch {
                        leader_id: leader.0,
                        leader_epoch: partition.leader_epoch,
                    };
                }
                response
            }
        }
    }
}

/// The batch that a producer sends for a partition: exactly one, and whole.
fn only_batch(mut records: Bytes) -> Result<RecordBatch, ErrorCode> {
    if records.is_empty() {
        return Err(ErrorCode::INVALID_RECORD);
    }
    let batch = RecordBatch::split_from(&mut records)
        .ok()
        .flatten()
        .ok_or(ErrorCode::CORRUPT_MESSAGE)?;
    batch
        .verify_checksum()
        .map_err(|_| ErrorCode::CORRUPT_MESSAGE)?;
    let header = batch.header();
    if !records.is_empty() || header.is_control || header.record_count <= 0 || !header.is_dense() {
        return Err(ErrorCode::INVALID_RECORD);
    }
    Ok(batch)
}

fn append(
    inbound: &Inbound,
    partition: &mut Partition,
    batch: &RecordBatch,
) -> Result<i64, ErrorCode> {
    if partition.leader != Some(inbound.node) {
        return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    }
    let appended = partition.log.append(batch, partition.leader_epoch);
    match appended.map_err(|_| ErrorCode::CORRUPT_MESSAGE)? {
        Appended::At(offset) | Appended::Duplicate(offset) => Ok(offset),
        Appended::OutOfSequence => Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
        Appended::FencedProducer => Err(ErrorCode::INVALID_PRODUCER_EPOCH),
    }
}

/// The same error for every partition.
fn refuse_all(request: ProduceRequest, code: ErrorCode) -> ProduceResponse {
    match super::refusal(&request.into(), code) {
        ResponseKind::Produce(response) => response,
        _ => ProduceResponse::default(),
    }
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
