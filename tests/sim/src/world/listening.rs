//! What the listeners do: take their time, and commit what is about to go.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use windlass_core::{CallbackId, CommitWhat, Intent, OperationId, RebalanceKind};
use windlass_group::GroupMachine;
use windlass_model::{Generation, OffsetAndMetadata, TopicPartition};

use super::World;
use crate::history::{Event, Incarnation};
use crate::member::{Activity, FAREWELL, STEP_OF_FAREWELL};
use crate::network::Arrival;
use crate::options::Commits;

/// How long a commit of a listener's may be tried again.
pub(crate) const LISTENERS_COMMIT: Duration = Duration::from_secs(2);

/// A call to a listener that has not returned.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    since: Instant,
    step: Step,
}

impl Call {
    fn concerns(&self, partition: &TopicPartition) -> bool {
        match &self.step {
            Step::Working(partitions)
            | Step::Committing(_, partitions)
            | Step::Returning(partitions) => partitions.contains(partition),
        }
    }
}

/// What the listener is at.
#[derive(Clone, Debug)]
enum Step {
    /// It does something; then it commits these partitions, if any.
    Working(Vec<TopicPartition>),
    /// It waits for its commit.
    Committing(OperationId, Vec<TopicPartition>),
    /// It returns.
    Returning(Vec<TopicPartition>),
}

impl World {
    /// A listener is called.
    pub(super) fn call_listener(
        &mut self,
        who: Incarnation,
        id: CallbackId,
        kind: RebalanceKind,
        partitions: Vec<TopicPartition>,
        now: Instant,
    ) {
        let commits = kind == RebalanceKind::Revoked;
        let step = Step::Working(if commits {
            partitions.clone()
        } else {
            Vec::new()
        });
        let call = Call { since: now, step };
        self.note_call(who, kind, partitions, now);
        if let Some(member) = self.members.get_mut(&who) {
            member.calls.insert(id, call);
            member.troubles.listener_begins(now);
        }
        let back = now + self.time_of_listener();
        self.agenda.add(back, Arrival::Callback { who, id });
    }

    fn time_of_listener(&mut self) -> Duration {
        let most = if !self.options.slow_listeners {
            30
        } else if self.random.chance(1, 30) {
            let interval = self.options.max_poll_interval.as_millis();
            u64::try_from(interval).unwrap_or(1000) * 3 / 2
        } else if self.random.chance(1, 5) {
            2000
        } else {
            30
        };
        Duration::from_millis(self.random.below(most))
    }

    /// A call to a listener goes on.
    pub(super) fn listener_turn(&mut self, who: Incarnation, id: CallbackId, now: Instant) {
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        let Some(Call { since, step }) = member.calls.remove(&id) else {
            return;
        };
        match step {
            Step::Working(partitions) => {
                let offsets = member.uncommitted(&partitions);
                if self.options.commits != Commits::Listener || offsets.is_empty() {
                    self.return_listener(who, id, partitions, now);
                    return;
                }
                let intent = Intent::Commit {
                    what: CommitWhat::Offsets(offsets),
                    retry_until: Some(now + LISTENERS_COMMIT),
                };
                let operation = member.submit(intent, now + FAREWELL, now);
                let step = Step::Committing(operation, partitions);
                member.calls.insert(id, Call { since, step });
                self.drain_member(who, now);
            }
            Step::Returning(partitions) => self.return_listener(who, id, partitions, now),
            step @ Step::Committing(..) => {
                member.calls.insert(id, Call { since, step });
            }
        }
    }

    fn return_listener(
        &mut self,
        who: Incarnation,
        id: CallbackId,
        partitions: Vec<TopicPartition>,
        now: Instant,
    ) {
        self.note(Event::ListenerDone { who, partitions });
        if let Some(member) = self.members.get_mut(&who) {
            member.troubles.listener_returns(now);
            member.core.on_callback_done(id, Ok(()), now);
            self.drain_member(who, now);
        }
    }

    /// The answer to a listener's commit, if it is one.
    pub(super) fn on_listeners_commit(
        &mut self,
        who: Incarnation,
        operation: OperationId,
        stored: bool,
        now: Instant,
    ) {
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        let found = member.calls.iter().find_map(|(id, call)| match &call.step {
            Step::Committing(waiting, partitions) if *waiting == operation => {
                Some((*id, partitions.clone(), call.since))
            }
            _ => None,
        });
        let Some((id, partitions, since)) = found else {
            return;
        };
        let step = Step::Returning(partitions.clone());
        member.calls.insert(id, Call { since, step });
        if !stored {
            // The group does not wait for a listener longer than this.
            let took = now.saturating_duration_since(since);
            // It may have begun to wait before the listener was called.
            let overdue = self.members.get(&who).is_some_and(|member| {
                let owned = member.core.group().map(GroupMachine::owned);
                let owned = owned.unwrap_or_default();
                partitions.iter().any(|one| !owned.contains(one))
            });
            let excused = overdue
                || took >= self.options.max_poll_interval
                || self.excuse_failed_commit(who, since, LISTENERS_COMMIT, now);
            self.note(Event::CommitFailed {
                who,
                partitions: Some(partitions),
                excused,
            });
        }
        self.agenda.add(now, Arrival::Callback { who, id });
    }

    /// Whether the member's commit, asked for then, had reason to fail.
    pub(super) fn excuse_failed_commit(
        &self,
        who: Incarnation,
        since: Instant,
        limit: Duration,
        now: Instant,
    ) -> bool {
        self.members.get(&who).is_some_and(|member| {
            // While the group moves on, commits wait; others may keep it from arriving anywhere.
            let out_of_time = now.saturating_duration_since(since) >= limit;
            // What goes out when that is over still has its way to go.
            let round_trip = self.options.latency * 2;
            let rebalances = now
                .checked_sub(round_trip)
                .is_some_and(|then| self.silence.rebalanced_since(who, then));
            // What the application was handed it had already lost when it asked.
            let handed_out_at = member.troubles.away_since;
            let lost = member.troubles.lost.is_some() && member.troubles.lost >= handed_out_at;
            let late = self.options.max_poll_interval;
            let silent = self.silence_after_commit(who, now);
            member.troubles.excuse_commit(None, since, limit, now)
                || out_of_time && silent >= Some(limit / 2)
                || lost
                || member.troubles.excuse_loss(late, now)
                || out_of_time && rebalances
        })
    }

    fn note_call(
        &mut self,
        who: Incarnation,
        kind: RebalanceKind,
        partitions: Vec<TopicPartition>,
        now: Instant,
    ) {
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        match kind {
            RebalanceKind::Assigned => {
                let generation = member.core.group().and_then(GroupMachine::generation);
                let generation = generation.map(|known| Generation::to_wire(Some(known)));
                let interval = self.options.max_poll_interval;
                let overdue = member.overdue(interval, now);
                member.forget(&partitions);
                if !overdue.is_empty() {
                    self.note(Event::Overdue {
                        who,
                        partitions: overdue,
                    });
                }
                let peers = self.peers(generation, now);
                self.note(Event::Assigned {
                    who,
                    partitions,
                    generation,
                    peers,
                });
            }
            RebalanceKind::Lost => {
                let with_reason = |one| member.had.get(one) == Some(&Some(true));
                let excused = partitions.iter().all(with_reason);
                member.troubles.lost = Some(now);
                member
                    .giving_up
                    .retain(|partition, _| !partitions.contains(partition));
                self.note(Event::Lost {
                    who,
                    partitions,
                    excused,
                });
            }
            // They stay its own until it has let go of them, so that commits go on meanwhile.
            RebalanceKind::Revoked => {
                let leaves = matches!(member.activity, Activity::Closing(..));
                let withdrawn = &member.troubles.withdrawn;
                let since = |one: &TopicPartition| withdrawn.get(one).copied().unwrap_or(now);
                let going: Vec<_> = partitions
                    .iter()
                    .map(|partition| (partition.clone(), since(partition)))
                    .collect();
                member.giving_up.extend(going);
                self.note(Event::Revoking {
                    who,
                    partitions,
                    leaves,
                });
            }
        }
        self.note_given_up(who, now);
    }

    /// Takes note of the partitions that the member has let go of.
    pub(crate) fn note_given_up(&mut self, who: Incarnation, now: Instant) {
        let silent = self.silence_after_commit(who, now);
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        let (kept, gone): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut member.giving_up)
            .into_iter()
            .partition(|(partition, _)| member.core.fetch().is_assigned(partition));
        member.giving_up = kept;
        let interval = self.options.max_poll_interval;
        // Gone while the listener is at work on them: it took too long, or they were lost meanwhile.
        let mut overdue = Vec::new();
        let mut lost = Vec::new();
        for (partition, since) in &gone {
            match member.listens_too_long(partition, *since, interval, now) {
                Some(true) => overdue.push(partition.clone()),
                Some(false) => lost.push(partition.clone()),
                None => {}
            }
        }
        let lost_with_reason = member.troubles.excuse_loss(interval, now);
        if !lost.is_empty() {
            member.troubles.lost = Some(now);
        }
        let limit = match self.options.commits {
            // The other half is for the listener.
            Commits::Timer => (interval / 2).min(crate::member::API_TIMEOUT),
            Commits::Manual | Commits::Listener => LISTENERS_COMMIT,
        };
        let closing = match member.activity {
            Activity::Closing(_, at) => Some(at),
            _ => None,
        };
        let gone: BTreeMap<TopicPartition, bool> = gone
            .into_iter()
            .filter(|(partition, _)| !overdue.contains(partition) && !lost.contains(partition))
            .map(|(partition, since)| {
                let troubles = &member.troubles;
                // Who takes records one by one and commits now and then owes nothing for the last.
                let in_between = self.options.one_by_one && self.options.commits == Commits::Manual;
                let limit =
                    closing.map_or(limit, |at| limit.min(step_of_farewell(since, at, interval)));
                let excused = in_between
                    || silent >= Some(limit / 2)
                    || troubles.excuse_commit(Some(&partition), since, limit, now);
                (partition, excused)
            })
            .collect();
        if !overdue.is_empty() {
            self.note(Event::Overdue {
                who,
                partitions: overdue,
            });
        }
        if !lost.is_empty() {
            self.note(Event::Lost {
                who,
                partitions: lost,
                excused: lost_with_reason,
            });
        }
        if !gone.is_empty() {
            self.note(Event::Revoked {
                who,
                partitions: gone,
            });
        }
    }
}

/// What a step has at least of the time that closing at this moment leaves to a handover which began
/// then.
fn step_of_farewell(began: Instant, closing: Instant, interval: Duration) -> Duration {
    let left = (began + interval).saturating_duration_since(closing);
    STEP_OF_FAREWELL.min(interval / 4).min(left / 4)
}

impl crate::member::Member {
    /// Of these partitions, what the application has processed and not seen committed.
    fn uncommitted(
        &self,
        partitions: &[TopicPartition],
    ) -> BTreeMap<TopicPartition, OffsetAndMetadata> {
        partitions
            .iter()
            .filter_map(|partition| {
                let next = self.processed.get(partition)?;
                Some((partition.clone(), OffsetAndMetadata::new(*next)))
            })
            .collect()
    }

    /// Of a partition that the listener is at work on, whether it has used up the time that it had: the
    /// poll interval, or at the end a quarter of what the steps of closing share.
    fn listens_too_long(
        &self,
        partition: &TopicPartition,
        since: Instant,
        interval: Duration,
        now: Instant,
    ) -> Option<bool> {
        let mut calls = self.calls.values();
        let call = calls.find(|call| call.concerns(partition))?;
        let overdue = now.saturating_duration_since(since) >= interval;
        let closes = match self.activity {
            Activity::Closing(_, at) => {
                // The time runs from when the call before it held it up.
                let listens = self.troubles.listens.map_or(call.since, |(since, _)| since);
                let waited = now.saturating_duration_since(listens.max(at));
                waited >= step_of_farewell(since, at, interval)
            }
            _ => false,
        };
        Some(overdue || closes)
    }

    /// What the group has not waited for any longer.
    fn overdue(&mut self, interval: Duration, now: Instant) -> Vec<TopicPartition> {
        let overdue = |since: &Instant| now.saturating_duration_since(*since) >= interval;
        let (gone, kept): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut self.giving_up)
            .into_iter()
            .partition(|(_, since)| overdue(since));
        self.giving_up = kept;
        gone.into_keys().collect()
    }

    /// What was processed of these belongs to an ownership that is over.
    fn forget(&mut self, partitions: &[TopicPartition]) {
        self.processed
            .retain(|partition, _| !partitions.contains(partition));
    }
}
