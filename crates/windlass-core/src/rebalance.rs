//! Partitions that come and go: hold, commit, tell the listener, let go.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use windlass_fetch::StartPosition;
use windlass_group::{CallbackToken, CommitMode};
use windlass_model::TopicPartition;

use crate::core::Subscription;
use crate::offsets::CommitPurpose;
use crate::{CallbackKind, ConsumerCore, Effect};

/// The name of a call to the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallbackId(pub u64);

/// How far a handover is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Records of the partitions are in the application's hands; wait until it comes back.
    AwaitingApplication,
    /// What it came back from, or what it asked to be committed, is being committed.
    Committing,
    /// The listener is at work.
    Callback,
    /// What the listener, or the application meanwhile, asked to be committed is being committed.
    LettingGo,
}

/// Partitions on their way in or out.
#[derive(Debug)]
struct Handover {
    kind: CallbackKind,
    /// The group machine's name for it; none where the group machine does not wait.
    token: Option<CallbackToken>,
    partitions: BTreeSet<TopicPartition>,
    stage: Stage,
}

/// The handovers under way, by the name of their call to the listener.
#[derive(Debug, Default)]
pub(crate) struct Handovers {
    open: BTreeMap<CallbackId, Handover>,
    counter: u64,
}

impl Handovers {
    /// Whether the partition is on its way out.
    pub(crate) fn holds(&self, partition: &TopicPartition) -> bool {
        self.open.values().any(|handover| {
            handover.kind == CallbackKind::Revoked && handover.partitions.contains(partition)
        })
    }

    /// Whether the partition is on its way, in or out.
    fn concern(&self, partition: &TopicPartition) -> bool {
        self.open.values().any(|handover| {
            handover.kind != CallbackKind::Lost && handover.partitions.contains(partition)
        })
    }

    fn open(&mut self, handover: Handover) -> CallbackId {
        self.counter += 1;
        let id = CallbackId(self.counter);
        self.open.insert(id, handover);
        id
    }

    fn awaiting(&self) -> Vec<CallbackId> {
        self.open
            .iter()
            .filter(|(_, handover)| handover.stage == Stage::AwaitingApplication)
            .map(|(id, _)| *id)
            .collect()
    }
}

impl ConsumerCore {
    /// Partitions are to go: stop handing out, and as soon as the application holds nothing of them
    /// commit, tell the listener, let go.
    pub(crate) fn begin_revocation(
        &mut self,
        token: Option<CallbackToken>,
        partitions: BTreeSet<TopicPartition>,
        now: Instant,
    ) {
        let partitions = self.without_manual(partitions);
        self.with_fetch(|fetch| fetch.withdraw(&partitions, now));
        let waits =
            self.ledger.any_out(&partitions) && !self.application_waits() && !self.is_closing();
        let id = self.handovers.open(Handover {
            kind: CallbackKind::Revoked,
            token,
            partitions,
            stage: Stage::AwaitingApplication,
        });
        self.attention += 1;
        if !waits {
            self.commit_before_handover(id, now);
        }
    }

    /// What the application has assigned by hand meanwhile does not go with the group.
    fn without_manual(&self, mut partitions: BTreeSet<TopicPartition>) -> BTreeSet<TopicPartition> {
        if let Subscription::Partitions(manual) = &self.subscription {
            partitions.retain(|partition| !manual.contains(partition));
        }
        partitions
    }

    /// Partitions are gone: nothing of them may be handed out or committed any more.
    pub(crate) fn begin_loss(
        &mut self,
        token: Option<CallbackToken>,
        partitions: BTreeSet<TopicPartition>,
        now: Instant,
    ) {
        let partitions = self.without_manual(partitions);
        self.attention += 1;
        // A revocation of the same partitions that was still waiting has been overtaken.
        self.handovers.open.retain(|_, handover| {
            handover.kind != CallbackKind::Revoked || handover.stage == Stage::Callback
        });
        self.ledger.lose(&partitions);
        self.let_go(&partitions, now);
        self.begin_callback_for(CallbackKind::Lost, token, partitions, now);
    }

    /// Partitions have come: ask where to begin while the listener is told, and hand nothing out
    /// before it has returned.
    pub(crate) fn begin_assignment(
        &mut self,
        token: Option<CallbackToken>,
        partitions: BTreeSet<TopicPartition>,
        now: Instant,
    ) {
        self.supersede_revocations(&partitions, now);
        let starts = partitions
            .iter()
            .map(|partition| (partition.clone(), StartPosition::Awaiting))
            .collect();
        self.with_fetch(|fetch| fetch.assign(starts, now));
        if self.listens {
            self.with_fetch(|fetch| fetch.hold(&partitions, now));
        }
        self.ask_for_committed(partitions.clone(), now);
        self.begin_callback_for(CallbackKind::Assigned, token, partitions, now);
    }

    /// Partitions come back of which leave is still being taken, because the group did not wait for
    /// it any longer: they begin anew, and the end of the old leave must not take them away.
    fn supersede_revocations(&mut self, partitions: &BTreeSet<TopicPartition>, now: Instant) {
        let mut superseded = BTreeSet::new();
        for handover in self.handovers.open.values_mut() {
            if handover.kind == CallbackKind::Revoked {
                superseded.extend(handover.partitions.intersection(partitions).cloned());
                handover
                    .partitions
                    .retain(|partition| !partitions.contains(partition));
            }
        }
        if !superseded.is_empty() {
            self.let_go(&superseded, now);
        }
    }

    /// Partitions assigned by hand: no listener, no waiting.
    pub(crate) fn begin_manual_assignment(
        &mut self,
        partitions: BTreeSet<TopicPartition>,
        now: Instant,
    ) {
        let starts = partitions
            .iter()
            .map(|partition| (partition.clone(), StartPosition::Awaiting))
            .collect();
        self.with_fetch(|fetch| fetch.assign(starts, now));
        self.ask_for_committed(partitions, now);
    }

    /// Partitions given up by hand.
    pub(crate) fn let_go_by_hand(&mut self, partitions: &BTreeSet<TopicPartition>, now: Instant) {
        if partitions.is_empty() {
            return;
        }
        self.attention += 1;
        if self.config.auto_commits() {
            let offsets = self.auto_commit_offsets(partitions);
            if !offsets.is_empty() {
                self.send_commit(offsets, CommitMode::Async, CommitPurpose::Timer, now);
            }
        }
        self.let_go(partitions, now);
    }

    /// Lets the handovers go on that waited for the application, if it has come back.
    pub(crate) fn advance_handovers(&mut self, now: Instant) {
        for id in self.handovers.awaiting() {
            let Some(handover) = self.handovers.open.get(&id) else {
                continue;
            };
            if self.application_waits() || !self.ledger.any_out(&handover.partitions) {
                self.commit_before_handover(id, now);
            }
        }
    }

    /// As [`ConsumerCore::advance_handovers`] when the application is here, with records in its
    /// hands of which it has told how far it is.
    pub(crate) fn advance_handovers_of_present_application(&mut self, now: Instant) {
        for id in self.handovers.awaiting() {
            self.commit_before_handover(id, now);
        }
    }

    fn commit_before_handover(&mut self, id: CallbackId, now: Instant) {
        let Some(handover) = self.handovers.open.get(&id) else {
            return;
        };
        let offsets = if self.config.auto_commits() {
            self.auto_commit_offsets(&handover.partitions.clone())
        } else {
            BTreeMap::new()
        };
        if let Some(handover) = self.handovers.open.get_mut(&id) {
            handover.stage = Stage::Committing;
        }
        if offsets.is_empty() {
            self.end_commits_before_handover(now);
            return;
        }
        let deadline = now
            + self
                .config
                .max_poll_interval()
                .min(self.config.default_api_timeout);
        let mode = CommitMode::Sync { deadline };
        self.send_commit(offsets, mode, CommitPurpose::Handover, now);
        self.end_commits_before_handover(now);
    }

    /// Lets the handovers go on whose partitions no commit is under way for, be it well or badly
    /// ended: nothing may be committed for a partition that has been given up.
    pub(crate) fn end_commits_before_handover(&mut self, now: Instant) {
        for id in self.uncommitting(Stage::Committing) {
            self.begin_callback(id, now);
        }
        for id in self.uncommitting(Stage::LettingGo) {
            self.finish_handover(id, now);
        }
    }

    /// The handovers at this stage whose partitions no commit is under way for.
    fn uncommitting(&self, stage: Stage) -> Vec<CallbackId> {
        self.handovers
            .open
            .iter()
            .filter(|(_, handover)| handover.stage == stage)
            .filter(|(_, handover)| !self.is_being_committed(&handover.partitions))
            .map(|(id, _)| *id)
            .collect()
    }

    fn begin_callback_for(
        &mut self,
        kind: CallbackKind,
        token: Option<CallbackToken>,
        partitions: BTreeSet<TopicPartition>,
        now: Instant,
    ) {
        let id = self.handovers.open(Handover {
            kind,
            token,
            partitions,
            stage: Stage::Callback,
        });
        self.begin_callback(id, now);
    }

    fn begin_callback(&mut self, id: CallbackId, now: Instant) {
        let Some(handover) = self.handovers.open.get_mut(&id) else {
            return;
        };
        handover.stage = Stage::Callback;
        if self.listens {
            self.effects.push_back(Effect::Callback {
                id,
                kind: handover.kind,
                partitions: handover.partitions.iter().cloned().collect(),
            });
        } else {
            self.callback_done(id, now);
        }
    }

    /// The listener has returned, or there is none.
    pub(crate) fn callback_done(&mut self, id: CallbackId, now: Instant) {
        let Some(handover) = self.handovers.open.get_mut(&id) else {
            return;
        };
        if handover.kind == CallbackKind::Revoked {
            handover.stage = Stage::LettingGo;
            self.end_commits_before_handover(now);
        } else {
            self.finish_handover(id, now);
        }
    }

    fn finish_handover(&mut self, id: CallbackId, now: Instant) {
        let Some(handover) = self.handovers.open.remove(&id) else {
            return;
        };
        match handover.kind {
            CallbackKind::Revoked => self.let_go(&handover.partitions, now),
            CallbackKind::Assigned => {
                // The group may not have waited for the listener: what is taken away again by now,
                // or was assigned anew, is held for another reason.
                let mut free = handover.partitions;
                free.retain(|partition| !self.handovers.concern(partition));
                self.with_fetch(|fetch| fetch.release(&free, now));
            }
            CallbackKind::Lost => {}
        }
        if let Some(token) = handover.token {
            self.with_group(|group| group.on_callback_done(token, now));
        }
    }

    fn let_go(&mut self, partitions: &BTreeSet<TopicPartition>, now: Instant) {
        self.with_fetch(|fetch| fetch.unassign(partitions, now));
        self.ledger.forget(partitions);
        self.forget_offset_work(partitions);
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test needs one instant to count from"
)]
mod tests {
    use std::sync::Arc;

    use windlass_group::GroupConfig;

    use super::*;
    use crate::CoreConfig;

    fn drain(core: &mut ConsumerCore) -> Vec<CallbackId> {
        while core.poll_request().is_some() {}
        let mut calls = Vec::new();
        while let Some(effect) = core.poll_effect() {
            if let Effect::Callback { id, .. } = effect {
                calls.push(id);
            }
        }
        calls
    }

    #[test]
    fn the_end_of_an_old_leave_does_not_take_what_came_back() {
        let now = Instant::now();
        let config = CoreConfig {
            group: Some(GroupConfig::new("group", Vec::new())),
            ..CoreConfig::default()
        };
        let mut core = ConsumerCore::new(Arc::new(config), true, 1, now);
        let orders = TopicPartition::new("orders", 0);
        let other = TopicPartition::new("orders", 1);
        let both = BTreeSet::from([orders.clone(), other.clone()]);
        core.begin_assignment(None, both.clone(), now);
        for id in drain(&mut core) {
            core.callback_done(id, now);
        }
        core.begin_revocation(None, both, now);
        let leave = drain(&mut core);
        // The listener takes longer than the group waits.
        core.begin_assignment(None, BTreeSet::from([orders.clone()]), now);
        for id in leave {
            core.callback_done(id, now);
        }
        assert!(core.fetch.is_assigned(&orders));
        assert!(!core.fetch.is_assigned(&other));
    }

    #[test]
    fn a_listener_that_returns_late_from_an_assignment_frees_nothing_that_goes_again() {
        let now = Instant::now();
        let config = CoreConfig {
            group: Some(GroupConfig::new("group", Vec::new())),
            ..CoreConfig::default()
        };
        let mut core = ConsumerCore::new(Arc::new(config), true, 1, now);
        let orders = BTreeSet::from([TopicPartition::new("orders", 0)]);
        core.begin_assignment(None, orders.clone(), now);
        let arrival = drain(&mut core);
        core.begin_revocation(None, orders.clone(), now);
        let leave = drain(&mut core);
        for id in arrival {
            core.callback_done(id, now);
        }
        let held = |core: &ConsumerCore| core.fetch.is_held(&TopicPartition::new("orders", 0));
        assert!(held(&core));
        for id in leave {
            core.callback_done(id, now);
        }
        assert!(!core.fetch.is_assigned(&TopicPartition::new("orders", 0)));
    }
}
