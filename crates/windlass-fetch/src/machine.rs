//! The machine: its inputs and outputs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use windlass_machine::{
    Backoff, Destination, FailureKind, OutgoingRequest, RequestFailure, RequestId, SplitMix64,
    Wakeup,
};
use windlass_model::{Cluster, LeaderEpoch, NodeId, OffsetAndMetadata, TopicPartition};
use windlass_protocol::{RequestKind, ResponseKind};

use crate::budget::Budget;
use crate::fetch_request::FetchInFlight;
use crate::lookup::Lookups;
use crate::partition::{PartitionState, Stage};
use crate::reset::ResetInFlight;
use crate::validation::ValidationInFlight;
use crate::{FetchConfig, FetchError, FetchEvent, OffsetReset, Position, StartPosition, Tally};

/// A question under way.
#[derive(Clone, Debug)]
pub(crate) enum InFlight {
    Fetch(FetchInFlight),
    Reset(ResetInFlight),
    Validation(ValidationInFlight),
    Lookup(crate::lookup::LookupInFlight),
}

/// Positions and queues of the assigned partitions. See the crate's documentation.
#[derive(Debug)]
pub struct FetchMachine {
    pub(crate) config: FetchConfig,
    pub(crate) random: SplitMix64,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) partitions: BTreeMap<TopicPartition, PartitionState>,
    /// The partitions with something in their queues.
    pub(crate) loaded: BTreeSet<TopicPartition>,
    pub(crate) last_served: Option<TopicPartition>,
    /// Where the next fetch begins in the list of partitions, so that none is always last.
    pub(crate) rotation: usize,
    pub(crate) budget: Budget,
    pub(crate) in_flight: BTreeMap<RequestId, InFlight>,
    /// Brokers that failed, and when to try them again.
    pub(crate) resting: BTreeMap<NodeId, (Backoff, Instant)>,
    pub(crate) lookups: Lookups,
    pub(crate) epochs: u64,
    pub(crate) tally: Tally,
    /// When to look again at what had to wait.
    wake_at: Option<Instant>,
    next_request: u64,
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
            last_served: None,
            rotation: 0,
            budget: Budget::new(config.buffer_bytes),
            in_flight: BTreeMap::new(),
            resting: BTreeMap::new(),
            lookups: Lookups::default(),
            epochs: 0,
            tally: Tally::default(),
            wake_at: None,
            next_request: 0,
            requests: VecDeque::new(),
            events: VecDeque::new(),
            config,
        }
    }

    /// Partitions have come. One that is assigned already begins anew.
    pub fn assign(&mut self, starts: BTreeMap<TopicPartition, StartPosition>, now: Instant) {
        self.assert_drained();
        for (topic_partition, start) in starts {
            self.drop_queue(&topic_partition);
            let epoch = self.next_epoch();
            let state = PartitionState::new(start, &self.config, epoch);
            self.partitions.insert(topic_partition, state);
        }
        self.note_leaders(now);
        self.pump(now);
    }

    /// Partitions are gone, with all that was fetched of them.
    pub fn unassign(&mut self, partitions: &BTreeSet<TopicPartition>, now: Instant) {
        self.assert_drained();
        for topic_partition in partitions {
            self.drop_queue(topic_partition);
            self.partitions.remove(topic_partition);
        }
        self.pump(now);
    }

    /// The group's committed offset of a partition that awaits one; `None` where there is none, so
    /// that `auto.offset.reset` decides. A partition that was moved by a seek meanwhile stays there.
    pub fn set_committed(
        &mut self,
        topic_partition: &TopicPartition,
        committed: Option<OffsetAndMetadata>,
        now: Instant,
    ) {
        self.assert_drained();
        let reset = self.config.offset_reset;
        let epoch = self.next_epoch();
        let Some(state) = self.partitions.get_mut(topic_partition) else {
            return;
        };
        if !matches!(state.stage, Stage::Awaiting) {
            return;
        }
        match committed {
            Some(committed) => {
                let position = Position {
                    offset: committed.offset,
                    leader_epoch: committed.leader_epoch,
                };
                state.stand_at(position, epoch);
                if position.leader_epoch.is_some() && state.leader.is_some() {
                    state.stage = Stage::Validating { asked: false };
                }
            }
            None if reset == OffsetReset::None => self.fail(topic_partition, FetchError::NoOffset),
            None => state.reset(reset, "the group has no committed offset".to_owned(), epoch),
        }
        self.pump(now);
    }

    /// Partitions may be about to go: nothing of them is fetched or handed over until `release`.
    pub fn hold(&mut self, partitions: &BTreeSet<TopicPartition>, now: Instant) {
        self.change_each(partitions, now, |state| state.held = true);
    }

    /// Ends `hold`.
    pub fn release(&mut self, partitions: &BTreeSet<TopicPartition>, now: Instant) {
        self.change_each(partitions, now, |state| state.held = false);
    }

    /// Nothing of these partitions is fetched or handed over until `resume`; what was fetched is
    /// kept.
    pub fn pause(&mut self, partitions: &BTreeSet<TopicPartition>, now: Instant) {
        self.change_each(partitions, now, |state| state.paused = true);
    }

    /// Ends `pause`.
    pub fn resume(&mut self, partitions: &BTreeSet<TopicPartition>, now: Instant) {
        self.change_each(partitions, now, |state| state.paused = false);
    }

    /// Makes `offset` the position.
    pub fn seek(
        &mut self,
        topic_partition: &TopicPartition,
        offset: i64,
        leader_epoch: Option<LeaderEpoch>,
        now: Instant,
    ) {
        self.assert_drained();
        self.drop_queue(topic_partition);
        let epoch = self.next_epoch();
        if let Some(state) = self.partitions.get_mut(topic_partition) {
            state.stand_at(
                Position {
                    offset,
                    leader_epoch,
                },
                epoch,
            );
            if leader_epoch.is_some() && state.leader.is_some() {
                state.stage = Stage::Validating { asked: false };
            }
        }
        self.pump(now);
    }

    /// Makes the position what the leader says of this end of the log.
    pub fn seek_to(&mut self, topic_partition: &TopicPartition, to: OffsetReset, now: Instant) {
        self.assert_drained();
        self.drop_queue(topic_partition);
        let epoch = self.next_epoch();
        if let Some(state) = self.partitions.get_mut(topic_partition) {
            state.reset(to, "the application asked for it".to_owned(), epoch);
        }
        self.pump(now);
    }

    /// There is a newer picture of the cluster.
    pub fn on_cluster(&mut self, cluster: &Arc<Cluster>, now: Instant) {
        self.assert_drained();
        self.cluster = Arc::clone(cluster);
        self.note_leaders(now);
        self.pump(now);
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

    /// The partitions that are assigned.
    pub fn assigned(&self) -> impl Iterator<Item = &TopicPartition> {
        self.partitions.keys()
    }

    /// Whether the partition is assigned.
    #[must_use]
    pub fn is_assigned(&self, topic_partition: &TopicPartition) -> bool {
        self.partitions.contains_key(topic_partition)
    }

    /// What will be handed over next of the partition, if that is known.
    #[must_use]
    pub fn position(&self, topic_partition: &TopicPartition) -> Option<Position> {
        self.partitions.get(topic_partition)?.position()
    }

    /// How many records the partition is behind, as the leader said last.
    #[must_use]
    pub fn lag(&self, topic_partition: &TopicPartition) -> Option<i64> {
        let state = self.partitions.get(topic_partition)?;
        let end = match self.config.isolation_level {
            crate::IsolationLevel::ReadUncommitted => state.high_watermark,
            crate::IsolationLevel::ReadCommitted => state.last_stable_offset,
        };
        Some((end? - state.position()?.offset).max(0))
    }

    /// The bytes that wait to be handed over.
    #[must_use]
    pub const fn buffered_bytes(&self) -> usize {
        self.budget.buffered()
    }

    /// What was counted so far.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.tally
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
        self.send_resets(now);
        self.send_validations(now);
        self.send_lookups(now);
        self.send_fetches(now);
        let retries = self.partitions.values().filter_map(|state| state.retry_at);
        let rests = self.resting.values().map(|(_, until)| *until);
        self.wake_at = retries
            .chain(rests)
            .chain(self.lookups.retry_at())
            .filter(|at| *at > now)
            .min();
    }

    pub(crate) fn ask(
        &mut self,
        node: NodeId,
        request: RequestKind,
        max_version: Option<i16>,
        deadline: Instant,
        in_flight: InFlight,
    ) -> RequestId {
        let id = RequestId::next(&mut self.next_request);
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

    /// Whether the broker failed a short while ago.
    pub(crate) fn rests(&self, node: NodeId, now: Instant) -> bool {
        self.resting
            .get(&node)
            .is_some_and(|(_, until)| *until > now)
    }

    /// The broker failed: leave it alone for a while, and find out whether it still leads.
    pub(crate) fn rest(&mut self, node: NodeId, failure: &RequestFailure, now: Instant) {
        let fresh = || {
            (
                Backoff::new(self.config.retry_backoff, self.config.retry_backoff_max),
                now,
            )
        };
        let (backoff, until) = self.resting.entry(node).or_insert_with(fresh);
        *until = now + backoff.next(&mut self.random);
        self.need_metadata(format!("broker {node}: {failure}"));
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
        if let Some(state) = self.partitions.get_mut(topic_partition) {
            state.stage = Stage::Failed;
        }
        self.tell(topic_partition, error);
    }

    /// The position does not exist: go where the policy says, or stand still.
    pub(crate) fn lose_position(
        &mut self,
        topic_partition: &TopicPartition,
        reason: String,
        error: FetchError,
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
        }
    }

    pub(crate) fn drop_queue(&mut self, topic_partition: &TopicPartition) {
        if let Some(state) = self.partitions.get(topic_partition) {
            self.budget.released(state.queue.bytes());
        }
        self.loaded.remove(topic_partition);
    }

    fn change_each(
        &mut self,
        partitions: &BTreeSet<TopicPartition>,
        now: Instant,
        change: impl Fn(&mut PartitionState),
    ) {
        self.assert_drained();
        for topic_partition in partitions {
            if let Some(state) = self.partitions.get_mut(topic_partition) {
                change(state);
            }
        }
        self.pump(now);
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
