//! Parts of Fetch responses, as they arrive.

use std::time::Instant;

use windlass_machine::RequestId;
use windlass_model::{BrokerEndpoint, LeaderEpoch, NodeId, TopicPartition};
use windlass_protocol::ErrorCode;
use windlass_protocol::fetch_response::{FetchPart, FetchedPartition, LeaderIdAndEpoch};
use windlass_protocol::records::{BatchHeader, RecordBatch};

use crate::aborted::AbortedTransactions;
use crate::machine::InFlight;
use crate::partition::{PartitionState, Stage};
use crate::{FetchError, FetchEvent, FetchMachine, IsolationLevel};

impl FetchMachine {
    /// A part of a Fetch response arrived.
    pub fn on_fetch_part(&mut self, id: RequestId, part: FetchPart, now: Instant) {
        self.assert_drained();
        let Some(InFlight::Fetch(_)) = self.in_flight.get(&id) else {
            self.tally.late_answers += 1;
            return;
        };
        match part {
            FetchPart::Head { error_code, .. } => self.on_head(id, error_code, now),
            FetchPart::Partition(partition) => self.on_partition(id, partition, now),
            FetchPart::Batch(batch) => self.on_batch(id, batch),
            FetchPart::CorruptBatch {
                base_offset, error, ..
            } => {
                self.on_corrupt_batch(id, base_offset, error.to_string(), now);
            }
            FetchPart::PartitionEnd(end) => {
                if let Some(leader) = end.current_leader {
                    self.on_leader_hint(id, leader);
                }
                self.set_current(id, None);
            }
            FetchPart::End { node_endpoints } => {
                for node in node_endpoints {
                    let Ok(port) = u16::try_from(node.port) else {
                        continue;
                    };
                    self.events.push_back(FetchEvent::BrokerFound {
                        node: NodeId(node.node_id),
                        endpoint: BrokerEndpoint {
                            host: node.host,
                            port,
                            rack: node.rack,
                        },
                    });
                }
            }
        }
    }

    /// A Fetch response is complete: the next fetch may go to that broker.
    pub fn on_fetch_done(&mut self, id: RequestId, now: Instant) {
        self.assert_drained();
        match self.in_flight.remove(&id) {
            Some(InFlight::Fetch(fetch)) => {
                self.budget.finished(id);
                if !self.rests(fetch.node, now) {
                    self.resting.remove(&fetch.node);
                }
            }
            Some(other) => {
                self.in_flight.insert(id, other);
            }
            None => self.tally.late_answers += 1,
        }
        self.pump(now);
    }

    fn on_head(&mut self, id: RequestId, error_code: ErrorCode, now: Instant) {
        if error_code.is_none() {
            return;
        }
        // Without sessions there is no error of the whole response to be expected.
        if let Some(InFlight::Fetch(fetch)) = self.in_flight.get(&id) {
            let node = fetch.node;
            let failure = windlass_machine::RequestFailure::new(
                windlass_machine::FailureKind::Undecodable,
                format!("Fetch was answered with {}", error_code.name()),
            );
            self.rest(node, &failure, now);
        }
    }

    fn on_partition(&mut self, id: RequestId, fetched: FetchedPartition, now: Instant) {
        let named = if fetched.topic_id.is_zero() {
            Some(fetched.topic.clone())
        } else {
            self.cluster.topic_name(fetched.topic_id).cloned()
        };
        let topic_partition = named.map(|topic| TopicPartition::new(topic, fetched.partition));
        let current = topic_partition.filter(|partition| self.still_counts(id, partition));
        self.set_current(id, current.clone());
        let Some(topic_partition) = current else {
            self.tally.stale_parts += 1;
            return;
        };
        let Some(state) = self.partitions.get_mut(&topic_partition) else {
            return;
        };
        if fetched.error_code.is_none() {
            state.settle_down();
            state.high_watermark = (fetched.high_watermark >= 0).then_some(fetched.high_watermark);
            state.last_stable_offset =
                (fetched.last_stable_offset >= 0).then_some(fetched.last_stable_offset);
            state.aborted = AbortedTransactions::new(fetched.aborted_transactions);
        } else {
            self.on_partition_error(&topic_partition, fetched.error_code, now);
        }
    }

    fn on_partition_error(
        &mut self,
        topic_partition: &TopicPartition,
        code: ErrorCode,
        now: Instant,
    ) {
        let Some(state) = self.partitions.get_mut(topic_partition) else {
            return;
        };
        let offset = state.queue.next_fetch().offset;
        if code == ErrorCode::OFFSET_OUT_OF_RANGE && state.queue.is_empty() {
            let reason = format!("offset {offset} is out of range");
            self.lose_position(
                topic_partition,
                reason,
                FetchError::OffsetOutOfRange { offset },
            );
            return;
        }
        state.back_off(&mut self.random, now);
        match code {
            ErrorCode::NOT_LEADER_OR_FOLLOWER
            | ErrorCode::FENCED_LEADER_EPOCH
            | ErrorCode::REPLICA_NOT_AVAILABLE
            | ErrorCode::LEADER_NOT_AVAILABLE
            | ErrorCode::KAFKA_STORAGE_ERROR
            | ErrorCode::OFFSET_NOT_AVAILABLE
            | ErrorCode::UNKNOWN_TOPIC_ID
            | ErrorCode::INCONSISTENT_TOPIC_ID
            | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
                self.need_metadata(format!(
                    "Fetch of {topic_partition} was answered with {}",
                    code.name()
                ));
            }
            // The broker has yet to hear of the leader we know, or the queue has yet to drain.
            ErrorCode::UNKNOWN_LEADER_EPOCH | ErrorCode::OFFSET_OUT_OF_RANGE => {}
            _ => self.tell(topic_partition, FetchError::Refused { api: "Fetch", code }),
        }
    }

    fn on_batch(&mut self, id: RequestId, batch: RecordBatch) {
        let Some(topic_partition) = self.current(id) else {
            self.tally.stale_parts += 1;
            return;
        };
        let read_committed = self.config.isolation_level == IsolationLevel::ReadCommitted;
        let Some(state) = self.partitions.get_mut(&topic_partition) else {
            return;
        };
        if read_committed && beyond_stable(state, batch.header()) {
            return;
        }
        let before = state.queue.bytes();
        if batch.header().is_control {
            if let Some(kind) = control_kind(&batch) {
                state.aborted.end(batch.header(), kind);
            }
            state.queue.push_skipped(&batch);
        } else if read_committed && state.aborted.covers(batch.header()) {
            self.tally.aborted_batches += 1;
            state.queue.push_skipped(&batch);
        } else {
            state.queue.push(batch);
        }
        let grown = state.queue.bytes() - before;
        self.budget.arrived(id, grown);
        if grown > 0 {
            if self.loaded.is_empty() {
                self.events.push_back(FetchEvent::RecordsReady);
            }
            self.loaded.insert(topic_partition);
        }
    }

    fn on_corrupt_batch(&mut self, id: RequestId, base_offset: i64, detail: String, now: Instant) {
        let Some(topic_partition) = self.current(id) else {
            self.tally.stale_parts += 1;
            return;
        };
        // What follows it must not be handed out before the application has decided.
        self.set_current(id, None);
        let Some(state) = self.partitions.get_mut(&topic_partition) else {
            return;
        };
        if state.queue.is_empty() {
            let offset = base_offset.max(state.queue.position().offset);
            self.fail(&topic_partition, FetchError::Corrupt { offset, detail });
        } else {
            // The sound batches before it are handed out first; then it is fetched once more.
            state.back_off(&mut self.random, now);
        }
    }

    fn on_leader_hint(&mut self, id: RequestId, hint: LeaderIdAndEpoch) {
        let Some(topic_partition) = self.current(id) else {
            return;
        };
        let Some(state) = self.partitions.get_mut(&topic_partition) else {
            return;
        };
        let epoch = LeaderEpoch::from_wire(hint.leader_epoch);
        if hint.leader_id >= 0 && epoch > state.leader_epoch {
            state.retry_at = None;
            let leader = Some(NodeId(hint.leader_id));
            self.change_leader(&topic_partition, leader, epoch);
        }
    }

    /// Notes who leads, in every assigned partition.
    pub(crate) fn note_leaders(&mut self, now: Instant) {
        let assigned: Vec<_> = self.partitions.keys().cloned().collect();
        let cluster = std::sync::Arc::clone(&self.cluster);
        let mut leaderless = None;
        for topic_partition in assigned {
            let id = cluster
                .topics
                .get(&topic_partition.topic)
                .map(|topic| topic.id)
                .unwrap_or_default();
            let known = cluster.partition(&topic_partition);
            let leader = known.and_then(|partition| partition.leader);
            let epoch = known.and_then(|partition| partition.leader_epoch);
            let Some(state) = self.partitions.get_mut(&topic_partition) else {
                continue;
            };
            // A picture that is older than a leader's own word does not count.
            let stale = matches!((epoch, state.leader_epoch), (Some(new), Some(old)) if new < old)
                && state.topic_id == id;
            if !id.is_zero() {
                state.topic_id = id;
            }
            if leader.is_none() {
                state.back_off(&mut self.random, now);
                leaderless = Some(topic_partition.clone());
            }
            if !stale {
                self.change_leader(&topic_partition, leader, epoch);
            }
        }
        if let Some(topic_partition) = leaderless
            && !cluster.brokers.is_empty()
        {
            self.need_metadata(format!("{topic_partition} has no leader"));
        }
    }

    fn change_leader(
        &mut self,
        topic_partition: &TopicPartition,
        leader: Option<NodeId>,
        leader_epoch: Option<LeaderEpoch>,
    ) {
        let epoch = self.next_epoch();
        let Some(state) = self.partitions.get_mut(topic_partition) else {
            return;
        };
        if state.leader == leader && state.leader_epoch == leader_epoch {
            return;
        }
        state.leader = leader;
        state.leader_epoch = leader_epoch;
        // What the former leader still sends may not be in the log of the new one.
        state.epoch = epoch;
        match &mut state.stage {
            Stage::Fetching | Stage::Validating { .. } => {
                let has_epoch = state.queue.next_fetch().leader_epoch.is_some();
                state.stage = if has_epoch && leader.is_some() {
                    Stage::Validating { asked: false }
                } else {
                    Stage::Fetching
                };
            }
            Stage::Resetting { asked, .. } => *asked = false,
            Stage::Awaiting | Stage::Failed => {}
        }
    }

    /// Whether an answer to this request still counts for the partition.
    fn still_counts(&self, id: RequestId, topic_partition: &TopicPartition) -> bool {
        let Some(InFlight::Fetch(fetch)) = self.in_flight.get(&id) else {
            return false;
        };
        let epoch = self
            .partitions
            .get(topic_partition)
            .map(|state| state.epoch);
        epoch.is_some() && fetch.asked.get(topic_partition).copied() == epoch
    }

    /// The partition whose part is arriving, if it still counts.
    fn current(&self, id: RequestId) -> Option<TopicPartition> {
        let Some(InFlight::Fetch(fetch)) = self.in_flight.get(&id) else {
            return None;
        };
        let current = fetch.current.clone()?;
        self.still_counts(id, &current).then_some(current)
    }

    fn set_current(&mut self, id: RequestId, current: Option<TopicPartition>) {
        if let Some(InFlight::Fetch(fetch)) = self.in_flight.get_mut(&id) {
            fetch.current = current;
        }
    }
}

/// Whether the batch lies where transactions are undecided; a broker should not have sent it.
fn beyond_stable(state: &PartitionState, header: &BatchHeader) -> bool {
    state
        .last_stable_offset
        .is_some_and(|stable| header.base_offset >= stable)
}

fn control_kind(batch: &RecordBatch) -> Option<windlass_protocol::records::ControlRecordType> {
    const LARGEST_CONTROL_BATCH: usize = 1024 * 1024;
    let decoded = batch.decompressed(LARGEST_CONTROL_BATCH).ok()?;
    Some(decoded.control_record().ok()?.record_type)
}
