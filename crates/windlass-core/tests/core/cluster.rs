//! One broker that leads three partitions of ten-record batches, and coordinates one group whose other
//! members are made up.

use std::collections::{BTreeMap, BTreeSet};

use windlass_model::{TopicId, TopicPartition};
use windlass_protocol::consumer_protocol::Assignment;
use windlass_protocol::fetch_response::{FetchPart, FetchedPartition, PartitionEnd};
use windlass_protocol::messages::fetch::FetchRequest;
use windlass_protocol::messages::find_coordinator::{Coordinator, FindCoordinatorResponse};
use windlass_protocol::messages::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use windlass_protocol::messages::metadata::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use windlass_protocol::messages::offset_commit::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use windlass_protocol::messages::offset_fetch::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
};
use windlass_protocol::messages::{
    HeartbeatResponse, JoinGroupResponse, LeaveGroupResponse, ListOffsetsRequest,
    ListOffsetsResponse, OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest,
    SyncGroupResponse,
};
use windlass_protocol::records::{RecordBatch, RecordBatchBuilder};
use windlass_protocol::{ErrorCode, RequestKind, ResponseKind};

pub(crate) const PARTITIONS: i32 = 3;
/// Where every log ends.
pub(crate) const END: i64 = 80;
const BATCH: i64 = 10;

pub(crate) fn partition(index: i32) -> TopicPartition {
    TopicPartition::new("events", index)
}

/// What the broker knows.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    pub(crate) stored: BTreeMap<TopicPartition, i64>,
    pub(crate) generation: i32,
    /// What the leader of the group gives this member in the next generation.
    pub(crate) share: BTreeSet<TopicPartition>,
    /// Whether the group moves on, which members hear by their heartbeats.
    pub(crate) rebalances: bool,
    /// Whether the coordinator has struck the member off.
    pub(crate) forgotten: bool,
    pub(crate) strategy: &'static str,
}

impl Cluster {
    /// The answer to anything but a Fetch.
    pub(crate) fn answer(&mut self, request: &RequestKind) -> ResponseKind {
        match request {
            RequestKind::Metadata(_) => metadata().into(),
            RequestKind::FindCoordinator(_) => coordinator().into(),
            RequestKind::JoinGroup(_) => self.join().into(),
            RequestKind::SyncGroup(sync) => self.sync(sync.generation_id).into(),
            RequestKind::Heartbeat(beat) => HeartbeatResponse {
                error_code: self.judge(beat.generation_id, true),
                ..HeartbeatResponse::default()
            }
            .into(),
            RequestKind::LeaveGroup(_) => LeaveGroupResponse::default().into(),
            RequestKind::OffsetFetch(asked) => self.committed(asked).into(),
            RequestKind::OffsetCommit(commit) => self.commit(commit).into(),
            RequestKind::ListOffsets(asked) => beginnings(asked).into(),
            other => panic!("{} was not expected", other.api_key().name()),
        }
    }

    fn judge(&self, generation: i32, hears: bool) -> ErrorCode {
        if self.forgotten {
            ErrorCode::UNKNOWN_MEMBER_ID
        } else if generation != self.generation {
            ErrorCode::ILLEGAL_GENERATION
        } else if self.rebalances && hears {
            ErrorCode::REBALANCE_IN_PROGRESS
        } else {
            ErrorCode::NONE
        }
    }

    fn join(&mut self) -> JoinGroupResponse {
        self.generation += 1;
        self.rebalances = false;
        self.forgotten = false;
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_type: Some("consumer".to_owned()),
            protocol_name: Some(self.strategy.to_owned()),
            leader: "another".to_owned(),
            member_id: "this".to_owned(),
            ..JoinGroupResponse::default()
        }
    }

    fn sync(&self, generation: i32) -> SyncGroupResponse {
        let assignment = Assignment {
            partitions: self.share.iter().collect(),
            ..Assignment::default()
        };
        SyncGroupResponse {
            error_code: self.judge(generation, true),
            protocol_type: Some("consumer".to_owned()),
            protocol_name: Some(self.strategy.to_owned()),
            assignment: assignment.encode(1).unwrap(),
            ..SyncGroupResponse::default()
        }
    }

    fn commit(&mut self, commit: &OffsetCommitRequest) -> OffsetCommitResponse {
        // Who assigns by hand belongs to no generation.
        let code = match commit.generation_id_or_member_epoch {
            -1 => ErrorCode::NONE,
            generation => self.judge(generation, false),
        };
        let topics = commit.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|one| {
                if code == ErrorCode::NONE {
                    self.stored
                        .insert(partition(one.partition_index), one.committed_offset);
                }
                OffsetCommitResponsePartition {
                    partition_index: one.partition_index,
                    error_code: code,
                }
            });
            OffsetCommitResponseTopic {
                name: topic.name.clone(),
                topic_id: topic.topic_id,
                partitions: partitions.collect(),
            }
        });
        OffsetCommitResponse {
            topics: topics.collect(),
            ..OffsetCommitResponse::default()
        }
    }

    fn committed(&self, asked: &OffsetFetchRequest) -> OffsetFetchResponse {
        let told = |index| (self.stored.get(&partition(index)).copied(), ErrorCode::NONE);
        committed(asked, told)
    }

    /// The parts of the answer to a Fetch: a batch of each partition.
    pub(crate) fn fetched(fetch: &FetchRequest) -> Vec<FetchPart> {
        let mut parts = vec![FetchPart::Head {
            throttle_time_ms: 0,
            error_code: ErrorCode::NONE,
            session_id: 0,
        }];
        for topic in &fetch.topics {
            for asked in &topic.partitions {
                parts.push(FetchPart::Partition(FetchedPartition {
                    topic: topic.topic.as_str().into(),
                    topic_id: topic.topic_id,
                    partition: asked.partition,
                    error_code: ErrorCode::NONE,
                    high_watermark: END,
                    last_stable_offset: END,
                    log_start_offset: 0,
                    aborted_transactions: Vec::new(),
                    preferred_read_replica: -1,
                }));
                if asked.fetch_offset < END {
                    parts.push(FetchPart::Batch(batch(asked.fetch_offset / BATCH * BATCH)));
                }
                parts.push(FetchPart::PartitionEnd(PartitionEnd::default()));
            }
        }
        parts.push(FetchPart::End {
            node_endpoints: Vec::new(),
        });
        parts
    }
}

fn batch(base: i64) -> RecordBatch {
    let mut builder = RecordBatchBuilder::new().base_offset(base);
    for _ in 0..BATCH {
        builder.append(0, None, Some(b"value"), &[]).unwrap();
    }
    builder.build().unwrap()
}

/// What a group has of the partitions that are asked for; a partition with neither is left out.
pub(crate) fn committed(
    asked: &OffsetFetchRequest,
    told: impl Fn(i32) -> (Option<i64>, ErrorCode),
) -> OffsetFetchResponse {
    let topics = asked.groups[0].topics.iter().flatten().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|index| {
            let (offset, error_code) = told(*index);
            OffsetFetchResponsePartitions {
                partition_index: *index,
                committed_offset: offset.unwrap_or(-1),
                committed_leader_epoch: -1,
                error_code,
                ..OffsetFetchResponsePartitions::default()
            }
        });
        OffsetFetchResponseTopics {
            name: topic.name.clone(),
            partitions: partitions.collect(),
            ..OffsetFetchResponseTopics::default()
        }
    });
    OffsetFetchResponse {
        groups: vec![OffsetFetchResponseGroup {
            group_id: "g".to_owned(),
            topics: topics.collect(),
            ..OffsetFetchResponseGroup::default()
        }],
        ..OffsetFetchResponse::default()
    }
}

fn beginnings(asked: &ListOffsetsRequest) -> ListOffsetsResponse {
    let topics = asked.topics.iter().map(|topic| {
        let partitions = topic
            .partitions
            .iter()
            .map(|one| ListOffsetsPartitionResponse {
                partition_index: one.partition_index,
                offset: 0,
                ..ListOffsetsPartitionResponse::default()
            });
        ListOffsetsTopicResponse {
            name: topic.name.clone(),
            partitions: partitions.collect(),
        }
    });
    ListOffsetsResponse {
        throttle_time_ms: 0,
        topics: topics.collect(),
    }
}

fn metadata() -> MetadataResponse {
    let partitions = (0..PARTITIONS).map(|partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: 1,
        leader_epoch: -1,
        ..MetadataResponsePartition::default()
    });
    MetadataResponse {
        brokers: vec![MetadataResponseBroker {
            node_id: 1,
            host: "broker-1".to_owned(),
            port: 9092,
            ..MetadataResponseBroker::default()
        }],
        topics: vec![MetadataResponseTopic {
            name: Some("events".to_owned()),
            topic_id: TopicId::new([7; 16]),
            partitions: partitions.collect(),
            ..MetadataResponseTopic::default()
        }],
        ..MetadataResponse::default()
    }
}

pub(crate) fn coordinator() -> FindCoordinatorResponse {
    FindCoordinatorResponse {
        coordinators: vec![Coordinator {
            key: "g".to_owned(),
            node_id: 1,
            host: "broker-1".to_owned(),
            port: 9092,
            ..Coordinator::default()
        }],
        ..FindCoordinatorResponse::default()
    }
}
