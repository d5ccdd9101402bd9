//! Handovers: partitions on their way in or out, and the queue of the listener's calls.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use windlass_group::{CallbackToken, CommitId};
use windlass_machine::Wakeup;
use windlass_model::{Generation, MemberId, TopicPartition};

use crate::{CallbackId, RebalanceKind};

/// How far a handover is. Whatever it waits for has been there when the wait began, and each wait but
/// the one for the application, which `max.poll.interval.ms` bounds, has a bound of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Records of the partitions are in the application's hands; wait until it comes back.
    AwaitingApplication,
    /// What it came back from, or what it asked to be committed, is being committed.
    Committing(BTreeSet<CommitId>),
    /// Another call to the listener has not returned.
    Queued,
    /// The listener is at work.
    Callback,
    /// What the listener, or the application meanwhile, asked to be committed is being committed.
    LettingGo(BTreeSet<CommitId>),
}

/// Where a handover comes from, for the listener.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    /// The group machine's name for it; none where the group machine does not wait.
    pub(crate) token: Option<CallbackToken>,
    pub(crate) generation: Option<Generation>,
    pub(crate) member_id: Option<MemberId>,
    pub(crate) reason: String,
}

/// Partitions on their way in or out.
#[derive(Debug)]
pub(crate) struct Handover {
    pub(crate) kind: RebalanceKind,
    pub(crate) partitions: BTreeSet<TopicPartition>,
    pub(crate) origin: Origin,
    pub(crate) stage: Stage,
    /// When all of it has to be over.
    pub(crate) deadline: Instant,
    /// When its stage has to be over.
    pub(crate) until: Instant,
    /// Whether the listener's call may be left behind: where partitions are to go, and at the end. Of an
    /// arrival that the listener has not said yes to the group machine decides, and a loss holds up
    /// nobody.
    pub(crate) leaves_calls_behind: bool,
}

impl Handover {
    /// The commits that the stage waits for.
    const fn waits_for(&mut self) -> Option<&mut BTreeSet<CommitId>> {
        match &mut self.stage {
            Stage::Committing(commits) | Stage::LettingGo(commits) => Some(commits),
            Stage::AwaitingApplication | Stage::Queued | Stage::Callback => None,
        }
    }

    /// Whether the wait of its stage ends although what it waits for did not happen.
    const fn is_bounded(&self) -> bool {
        match self.stage {
            Stage::AwaitingApplication => false,
            Stage::Committing(_) | Stage::LettingGo(_) => true,
            Stage::Queued | Stage::Callback => self.leaves_calls_behind,
        }
    }
}

/// The handovers under way, by the name of their call to the listener; and the calls, of which one is
/// made at a time.
#[derive(Debug, Default)]
pub(crate) struct Handovers {
    open: BTreeMap<CallbackId, Handover>,
    counter: u64,
    /// The call that has not returned, even if its handover is over.
    calling: Option<CallbackId>,
    queue: VecDeque<CallbackId>,
}

impl Handovers {
    pub(crate) fn begin(&mut self, handover: Handover) -> CallbackId {
        self.counter += 1;
        let id = CallbackId(self.counter);
        self.open.insert(id, handover);
        id
    }

    pub(crate) fn get(&self, id: CallbackId) -> Option<&Handover> {
        self.open.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: CallbackId) -> Option<&mut Handover> {
        self.open.get_mut(&id)
    }

    pub(crate) fn end(&mut self, id: CallbackId) -> Option<Handover> {
        self.open.remove(&id)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (CallbackId, &mut Handover)> {
        self.open.iter_mut().map(|(id, handover)| (*id, handover))
    }

    /// Whether the partition is on its way out.
    pub(crate) fn holds(&self, partition: &TopicPartition) -> bool {
        self.open.values().any(|handover| {
            handover.kind == RebalanceKind::Revoked && handover.partitions.contains(partition)
        })
    }

    /// Whether the partition is on its way, in or out.
    pub(crate) fn concern(&self, partition: &TopicPartition) -> bool {
        self.open.values().any(|handover| {
            handover.kind != RebalanceKind::Lost && handover.partitions.contains(partition)
        })
    }

    /// Whether the partition has come, and the listener was not told so yet: whatever it says of the
    /// partition it says of an ownership that is over.
    pub(crate) fn arrives_untold(&self, partition: &TopicPartition) -> bool {
        self.open.values().any(|handover| {
            handover.kind == RebalanceKind::Assigned
                && handover.stage == Stage::Queued
                && handover.partitions.contains(partition)
        })
    }

    /// Whether the listener has said all it can say about the partition.
    pub(crate) fn lets_go(&self, partition: &TopicPartition) -> bool {
        self.open.values().any(|handover| {
            matches!(handover.stage, Stage::LettingGo(_)) && handover.partitions.contains(partition)
        })
    }

    pub(crate) fn awaiting(&self) -> Vec<CallbackId> {
        self.open
            .iter()
            .filter(|(_, handover)| handover.stage == Stage::AwaitingApplication)
            .map(|(id, _)| *id)
            .collect()
    }

    /// A commit has ended: the handovers that waited for it and for nothing else now.
    pub(crate) fn commit_ended(&mut self, commit: CommitId) -> Vec<CallbackId> {
        let mut free = Vec::new();
        for (id, handover) in &mut self.open {
            if let Some(commits) = handover.waits_for()
                && commits.remove(&commit)
                && commits.is_empty()
            {
                free.push(*id);
            }
        }
        free
    }

    /// The handovers whose stage has taken its time.
    pub(crate) fn overdue(&self, now: Instant) -> Vec<CallbackId> {
        let overdue = |handover: &Handover| handover.is_bounded() && handover.until <= now;
        let overdue = self.open.iter().filter(|(_, handover)| overdue(handover));
        overdue.map(|(id, _)| *id).collect()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Wakeup> {
        let bounded = self.open.values().filter(|handover| handover.is_bounded());
        let at = bounded.map(|handover| handover.until).min()?;
        Some(Wakeup {
            at,
            reason: "a handover takes too long",
        })
    }

    /// The call's turn has come: whether it is to be made now, and not after another.
    pub(crate) fn enqueue(&mut self, id: CallbackId) -> bool {
        if self.calling.is_some() {
            self.queue.push_back(id);
            return false;
        }
        self.calling = Some(id);
        true
    }

    /// A call has returned: the next one to make, of those that are still wanted.
    pub(crate) fn returned(&mut self, id: CallbackId) -> Option<CallbackId> {
        if self.calling != Some(id) {
            return None;
        }
        self.calling = None;
        while let Some(next) = self.queue.pop_front() {
            let is_wanted = |handover: &Handover| handover.stage == Stage::Queued;
            if self.open.get(&next).is_some_and(is_wanted) {
                self.calling = Some(next);
                return Some(next);
            }
        }
        None
    }
}
