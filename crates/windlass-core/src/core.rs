//! The consumer, composed of its machines.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use windlass_assignor::{AssignError, Assignment};
use windlass_fetch::{FetchEvent, FetchMachine};
use windlass_group::{AssignmentToken, GroupEvent, GroupMachine};
use windlass_machine::{RequestFailure, RequestId, Wakeup};
use windlass_model::{TopicName, TopicPartition};
use windlass_protocol::ResponseKind;
use windlass_protocol::fetch_response::FetchPart;

use crate::auto_commit::AutoCommit;
use crate::closing::Closing;
use crate::errors::WaitingErrors;
use crate::handover::Handovers;
use crate::ledger::Ledger;
use crate::metadata::{Interest, Metadata, MetadataEvent};
use crate::offsets::OffsetWork;
use crate::poll::PendingPoll;
use crate::{CallbackId, ConsumerError, CoreConfig, Effect, Intent, OperationId, Progress, Reply};

/// How the partitions come to this consumer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Subscription {
    /// Not at all.
    #[default]
    None,
    /// By the group.
    Topics(BTreeSet<TopicName>),
    /// By hand.
    Partitions(BTreeSet<TopicPartition>),
}

/// Something a machine said, waiting for its turn.
#[derive(Debug)]
pub(crate) enum MachineEvent {
    Group(GroupEvent),
    Fetch(FetchEvent),
    Metadata(MetadataEvent),
}

/// The consumer without its IO. See the module's documentation.
#[derive(Debug)]
pub struct ConsumerCore {
    pub(crate) config: Arc<CoreConfig>,
    pub(crate) metadata: Metadata,
    pub(crate) group: Option<GroupMachine>,
    pub(crate) fetch: FetchMachine,
    pub(crate) subscription: Subscription,
    pub(crate) ledger: Ledger,
    pub(crate) handovers: Handovers,
    pub(crate) offset_work: OffsetWork,
    pub(crate) auto_commit: AutoCommit,
    pub(crate) polling: Option<PendingPoll>,
    pub(crate) closing: Option<Closing>,
    pub(crate) closed: bool,
    /// Why the membership is over, until the application begins anew.
    pub(crate) failed: Option<ConsumerError>,
    pub(crate) events: VecDeque<MachineEvent>,
    pub(crate) errors: WaitingErrors,
    pub(crate) effects: VecDeque<Effect>,
    pub(crate) attention: u64,
    pub(crate) listens: bool,
}

impl ConsumerCore {
    /// A consumer that has not asked anything yet. `listens` says whether callbacks shall be asked
    /// for; the seed decides the jitter of retries.
    #[must_use]
    pub fn new(config: Arc<CoreConfig>, listens: bool, seed: u64, now: Instant) -> Self {
        let metadata = Metadata::new(Arc::clone(&config), seed ^ 1);
        let group = config.group.clone();
        let group = group.map(|group| GroupMachine::new(group, seed ^ 2, now));
        let fetch = FetchMachine::new(config.fetch.clone(), seed ^ 3, now);
        Self {
            auto_commit: AutoCommit::new(&config),
            config,
            metadata,
            group,
            fetch,
            subscription: Subscription::None,
            ledger: Ledger::default(),
            handovers: Handovers::default(),
            offset_work: OffsetWork::default(),
            polling: None,
            closing: None,
            closed: false,
            failed: None,
            events: VecDeque::new(),
            errors: WaitingErrors::default(),
            effects: VecDeque::new(),
            attention: 0,
            listens,
        }
    }

    /// The application asks for something. `progress` says how far it is with earlier records.
    pub fn submit(
        &mut self,
        operation: OperationId,
        intent: Intent,
        progress: &Progress,
        deadline: Instant,
        now: Instant,
    ) {
        self.assert_drained();
        if self.closed {
            self.fail(operation, ConsumerError::Closed);
            return;
        }
        self.note_progress(&intent, progress, now);
        self.dispatch(operation, intent, progress, deadline, now);
        self.settle(now);
    }

    /// An answer came.
    pub fn on_response(&mut self, id: RequestId, response: ResponseKind, now: Instant) {
        self.assert_drained();
        self.route_response(id, response, now);
        self.settle(now);
    }

    /// Parts of a Fetch response came.
    pub fn on_fetch_parts(&mut self, id: RequestId, parts: Vec<FetchPart>, now: Instant) {
        self.assert_drained();
        self.route_parts(id, parts, now);
        self.settle(now);
    }

    /// A Fetch response is complete; its parts were given before.
    pub fn on_fetch_done(&mut self, id: RequestId, now: Instant) {
        self.assert_drained();
        self.with_fetch(|fetch| fetch.on_fetch_done(id, now));
        self.settle(now);
    }

    /// No answer will come.
    pub fn on_failure(&mut self, id: RequestId, failure: RequestFailure, now: Instant) {
        self.assert_drained();
        self.route_failure(id, failure, now);
        self.settle(now);
    }

    /// The listener has returned.
    pub fn on_callback_done(&mut self, id: CallbackId, result: Result<(), String>, now: Instant) {
        self.assert_drained();
        if let Err(detail) = result {
            self.errors.add(ConsumerError::Listener { detail });
        }
        self.callback_done(id, now);
        self.settle(now);
    }

    /// An assignment has been computed.
    pub fn on_assignment_computed(
        &mut self,
        token: AssignmentToken,
        result: Result<Assignment, AssignError>,
        now: Instant,
    ) {
        self.assert_drained();
        self.with_group(|group| group.on_assignment_computed(token, result, now));
        self.settle(now);
    }

    /// Time has passed: to be called when [`ConsumerCore::poll_timeout`] is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.assert_drained();
        self.metadata.handle_timeout(now);
        self.with_group(|group| group.handle_timeout(now));
        self.with_fetch(|fetch| fetch.handle_timeout(now));
        self.auto_commit_due(now);
        self.offset_work_due(now);
        self.handovers_due(now);
        self.closing_due(now);
        self.settle(now);
    }

    /// The next thing to do.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When to call [`ConsumerCore::handle_timeout`], and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wakeup> {
        let machines = [
            self.group.as_ref().and_then(GroupMachine::poll_timeout),
            self.fetch.poll_timeout(),
            self.metadata.poll_timeout(),
            self.auto_commit.poll_timeout(),
            self.offset_work.poll_timeout(),
            self.handovers.poll_timeout(),
            self.closing.as_ref().and_then(Closing::poll_timeout),
        ];
        machines.into_iter().fold(None, Wakeup::earlier)
    }

    /// A number that changes whenever records that are in the application's hands may no longer be
    /// its own, or whenever it should come back soon: the application's side compares it before it
    /// gives out more of them.
    #[must_use]
    pub const fn attention(&self) -> u64 {
        self.attention
    }

    /// Whether the consumer has been closed and nothing more will come out of it.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// The group machine, for those who want to look: `None` without a group.
    #[must_use]
    pub const fn group(&self) -> Option<&GroupMachine> {
        self.group.as_ref()
    }

    /// The fetch machine, for those who want to look.
    #[must_use]
    pub const fn fetch(&self) -> &FetchMachine {
        &self.fetch
    }

    pub(crate) fn assert_drained(&self) {
        debug_assert!(
            self.effects.is_empty(),
            "one input, drain every output, then the next input"
        );
    }

    pub(crate) fn note_progress(&mut self, intent: &Intent, progress: &Progress, now: Instant) {
        for (partition, offset) in &progress.unreadable {
            self.stop_at(partition, *offset, now);
        }
        if let Some(through) = progress.through {
            self.ledger.come_back(through);
        }
        // Who asks for anything else has not come back from the record in hand.
        if intent.comes_back() {
            self.ledger.advance(&progress.partial);
            self.ledger.come_back_from_given();
        }
    }

    pub(crate) fn dispatch(
        &mut self,
        operation: OperationId,
        intent: Intent,
        progress: &Progress,
        deadline: Instant,
        now: Instant,
    ) {
        match intent {
            Intent::Poll { max_records } => self.begin_poll(operation, max_records, now),
            Intent::EndPoll(poll) => {
                self.end_poll(poll, now);
                self.done(operation);
            }
            Intent::CheckIn => self.check_in(operation, progress, now),
            Intent::Subscribe(topics) => self.subscribe(operation, topics, now),
            Intent::Unsubscribe => self.unsubscribe(operation, progress, now),
            Intent::Assign(partitions) => self.assign(operation, partitions, progress, now),
            Intent::Commit { what, retry_until } => {
                self.commit(operation, what, retry_until, progress, now);
            }
            Intent::Assignment => self.reply(
                operation,
                Reply::Partitions(self.fetch.assigned().cloned().collect()),
            ),
            Intent::Committed(partitions) => self.committed(operation, partitions, deadline, now),
            Intent::Position(partition) => {
                let within = self.ledger.given_position(&partition, progress);
                self.position(operation, partition, within, deadline);
            }
            Intent::FinishedPosition(partition) => {
                let within = self.ledger.before_out(&partition).cloned();
                self.position(operation, partition, within, deadline);
            }
            Intent::Seek(partition, to) => self.seek(operation, &partition, to, now),
            Intent::Pause {
                partitions,
                returned,
            } => self.pause(operation, &partitions, returned, progress, now),
            Intent::Resume(partitions) => self.resume(operation, &partitions, now),
            Intent::ListOffsets(queries) => self.list_offsets(operation, queries, deadline, now),
            Intent::Close => self.close(operation, deadline, now),
        }
    }

    /// Lets what the machines said take effect until they say nothing more.
    pub(crate) fn settle(&mut self, now: Instant) {
        self.collect_metadata();
        while let Some(event) = self.events.pop_front() {
            match event {
                MachineEvent::Group(event) => self.on_group_event(event, now),
                MachineEvent::Fetch(event) => self.on_fetch_event(event, now),
                MachineEvent::Metadata(event) => self.on_metadata_event(event, now),
            }
            self.collect_metadata();
        }
        self.advance_handovers(now);
        self.answer_positions();
        self.serve_poll(now);
        self.collect_metadata();
        if !self.events.is_empty() {
            self.settle(now);
        }
    }

    pub(crate) fn subscribe(
        &mut self,
        operation: OperationId,
        topics: BTreeSet<TopicName>,
        now: Instant,
    ) {
        if self.group.is_none() {
            self.fail(
                operation,
                ConsumerError::NoGroup {
                    operation: "subscribe",
                },
            );
            return;
        }
        if let Subscription::Partitions(_) = self.subscription {
            self.drop_manual_assignment(now);
        }
        tracing::info!(?topics, "subscribed");
        self.failed = None;
        self.subscription = Subscription::Topics(topics.clone());
        self.metadata
            .set_interest(Interest::Application, topics.clone(), now);
        self.with_group(|group| group.subscribe(topics, now));
        self.done(operation);
    }

    /// The application is done with what it was given, and will not be given anything else of it.
    pub(crate) fn unsubscribe(
        &mut self,
        operation: OperationId,
        progress: &Progress,
        now: Instant,
    ) {
        self.come_back_from_all(progress, now);
        self.failed = None;
        match std::mem::take(&mut self.subscription) {
            Subscription::None => {}
            Subscription::Topics(_) => self.leave_group(now),
            Subscription::Partitions(partitions) => {
                self.subscription = Subscription::Partitions(partitions);
                self.drop_manual_assignment(now);
            }
        }
        self.metadata
            .set_interest(Interest::Application, BTreeSet::new(), now);
        self.done(operation);
    }

    pub(crate) fn assign(
        &mut self,
        operation: OperationId,
        partitions: BTreeSet<TopicPartition>,
        progress: &Progress,
        now: Instant,
    ) {
        if let Subscription::Topics(_) = self.subscription {
            self.come_back_from_all(progress, now);
            self.leave_group(now);
        }
        self.failed = None;
        let topics = partitions
            .iter()
            .map(|partition| partition.topic.clone())
            .collect();
        self.metadata
            .set_interest(Interest::Application, topics, now);
        let before: BTreeSet<_> = match std::mem::take(&mut self.subscription) {
            Subscription::Partitions(before) => before,
            Subscription::None | Subscription::Topics(_) => BTreeSet::new(),
        };
        let gone: BTreeSet<_> = before.difference(&partitions).cloned().collect();
        let added: BTreeSet<_> = partitions.difference(&before).cloned().collect();
        self.let_go_by_hand(&gone, now);
        tracing::info!(?partitions, "assigned by hand");
        self.subscription = Subscription::Partitions(partitions);
        self.begin_manual_assignment(added, now);
        if self.config.auto_commits() {
            self.auto_commit.restart(now);
        }
        self.done(operation);
    }

    /// The application wants nothing of what the group gave it: what is on its way out by and by is
    /// handed out no more.
    fn leave_group(&mut self, now: Instant) {
        let assigned = self.fetch.assigned().cloned().collect();
        self.with_fetch(|fetch| fetch.withdraw(&assigned, now));
        self.advance_handovers_of_present_application(now);
        self.with_group(|group| group.unsubscribe(now));
    }

    fn come_back_from_all(&mut self, progress: &Progress, now: Instant) {
        let out = self.ledger.all_out();
        self.come_back_from(&out, progress, now);
    }

    pub(crate) fn drop_manual_assignment(&mut self, now: Instant) {
        if let Subscription::Partitions(partitions) = std::mem::take(&mut self.subscription) {
            self.let_go_by_hand(&partitions, now);
        }
    }

    pub(crate) fn on_metadata_event(&mut self, event: MetadataEvent, now: Instant) {
        match event {
            MetadataEvent::Updated(cluster) => {
                self.effects
                    .push_back(Effect::ClusterChanged(Arc::clone(&cluster)));
                self.with_group(|group| group.on_cluster(&cluster, now));
                self.with_fetch(|fetch| fetch.on_cluster(&cluster, now));
            }
            MetadataEvent::TopicFailed(error) => self.errors.add(error),
        }
    }
}
