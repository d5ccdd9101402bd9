//! Parts of Fetch responses, as they arrive.

use std::collections::BTreeSet;
use std::time::Instant;

use windlass_machine::RequestId;
use windlass_model::{BrokerEndpoint, NodeId, TopicPartition};
use windlass_protocol::ErrorCode;
use windlass_protocol::fetch_response::{FetchPart, FetchedPartition, NodeEndpoint};

use crate::aborted::AbortedTransactions;
use crate::in_flight::InFlight;
use crate::{FetchError, FetchEvent, FetchMachine};

impl FetchMachine {
    /// A part of a Fetch response arrived.
    pub fn on_fetch_part(&mut self, id: RequestId, part: FetchPart, now: Instant) {
        self.assert_drained();
        let Some(InFlight::Fetch(_)) = self.in_flight.get(&id) else {
            self.tally.late_answers += 1;
            return;
        };
        match part {
            FetchPart::Head {
                error_code,
                throttle_time_ms,
                ..
            } => self.on_head(id, error_code, throttle_time_ms, now),
            FetchPart::Partition(partition) => self.on_partition(id, partition, now),
            FetchPart::Batch(batch) => {
                self.on_batch(id, batch, now);
                // Nothing but the queue has changed, and that was looked after.
                return;
            }
            FetchPart::CorruptBatch {
                base_offset,
                last_offset,
                error,
            } => self.on_corrupt_batch(id, base_offset, last_offset, &error, now),
            FetchPart::PartitionEnd(end) => self.on_partition_end(id, &end, now),
            FetchPart::End { node_endpoints } => self.on_end(id, node_endpoints),
        }
        self.note_ready();
    }

    /// A Fetch response is complete: the next fetch may go to that broker.
    pub fn on_fetch_done(&mut self, id: RequestId, now: Instant) {
        self.assert_drained();
        match self.in_flight.remove(&id) {
            Some(InFlight::Fetch(fetch)) => {
                self.budget.finished(id);
                if !fetch.answered {
                    // Not a word of what was asked for: asking again at once would not help.
                    self.rest(fetch.node, now);
                } else if !self.rests(fetch.node, now) {
                    self.source(fetch.node).settle_down();
                }
                if fetch.answered && !fetch.progressed && now < fetch.patient_until {
                    self.stand_in(fetch.node, now);
                } else {
                    self.source(fetch.node).went_well();
                }
            }
            Some(other) => {
                self.in_flight.insert(id, other);
            }
            None => self.tally.late_answers += 1,
        }
        self.pump(now);
    }

    fn on_head(
        &mut self,
        id: RequestId,
        error_code: ErrorCode,
        throttle_time_ms: i32,
        now: Instant,
    ) {
        // A broker over whose quota this client is answers without a partition. It is well, and
        // whoever carries requests to it waits.
        if throttle_time_ms > 0
            && let Some(InFlight::Fetch(fetch)) = self.in_flight.get_mut(&id)
        {
            fetch.answered = true;
            fetch.progressed = true;
        }
        if error_code.is_error()
            && let Some(InFlight::Fetch(fetch)) = self.in_flight.get(&id)
        {
            let node = fetch.node;
            self.rest(node, now);
            self.need_metadata(format!(
                "broker {node}: Fetch was answered with {}",
                error_code.name()
            ));
        }
    }

    fn on_partition(&mut self, id: RequestId, fetched: FetchedPartition, now: Instant) {
        let topic_partition = self.asked_partition(id, &fetched);
        let was_asked_for = topic_partition.is_some();
        let current = topic_partition.filter(|partition| self.still_counts(id, partition));
        self.set_arriving(id, current.clone());
        let Some(topic_partition) = current else {
            self.tally.stale_parts += 1;
            if was_asked_for {
                self.note_progress(id);
            }
            return;
        };
        if fetched.error_code.is_error() {
            self.note_progress(id);
            self.on_partition_error(id, &topic_partition, fetched.error_code, now);
            return;
        }
        let follower = self.preferred_follower(id, &topic_partition, &fetched);
        let Some(state) = self.partitions.get_mut(&topic_partition) else {
            return;
        };
        if follower.is_none() && state.fetch_bytes != Some(i32::MAX) {
            state.settle_down();
            // That one shows only in the batches.
            let still = |told: &mut FetchError| !matches!(told, FetchError::Undecided { .. });
            state.told.take_if(still);
        }
        state.high_watermark = (fetched.high_watermark >= 0).then_some(fetched.high_watermark);
        state.last_stable_offset =
            (fetched.last_stable_offset >= 0).then_some(fetched.last_stable_offset);
        let stable = state.last_stable_offset;
        if let Some(InFlight::Fetch(fetch)) = self.in_flight.get_mut(&id) {
            fetch.aborted = AbortedTransactions::new(fetched.aborted_transactions);
            fetch.last_stable_offset = stable;
        }
        if let Some(follower) = follower {
            self.note_progress(id);
            self.read_from_follower(&topic_partition, follower, now);
        }
    }

    /// The follower that the leader would rather have read from. What others than the leader say of
    /// that does not count, or we might be sent in a circle.
    fn preferred_follower(
        &self,
        id: RequestId,
        topic_partition: &TopicPartition,
        fetched: &FetchedPartition,
    ) -> Option<NodeId> {
        let Some(InFlight::Fetch(fetch)) = self.in_flight.get(&id) else {
            return None;
        };
        let leader = self.partitions.get(topic_partition)?.leader?;
        let follower = NodeId(fetched.preferred_read_replica);
        (follower.0 >= 0 && leader == fetch.node && follower != leader).then_some(follower)
    }

    /// The partition of the request that this part is of, by name or by id.
    fn asked_partition(
        &mut self,
        id: RequestId,
        fetched: &FetchedPartition,
    ) -> Option<TopicPartition> {
        let Some(InFlight::Fetch(fetch)) = self.in_flight.get_mut(&id) else {
            return None;
        };
        let topic = if fetched.topic_id.is_zero() {
            fetched.topic.clone()
        } else {
            fetch.names.get(&fetched.topic_id)?.clone()
        };
        let topic_partition = TopicPartition::new(topic, fetched.partition);
        let asked = fetch.asked.contains_key(&topic_partition);
        fetch.answered |= asked;
        asked.then_some(topic_partition)
    }

    /// The leader would rather have the partition read from a follower near by; it sent nothing.
    fn read_from_follower(
        &mut self,
        topic_partition: &TopicPartition,
        follower: NodeId,
        now: Instant,
    ) {
        let is_known = self.cluster.brokers.contains_key(&follower) && !self.rests(follower, now);
        let Some(state) = self.partitions.get_mut(topic_partition) else {
            return;
        };
        if is_known {
            state.read_replica = Some((follower, now + self.config.metadata_max_age));
        } else {
            state.back_off(&mut self.random, now);
            self.need_metadata(format!(
                "broker {follower}, which {topic_partition} is to be read from, cannot be reached"
            ));
        }
    }

    fn on_partition_error(
        &mut self,
        id: RequestId,
        topic_partition: &TopicPartition,
        code: ErrorCode,
        now: Instant,
    ) {
        if self.leave_follower(id, topic_partition) {
            if let Some(state) = self.partitions.get_mut(topic_partition) {
                state.back_off(&mut self.random, now);
            }
            self.need_metadata(format!(
                "Fetch of {topic_partition} from a follower was answered with {}",
                code.name()
            ));
            return;
        }
        let Some(state) = self.partitions.get_mut(topic_partition) else {
            return;
        };
        let offset = state.queue.next_fetch().offset;
        if code == ErrorCode::OFFSET_OUT_OF_RANGE && state.queue.is_empty() {
            let reason = format!("offset {offset} is out of range");
            let error = FetchError::OffsetOutOfRange { offset };
            self.lose_position(topic_partition, reason, error, now);
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
            | ErrorCode::UNKNOWN_LEADER_EPOCH
            | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
                self.need_metadata(format!(
                    "Fetch of {topic_partition} was answered with {}",
                    code.name()
                ));
            }
            // The queue has yet to drain.
            ErrorCode::OFFSET_OUT_OF_RANGE => {}
            _ => self.tell(topic_partition, FetchError::Refused { api: "Fetch", code }),
        }
    }

    /// Goes back to the leader, if this response comes from a follower. A follower may know less of
    /// the log, so its errors mean nothing.
    pub(crate) fn leave_follower(
        &mut self,
        id: RequestId,
        topic_partition: &TopicPartition,
    ) -> bool {
        let Some(InFlight::Fetch(fetch)) = self.in_flight.get(&id) else {
            return false;
        };
        let Some(state) = self.partitions.get_mut(topic_partition) else {
            return false;
        };
        if state.leader == Some(fetch.node) {
            return false;
        }
        state.read_replica = None;
        true
    }

    /// A broker may say where the leaders are that it named, and nothing of any other.
    fn on_end(&mut self, id: RequestId, node_endpoints: Vec<NodeEndpoint>) {
        let Some(InFlight::Fetch(fetch)) = self.in_flight.get_mut(&id) else {
            return;
        };
        let mut hinted = std::mem::take(&mut fetch.hinted);
        let unlisted = std::mem::take(&mut fetch.unlisted);
        let mut found = BTreeSet::new();
        for node in node_endpoints {
            if !hinted.remove(&NodeId(node.node_id)) {
                continue;
            }
            let Ok(port) = u16::try_from(node.port) else {
                continue;
            };
            found.insert(NodeId(node.node_id));
            self.events.push_back(FetchEvent::BrokerFound {
                node: NodeId(node.node_id),
                endpoint: BrokerEndpoint {
                    host: node.host,
                    port,
                    rack: node.rack,
                },
            });
        }
        let mut nowhere = BTreeSet::new();
        for (topic_partition, hint) in unlisted {
            let leader = NodeId(hint.leader_id);
            if !found.contains(&leader) {
                nowhere.insert(leader);
            } else if self.still_counts(id, &topic_partition) {
                self.follow_hint(&topic_partition, &hint);
            }
        }
        if let Some(leader) = nowhere.first() {
            self.need_metadata(format!(
                "broker {leader} leads, and nobody said where it is"
            ));
        }
    }

    /// Whether an answer to this request still counts for the partition.
    pub(crate) fn still_counts(&self, id: RequestId, topic_partition: &TopicPartition) -> bool {
        let Some(InFlight::Fetch(fetch)) = self.in_flight.get(&id) else {
            return false;
        };
        let epoch = self
            .partitions
            .get(topic_partition)
            .map(|state| state.epoch);
        epoch.is_some() && fetch.asked.get(topic_partition).copied() == epoch
    }
}
