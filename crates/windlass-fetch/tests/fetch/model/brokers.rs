//! What the brokers of the model answer.

use std::collections::VecDeque;

use windlass_protocol::ErrorCode;
use windlass_protocol::fetch_response::{
    FetchPart, FetchedPartition, LeaderIdAndEpoch, PartitionEnd,
};
use windlass_protocol::messages::fetch::FetchRequest;
use windlass_protocol::messages::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use windlass_protocol::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderTopicResult,
};

use super::log::Log;
use crate::scene::{TOPIC, TOPIC_ID};

/// How a broker answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// As it should.
    Fine,
    /// As it should, and it tells who leads where it does not.
    Helpful,
    /// With this error for everything.
    Failing(ErrorCode),
    /// Leaving out every other partition.
    Forgetful,
}

impl Mood {
    fn leaves_out(self, index: usize) -> bool {
        self == Self::Forgetful && index % 2 == 1
    }

    fn error(self, refusal: Option<ErrorCode>) -> ErrorCode {
        match self {
            Self::Failing(code) => code,
            Self::Fine | Self::Helpful | Self::Forgetful => refusal.unwrap_or(ErrorCode::NONE),
        }
    }
}

fn log(logs: &[Log], partition: i32) -> &Log {
    &logs[usize::try_from(partition).unwrap()]
}

pub(crate) fn fetch(
    logs: &[Log],
    node: i32,
    request: &FetchRequest,
    mood: Mood,
) -> VecDeque<FetchPart> {
    let mut parts = VecDeque::from([FetchPart::Head {
        throttle_time_ms: 0,
        error_code: ErrorCode::NONE,
        session_id: 0,
    }]);
    let mut room = usize::try_from(request.max_bytes).unwrap();
    let mut has_sent = false;
    let asked = request.topics.iter().flat_map(|topic| &topic.partitions);
    for (index, asked) in asked.enumerate() {
        if mood.leaves_out(index) {
            continue;
        }
        let log = log(logs, asked.partition);
        let refusal = log.refusal(node, asked.current_leader_epoch, asked.fetch_offset);
        let error_code = mood.error(refusal);
        let end = if error_code.is_none() { log.end } else { -1 };
        parts.push_back(FetchPart::Partition(FetchedPartition {
            topic: "".into(),
            topic_id: TOPIC_ID,
            partition: asked.partition,
            error_code,
            high_watermark: end,
            last_stable_offset: end,
            log_start_offset: log.start,
            aborted_transactions: Vec::new(),
            preferred_read_replica: -1,
        }));
        if error_code.is_none() {
            let most = usize::try_from(asked.partition_max_bytes)
                .unwrap()
                .min(room);
            for batch in log.read(asked.fetch_offset, most, !has_sent) {
                room = room.saturating_sub(batch.bytes().len());
                has_sent = true;
                parts.push_back(FetchPart::Batch(batch));
            }
        }
        let tells = mood == Mood::Helpful && error_code == ErrorCode::NOT_LEADER_OR_FOLLOWER;
        parts.push_back(FetchPart::PartitionEnd(PartitionEnd {
            current_leader: tells.then_some(LeaderIdAndEpoch {
                leader_id: log.leader,
                leader_epoch: log.epoch,
            }),
            ..PartitionEnd::default()
        }));
    }
    parts.push_back(FetchPart::End {
        node_endpoints: Vec::new(),
    });
    parts
}

pub(crate) fn list_offsets(
    logs: &[Log],
    node: i32,
    request: &ListOffsetsRequest,
    mood: Mood,
) -> ListOffsetsResponse {
    let asked = request.topics.iter().flat_map(|topic| &topic.partitions);
    let answers = asked
        .enumerate()
        .filter(|(index, _)| !mood.leaves_out(*index));
    let answers = answers.map(|(_, asked)| {
        let log = log(logs, asked.partition_index);
        let refusal = log.refusal(node, asked.current_leader_epoch, log.start);
        let error_code = mood.error(refusal);
        let found = if asked.timestamp == -2 {
            log.start
        } else {
            log.end
        };
        ListOffsetsPartitionResponse {
            partition_index: asked.partition_index,
            error_code,
            offset: if error_code.is_none() { found } else { -1 },
            ..ListOffsetsPartitionResponse::default()
        }
    });
    ListOffsetsResponse {
        throttle_time_ms: 0,
        topics: vec![ListOffsetsTopicResponse {
            name: TOPIC.to_owned(),
            partitions: answers.collect(),
        }],
    }
}

pub(crate) fn epoch_ends(
    logs: &[Log],
    node: i32,
    request: &OffsetForLeaderEpochRequest,
    mood: Mood,
) -> OffsetForLeaderEpochResponse {
    let asked = request.topics.iter().flat_map(|topic| &topic.partitions);
    let answers = asked
        .enumerate()
        .filter(|(index, _)| !mood.leaves_out(*index));
    let answers = answers.map(|(_, asked)| {
        let log = log(logs, asked.partition);
        let refusal = log.refusal(node, asked.current_leader_epoch, log.start);
        let error_code = mood.error(refusal);
        let (leader_epoch, end_offset) = if error_code.is_none() {
            log.end_of_epoch(asked.leader_epoch)
        } else {
            (-1, -1)
        };
        EpochEndOffset {
            error_code,
            partition: asked.partition,
            leader_epoch,
            end_offset,
        }
    });
    OffsetForLeaderEpochResponse {
        throttle_time_ms: 0,
        topics: vec![OffsetForLeaderTopicResult {
            topic: TOPIC.to_owned(),
            partitions: answers.collect(),
        }],
    }
}
