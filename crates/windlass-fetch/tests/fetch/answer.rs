//! What brokers are asked, and what they answer.

use windlass_fetch::FetchMachine;
use windlass_machine::OutgoingRequest;
use windlass_model::TopicId;
use windlass_protocol::fetch_response::{
    AbortedTransaction, FetchPart, FetchedPartition, LeaderIdAndEpoch, PartitionEnd,
};
use windlass_protocol::messages::fetch::FetchRequest;
use windlass_protocol::messages::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use windlass_protocol::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderTopicResult,
};
use windlass_protocol::records::{BatchError, RecordBatch};
use windlass_protocol::{ErrorCode, RequestKind};

use crate::scene::{Scene, TOPIC, TOPIC_ID};

/// The part of one partition in a Fetch response.
pub(crate) struct Part {
    head: FetchedPartition,
    body: Vec<FetchPart>,
    end: PartitionEnd,
}

impl Part {
    pub(crate) fn of(partition: i32) -> Self {
        Self {
            head: FetchedPartition {
                topic: "".into(),
                topic_id: TOPIC_ID,
                partition,
                error_code: ErrorCode::NONE,
                high_watermark: 1000,
                last_stable_offset: 1000,
                log_start_offset: 0,
                aborted_transactions: Vec::new(),
                preferred_read_replica: -1,
            },
            body: Vec::new(),
            end: PartitionEnd::default(),
        }
    }

    pub(crate) fn batch(mut self, batch: RecordBatch) -> Self {
        self.body.push(FetchPart::Batch(batch));
        self
    }

    pub(crate) fn corrupt(mut self, base_offset: i64, last_offset: Option<i64>) -> Self {
        let error = BatchError::UnsupportedMagic { magic: 9 };
        self.body.push(FetchPart::CorruptBatch {
            base_offset,
            last_offset,
            error,
        });
        self
    }

    pub(crate) const fn error(mut self, code: ErrorCode) -> Self {
        self.head.error_code = code;
        self.head.high_watermark = -1;
        self.head.last_stable_offset = -1;
        self
    }

    pub(crate) const fn stable_until(mut self, offset: i64) -> Self {
        self.head.last_stable_offset = offset;
        self
    }

    /// Aborted transactions: producer and first offset.
    pub(crate) fn aborted(mut self, aborted: &[(i64, i64)]) -> Self {
        let aborted = aborted.iter().map(|(producer, first)| AbortedTransaction {
            producer_id: *producer,
            first_offset: *first,
        });
        self.head.aborted_transactions = aborted.collect();
        self
    }

    pub(crate) const fn rather_read_from(mut self, node: i32) -> Self {
        self.head.preferred_read_replica = node;
        self
    }

    pub(crate) const fn led_by(mut self, leader_id: i32, leader_epoch: i32) -> Self {
        self.end.current_leader = Some(LeaderIdAndEpoch {
            leader_id,
            leader_epoch,
        });
        self
    }

    pub(crate) const fn cut(mut self, bytes: usize) -> Self {
        self.end.dropped_tail = bytes;
        self
    }

    /// As brokers before version 13 of Fetch answer.
    pub(crate) fn by_name(mut self) -> Self {
        self.head.topic = TOPIC.into();
        self.head.topic_id = TopicId::ZERO;
        self
    }

    pub(crate) const fn of_topic(mut self, id: TopicId) -> Self {
        self.head.topic_id = id;
        self
    }
}

impl Scene {
    /// Takes out the next Fetch; anything else sent before it is a mistake.
    pub(crate) fn fetch(&mut self) -> (OutgoingRequest, FetchRequest) {
        let request = self.requests.remove(0);
        match &request.request {
            RequestKind::Fetch(fetch) => (request.clone(), fetch.clone()),
            other => panic!("not a fetch: {other:?}"),
        }
    }

    pub(crate) fn list_offsets(&mut self) -> (OutgoingRequest, ListOffsetsRequest) {
        let request = self.requests.remove(0);
        match &request.request {
            RequestKind::ListOffsets(asked) => (request.clone(), asked.clone()),
            other => panic!("not ListOffsets: {other:?}"),
        }
    }

    pub(crate) fn epoch_question(&mut self) -> (OutgoingRequest, OffsetForLeaderEpochRequest) {
        let request = self.requests.remove(0);
        match &request.request {
            RequestKind::OffsetForLeaderEpoch(asked) => (request.clone(), asked.clone()),
            other => panic!("not OffsetForLeaderEpoch: {other:?}"),
        }
    }

    /// The beginning of a response, as far as these parts go.
    pub(crate) fn send_parts(&mut self, to: &OutgoingRequest, parts: Vec<Part>) {
        for part in parts {
            let head = FetchPart::Partition(part.head);
            let end = FetchPart::PartitionEnd(part.end);
            for piece in std::iter::once(head).chain(part.body).chain([end]) {
                self.input(|machine, now| machine.on_fetch_part(to.id, piece, now));
            }
        }
    }

    pub(crate) fn finish(&mut self, to: &OutgoingRequest) {
        let end = FetchPart::End {
            node_endpoints: Vec::new(),
        };
        self.input(|machine, now| machine.on_fetch_part(to.id, end, now));
        self.input(|machine, now| machine.on_fetch_done(to.id, now));
    }

    /// A whole response, after the time that it takes a broker to have something.
    pub(crate) fn respond(&mut self, to: &OutgoingRequest, parts: Vec<Part>) {
        let head = FetchPart::Head {
            throttle_time_ms: 0,
            error_code: ErrorCode::NONE,
            session_id: 0,
        };
        self.input(|machine, now| machine.on_fetch_part(to.id, head, now));
        self.send_parts(to, parts);
        self.finish(to);
    }

    /// An answer to ListOffsets: partition, error, offset.
    pub(crate) fn listed(&mut self, to: &OutgoingRequest, answers: &[(i32, ErrorCode, i64)]) {
        let partitions = answers
            .iter()
            .map(|(index, code, offset)| ListOffsetsPartitionResponse {
                partition_index: *index,
                error_code: *code,
                offset: *offset,
                ..ListOffsetsPartitionResponse::default()
            });
        let topic = ListOffsetsTopicResponse {
            name: TOPIC.to_owned(),
            partitions: partitions.collect(),
        };
        let response = ListOffsetsResponse {
            throttle_time_ms: 0,
            topics: vec![topic],
        };
        self.input(|machine, now| machine.on_response(to.id, response.into(), now));
    }

    /// An answer to OffsetForLeaderEpoch: partition, error, epoch, end.
    pub(crate) fn ends(&mut self, to: &OutgoingRequest, answers: &[(i32, ErrorCode, i32, i64)]) {
        let partitions = answers
            .iter()
            .map(
                |(partition, error_code, leader_epoch, end_offset)| EpochEndOffset {
                    error_code: *error_code,
                    partition: *partition,
                    leader_epoch: *leader_epoch,
                    end_offset: *end_offset,
                },
            );
        let topic = OffsetForLeaderTopicResult {
            topic: TOPIC.to_owned(),
            partitions: partitions.collect(),
        };
        let response = OffsetForLeaderEpochResponse {
            throttle_time_ms: 0,
            topics: vec![topic],
        };
        self.input(|machine, now| machine.on_response(to.id, response.into(), now));
    }
}

/// Partitions and offsets of a Fetch, in its order.
pub(crate) fn wanted(request: &FetchRequest) -> Vec<(i32, i64)> {
    request
        .topics
        .iter()
        .flat_map(|topic| &topic.partitions)
        .map(|partition| (partition.partition, partition.fetch_offset))
        .collect()
}

/// The node that is asked.
pub(crate) fn node(request: &OutgoingRequest) -> i32 {
    request.destination.node().expect("a node").0
}

/// Whether the machine has nothing to send and nothing under way: only a deadline or an input can
/// bring it on.
pub(crate) fn is_quiet(scene: &Scene) -> bool {
    scene.requests.is_empty() && FetchMachine::fetches_in_flight(&scene.machine) == 0
}
