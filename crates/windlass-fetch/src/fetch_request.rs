//! What to fetch next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use windlass_machine::{RequestFailure, RequestId};
use windlass_model::{LeaderEpoch, NodeId, TopicPartition};
use windlass_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};

use crate::FetchMachine;
use crate::machine::InFlight;

/// The last version of Fetch that names topics; later ones go by topic id (KIP-516).
const LAST_VERSION_BY_NAME: i16 = 12;

/// How long a broker may wait for more when a partition of it is left out because its queue is
/// full: the queue may drain any moment, and must not wait for its quiet neighbours.
const SHORT_WAIT: Duration = Duration::from_millis(10);

/// A fetch under way.
#[derive(Clone, Debug)]
pub(crate) struct FetchInFlight {
    pub(crate) node: NodeId,
    /// The epoch each partition had when it was asked for.
    pub(crate) asked: BTreeMap<TopicPartition, u64>,
    /// The partition whose part of the response is arriving.
    pub(crate) current: Option<TopicPartition>,
}

impl FetchMachine {
    /// Sends a fetch to every leader that has none under way and something to be fetched from.
    pub(crate) fn send_fetches(&mut self, now: Instant) {
        let busy: BTreeSet<NodeId> = self
            .in_flight
            .values()
            .filter_map(|in_flight| match in_flight {
                InFlight::Fetch(fetch) => Some(fetch.node),
                InFlight::Reset(_) | InFlight::Validation(_) | InFlight::Lookup(_) => None,
            })
            .collect();
        let mut wanted: BTreeMap<NodeId, Wanted> = BTreeMap::new();
        let limit = self.partition_limit();
        for (topic_partition, state) in &self.partitions {
            let Some(leader) = state.leader.filter(|_| state.may_fetch(now)) else {
                continue;
            };
            if busy.contains(&leader) || self.rests(leader, now) {
                continue;
            }
            let wanted = wanted.entry(leader).or_default();
            if state.queue.bytes() < limit {
                wanted.partitions.push(topic_partition.clone());
            } else {
                wanted.some_are_full = true;
            }
        }
        let share = self.node_share();
        for (node, wanted) in wanted {
            if !wanted.partitions.is_empty() {
                self.send_fetch(node, wanted, share, now);
            }
        }
    }

    /// What one broker may be asked for: an equal share of the budget. A broker with nothing to send
    /// holds its fetch for `max_wait`, and must not keep the others from theirs meanwhile.
    fn node_share(&self) -> usize {
        let leaders: BTreeSet<NodeId> = self
            .partitions
            .values()
            .filter_map(|state| state.leader)
            .collect();
        self.config.buffer_bytes / leaders.len().max(1)
    }

    /// How many bytes of one partition may wait before it is left out of fetches: a fair share of
    /// half the budget, and at least what one fetch brings.
    fn partition_limit(&self) -> usize {
        let share = self.config.buffer_bytes / 2 / self.partitions.len().max(1);
        share.max(usize::try_from(self.config.max_partition_bytes).unwrap_or(0))
    }

    fn send_fetch(&mut self, node: NodeId, mut wanted: Wanted, share: usize, now: Instant) {
        let Some(max_bytes) = self.affordable_bytes(share) else {
            return;
        };
        self.rotation = self.rotation.wrapping_add(1);
        let count = wanted.partitions.len();
        wanted.partitions.rotate_left(self.rotation % count);
        let by_id = wanted.partitions.iter().all(|partition| {
            self.partitions
                .get(partition)
                .is_some_and(|state| !state.topic_id.is_zero())
        });
        let max_wait = if wanted.some_are_full {
            self.config.max_wait.min(SHORT_WAIT)
        } else {
            self.config.max_wait
        };
        let request = FetchRequest {
            max_wait_ms: i32::try_from(max_wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes: self.config.min_bytes,
            max_bytes,
            isolation_level: self.config.isolation_level.to_wire(),
            topics: self.fetch_topics(&wanted.partitions, max_bytes),
            rack_id: self.config.client_rack.clone().unwrap_or_default(),
            ..FetchRequest::default()
        };
        let asked = wanted
            .partitions
            .iter()
            .filter_map(|partition| {
                Some((partition.clone(), self.partitions.get(partition)?.epoch))
            })
            .collect();
        let max_version = if by_id {
            None
        } else {
            Some(LAST_VERSION_BY_NAME)
        };
        let deadline = now + self.config.request_timeout + self.config.max_wait;
        let in_flight = InFlight::Fetch(FetchInFlight {
            node,
            asked,
            current: None,
        });
        let id = self.ask(node, request.into(), max_version, deadline, in_flight);
        self.tally.fetches += 1;
        self.budget
            .reserve(id, self.expected_bytes(count, max_bytes));
    }

    /// The bytes one fetch may ask for: what is left of the budget, up to the broker's share. A fetch
    /// for next to nothing is not worth its while, unless nothing else is going on.
    fn affordable_bytes(&self, share: usize) -> Option<i32> {
        let least = usize::try_from(self.config.max_partition_bytes)
            .unwrap_or(0)
            .min(share);
        let available = self.budget.available();
        if available < least && !self.budget.is_idle() {
            return None;
        }
        let most = usize::try_from(self.config.max_bytes).unwrap_or(0);
        i32::try_from(available.min(share).min(most).max(1)).ok()
    }

    fn expected_bytes(&self, partitions: usize, max_bytes: i32) -> usize {
        let each = usize::try_from(self.config.max_partition_bytes).unwrap_or(0);
        each.saturating_mul(partitions)
            .min(usize::try_from(max_bytes).unwrap_or(0))
    }

    /// The partitions by topic; runs of one topic share an entry, and the order is kept.
    fn fetch_topics(&self, partitions: &[TopicPartition], max_bytes: i32) -> Vec<FetchTopic> {
        let mut topics: Vec<FetchTopic> = Vec::new();
        for topic_partition in partitions {
            let Some(state) = self.partitions.get(topic_partition) else {
                continue;
            };
            let partition = FetchPartition {
                partition: topic_partition.partition,
                current_leader_epoch: LeaderEpoch::to_wire(state.leader_epoch),
                fetch_offset: state.queue.next_fetch().offset,
                partition_max_bytes: self.config.max_partition_bytes.min(max_bytes),
                ..FetchPartition::default()
            };
            match topics.last_mut() {
                Some(topic) if topic.topic == topic_partition.topic.as_str() => {
                    topic.partitions.push(partition)
                }
                _ => topics.push(FetchTopic {
                    topic: topic_partition.topic.as_str().to_owned(),
                    topic_id: state.topic_id,
                    partitions: vec![partition],
                }),
            }
        }
        topics
    }

    pub(crate) fn fetch_failed(
        &mut self,
        id: RequestId,
        fetch: &FetchInFlight,
        failure: &RequestFailure,
        now: Instant,
    ) {
        self.budget.finished(id);
        self.rest(fetch.node, failure, now);
    }
}

/// What is to be fetched from one broker.
#[derive(Debug, Default)]
struct Wanted {
    partitions: Vec<TopicPartition>,
    some_are_full: bool,
}
