//! The machine: its inputs and outputs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

use windlass_machine::{
    Destination, FailureKind, OutgoingRequest, RequestFailure, RequestId, RequestIds, RequestOwner,
    SplitMix64, Wakeup,
};
use windlass_model::{Cluster, NodeId, TopicPartition};
use windlass_protocol::{RequestKind, ResponseKind};

use crate::budget::Budget;
use crate::in_flight::InFlight;
use crate::lookup::Lookups;
use crate::partition::{PartitionState, Stage};
use crate::source::Source;
use crate::{FetchConfig, FetchError, FetchEvent, OffsetReset, Tally};

/// Positions and queues of the assigned partitions. See the crate's documentation.
#[derive(Debug)]
pub struct FetchMachine {
    pub(crate) config: FetchConfig,
    pub(crate) random: SplitMix64,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) partitions: BTreeMap<TopicPartition, PartitionState>,
    /// The partitions with something in their queues.
    pub(crate) loaded: BTreeSet<TopicPartition>,
    /// Whether something may be handed out, so that `RecordsReady` is told once.
    pub(crate) ready: bool,
    /// Which partition is first when records are handed out.
    pub(crate) begin_at: Bound<TopicPartition>,
    pub(crate) budget: Budget,
    pub(crate) in_flight: BTreeMap<RequestId, InFlight>,
    pub(crate) sources: BTreeMap<NodeId, Source>,
    /// The broker that was last to get a fetch: another one is first when the budget is short.
    pub(crate) last_source: Option<NodeId>,
    pub(crate) lookups: Lookups,
    pub(crate) epochs: u64,
    pub(crate) tally: Tally,
    /// When to look again at what had to wait.
    wake_at: Option<Instant>,
    ids: RequestIds,
    requests: VecDeque<OutgoingRequest>,
    pub(crate) events: VecDeque<FetchEvent>,
}

impl FetchMachine {
    /// Nothing is assigned yet. The seed decides the jitter of retries.
    #[must_use]
    pub fn new(config: FetchConfig, seed: u64, _now: Instant) -> Self {
        Self {
            random: SplitMix64::new(seed),
            cluster: Arc::new(Cluster::default()),
            partitions: BTreeMap::new(),
            loaded: BTreeSet::new(),
            ready: false,
            begin_at: Bound::Unbounded,
            budget: Budget::new(config.buffer_bytes),
            in_flight: BTreeMap::new(),
            sources: BTreeMap::new(),
            last_source: None,
            lookups: Lookups::default(),
            epochs: 0,
            tally: Tally::default(),
            wake_at: None,
            ids: RequestIds::new(RequestOwner::Fetch),
            requests: VecDeque::new(),
            events: VecDeque::new(),
            config,
        }
    }

    /// An answer came.
    pub fn on_response(&mut self, id: RequestId, response: ResponseKind, now: Instant) {
        self.assert_drained();
        match (self.in_flight.remove(&id), response) {
            (Some(InFlight::Reset(asked)), ResponseKind::ListOffsets(response)) => {
                self.on_reset_response(asked, response, now);
            }
            (Some(InFlight::Lookup(asked)), ResponseKind::ListOffsets(response)) => {
                self.on_lookup_response(asked, response, now);
            }
            (Some(InFlight::Validation(asked)), ResponseKind::OffsetForLeaderEpoch(response)) => {
                self.on_validation_response(asked, response, now);
            }
            (Some(mismatched), _) => {
                let failure = RequestFailure::new(
                    FailureKind::Undecodable,
                    "the answer is to another question",
                );
                self.give_up(id, mismatched, &failure, now);
            }
            (None, _) => self.tally.late_answers += 1,
        }
        self.pump(now);
    }

    /// No answer will come.
    pub fn on_failure(&mut self, id: RequestId, failure: &RequestFailure, now: Instant) {
        self.assert_drained();
        match self.in_flight.remove(&id) {
            Some(asked) => self.give_up(id, asked, failure, now),
            None => self.tally.late_answers += 1,
        }
        self.pump(now);
    }

    /// Time has passed: to be called when [`FetchMachine::poll_timeout`] is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.assert_drained();
        self.expire_lookups(now);
        if self.wake_at.is_some_and(|at| at <= now) {
            self.pump(now);
        }
    }

    /// The next request to send.
    pub fn poll_request(&mut self) -> Option<OutgoingRequest> {
        self.requests.pop_front()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<FetchEvent> {
        self.events.pop_front()
    }

    /// When to call [`FetchMachine::handle_timeout`], and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wakeup> {
        let retry = self.wake_at.map(|at| Wakeup {
            at,
            reason: "a partition is tried again",
        });
        Wakeup::earlier(retry, self.lookups.deadline())
    }

    pub(crate) fn assert_drained(&self) {
        debug_assert!(
            self.requests.is_empty() && self.events.is_empty(),
            "one input, drain every output, then the next input"
        );
    }

    pub(crate) const fn next_epoch(&mut self) -> u64 {
        self.epochs += 1;
        self.epochs
    }

    /// Sends what can be sent, and finds out when to look again.
    pub(crate) fn pump(&mut self, now: Instant) {
        self.note_ready();
        self.send_resets(now);
        self.send_validations(now);
        self.send_lookups(now);
        self.send_fetches(now);
        let retries = self.partitions.values().filter_map(|state| state.retry_at);
        let rests = self.sources.values();
        self.wake_at = retries
            .chain(rests.filter_map(|source| source.fetchable_from(now)))
            .chain(self.lookups.retry_at())
            .filter(|at| *at > now)
            .min();
    }

    /// Tells when there is something to hand out where there was nothing.
    pub(crate) fn note_ready(&mut self) {
        let ready = self.loaded.iter().any(|topic_partition| {
            self.partitions
                .get(topic_partition)
                .is_some_and(PartitionState::may_hand_out)
        });
        if ready && !self.ready {
            self.events.push_back(FetchEvent::RecordsReady);
        }
        self.ready = ready;
    }

    pub(crate) fn ask(
        &mut self,
        node: NodeId,
        request: RequestKind,
        max_version: Option<i16>,
        deadline: Instant,
        in_flight: InFlight,
    ) -> RequestId {
        let id = self.ids.next();
        let destination = Destination::Node(node);
        self.requests.push_back(OutgoingRequest {
            id,
            destination,
            request,
            max_version,
            deadline,
        });
        self.in_flight.insert(id, in_flight);
        id
    }

    pub(crate) fn source(&mut self, node: NodeId) -> &mut Source {
        self.sources
            .entry(node)
            .or_insert_with(|| Source::new(&self.config))
    }

    /// Whether the broker failed a short while ago.
    pub(crate) fn rests(&self, node: NodeId, now: Instant) -> bool {
        self.sources
            .get(&node)
            .is_some_and(|source| source.rests_until(now).is_some())
    }

    /// The broker failed: leave it alone for a while.
    pub(crate) fn rest(&mut self, node: NodeId, now: Instant) {
        let mut random = self.random.clone();
        self.source(node).rest(&mut random, now);
        self.random = random;
    }

    /// The broker did not wait for records as it was asked to: wait in its stead.
    pub(crate) fn stand_in(&mut self, node: NodeId, now: Instant) {
        let mut random = self.random.clone();
        self.source(node).stand_in(&mut random, now);
        self.random = random;
    }

    /// The broker did not answer: leave it alone for a while, and find out whether it still leads.
    /// What will not pass by itself is told of every partition that was asked for.
    pub(crate) fn broker_failed(
        &mut self,
        node: NodeId,
        asked: &BTreeMap<TopicPartition, u64>,
        failure: &RequestFailure,
        now: Instant,
    ) {
        self.rest(node, now);
        self.need_metadata(format!("broker {node}: {failure}"));
        let may_pass = match failure.kind {
            FailureKind::Disconnected | FailureKind::TimedOut | FailureKind::Closed => true,
            // The same answer may come again and again.
            FailureKind::Undecodable
            | FailureKind::UnsupportedVersion
            | FailureKind::Unencodable
            | FailureKind::AuthenticationFailed => false,
        };
        if may_pass {
            return;
        }
        for topic_partition in asked.keys() {
            let detail = format!("broker {node}: {failure}");
            self.tell(topic_partition, FetchError::Unreachable { detail });
        }
    }

    /// What was left out of fetches may be ready soon.
    pub(crate) fn hurry_sources(&mut self) {
        for source in self.sources.values_mut() {
            source.hurry();
        }
    }

    pub(crate) fn need_metadata(&mut self, reason: String) {
        self.events.push_back(FetchEvent::MetadataNeeded { reason });
    }

    /// Tells an error of a partition, unless it was the last thing told.
    pub(crate) fn tell(&mut self, topic_partition: &TopicPartition, error: FetchError) {
        let Some(state) = self.partitions.get_mut(topic_partition) else {
            return;
        };
        if state.told.as_ref() != Some(&error) {
            state.told = Some(error.clone());
            let topic_partition = topic_partition.clone();
            self.events.push_back(FetchEvent::PartitionFailed {
                topic_partition,
                error,
            });
        }
    }

    /// The partition stands still until the application seeks.
    pub(crate) fn fail(&mut self, topic_partition: &TopicPartition, error: FetchError) {
        self.drop_queue(topic_partition);
        let fresh = self.next_epoch();
        if let Some(state) = self.partitions.get_mut(topic_partition) {
            state.epoch = fresh;
            state.failure_ahead = None;
            state.enter(if state.standing().has_position() {
                Stage::Failed
            } else {
                Stage::Nowhere
            });
        }
        self.tell(topic_partition, error);
    }

    /// The position does not exist: go where the policy says, or stand still.
    pub(crate) fn lose_position(
        &mut self,
        topic_partition: &TopicPartition,
        reason: String,
        error: FetchError,
        now: Instant,
    ) {
        if self.config.offset_reset == OffsetReset::None {
            self.fail(topic_partition, error);
            return;
        }
        self.drop_queue(topic_partition);
        let epoch = self.next_epoch();
        let to = self.config.offset_reset;
        if let Some(state) = self.partitions.get_mut(topic_partition) {
            state.reset(to, reason, epoch);
            state.back_off_if_repeated(&mut self.random, now);
        }
    }

    /// Throws away what was fetched of the partition.
    pub(crate) fn drop_queue(&mut self, topic_partition: &TopicPartition) {
        if let Some(state) = self.partitions.get_mut(topic_partition) {
            self.budget.released(state.queue.bytes());
            state.queue.clear();
        }
        self.loaded.remove(topic_partition);
    }

    fn give_up(&mut self, id: RequestId, asked: InFlight, failure: &RequestFailure, now: Instant) {
        match asked {
            InFlight::Fetch(fetch) => self.fetch_failed(id, &fetch, failure, now),
            InFlight::Reset(reset) => self.reset_failed(&reset, failure, now),
            InFlight::Validation(validation) => self.validation_failed(&validation, failure, now),
            InFlight::Lookup(lookup) => self.lookup_failed(&lookup, failure, now),
        }
    }
}
