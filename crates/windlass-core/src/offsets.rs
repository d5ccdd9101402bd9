//! Offsets: committed, asked for, looked up, moved.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use windlass_fetch::{ListOffsetsId, Standing};
use windlass_group::{
    Answering, CommitError, CommitId, CommitMode, GroupMachine, OffsetFetchError, OffsetFetchId,
    OffsetFetchResults,
};
use windlass_machine::Wakeup;
use windlass_model::{OffsetAndMetadata, TopicName, TopicPartition};

use crate::ConsumerError;
use crate::core::Subscription;
use crate::group_events::{commit_error, offset_fetch_error};
use crate::{CommitWhat, ConsumerCore, OperationId, Progress, Reply};

/// How many times longer than after what may pass one waits before asking again for what was refused:
/// somebody has to grant it first.
const REFUSED_PATIENCE: u32 = 10;

/// After so long a partition that still does not know where to begin is warned of, and asked for anew.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// How many partitions a log line names.
const NAMED: usize = 10;

/// Why a commit was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitPurpose {
    /// The application asked.
    Application(OperationId),
    /// The auto-commit's interval is over.
    Timer,
    /// Partitions are about to go.
    Handover,
    /// The consumer closes.
    Closing,
}

/// Why committed offsets were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum OffsetFetchPurpose {
    Application(OperationId),
    /// To begin reading; partitions leave the set when they go away before the answer comes.
    Start(BTreeSet<TopicPartition>),
}

impl OffsetFetchPurpose {
    /// The part of it that these results answer.
    fn split(&mut self, results: &OffsetFetchResults) -> Self {
        match self {
            Self::Application(operation) => Self::Application(*operation),
            Self::Start(waiting) => {
                let is_answered = |partition: &TopicPartition| results.contains_key(partition);
                let (answered, rest) = std::mem::take(waiting).into_iter().partition(is_answered);
                *waiting = rest;
                Self::Start(answered)
            }
        }
    }
}

/// What is under way.
#[derive(Debug, Default)]
pub(crate) struct OffsetWork {
    pub(crate) commits:
        BTreeMap<CommitId, (CommitPurpose, BTreeMap<TopicPartition, OffsetAndMetadata>)>,
    offset_fetches: BTreeMap<OffsetFetchId, OffsetFetchPurpose>,
    /// Offsets that are looked up, and of which topics.
    pub(crate) lookups: BTreeMap<ListOffsetsId, (OperationId, BTreeSet<TopicName>)>,
    pub(crate) positions: BTreeMap<OperationId, (TopicPartition, Instant)>,
    /// Partitions whose committed offsets could not be told, and when to ask for them again.
    again: BTreeMap<Instant, BTreeSet<TopicPartition>>,
}

impl OffsetWork {
    pub(crate) fn poll_timeout(&self) -> Option<Wakeup> {
        let waited_for = self.positions.values().map(|(_, deadline)| *deadline).min();
        let position = waited_for.map(|at| Wakeup {
            at,
            reason: "a position is waited for",
        });
        let again = self.again.keys().next();
        let again = again.map(|at| Wakeup {
            at: *at,
            reason: "committed offsets are asked for again",
        });
        Wakeup::earlier(position, again)
    }

    fn ask_again(&mut self, partitions: BTreeSet<TopicPartition>, at: Instant) {
        if !partitions.is_empty() {
            self.again.entry(at).or_default().extend(partitions);
        }
    }

    /// The partitions whose committed offsets are to be asked for again by now.
    pub(crate) fn due_again(&mut self, now: Instant) -> BTreeSet<TopicPartition> {
        let mut due = BTreeSet::new();
        while let Some(first) = self.again.first_entry()
            && *first.key() <= now
        {
            due.extend(first.remove());
        }
        due
    }
}

impl ConsumerCore {
    pub(crate) fn commit(
        &mut self,
        operation: OperationId,
        what: CommitWhat,
        retry_until: Option<Instant>,
        progress: &Progress,
        now: Instant,
    ) {
        // Done would mean that the group holds what the application has in its hands.
        let lost = match what {
            CommitWhat::HandedOut | CommitWhat::Finished => self.ledger.lost_what_is_out(),
            CommitWhat::Offsets(_) => None,
        };
        if let Some(why) = lost {
            let reason = format!("the partitions were lost meanwhile: {why}");
            self.fail(operation, ConsumerError::CommitRefused { reason });
            return;
        }
        let offsets = match what {
            CommitWhat::HandedOut | CommitWhat::Finished => {
                match self.handed_out_offsets(progress, matches!(what, CommitWhat::Finished)) {
                    Ok(offsets) => offsets,
                    Err(error) => {
                        self.fail(operation, error);
                        return;
                    }
                }
            }
            CommitWhat::Offsets(offsets) => offsets,
        };
        if self.group.is_none() {
            self.fail(
                operation,
                ConsumerError::NoGroup {
                    operation: "commit",
                },
            );
            return;
        }
        if let Some(foreign) = offsets
            .keys()
            .find(|partition| !self.fetch.is_assigned(partition))
        {
            let topic_partition = foreign.clone();
            self.fail(
                operation,
                ConsumerError::NotAssigned {
                    topic_partition,
                    operation: "commit",
                },
            );
            return;
        }
        let untold = |partition: &&TopicPartition| self.handovers.arrives_untold(partition);
        if let Some(untold) = offsets.keys().find(untold) {
            let reason = format!("{untold} was lost, and has come back since");
            self.fail(operation, ConsumerError::CommitRefused { reason });
            return;
        }
        if offsets.is_empty() {
            self.done(operation);
            return;
        }
        // A timer's commit may follow before this one is answered, and must not take it back.
        self.ledger.advance(&offsets);
        let mode = match retry_until {
            Some(deadline) => CommitMode::Sync { deadline },
            None => CommitMode::Async,
        };
        if self
            .send_commit(offsets, mode, CommitPurpose::Application(operation), now)
            .is_none()
        {
            self.fail(operation, ConsumerError::Closed);
        }
    }

    /// Everything the application was given, or came back from, in the partitions it owns and has not
    /// said its last word about. A group that waited for its leave in vain has taken away
    /// what it still seems to have: nothing to be said of that, unless it works on records of it.
    fn handed_out_offsets(
        &self,
        progress: &Progress,
        finished: bool,
    ) -> Result<BTreeMap<TopicPartition, OffsetAndMetadata>, ConsumerError> {
        let owned = match self.subscription {
            Subscription::Topics(_) => self.group.as_ref().map(GroupMachine::owned),
            Subscription::Partitions(_) | Subscription::None => None,
        };
        let is_owned = |partition: &TopicPartition| {
            let mut owned = owned.iter();
            owned.all(|owned| owned.contains(partition))
        };
        let taken: BTreeSet<TopicPartition> = self
            .fetch
            .assigned()
            .filter(|partition| !is_owned(partition))
            .cloned()
            .collect();
        if self.ledger.any_out(&taken) {
            let reason = "the group did not wait for partitions to be given up".to_owned();
            return Err(ConsumerError::CommitRefused { reason });
        }
        let position = |partition: &TopicPartition| match finished {
            true => self.finished_position(partition),
            false => self.given_position(partition, progress),
        };
        Ok(self
            .fetch
            .assigned()
            .filter(|partition| is_owned(partition) && !self.handovers.lets_go(partition))
            .filter(|partition| !self.handovers.arrives_untold(partition))
            .filter_map(|partition| Some((partition.clone(), position(partition)?)))
            .collect())
    }

    pub(crate) fn send_commit(
        &mut self,
        offsets: BTreeMap<TopicPartition, OffsetAndMetadata>,
        mode: CommitMode,
        purpose: CommitPurpose,
        now: Instant,
    ) -> Option<CommitId> {
        let sent = offsets.clone();
        let id = self.ask_group(|group| group.commit(sent, mode, now))?;
        self.offset_work.commits.insert(id, (purpose, offsets));
        Some(id)
    }

    pub(crate) fn commit_done(
        &mut self,
        id: CommitId,
        results: &BTreeMap<TopicPartition, Result<(), CommitError>>,
        now: Instant,
    ) {
        let Some((purpose, offsets)) = self.offset_work.commits.remove(&id) else {
            return;
        };
        let outcome = self.note_commit_results(&offsets, results);
        match purpose {
            CommitPurpose::Application(operation) => match outcome {
                Ok(()) => self.done(operation),
                Err(error) => self.fail(operation, error),
            },
            CommitPurpose::Timer => {
                self.auto_commit.in_flight = false;
                if let Err(error) = outcome {
                    tracing::warn!(%error, "auto-commit failed");
                    if error.is_retriable() {
                        self.auto_commit.retry(now);
                    }
                }
            }
            CommitPurpose::Handover => {
                if let Err(error) = outcome {
                    tracing::warn!(%error, "the commit before a handover failed");
                }
            }
            CommitPurpose::Closing => {
                if let Err(error) = outcome {
                    tracing::warn!(%error, "the last commit failed");
                }
            }
        }
        self.end_commit_before_handovers(id, now);
    }

    /// The commits for any of these partitions that are under way.
    pub(crate) fn commits_under_way(
        &self,
        partitions: &BTreeSet<TopicPartition>,
    ) -> BTreeSet<CommitId> {
        let concerns = |offsets: &BTreeMap<TopicPartition, OffsetAndMetadata>| {
            offsets.keys().any(|own| partitions.contains(own))
        };
        let commits = self.offset_work.commits.iter();
        commits
            .filter(|(_, (_, offsets))| concerns(offsets))
            .map(|(id, _)| *id)
            .collect()
    }

    /// Remembers what the group holds now; the first error of all, if there is any.
    fn note_commit_results(
        &mut self,
        offsets: &BTreeMap<TopicPartition, OffsetAndMetadata>,
        results: &BTreeMap<TopicPartition, Result<(), CommitError>>,
    ) -> Result<(), ConsumerError> {
        let mut outcome = Ok(());
        for (partition, offset) in offsets {
            match results.get(partition) {
                Some(Ok(())) => self.ledger.note_committed(partition, offset),
                Some(Err(error)) => {
                    outcome = outcome.and_then(|()| Err(commit_error(error.clone(), partition)));
                }
                None => {}
            }
        }
        outcome
    }

    pub(crate) fn committed(
        &mut self,
        operation: OperationId,
        partitions: BTreeSet<TopicPartition>,
        deadline: Instant,
        now: Instant,
    ) {
        match self
            .ask_group(|group| group.fetch_offsets(partitions, Answering::AtOnce, deadline, now))
        {
            Some(id) => {
                self.offset_work
                    .offset_fetches
                    .insert(id, OffsetFetchPurpose::Application(operation));
            }
            None => self.fail(
                operation,
                ConsumerError::NoGroup {
                    operation: "committed",
                },
            ),
        }
    }

    /// Asks where to begin in partitions that have come. Without a group, the reset policy says.
    pub(crate) fn ask_for_committed(&mut self, partitions: BTreeSet<TopicPartition>, now: Instant) {
        if partitions.is_empty() {
            return;
        }
        let deadline = now + START_PATIENCE.min(self.config.default_api_timeout);
        let (asked, how) = (partitions.clone(), Answering::AsItComes);
        match self.ask_group(|group| group.fetch_offsets(asked, how, deadline, now)) {
            Some(id) => {
                self.offset_work
                    .offset_fetches
                    .insert(id, OffsetFetchPurpose::Start(partitions));
            }
            None => {
                let nothing = partitions.into_iter().map(|partition| (partition, None));
                self.with_fetch(|fetch| fetch.set_committed_offsets(nothing, now));
            }
        }
    }

    pub(crate) fn offsets_fetched(
        &mut self,
        id: OffsetFetchId,
        results: OffsetFetchResults,
        is_last: bool,
        now: Instant,
    ) {
        let mut asked = match self.offset_work.offset_fetches.entry(id) {
            Entry::Vacant(_) => return,
            Entry::Occupied(asked) if is_last => asked.remove(),
            Entry::Occupied(mut asked) => asked.get_mut().split(&results),
        };
        match &mut asked {
            OffsetFetchPurpose::Application(operation) => {
                let operation = *operation;
                let offsets: Result<BTreeMap<_, _>, ConsumerError> = results
                    .into_iter()
                    .map(|(partition, offset)| match offset {
                        Ok(offset) => Ok((partition, offset)),
                        Err(error) => Err(offset_fetch_error(error, Some(&partition))),
                    })
                    .collect();
                match offsets {
                    Ok(offsets) => self.reply(operation, Reply::Offsets(offsets)),
                    Err(error) => self.fail(operation, error),
                }
            }
            OffsetFetchPurpose::Start(partitions) => {
                self.start_from(std::mem::take(partitions), results, now);
            }
        }
    }

    /// Partitions of which nothing was told stay assigned, so they are asked for again as long as they
    /// wait for the answer: one that was sought has no use for it.
    fn start_from(
        &mut self,
        partitions: BTreeSet<TopicPartition>,
        mut results: OffsetFetchResults,
        now: Instant,
    ) {
        let mut told = Vec::new();
        let mut again = BTreeSet::new();
        let mut refused = BTreeSet::new();
        let mut late = Vec::new();
        for partition in partitions {
            match results.remove(&partition) {
                Some(Ok(offset)) => {
                    if let Some(offset) = &offset {
                        self.ledger.note_committed(&partition, offset);
                    }
                    told.push((partition, offset));
                }
                _ if self.fetch.standing(&partition) != Some(Standing::Awaiting) => {}
                Some(Err(error)) if error.is_refusal() => {
                    self.errors.add(offset_fetch_error(error, Some(&partition)));
                    refused.insert(partition);
                }
                Some(Err(error)) => {
                    if let OffsetFetchError::TimedOut { waiting_for } = &error {
                        late.push((partition.clone(), waiting_for.clone()));
                    }
                    if !error.is_retriable() {
                        self.errors.add(offset_fetch_error(error, Some(&partition)));
                    }
                    again.insert(partition);
                }
                None => {
                    again.insert(partition);
                }
            }
        }
        if let Some((_, waiting_for)) = late.first() {
            let named: Vec<_> = late
                .iter()
                .take(NAMED)
                .map(|(one, _)| one.to_string())
                .collect();
            tracing::warn!(
                partitions = named.join(", "),
                count = late.len(),
                waiting_for,
                "where to begin is not known yet, so nothing is read of these"
            );
        }
        self.with_fetch(|fetch| fetch.set_committed_offsets(told, now));
        let pause = self.config.retry_backoff_max;
        self.offset_work.ask_again(again, now + pause);
        self.offset_work
            .ask_again(refused, now + pause * REFUSED_PATIENCE);
    }

    pub(crate) fn forget_offset_work(&mut self, partitions: &BTreeSet<TopicPartition>) {
        for waiting in self.offset_work.again.values_mut() {
            waiting.retain(|partition| !partitions.contains(partition));
        }
        for purpose in self.offset_work.offset_fetches.values_mut() {
            if let OffsetFetchPurpose::Start(waiting) = purpose {
                waiting.retain(|partition| !partitions.contains(partition));
            }
        }
    }
}
