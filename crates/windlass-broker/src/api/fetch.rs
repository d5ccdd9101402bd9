//! Fetch: batches out of logs, after a wait if there are none yet.

use std::time::{Duration, Instant};

use bytes::Bytes;
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::fetch::{
    AbortedTransaction, FetchPartition, FetchRequest, FetchResponse, FetchTopic,
    FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};

use crate::connection::ReplyTo;
use crate::topic::Partition;
use crate::{ClusterCore, Inbound};

/// The first version that can say who leads instead.
const CURRENT_LEADER_FROM: i16 = 12;

/// The first version that can say where that leader listens (KIP-951).
const NODE_ENDPOINTS_FROM: i16 = 16;

/// A fetch that waits for more to return.
#[derive(Debug)]
pub(crate) struct WaitingFetch {
    pub(crate) reply_to: ReplyTo,
    pub(crate) deadline: Instant,
    inbound: Inbound,
    request: FetchRequest,
}

impl ClusterCore {
    pub(super) fn fetch(
        &mut self,
        inbound: &Inbound,
        reply_to: ReplyTo,
        request: FetchRequest,
        now: Instant,
    ) {
        if request.session_id != 0 {
            // No session is ever begun here: every fetch names all it wants.
            let response = FetchResponse {
                error_code: ErrorCode::FETCH_SESSION_ID_NOT_FOUND,
                ..FetchResponse::default()
            };
            self.reply(reply_to, response.into(), now);
            return;
        }
        let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
        let waiting = WaitingFetch {
            reply_to,
            deadline: now + wait,
            inbound: inbound.clone(),
            request,
        };
        // Settling looks at it at once.
        self.waiting_fetches.push_back(waiting);
    }

    /// Answers the fetches that have waited long enough, or have enough to return.
    pub(crate) fn complete_fetches(&mut self, now: Instant) {
        for waiting in std::mem::take(&mut self.waiting_fetches) {
            if waiting.deadline <= now || self.has_enough(&waiting) {
                let response = self.fetch_response(&waiting.inbound, &waiting.request);
                self.reply(waiting.reply_to, response.into(), now);
            } else {
                self.waiting_fetches.push_back(waiting);
            }
        }
    }

    /// Whether the fetch has its `min_bytes`, or an error to tell.
    fn has_enough(&self, waiting: &WaitingFetch) -> bool {
        let wanted = usize::try_from(waiting.request.min_bytes).unwrap_or(0);
        let mut bytes = 0;
        for topic in &waiting.request.topics {
            for wish in &topic.partitions {
                let Ok(partition) = self.readable(&waiting.inbound, topic, wish) else {
                    return true;
                };
                let rack = &waiting.request.rack_id;
                let replica = self.preferred_read_replica(partition, &waiting.inbound, rack);
                if replica.is_some() {
                    return true;
                }
                let until = limit(partition, waiting.request.isolation_level);
                bytes += partition.log.bytes_from(wish.fetch_offset, until, wanted);
                if bytes >= wanted {
                    return true;
                }
            }
        }
        bytes >= wanted
    }

    fn fetch_response(&self, inbound: &Inbound, request: &FetchRequest) -> FetchResponse {
        let mut left = usize::try_from(request.max_bytes).unwrap_or(0);
        let mut nothing_yet = true;
        let mut node_endpoints: Vec<NodeEndpoint> = Vec::new();
        let mut responses = Vec::new();
        for topic in &request.topics {
            let mut partitions = Vec::new();
            for wish in &topic.partitions {
                let data = match self.readable(inbound, topic, wish) {
                    Ok(partition) => {
                        let replica =
                            self.preferred_read_replica(partition, inbound, &request.rack_id);
                        let most = if replica.is_some() { 0 } else { left };
                        let first = nothing_yet && replica.is_none();
                        let mut data = read(partition, wish, request.isolation_level, most, first);
                        data.preferred_read_replica = replica.map_or(-1, |node| node.0);
                        let bytes = data.records.as_ref().map_or(0, Bytes::len);
                        left = left.saturating_sub(bytes);
                        nothing_yet &= bytes == 0;
                        data
                    }
                    Err(code) => {
                        self.refuse(inbound.version, topic, wish, code, &mut node_endpoints)
                    }
                };
                partitions.push(data);
            }
            responses.push(FetchableTopicResponse {
                topic: topic.topic.clone(),
                topic_id: topic.topic_id,
                partitions,
            });
        }
        FetchResponse {
            responses,
            node_endpoints,
            ..FetchResponse::default()
        }
    }

    /// The partition, if this node may be asked for that offset of it.
    fn readable(
        &self,
        inbound: &Inbound,
        topic: &FetchTopic,
        wish: &FetchPartition,
    ) -> Result<&Partition, ErrorCode> {
        let found = self.topics.find(&topic.topic, topic.topic_id);
        let unknown = if topic.topic.is_empty() {
            ErrorCode::UNKNOWN_TOPIC_ID
        } else {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        };
        let (_, found) = found.ok_or(unknown)?;
        let partition = found
            .partition(wish.partition)
            .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        self.check_replica(partition, inbound, wish.current_leader_epoch)?;
        if wish.fetch_offset < partition.log.start() || wish.fetch_offset > partition.log.end() {
            return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
        }
        Ok(partition)
    }

    fn refuse(
        &self,
        version: i16,
        topic: &FetchTopic,
        wish: &FetchPartition,
        error_code: ErrorCode,
        node_endpoints: &mut Vec<NodeEndpoint>,
    ) -> PartitionData {
        let mut data = PartitionData {
            partition_index: wish.partition,
            error_code,
            high_watermark: -1,
            records: Some(Bytes::new()),
            ..PartitionData::default()
        };
        let moved = error_code == ErrorCode::NOT_LEADER_OR_FOLLOWER
            || error_code == ErrorCode::FENCED_LEADER_EPOCH;
        let partition = self
            .topics
            .find(&topic.topic, topic.topic_id)
            .and_then(|(_, found)| found.partition(wish.partition));
        if let (true, Some(partition)) = (moved && version >= CURRENT_LEADER_FROM, partition)
            && let Some(leader) = partition.leader
        {
            data.current_leader = LeaderIdAndEpoch {
                leader_id: leader.0,
                leader_epoch: partition.leader_epoch,
            };
            if version >= NODE_ENDPOINTS_FROM
                && let Some(endpoint) = self.nodes.endpoint(leader)
                && node_endpoints.iter().all(|known| known.node_id != leader.0)
            {
                node_endpoints.push(NodeEndpoint {
                    node_id: leader.0,
                    host: endpoint.host.clone(),
                    port: i32::from(endpoint.port),
                    rack: endpoint.rack.clone(),
                });
            }
        }
        data
    }
}

/// Whether the client knows who leads the partition, and the node does. Every node knows every
/// epoch, so a client with an old one is told so even by a node that does not lead.
pub(super) fn check_leader(
    partition: &Partition,
    inbound: &Inbound,
    client_epoch: i32,
) -> Result<(), ErrorCode> {
    check_epoch(partition, client_epoch)?;
    if partition.leader != Some(inbound.node) {
        return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    }
    Ok(())
}

/// Whether the client and this node know of the same leadership.
pub(super) fn check_epoch(partition: &Partition, client_epoch: i32) -> Result<(), ErrorCode> {
    if client_epoch >= 0 && client_epoch < partition.leader_epoch {
        return Err(ErrorCode::FENCED_LEADER_EPOCH);
    }
    if client_epoch > partition.leader_epoch {
        return Err(ErrorCode::UNKNOWN_LEADER_EPOCH);
    }
    Ok(())
}

/// Up to where may be read.
pub(super) fn limit(partition: &Partition, isolation_level: i8) -> i64 {
    if isolation_level == 1 {
        partition.log.last_stable()
    } else {
        partition.log.end()
    }
}

fn read(
    partition: &Partition,
    wish: &FetchPartition,
    isolation_level: i8,
    left: usize,
    first: bool,
) -> PartitionData {
    let until = limit(partition, isolation_level);
    let most = usize::try_from(wish.partition_max_bytes)
        .unwrap_or(0)
        .min(left);
    let records = partition.log.read(wish.fetch_offset, until, most, first);
    let end = records.next_offset;
    let aborted_transactions = (isolation_level == 1).then(|| {
        partition
            .log
            .aborted_between(wish.fetch_offset, end)
            .into_iter()
            .map(|span| AbortedTransaction {
                producer_id: span.producer_id,
                first_offset: span.first_offset,
            })
            .collect()
    });
    PartitionData {
        partition_index: wish.partition,
        high_watermark: partition.log.end(),
        last_stable_offset: partition.log.last_stable(),
        log_start_offset: partition.log.start(),
        aborted_transactions,
        preferred_read_replica: -1,
        records: Some(records.bytes),
        ..PartitionData::default()
    }
}
