//! Batches to produce, requests that carry them, and what is in the answers.

use bytes::Bytes;
use windlass_model::TopicId;
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use windlass_protocol::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData,
};
use windlass_protocol::records::{RecordBatch, RecordBatchBuilder};

use crate::world::{Client, World};

/// A batch with these values, at timestamp 1000 and counting.
pub(crate) fn batch(values: &[&str]) -> RecordBatch {
    filled(RecordBatchBuilder::new(), values)
}

pub(crate) fn filled(mut builder: RecordBatchBuilder, values: &[&str]) -> RecordBatch {
    for (timestamp, value) in (1_000..).zip(values) {
        builder
            .append(timestamp, None, Some(value.as_bytes()), &[])
            .unwrap();
    }
    builder.build().unwrap()
}

/// Bytes for partition 0 of `events`, to be acknowledged by all.
pub(crate) fn produce_request(partition: i32, records: Bytes) -> ProduceRequest {
    ProduceRequest {
        acks: -1,
        timeout_ms: 1_000,
        topic_data: vec![TopicProduceData {
            name: "events".to_owned(),
            partition_data: vec![PartitionProduceData {
                index: partition,
                records: Some(records),
            }],
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    }
}

/// Produces to partition 0 of `events`.
#[track_caller]
pub(crate) fn produce(
    world: &mut World,
    client: Client,
    batch: &RecordBatch,
) -> PartitionProduceResponse {
    send_batch(world, client, None, batch)
}

#[track_caller]
pub(crate) fn send_batch(
    world: &mut World,
    client: Client,
    transactional_id: Option<&str>,
    batch: &RecordBatch,
) -> PartitionProduceResponse {
    let mut request = produce_request(0, batch.bytes().clone());
    request.transactional_id = transactional_id.map(str::to_owned);
    let mut answer = world.ask(client, 9, request);
    answer.responses[0].partition_responses.remove(0)
}

/// Produces a batch of these values to partition 0, which must succeed; tells its offset.
#[track_caller]
pub(crate) fn write(world: &mut World, client: Client, values: &[&str]) -> i64 {
    let answer = produce(world, client, &batch(values));
    assert_eq!(answer.error_code, ErrorCode::NONE);
    answer.base_offset
}

/// A fetch of partition 0 of `events` from an offset: at least a byte, half a second at most.
pub(crate) fn fetch_request(offset: i64) -> FetchRequest {
    FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: 1 << 20,
        topics: vec![FetchTopic {
            topic: "events".to_owned(),
            topic_id: TopicId::default(),
            partitions: vec![FetchPartition {
                partition: 0,
                fetch_offset: offset,
                partition_max_bytes: 1 << 20,
                ..FetchPartition::default()
            }],
        }],
        ..FetchRequest::default()
    }
}

/// The values of partition 0 in a response, control batches as `commit` and `abort`, each with its
/// offset.
pub(crate) fn values(response: &FetchResponse) -> Vec<(i64, String)> {
    let mut bytes = response.responses[0].partitions[0]
        .records
        .clone()
        .unwrap_or_default();
    let mut found = Vec::new();
    while let Some(batch) = RecordBatch::split_from(&mut bytes).unwrap() {
        batch.verify_checksum().unwrap();
        let decoded = batch.decompressed(1 << 20).unwrap();
        if batch.header().is_control {
            let kind = format!("{:?}", decoded.control_record().unwrap());
            let kind = if kind.contains("Commit") {
                "commit"
            } else {
                "abort"
            };
            found.push((batch.base_offset(), kind.to_owned()));
            continue;
        }
        for record in decoded.records() {
            let record = record.unwrap();
            let value = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
            found.push((record.offset, value));
        }
    }
    found
}
