//! What to fetch next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use windlass_machine::{RequestFailure, RequestId};
use windlass_model::{LeaderEpoch, NodeId, TopicId, TopicPartition};
use windlass_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};

use crate::FetchMachine;
use crate::aborted::AbortedTransactions;
use crate::in_flight::{FetchInFlight, InFlight};
use crate::partition::PartitionState;
use crate::source::SHORT_WAIT;

/// The last version of Fetch that names topics; later ones go by topic id (KIP-516).
const LAST_VERSION_BY_NAME: i16 = 12;

/// What is to be fetched from one broker.
#[derive(Debug, Default)]
struct Wanted {
    partitions: Vec<TopicPartition>,
    /// Some more could join the next fetch.
    some_left_out: bool,
}

impl FetchMachine {
    /// Sends a fetch to every broker that has none under way and something to be fetched from.
    pub(crate) fn send_fetches(&mut self, now: Instant) {
        let busy: BTreeSet<NodeId> = self
            .in_flight
            .values()
            .filter_map(|in_flight| match in_flight {
                InFlight::Fetch(fetch) => Some(fetch.node),
                InFlight::Reset(_) | InFlight::Validation(_) | InFlight::Lookup(_) => None,
            })
            .collect();
        let wanted = self.wanted(now);
        let brokers = wanted.len();
        let least = usize::try_from(self.config.max_partition_bytes).unwrap_or(0);
        let last = self.last_source;
        let (after, before): (Vec<_>, Vec<_>) = wanted
            .into_iter()
            .partition(|(node, _)| last.is_none_or(|last| *node > last));
        for (node, wanted) in after.into_iter().chain(before) {
            let pauses = self
                .sources
                .get(&node)
                .is_some_and(|source| source.fetchable_from(now).is_some());
            if wanted.partitions.is_empty() || busy.contains(&node) || pauses {
                continue;
            }
            let Some(affordable) = self.budget.share(brokers, least, self.ready) else {
                break;
            };
            self.send_fetch(node, wanted, affordable, now);
        }
    }

    /// What there is to fetch, by broker, whether or not that has a fetch under way.
    fn wanted(&self, now: Instant) -> BTreeMap<NodeId, Wanted> {
        let limit = self.partition_limit();
        let mut wanted: BTreeMap<NodeId, Wanted> = BTreeMap::new();
        for (topic_partition, state) in &self.partitions {
            let Some(node) = self.read_from(state, now) else {
                continue;
            };
            if state.may_fetch(now) && state.queue.bytes() < limit {
                let wanted = wanted.entry(node).or_default();
                wanted.partitions.push(topic_partition.clone());
            } else if state.may_fetch_soon() {
                wanted.entry(node).or_default().some_left_out = true;
            }
        }
        wanted
    }

    /// The broker to read the partition from: the follower that the leader named, while it can be
    /// reached, or the leader.
    fn read_from(&self, state: &PartitionState, now: Instant) -> Option<NodeId> {
        let leader = state.leader?;
        let follower = state.read_replica.filter(|(node, until)| {
            *until > now && !self.rests(*node, now) && self.cluster.brokers.contains_key(node)
        });
        Some(follower.map_or(leader, |(node, _)| node))
    }

    /// How many bytes of one partition may wait before it is left out of fetches: a fair share of
    /// half the budget, and at least what one fetch brings.
    fn partition_limit(&self) -> usize {
        let share = self.config.buffer_bytes / 2 / self.partitions.len().max(1);
        share.max(usize::try_from(self.config.max_partition_bytes).unwrap_or(0))
    }

    fn send_fetch(&mut self, node: NodeId, mut wanted: Wanted, affordable: usize, now: Instant) {
        let affordable = i32::try_from(affordable).unwrap_or(i32::MAX);
        // A batch that did not fit has to come whole, whatever it takes.
        let enlarged = wanted
            .partitions
            .iter()
            .filter_map(|wanted| self.partitions.get(wanted)?.fetch_bytes)
            .max();
        let max_bytes = affordable
            .min(self.config.max_bytes)
            .max(enlarged.unwrap_or(0));
        let max_wait = self.config.max_wait;
        let source = self.source(node);
        source.rotate(&mut wanted.partitions);
        let max_wait = source.patience(max_wait, wanted.some_left_out);
        let request = FetchRequest {
            max_wait_ms: i32::try_from(max_wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes: self.config.min_bytes,
            max_bytes,
            isolation_level: self.config.isolation_level.to_wire(),
            topics: self.fetch_topics(&wanted.partitions, max_bytes),
            rack_id: self.config.client_rack.clone().unwrap_or_default(),
            ..FetchRequest::default()
        };
        let mut asked = BTreeMap::new();
        let mut names = BTreeMap::new();
        for topic_partition in wanted.partitions {
            self.change_source(&topic_partition, node);
            if let Some(state) = self.partitions.get(&topic_partition) {
                names.insert(state.topic_id, topic_partition.topic.clone());
                asked.insert(topic_partition, state.epoch);
            }
        }
        let by_name = names.remove(&TopicId::ZERO).is_some();
        let max_version = by_name.then_some(LAST_VERSION_BY_NAME);
        let deadline = now + self.config.request_timeout + self.config.max_wait;
        let expected = self.expected_bytes(asked.len(), max_bytes, enlarged);
        let in_flight = InFlight::Fetch(FetchInFlight {
            node,
            asked,
            names,
            current: None,
            aborted: AbortedTransactions::default(),
            last_stable_offset: None,
            hinted: BTreeSet::new(),
            unlisted: Vec::new(),
            has_batches: false,
            answered: false,
            progressed: false,
            patient_until: now + max_wait.max(SHORT_WAIT) / 2,
        });
        let id = self.ask(node, request.into(), max_version, deadline, in_flight);
        self.tally.fetches += 1;
        self.last_source = Some(node);
        self.budget.reserve(id, expected);
    }

    /// A partition is read from one broker at a time: what the one before still sends does not count.
    fn change_source(&mut self, topic_partition: &TopicPartition, node: NodeId) {
        let fresh = self.next_epoch();
        if let Some(state) = self.partitions.get_mut(topic_partition)
            && state
                .source
                .replace(node)
                .is_some_and(|before| before != node)
        {
            state.epoch = fresh;
        }
    }

    fn expected_bytes(&self, partitions: usize, max_bytes: i32, enlarged: Option<i32>) -> usize {
        let each = usize::try_from(self.config.max_partition_bytes).unwrap_or(0);
        let more = usize::try_from(enlarged.unwrap_or(0)).unwrap_or(0);
        each.saturating_mul(partitions)
            .saturating_add(more)
            .min(usize::try_from(max_bytes).unwrap_or(0))
    }

    /// The partitions by topic; runs of one topic share an entry, and the order is kept.
    fn fetch_topics(&self, partitions: &[TopicPartition], max_bytes: i32) -> Vec<FetchTopic> {
        let usual = self.config.max_partition_bytes.min(max_bytes);
        let mut topics: Vec<FetchTopic> = Vec::new();
        for topic_partition in partitions {
            let Some(state) = self.partitions.get(topic_partition) else {
                continue;
            };
            let partition = FetchPartition {
                partition: topic_partition.partition,
                current_leader_epoch: LeaderEpoch::to_wire(state.leader_epoch),
                fetch_offset: state.queue.next_fetch().offset,
                partition_max_bytes: state.fetch_bytes.unwrap_or(usual),
                ..FetchPartition::default()
            };
            match topics.last_mut() {
                Some(topic) if topic.topic == topic_partition.topic.as_str() => {
                    topic.partitions.push(partition);
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
        for topic_partition in fetch.asked.keys() {
            if let Some(state) = self.partitions.get_mut(topic_partition) {
                // A follower that fails is not worth a second try while there is a leader.
                state
                    .read_replica
                    .take_if(|(follower, _)| *follower == fetch.node);
            }
        }
        self.broker_failed(fetch.node, &fetch.asked, failure, now);
    }
}
