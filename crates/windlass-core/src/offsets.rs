//! Offsets: committed, asked for, looked up, moved.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use windlass_fetch::ListOffsetsId;
use windlass_group::{
    CommitError, CommitId, CommitMode, GroupMachine, OffsetFetchId, OffsetFetchResults,
};
use windlass_machine::Wakeup;
use windlass_model::{OffsetAndMetadata, TopicPartition};

use crate::ConsumerError;
use crate::core::Subscription;
use crate::group_events::{commit_error, offset_fetch_error};
use crate::{CommitWhat, ConsumerCore, OperationId, Reply};

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

/// What is under way.
#[derive(Debug, Default)]
pub(crate) struct OffsetWork {
    pub(crate) commits:
        BTreeMap<CommitId, (CommitPurpose, BTreeMap<TopicPartition, OffsetAndMetadata>)>,
    offset_fetches: BTreeMap<OffsetFetchId, OffsetFetchPurpose>,
    pub(crate) lookups: BTreeMap<ListOffsetsId, OperationId>,
    pub(crate) positions: BTreeMap<OperationId, (TopicPartition, Instant)>,
    /// Partitions whose committed offsets could not be told, and when to ask for them again.
    pub(crate) again: Option<(Instant, BTreeSet<TopicPartition>)>,
}

impl OffsetWork {
    pub(crate) fn poll_timeout(&self) -> Option<Wakeup> {
        let waited_for = self.positions.values().map(|(_, deadline)| *deadline).min();
        let position = waited_for.map(|at| Wakeup {
            at,
            reason: "a position is waited for",
        });
        let again = self.again.as_ref().map(|(at, _)| *at);
        let again = again.map(|at| Wakeup {
            at,
            reason: "committed offsets are asked for again",
        });
        Wakeup::earlier(position, again)
    }

    fn ask_again(&mut self, partitions: BTreeSet<TopicPartition>, at: Instant) {
        if !partitions.is_empty() {
            let (_, waiting) = self.again.get_or_insert_with(|| (at, BTreeSet::new()));
            waiting.extend(partitions);
        }
    }
}

impl ConsumerCore {
    pub(crate) fn commit(
        &mut self,
        operation: OperationId,
        what: CommitWhat,
        retry_until: Option<Instant>,
        partial: &BTreeMap<TopicPartition, OffsetAndMetadata>,
        now: Instant,
    ) {
        let offsets = match what {
            // Done would mean that the group holds what the application has in its hands.
            CommitWhat::HandedOut | CommitWhat::Finished if self.ledger.lost_what_is_out() => {
                let reason = "the partitions were lost meanwhile".to_owned();
                self.fail(operation, ConsumerError::CommitRefused { reason });
                return;
            }
            CommitWhat::HandedOut | CommitWhat::Finished => {
                match self.handed_out_offsets(partial, matches!(what, CommitWhat::Finished)) {
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
        if offsets.is_empty() {
            self.done(operation);
            return;
        }
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

    /// Everything the application was handed, in the partitions it owns; of what it holds in part,
    /// what it has told to be done with. A group that waited for its leave in vain has taken away
    /// what it still seems to have: nothing to be said of that, unless it works on records of it.
    fn handed_out_offsets(
        &self,
        partial: &BTreeMap<TopicPartition, OffsetAndMetadata>,
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
        let position = |partition: &TopicPartition| {
            partial.get(partition).cloned().or_else(|| match finished {
                true => self.finished_position(partition),
                false => self.handed_out_position(partition),
            })
        };
        Ok(self
            .fetch
            .assigned()
            .filter(|partition| is_owned(partition))
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
        self.end_commits_before_handover(now);
    }

    /// Whether a commit for any of these partitions is under way.
    pub(crate) fn is_being_committed(&self, partitions: &BTreeSet<TopicPartition>) -> bool {
        let mut committing = self
            .offset_work
            .commits
            .values()
            .flat_map(|(_, offsets)| offsets.keys());
        committing.any(|partition| partitions.contains(partition))
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
        match self.ask_group(|group| group.fetch_offsets(partitions, deadline, now)) {
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
        let deadline = now + self.config.default_api_timeout;
        let asked = partitions.clone();
        match self.ask_group(|group| group.fetch_offsets(asked, deadline, now)) {
            Some(id) => {
                self.offset_work
                    .offset_fetches
                    .insert(id, OffsetFetchPurpose::Start(partitions));
            }
            None => {
                for partition in &partitions {
                    self.with_fetch(|fetch| fetch.set_committed(partition, None, now));
                }
            }
        }
    }

    pub(crate) fn offsets_fetched(
        &mut self,
        id: OffsetFetchId,
        results: OffsetFetchResults,
        now: Instant,
    ) {
        match self.offset_work.offset_fetches.remove(&id) {
            None => {}
            Some(OffsetFetchPurpose::Application(operation)) => {
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
            Some(OffsetFetchPurpose::Start(partitions)) => {
                self.start_from(partitions, results, now);
            }
        }
    }

    /// Partitions of which nothing was told stay assigned, so they are asked for again.
    fn start_from(
        &mut self,
        partitions: BTreeSet<TopicPartition>,
        mut results: OffsetFetchResults,
        now: Instant,
    ) {
        let mut again = BTreeSet::new();
        for partition in partitions {
            match results.remove(&partition) {
                Some(Ok(offset)) => {
                    if let Some(offset) = &offset {
                        self.ledger.note_committed(&partition, offset);
                    }
                    self.with_fetch(|fetch| fetch.set_committed(&partition, offset, now));
                }
                Some(Err(error)) => {
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
        self.offset_work
            .ask_again(again, now + self.config.retry_backoff_max);
    }

    pub(crate) fn forget_offset_work(&mut self, partitions: &BTreeSet<TopicPartition>) {
        if let Some((_, waiting)) = &mut self.offset_work.again {
            waiting.retain(|partition| !partitions.contains(partition));
        }
        for purpose in self.offset_work.offset_fetches.values_mut() {
            if let OffsetFetchPurpose::Start(waiting) = purpose {
                waiting.retain(|partition| !partitions.contains(partition));
            }
        }
    }
}
