//! Offsets on their way to the group: in order, one request at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use windlass_machine::{Backoff, RequestFailure, RequestId};
use windlass_model::{OffsetAndMetadata, TopicPartition};
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::OffsetCommitResponse;

use crate::classic::CommitGate;
use crate::commit_verdict::{Claim, Findings, Grounds, Present, Verdict, holds, judge};
use crate::coordinator::{Coordinator, is_hopeless};
use crate::event::CommitId;
use crate::identity::Identity;
use crate::incarnation::Incarnation;
use crate::intent::CommitMode;
use crate::outputs::{Outputs, Purpose, Sent};
use crate::ownership::Ownership;
use crate::timer::GroupTimer;
use crate::words::counted;
use crate::{CommitError, GroupConfig, GroupEvent, commit_request};

/// A commit that has not ended.
#[derive(Debug)]
struct Commit {
    id: CommitId,
    mode: CommitMode,
    deadline: Instant,
    offsets: BTreeMap<TopicPartition, (OffsetAndMetadata, Claim)>,
    results: BTreeMap<TopicPartition, Result<(), CommitError>>,
    waiting_for: String,
    /// Whether the last answer was that it came too late for one generation.
    between_generations: bool,
}

/// All commits that have not ended. One request is under way at a time, so that a retry of an
/// earlier commit can never overtake a later one; whatever waits behind it goes out together.
#[derive(Debug)]
pub(crate) struct OffsetCommits {
    queue: VecDeque<Commit>,
    in_flight: Option<(RequestId, Incarnation, Vec<Commit>)>,
    backoff: Backoff,
    next_id: u64,
    /// Who was told that a rebalance is under way: there is no point in trying again as the same.
    refused_as: Option<Identity>,
    /// What was owned when the queue was last held against it.
    ownership_seen: Option<u64>,
    /// Whether some commit may have ended since that was last told.
    has_finished: bool,
    /// The earliest deadline, or an instant before it.
    deadline: Option<Instant>,
}

impl OffsetCommits {
    pub(crate) fn new(config: &GroupConfig) -> Self {
        Self {
            queue: VecDeque::new(),
            in_flight: None,
            backoff: Backoff::new(config.retry_backoff, config.retry_backoff_max),
            next_id: 0,
            refused_as: None,
            ownership_seen: None,
            has_finished: false,
            deadline: None,
        }
    }

    /// Whether every commit has ended.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty()
            && self
                .in_flight
                .as_ref()
                .is_none_or(|(_, _, batch)| batch.is_empty())
    }

    /// The newest commit that was made.
    pub(crate) const fn newest(&self) -> CommitId {
        CommitId(self.next_id)
    }

    /// Whether a commit up to this one says something of these partitions and has not ended.
    pub(crate) fn concern(&self, partitions: &BTreeSet<TopicPartition>, newest: CommitId) -> bool {
        let under_way = self.in_flight.iter().flat_map(|(_, _, batch)| batch);
        let mut commits = self.queue.iter().chain(under_way);
        commits.any(|commit| {
            commit.id <= newest && commit.offsets.keys().any(|one| partitions.contains(one))
        })
    }

    /// Whether this incarnation of the coordinator has a commit to answer.
    pub(crate) fn is_under_way(&self, at: Incarnation) -> bool {
        let mut asked = self.in_flight.iter().map(|(_, asked, _)| *asked);
        asked.any(|asked| asked == at)
    }

    /// Takes a commit on, as far as there are grounds for it. What the member owns and what is assigned
    /// by hand cannot go in one commit: the one is the member's, the other nobody's.
    pub(crate) fn make(
        &mut self,
        offsets: BTreeMap<TopicPartition, OffsetAndMetadata>,
        mode: CommitMode,
        grounds: &Grounds<'_>,
        latest: Instant,
    ) -> CommitId {
        self.next_id += 1;
        let id = CommitId(self.next_id);
        let deadline = match mode {
            CommitMode::Sync { deadline } => deadline,
            CommitMode::Async => latest,
        };
        let mut commit = Commit {
            id,
            mode,
            deadline,
            offsets: BTreeMap::new(),
            results: BTreeMap::new(),
            waiting_for: "the commits before it".to_owned(),
            between_generations: false,
        };
        let mut claims = offsets.keys().filter_map(|one| grounds.claim(one));
        let by_hand = claims.any(|claim| claim == Claim::Manual);
        for (topic_partition, offset) in offsets {
            let claim = grounds.claim(&topic_partition);
            match claim.filter(|claim| !by_hand || *claim == Claim::Manual) {
                Some(claim) => {
                    commit.offsets.insert(topic_partition, (offset, claim));
                }
                None => {
                    commit
                        .results
                        .insert(topic_partition, Err(CommitError::NotOwned));
                }
            }
        }
        self.deadline = Some(self.deadline.map_or(deadline, |at| at.min(deadline)));
        self.has_finished |= commit.offsets.is_empty();
        self.queue.push_back(commit);
        id
    }

    /// Ends what has ended, and sends what can be sent.
    pub(crate) fn advance(
        &mut self,
        gate: &CommitGate,
        present: &Present<'_>,
        coordinator: &Coordinator,
        out: &mut Outputs,
        now: Instant,
    ) {
        let changes = Some(present.ownership.changes());
        if self.ownership_seen != changes {
            self.ownership_seen = changes;
            for commit in &mut self.queue {
                commit.drop_lost(present.ownership);
            }
            self.has_finished = true;
        }
        if std::mem::take(&mut self.has_finished) {
            self.end_finished(out);
        }
        self.end_pause(gate, out);
        self.send(gate, present, coordinator, out, now);
        self.arm_deadline(out);
    }

    /// A commit that came between two generations need not wait any longer than for the next.
    fn end_pause(&mut self, gate: &CommitGate, out: &mut Outputs) {
        if let CommitGate::Open(identity) = gate
            && self
                .refused_as
                .take_if(|refused| refused != identity)
                .is_some()
        {
            out.timers.clear(GroupTimer::CommitRetry);
        }
    }

    fn send(
        &mut self,
        gate: &CommitGate,
        present: &Present<'_>,
        coordinator: &Coordinator,
        out: &mut Outputs,
        now: Instant,
    ) {
        if self.in_flight.is_some() || out.timers.deadline(GroupTimer::CommitRetry).is_some() {
            return;
        }
        let somebody_waits = self.queue.iter().any(|one| one.mode != CommitMode::Async);
        let Some(first) = self.queue.front_mut() else {
            return;
        };
        let is_manual = first.is_manual();
        let identity = match gate {
            _ if is_manual => Identity::default(),
            CommitGate::Open(identity) => identity.clone(),
            CommitGate::Closing(identity) if somebody_waits => identity.clone(),
            CommitGate::Closing(_) | CommitGate::Held => {
                "the end of a rebalance".clone_into(&mut first.waiting_for);
                return;
            }
            CommitGate::Closed => {
                "a membership".clone_into(&mut first.waiting_for);
                return;
            }
        };
        let Some(address) = coordinator.address() else {
            "the group's coordinator to be found".clone_into(&mut first.waiting_for);
            return;
        };
        let mut batch = Vec::new();
        while self
            .queue
            .front()
            .is_some_and(|one| one.is_manual() == is_manual)
        {
            batch.extend(self.queue.pop_front());
        }
        let mut offsets = BTreeMap::new();
        for commit in &mut batch {
            "the coordinator's answer".clone_into(&mut commit.waiting_for);
            offsets.extend(
                commit
                    .offsets
                    .iter()
                    .map(|(one, (offset, _))| (one, offset)),
            );
        }
        let request = commit_request::write(present.config, &identity, is_manual, &offsets);
        let deadline = now + present.config.request_timeout;
        let id = out.send(Purpose::OffsetCommit, address, identity, request, deadline);
        self.in_flight = Some((id, address.1, batch));
    }

    /// The answer to the request under way.
    pub(crate) fn on_answer(
        &mut self,
        sent: &Sent,
        answer: Result<OffsetCommitResponse, RequestFailure>,
        present: &Present<'_>,
        out: &mut Outputs,
        now: Instant,
    ) -> Findings {
        let mut findings = Findings::default();
        let Some((_, _, mut batch)) = self.in_flight.take_if(|(id, _, _)| *id == sent.id) else {
            return findings;
        };
        let answer = answer.map(commit_request::read);
        if sent.identity != *present.identity && batch.iter().any(|one| !one.is_manual()) {
            out.counters.late_answers += 1;
        }
        for commit in &mut batch {
            commit.settle(&answer, sent, present, &mut findings);
        }
        if batch.iter().any(|commit| commit.between_generations) {
            self.refused_as = Some(sent.identity.clone());
        }
        self.has_finished = true;
        if batch.iter().any(|commit| !commit.offsets.is_empty()) {
            let pause = self.backoff.next(&mut out.random);
            out.timers.set(GroupTimer::CommitRetry, now + pause);
        } else if answer.is_ok() {
            self.backoff.reset();
        }
        // What is tried again may have lost its ground while it was under way.
        self.ownership_seen = None;
        for commit in batch.into_iter().rev() {
            self.queue.push_front(commit);
        }
        findings
    }

    /// Some deadline has passed.
    pub(crate) fn on_deadline(&mut self, now: Instant) {
        let under_way = self.in_flight.iter_mut().flat_map(|(_, _, batch)| batch);
        for commit in self.queue.iter_mut().chain(under_way) {
            if commit.deadline <= now {
                self.has_finished = true;
                let waiting_for = format!("it waited for {}", commit.waiting_for);
                commit.fail(&CommitError::TimedOut { waiting_for });
            }
        }
    }

    /// Nothing is to be stored for these partitions any more.
    pub(crate) fn forget(&mut self, partitions: &BTreeSet<TopicPartition>) {
        let under_way = self.in_flight.iter_mut().flat_map(|(_, _, batch)| batch);
        for commit in self.queue.iter_mut().chain(under_way) {
            for one in partitions {
                if commit.offsets.contains_key(one) {
                    let reason = "its topic was deleted and created anew".to_owned();
                    commit.end(one.clone(), Err(CommitError::MembershipLost { reason }));
                }
            }
        }
        self.has_finished = true;
    }

    /// Nothing more will be stored.
    pub(crate) fn fail_all(&mut self, error: &CommitError) {
        let under_way = self.in_flight.iter_mut().flat_map(|(_, _, batch)| batch);
        for commit in self.queue.iter_mut().chain(under_way) {
            commit.fail(error);
        }
        self.has_finished = true;
    }

    /// Tells of the commits that have nothing left to wait for. The request of one that gave up
    /// stays under way: what comes after must not overtake it.
    fn end_finished(&mut self, out: &mut Outputs) {
        if let Some((_, _, batch)) = &mut self.in_flight {
            end_finished(batch, out);
        }
        let mut queue = Vec::from(std::mem::take(&mut self.queue));
        end_finished(&mut queue, out);
        self.queue = VecDeque::from(queue);
        let under_way = self.in_flight.iter().flat_map(|(_, _, batch)| batch);
        let left = self.queue.iter().chain(under_way);
        self.deadline = left.map(|one| one.deadline).min();
    }

    fn arm_deadline(&self, out: &mut Outputs) {
        match self.deadline {
            Some(deadline) => out.timers.set(GroupTimer::CommitDeadline, deadline),
            None => out.timers.clear(GroupTimer::CommitDeadline),
        }
        if self.queue.is_empty() {
            out.timers.clear(GroupTimer::CommitRetry);
        }
    }
}

impl Commit {
    fn is_manual(&self) -> bool {
        let mut claims = self.offsets.values().map(|(_, claim)| *claim);
        claims.next() == Some(Claim::Manual)
    }

    fn end(&mut self, topic_partition: TopicPartition, result: Result<(), CommitError>) {
        self.offsets.remove(&topic_partition);
        self.results.insert(topic_partition, result);
    }

    fn fail(&mut self, error: &CommitError) {
        for topic_partition in std::mem::take(&mut self.offsets).into_keys() {
            self.results.insert(topic_partition, Err(error.clone()));
        }
    }

    /// Gives up what was taken away since the commit was made.
    fn drop_lost(&mut self, ownership: &Ownership) {
        let lost: Vec<TopicPartition> = self
            .offsets
            .iter()
            .filter(|(one, (_, claim))| !holds(*claim, one, ownership))
            .map(|(one, _)| one.clone())
            .collect();
        for topic_partition in lost {
            let reason = "it went while the commit waited".to_owned();
            self.end(topic_partition, Err(CommitError::MembershipLost { reason }));
        }
    }

    /// Decides what the answer means for each offset; what is to be tried again stays.
    fn settle(
        &mut self,
        answer: &Result<BTreeMap<TopicPartition, ErrorCode>, RequestFailure>,
        sent: &Sent,
        present: &Present<'_>,
        findings: &mut Findings,
    ) {
        self.between_generations = false;
        let partitions: Vec<(TopicPartition, Claim)> = self
            .offsets
            .iter()
            .map(|(one, (_, claim))| (one.clone(), *claim))
            .collect();
        for (topic_partition, claim) in partitions {
            let verdict = match answer {
                Ok(codes) => {
                    let code = codes.get(&topic_partition).copied();
                    let still_owned = holds(claim, &topic_partition, present.ownership);
                    judge(
                        code,
                        &topic_partition,
                        claim,
                        still_owned,
                        sent,
                        present,
                        findings,
                    )
                }
                Err(failure) if is_hopeless(failure) => {
                    Verdict::Fail(CommitError::Unanswered(failure.clone()))
                }
                Err(failure) => {
                    let reason = format!("OffsetCommit was not answered: {failure}");
                    findings.coordinator_lost = Some(reason);
                    Verdict::Retry(CommitError::Unanswered(failure.clone()))
                }
            };
            match (verdict, self.mode) {
                (Verdict::Stored, _) => self.end(topic_partition, Ok(())),
                (Verdict::Retry(error), CommitMode::Sync { .. }) => {
                    self.between_generations |= matches!(error, CommitError::RebalanceInProgress);
                    self.waiting_for = format!("a better answer than this: {error}");
                }
                (Verdict::Retry(error), CommitMode::Async) | (Verdict::Fail(error), _) => {
                    self.end(topic_partition, Err(error));
                }
            }
        }
    }
}

fn end_finished(commits: &mut Vec<Commit>, out: &mut Outputs) {
    let (finished, waiting): (Vec<_>, Vec<_>) = std::mem::take(commits)
        .into_iter()
        .partition(|commit| commit.offsets.is_empty());
    *commits = waiting;
    for commit in finished {
        let failed = commit
            .results
            .values()
            .filter(|result| result.is_err())
            .count();
        let reason = match commit
            .results
            .values()
            .find_map(|result| result.as_ref().err())
        {
            None => format!("stored: {}", counted(commit.results.len(), "offset")),
            Some(error) => format!(
                "{failed} of {} not stored: {error}",
                counted(commit.results.len(), "offset")
            ),
        };
        out.emit(GroupEvent::CommitDone {
            id: commit.id,
            results: commit.results,
            reason,
        });
    }
}
