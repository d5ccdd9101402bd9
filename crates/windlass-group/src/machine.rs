//! The machine as its driver sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use windlass_assignor::{AssignError, Assignment};
use windlass_machine::{OutgoingRequest, RequestFailure, RequestId, Wakeup};
use windlass_model::{Cluster, Generation, MemberId, OffsetAndMetadata, TopicName, TopicPartition};
use windlass_protocol::ResponseKind;

use crate::answer::response_to;
use crate::classic::Departure;
use crate::classic::{Hands, Membership};
use crate::commit::OffsetCommits;
use crate::commit_verdict::{Findings, Grounds, Present};
use crate::coordinator::Coordinator;
use crate::event::{AssignmentToken, CallbackToken, CommitId, OffsetFetchId};
use crate::finding::Finding;
use crate::intent::{CommitMode, LeaveMode};
use crate::offset_fetch::{Answering, OffsetFetches};
use crate::outputs::{Outputs, Purpose, Sent};
use crate::timer::GroupTimer;
use crate::{CommitError, GroupConfig, GroupCounters, GroupError, GroupEvent, GroupState};

/// One member of one consumer group: its membership, its commits and its questions for committed
/// offsets. See the crate's documentation for how it is driven.
#[derive(Debug)]
pub struct GroupMachine {
    membership: Membership,
    coordinator: Coordinator,
    commits: OffsetCommits,
    offset_fetches: OffsetFetches,
    out: Outputs,
}

impl GroupMachine {
    /// A machine at rest. `seed` decides the jitter of its pauses. `now` is when it begins, as for
    /// every machine, though nothing of this one runs before its first input.
    #[must_use]
    pub fn new(config: GroupConfig, seed: u64, now: Instant) -> Self {
        let _ = now;
        Self {
            coordinator: Coordinator::new(&config),
            commits: OffsetCommits::new(&config),
            offset_fetches: OffsetFetches::new(&config),
            membership: Membership::new(config),
            out: Outputs::new(seed),
        }
    }

    // Intents.

    /// Subscribes to these topics, in place of those before. No topics at all means
    /// [`unsubscribe`](Self::unsubscribe). After a [`GroupEvent::Failed`] this starts again.
    pub fn subscribe(&mut self, topics: BTreeSet<TopicName>, now: Instant) {
        if topics.is_empty() {
            self.unsubscribe(now);
            return;
        }
        self.begin();
        let (membership, hands) = self.hands(now);
        membership.subscribe(topics, hands);
        self.settle(now);
    }

    /// Gives up everything and leaves the group; ends with [`GroupEvent::Left`] within the rebalance
    /// timeout.
    pub fn unsubscribe(&mut self, now: Instant) {
        let deadline = now + self.membership.config().rebalance_timeout;
        let reason = "the application unsubscribed";
        self.leave(LeaveMode::Default, deadline, reason, now);
    }

    /// Gives up everything, waits for the commits under way and leaves the group as `mode` says;
    /// ends with [`GroupEvent::Left`] at `deadline` at the latest. `reason` is told to the group.
    pub fn leave(&mut self, mode: LeaveMode, deadline: Instant, reason: &str, now: Instant) {
        self.begin();
        let departure = Departure {
            mode,
            reason: reason.to_owned(),
            deadline,
        };
        let (membership, hands) = self.hands(now);
        membership.leave(departure, hands);
        self.settle(now);
    }

    /// Calls for a rebalance (Kafka's `enforceRebalance`). Nothing happens where one is under way
    /// that has not been joined yet, or where there is no membership.
    pub fn request_rejoin(&mut self, reason: &str, now: Instant) {
        self.begin();
        let (membership, hands) = self.hands(now);
        membership.request_rejoin(reason, hands);
        self.settle(now);
    }

    /// Whether the application waits inside poll. While it does not, it has the rebalance timeout
    /// (`max.poll.interval.ms`) to come back; each `false` begins that time anew. A machine begins
    /// with an application that does not wait.
    pub fn application_polling(&mut self, polling: bool, now: Instant) {
        self.begin();
        let (membership, hands) = self.hands(now);
        membership.application_polling(polling, hands);
        self.settle(now);
    }

    /// Commits offsets: each is the next one to read. What is owned is committed as the member's; any
    /// other partition only without a subscription, as the application assigns by hand then, also
    /// while the member is still on its way out of the group.
    /// Commits are stored in the order in which they are made. While a rebalance is under way they
    /// wait for the generation that comes out of it. An asynchronous one ends within the request
    /// timeout.
    pub fn commit(
        &mut self,
        offsets: BTreeMap<TopicPartition, OffsetAndMetadata>,
        mode: CommitMode,
        now: Instant,
    ) -> CommitId {
        self.begin();
        let latest = now + self.membership.config().request_timeout;
        let grounds = Grounds {
            ownership: self.membership.ownership(),
            assigns_by_hand: !self.membership.is_subscribed(),
        };
        let id = self.commits.make(offsets, mode, &grounds, latest);
        self.settle(now);
        id
    }

    /// What was to be committed for these partitions is void, as their topic was created anew. What is
    /// on its way to the coordinator cannot be called back.
    pub fn forget_commits(&mut self, partitions: &BTreeSet<TopicPartition>, now: Instant) {
        self.begin();
        self.commits.forget(partitions);
        self.settle(now);
    }

    /// Asks what the group has committed for these partitions; what may pass is tried again up to
    /// `deadline`. A partition whose offset is part of a transaction under way (KIP-447) is waited for, and
    /// holds up the answer for the others as `answering` says. What was to be committed of them before is
    /// waited for.
    pub fn fetch_offsets(
        &mut self,
        partitions: BTreeSet<TopicPartition>,
        answering: Answering,
        deadline: Instant,
        now: Instant,
    ) -> OffsetFetchId {
        self.begin();
        let id = self
            .offset_fetches
            .ask(partitions, answering, self.commits.newest(), deadline);
        self.settle(now);
        id
    }

    // What the driver brings.

    /// The answer to a request.
    pub fn on_response(&mut self, id: RequestId, response: ResponseKind, now: Instant) {
        self.on_answer(id, Ok(response), now);
    }

    /// A request that will not be answered.
    pub fn on_failure(&mut self, id: RequestId, failure: RequestFailure, now: Instant) {
        self.on_answer(id, Err(failure), now);
    }

    /// A new picture of the cluster. It should show every topic of the last
    /// [`GroupEvent::MetadataNeeded`] that exists; hand one in for every metadata answer, also when
    /// nothing changed.
    pub fn on_cluster(&mut self, cluster: &Arc<Cluster>, now: Instant) {
        self.begin();
        self.membership.on_cluster(cluster);
        self.settle(now);
    }

    /// The application has done what it was asked. Any token but the newest is late, and dropped.
    pub fn on_callback_done(&mut self, token: CallbackToken, now: Instant) {
        self.begin();
        let (membership, hands) = self.hands(now);
        if !membership.on_callback_done(token, hands) {
            self.out.counters.late_answers += 1;
        }
        self.settle(now);
    }

    /// The result of an [`AssignmentJob`](crate::AssignmentJob).
    pub fn on_assignment_computed(
        &mut self,
        token: AssignmentToken,
        result: Result<Assignment, AssignError>,
        now: Instant,
    ) {
        self.begin();
        let (membership, hands) = self.hands(now);
        membership.on_assignment_computed(token, result, hands);
        self.settle(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.begin();
        while let Some(timer) = self.out.timers.expire(now) {
            match timer {
                GroupTimer::CommitDeadline => self.commits.on_deadline(now),
                GroupTimer::OffsetFetchDeadline => {
                    self.offset_fetches.on_deadline(now, &mut self.out);
                }
                GroupTimer::Heartbeat
                | GroupTimer::SessionExpiry
                | GroupTimer::PollInterval
                | GroupTimer::PollWarning
                | GroupTimer::AssignmentDeadline
                | GroupTimer::SecondRound
                | GroupTimer::CallbackDeadline
                | GroupTimer::JoinRetry
                | GroupTimer::MetadataDeadline
                | GroupTimer::LeaveDeadline
                | GroupTimer::CoordinatorRetry
                | GroupTimer::CommitRetry
                | GroupTimer::OffsetFetchRetry => {
                    let (membership, hands) = self.hands(now);
                    membership.on_timer(timer, hands);
                }
            }
            self.settle(now);
        }
    }

    // What comes out.

    /// The next request to be sent.
    pub fn poll_request(&mut self) -> Option<OutgoingRequest> {
        self.out.take_request()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<GroupEvent> {
        self.out.take_event()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), and why. `None` while there is nothing
    /// to wait for but requests, callbacks and the application.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wakeup> {
        let (at, timer) = self.out.timers.next()?;
        let reason = timer.reason();
        Some(Wakeup { at, reason })
    }

    // What can be seen.

    /// The state of the membership.
    #[must_use]
    pub const fn state(&self) -> GroupState {
        self.membership.kind()
    }

    /// The id the coordinator gave this member; `None` where there is none at present.
    #[must_use]
    pub fn member_id(&self) -> Option<&MemberId> {
        Some(&self.membership.identity().member_id).filter(|id| !id.is_empty())
    }

    /// The generation this member belongs to; `None` while it belongs to none.
    #[must_use]
    pub const fn generation(&self) -> Option<Generation> {
        self.membership.identity().generation
    }

    /// What is owned at present.
    #[must_use]
    pub fn owned(&self) -> BTreeSet<TopicPartition> {
        self.membership.ownership().set()
    }

    /// What was dropped so far.
    #[must_use]
    pub const fn counters(&self) -> GroupCounters {
        self.out.counters
    }

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &GroupConfig {
        self.membership.config()
    }

    fn begin(&self) {
        debug_assert!(
            self.out.is_drained(),
            "one input, then drain every output, then the next input"
        );
    }

    fn hands(&mut self, now: Instant) -> (&mut Membership, Hands<'_>) {
        let commit_under_way = self.commits.is_under_way(self.coordinator.incarnation());
        let hands = Hands {
            coordinator: &mut self.coordinator,
            out: &mut self.out,
            now,
            commit_under_way,
        };
        (&mut self.membership, hands)
    }

    fn on_answer(
        &mut self,
        id: RequestId,
        answer: Result<ResponseKind, RequestFailure>,
        now: Instant,
    ) {
        self.begin();
        match self.out.answered(id) {
            Some(sent) => self.dispatch(&sent, answer, now),
            None => self.out.counters.late_answers += 1,
        }
        self.settle(now);
    }

    fn dispatch(
        &mut self,
        sent: &Sent,
        answer: Result<ResponseKind, RequestFailure>,
        now: Instant,
    ) {
        match sent.purpose {
            Purpose::FindCoordinator => {
                let answer = response_to!(sent, answer, FindCoordinator);
                let (config, out) = (self.membership.config(), &mut self.out);
                if let Err(error) = self.coordinator.on_answer(answer, config, out, now) {
                    self.give_up(error, now);
                }
            }
            Purpose::OffsetCommit => {
                let answer = response_to!(sent, answer, OffsetCommit);
                let present = present(&self.membership);
                let out = &mut self.out;
                let findings = self.commits.on_answer(sent, answer, &present, out, now);
                self.apply(sent, findings, now);
            }
            Purpose::OffsetFetch => {
                let answer = response_to!(sent, answer, OffsetFetch);
                let (config, out) = (self.membership.config(), &mut self.out);
                let lost = self
                    .offset_fetches
                    .on_answer(sent, answer, config, out, now);
                match lost {
                    Some(reason) => self.found(sent, Finding::CoordinatorLost(reason), now),
                    None => self.coordinator.answered(sent.incarnation),
                }
            }
            Purpose::JoinGroup
            | Purpose::SyncGroup
            | Purpose::Heartbeat
            | Purpose::LeaveGroup
            | Purpose::DescribeGroups => {
                let (membership, hands) = self.hands(now);
                membership.on_answer(sent, answer, hands);
            }
        }
    }

    /// The coordinator cannot be found. Whoever waits for what will not be granted has to know; all
    /// else may pass in the time that they have.
    fn give_up(&mut self, error: GroupError, now: Instant) {
        if error.is_final() || matches!(error, GroupError::GroupAuthorization { .. }) {
            self.commits.fail_all(&CommitError::Group(error.clone()));
            self.offset_fetches.fail_all(&error, &mut self.out);
        }
        let (membership, hands) = self.hands(now);
        if error.is_final() {
            membership.on_finding(Finding::Over(error), hands);
        } else {
            membership.tell(error, hands);
        }
    }

    fn apply(&mut self, sent: &Sent, findings: Findings, now: Instant) {
        if findings.coordinator_lost.is_none() {
            self.coordinator.answered(sent.incarnation);
        }
        for finding in findings.in_order() {
            self.found(sent, finding, now);
        }
    }

    /// Something was found out about the membership, or about the coordinator that it looked to.
    fn found(&mut self, sent: &Sent, finding: Finding, now: Instant) {
        if let Finding::CoordinatorLost(reason) = &finding {
            let (asked, out) = (sent.incarnation, &mut self.out);
            if !self.coordinator.lost(asked, reason, out, now) {
                return;
            }
        }
        let (membership, hands) = self.hands(now);
        membership.on_finding(finding, hands);
    }

    /// Lets every part go on until none has anything more to say. Commits come first, so that what
    /// was committed before a rebalance is on its way before the join is.
    fn settle(&mut self, now: Instant) {
        loop {
            let before = self.out.spoken();
            let gate = self.membership.commit_gate();
            let present = present(&self.membership);
            let out = &mut self.out;
            self.commits
                .advance(&gate, &present, &self.coordinator, out, now);
            let config = self.membership.config();
            self.offset_fetches
                .advance(config, &self.commits, &self.coordinator, out, now);
            let commits_idle = self.commits.is_idle();
            let (membership, hands) = self.hands(now);
            membership.advance(commits_idle, hands);
            let (membership, hands) = self.hands(now);
            membership.keep_alive(hands);
            let wanted = self.membership.wants_coordinator()
                || !commits_idle
                || !self.offset_fetches.is_idle();
            if wanted {
                let config = self.membership.config();
                self.coordinator.ensure(config, &mut self.out, now);
            }
            if self.out.spoken() == before {
                return;
            }
        }
    }
}

fn present(membership: &Membership) -> Present<'_> {
    Present {
        config: membership.config(),
        identity: membership.identity(),
        ownership: membership.ownership(),
        is_joining: membership.is_joining(),
        cluster: membership.cluster(),
    }
}
