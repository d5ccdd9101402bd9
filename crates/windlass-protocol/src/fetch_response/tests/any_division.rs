//! Any response, sound or not, in any division of its bytes.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use windlass_model::TopicId;

use super::super::*;
use super::{batch, encoded, read_in_every_way};
use crate::ErrorCode;
use crate::messages::fetch::{FetchResponse, FetchableTopicResponse, PartitionData};

/// Puts the parts together again into the message that the generated decoder makes.
fn joined(parts: Vec<FetchPart>) -> FetchResponse {
    let mut response = FetchResponse::default();
    let mut last: Option<(String, TopicId)> = None;
    for part in parts {
        match part {
            FetchPart::Head {
                throttle_time_ms,
                error_code,
                session_id,
            } => {
                response.throttle_time_ms = throttle_time_ms;
                response.error_code = error_code;
                response.session_id = session_id;
            }
            FetchPart::Partition(partition) => {
                let topic = (partition.topic.to_string(), partition.topic_id);
                if last.as_ref() != Some(&topic) {
                    response.responses.push(FetchableTopicResponse {
                        topic: topic.0.clone(),
                        topic_id: topic.1,
                        partitions: Vec::new(),
                    });
                    last = Some(topic);
                }
                let data = PartitionData {
                    partition_index: partition.partition,
                    error_code: partition.error_code,
                    high_watermark: partition.high_watermark,
                    last_stable_offset: partition.last_stable_offset,
                    log_start_offset: partition.log_start_offset,
                    aborted_transactions: Some(partition.aborted_transactions),
                    preferred_read_replica: partition.preferred_read_replica,
                    records: Some(Bytes::new()),
                    ..PartitionData::default()
                };
                response.responses.last_mut().unwrap().partitions.push(data);
            }
            FetchPart::Batch(batch) => {
                let data = last_partition(&mut response);
                let before = data.records.take().unwrap_or_default();
                data.records = Some(Bytes::from([&before[..], batch.bytes()].concat()));
            }
            FetchPart::PartitionEnd(end) => {
                assert_eq!(end.dropped_tail, 0);
                let data = last_partition(&mut response);
                data.diverging_epoch = end.diverging_epoch.unwrap_or_default();
                data.current_leader = end.current_leader.unwrap_or_default();
                data.snapshot_id = end.snapshot_id.unwrap_or_default();
            }
            FetchPart::End { node_endpoints } => response.node_endpoints = node_endpoints,
            FetchPart::CorruptBatch { error, .. } => panic!("{error}"),
        }
    }
    response
}

fn last_partition(response: &mut FetchResponse) -> &mut PartitionData {
    let topic = response.responses.last_mut().unwrap();
    topic.partitions.last_mut().unwrap()
}

prop_compose! {
    fn any_partition()(
        partition_index: i32,
        error_code: i16,
        offsets: [i64; 3],
        aborted in vec(any::<(i64, i64)>(), 0..3),
        preferred_read_replica: i32,
        tags: [Option<(i32, i64)>; 3],
        values in vec(vec(any::<u8>(), 0..40), 0..3),
    ) -> PartitionData {
        let [diverging, leader, snapshot] = tags.map(|tag| tag.unwrap_or((-1, -1)));
        let batches = values.iter().map(|value| batch(1, value));
        PartitionData {
            partition_index,
            error_code: ErrorCode(error_code),
            high_watermark: offsets[0],
            last_stable_offset: offsets[1],
            log_start_offset: offsets[2],
            diverging_epoch: EpochEndOffset { epoch: diverging.0, end_offset: diverging.1 },
            current_leader: LeaderIdAndEpoch { leader_id: leader.0, leader_epoch: leader.0 },
            snapshot_id: SnapshotId { epoch: snapshot.0, end_offset: snapshot.1 },
            aborted_transactions: Some(
                aborted
                    .into_iter()
                    .map(|(producer_id, first_offset)| AbortedTransaction {
                        producer_id,
                        first_offset,
                    })
                    .collect(),
            ),
            preferred_read_replica,
            records: Some(Bytes::from(batches.collect::<Vec<_>>().concat())),
        }
    }
}

fn any_response() -> impl Strategy<Value = FetchResponse> {
    let topics = vec(
        ("[a-z]{1,9}", any::<[u8; 16]>(), vec(any_partition(), 0..3)),
        0..3,
    );
    let endpoints = vec(
        (
            any::<i32>(),
            "[a-z.]{0,9}",
            any::<i32>(),
            any::<Option<bool>>(),
        ),
        0..3,
    );
    let head = (any::<i32>(), any::<i16>(), any::<i32>());
    (head, topics, endpoints).prop_map(|(head, topics, endpoints)| FetchResponse {
        throttle_time_ms: head.0,
        error_code: ErrorCode(head.1),
        session_id: head.2,
        responses: topics
            .into_iter()
            .map(|(topic, id, partitions)| FetchableTopicResponse {
                topic,
                topic_id: TopicId::new(id),
                partitions,
            })
            .collect(),
        node_endpoints: endpoints
            .into_iter()
            .map(|(node_id, host, port, rack)| NodeEndpoint {
                node_id,
                host,
                port,
                rack: rack.map(|rack| rack.to_string()),
            })
            .collect(),
    })
}

/// Takes out what a version cannot say and must not be asked to.
fn cut_down(response: &mut FetchResponse, version: i16) {
    if version < 16 {
        response.node_endpoints.clear();
    }
    if version < 7 {
        response.session_id = 0;
    }
    for topic in &mut response.responses {
        for partition in &mut topic.partitions {
            if version < 11 {
                partition.preferred_read_replica = -1;
            }
            if version < 12 {
                partition.diverging_epoch = EpochEndOffset::default();
                partition.current_leader = LeaderIdAndEpoch::default();
                partition.snapshot_id = SnapshotId::default();
            }
        }
    }
}

proptest! {
    #[test]
    fn parts_join_to_what_the_generated_decoder_reads(
        mut response in any_response(),
        version in 4i16..=18,
        pieces in vec(1usize..200, 1..5),
    ) {
        cut_down(&mut response, version);
        let body = encoded(&response, version);
        let parts = read_in_every_way(version, &body, &pieces).unwrap();
        let mut whole = FetchResponse::decode(version, &body).unwrap();
        // Topics without partitions leave no part, and those of one name are joined.
        whole.responses.retain(|topic| !topic.partitions.is_empty());
        whole.responses.dedup_by(|later, earlier| {
            let same = (&later.topic, later.topic_id) == (&earlier.topic, earlier.topic_id);
            if same {
                earlier.partitions.append(&mut later.partitions);
            }
            same
        });
        prop_assert_eq!(joined(parts), whole);
    }

    #[test]
    fn mutations_read_the_same_in_any_division(
        mut response in any_response(),
        version in 4i16..=18,
        pieces in vec(1usize..200, 1..5),
        mutations in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<proptest::sample::Index>(),
    ) {
        cut_down(&mut response, version);
        let mut body = encoded(&response, version).to_vec();
        for (at, byte) in mutations {
            let at = at.index(body.len());
            body[at] = byte;
        }
        drop(read_in_every_way(version, &body, &pieces));
        body.truncate(cut.index(body.len()));
        drop(read_in_every_way(version, &body, &pieces));
    }

    #[test]
    fn any_bytes_are_safe(body in vec(any::<u8>(), 0..200), version in 4i16..=18) {
        drop(read_in_every_way(version, &body, &[3]));
    }
}
