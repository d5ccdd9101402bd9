//! Partitions that come and go: hold, commit, tell the listener, let go.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use windlass_fetch::StartPosition;
use windlass_group::{CommitId, CommitMode};
use windlass_model::TopicPartition;

use crate::closing::Closing;
use crate::core::Subscription;
use crate::handover::{Handover, Origin, Stage};
use crate::offsets::CommitPurpose;
use crate::{CallbackId, ConsumerCore, ConsumerError, Effect, RebalanceKind, RebalanceNotice};

/// The longest that a handover may take, so that its end is an instant that can be told.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl ConsumerCore {
    /// Partitions are to go: stop handing out, and as soon as the application holds nothing of them
    /// commit, tell the listener, let go.
    pub(crate) fn begin_revocation(
        &mut self,
        origin: Origin,
        partitions: BTreeSet<TopicPartition>,
        now: Instant,
    ) {
        let partitions = self.without_manual(partitions);
        self.with_fetch(|fetch| fetch.withdraw(&partitions, now));
        let waits =
            self.ledger.any_out(&partitions) && !self.application_waits() && !self.is_closing();
        let id = self.begin_handover(
            RebalanceKind::Revoked,
            origin,
            partitions,
            Stage::AwaitingApplication,
            now,
        );
        self.attention += 1;
        if !waits {
            self.commit_before_handover(id, now);
        }
    }

    fn begin_handover(
        &mut self,
        kind: RebalanceKind,
        origin: Origin,
        partitions: BTreeSet<TopicPartition>,
        stage: Stage,
        now: Instant,
    ) -> CallbackId {
        let limit = now + self.config.max_poll_interval().min(LONGEST);
        let closing = self.closing.as_ref().map(Closing::steps_until);
        let deadline = closing.map_or(limit, |closing| closing.min(limit));
        self.handovers.begin(Handover {
            kind,
            origin,
            partitions,
            stage,
            deadline,
            until: deadline,
            leaves_calls_behind: kind == RebalanceKind::Revoked || closing.is_some(),
        })
    }

    /// What the application has assigned by hand meanwhile does not go with the group.
    fn without_manual(&self, mut partitions: BTreeSet<TopicPartition>) -> BTreeSet<TopicPartition> {
        if let Subscription::Partitions(manual) = &self.subscription {
            partitions.retain(|partition| !manual.contains(partition));
        }
        partitions
    }

    /// Partitions are gone: nothing of them may be handed out or committed any more. That is so at
    /// once; only the listener's call waits for its turn.
    pub(crate) fn begin_loss(
        &mut self,
        origin: Origin,
        partitions: BTreeSet<TopicPartition>,
        now: Instant,
    ) {
        let partitions = self.without_manual(partitions);
        self.attention += 1;
        let told = self.overtake_handovers(&partitions, now);
        self.let_go(&partitions, now);
        let untold: BTreeSet<_> = partitions.difference(&told).cloned().collect();
        if !untold.is_empty() {
            self.begin_callback_for(RebalanceKind::Lost, origin, untold, now);
        } else if let Some(token) = origin.token {
            self.with_group(|group| group.on_callback_done(token, now));
        }
    }

    /// Takes lost partitions out of the handovers under way. Those that the listener need not hear of
    /// come back: nothing is revoked and lost as well, or lost that it was never told to have.
    fn overtake_handovers(
        &mut self,
        lost: &BTreeSet<TopicPartition>,
        now: Instant,
    ) -> BTreeSet<TopicPartition> {
        let mut told = BTreeSet::new();
        let mut emptied = Vec::new();
        for (id, handover) in self.handovers.iter_mut() {
            let concerned: BTreeSet<_> = handover.partitions.intersection(lost).cloned().collect();
            if concerned.is_empty() {
                continue;
            }
            let settled = match handover.kind {
                RebalanceKind::Revoked => {
                    matches!(handover.stage, Stage::Callback | Stage::LettingGo(_))
                }
                RebalanceKind::Assigned => handover.stage == Stage::Queued,
                RebalanceKind::Lost => false,
            };
            if settled {
                told.extend(concerned.iter().cloned());
            }
            handover.partitions.retain(|own| !lost.contains(own));
            if handover.partitions.is_empty() && handover.stage != Stage::Callback {
                emptied.push(id);
            }
        }
        for id in emptied {
            self.finish_handover(id, now);
        }
        told
    }

    /// Partitions have come: ask where to begin while the listener is told, and hand nothing out
    /// before it has returned.
    pub(crate) fn begin_assignment(
        &mut self,
        origin: Origin,
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
        self.begin_callback_for(RebalanceKind::Assigned, origin, partitions, now);
    }

    /// Partitions come back of which leave is still being taken, because the group did not wait for
    /// it any longer: they begin anew, and the end of the old leave must not take them away.
    fn supersede_revocations(&mut self, partitions: &BTreeSet<TopicPartition>, now: Instant) {
        let mut superseded = BTreeSet::new();
        for (_, handover) in self.handovers.iter_mut() {
            if handover.kind == RebalanceKind::Revoked {
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
            let Some(handover) = self.handovers.get(id) else {
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

    /// The consumer closes by this time: no handover may use up what the next step needs.
    pub(crate) fn hasten_handovers(&mut self, deadline: Instant, now: Instant) {
        for (_, handover) in self.handovers.iter_mut() {
            handover.deadline = handover.deadline.min(deadline);
            handover.leaves_calls_behind = true;
            let until = half_way(now, handover.deadline);
            handover.until = handover.until.min(until);
        }
    }

    /// Handovers whose stage has taken its time go on without what they waited for.
    pub(crate) fn handovers_due(&mut self, now: Instant) {
        for id in self.handovers.overdue(now) {
            let Some(handover) = self.handovers.get(id) else {
                continue;
            };
            match handover.stage {
                Stage::AwaitingApplication => {}
                Stage::Committing(_) => self.begin_callback(id, now),
                Stage::LettingGo(_) => self.finish_handover(id, now),
                Stage::Queued | Stage::Callback => self.leave_call_behind(id, now),
            }
        }
    }

    /// The listener has had its time. What it was never told of as going it is told of as gone, when its
    /// turn comes.
    fn leave_call_behind(&mut self, id: CallbackId, now: Instant) {
        let Some(handover) = self.handovers.get(id) else {
            return;
        };
        let detail = format!(
            "the call about {} partitions that are {} did not return in time: they go without it",
            handover.partitions.len(),
            handover.kind.participle(),
        );
        let untold = handover.kind == RebalanceKind::Revoked && handover.stage == Stage::Queued;
        let partitions = handover.partitions.clone();
        let origin = Origin {
            token: None,
            ..handover.origin.clone()
        };
        self.errors.add(ConsumerError::Listener { detail });
        self.await_last_commits(id, now);
        if untold && !self.is_closing() {
            self.begin_callback_for(RebalanceKind::Lost, origin, partitions, now);
        }
    }

    fn commit_before_handover(&mut self, id: CallbackId, now: Instant) {
        let Some(handover) = self.handovers.get(id) else {
            return;
        };
        let partitions = handover.partitions.clone();
        let half = half_way(now, handover.deadline);
        let until = half.min(now + self.config.default_api_timeout);
        let mut offsets = BTreeMap::new();
        if self.config.auto_commits() {
            offsets = self.auto_commit_offsets(&partitions);
        }
        if !offsets.is_empty() {
            let mode = CommitMode::Sync { deadline: until };
            self.send_commit(offsets, mode, CommitPurpose::Handover, now);
        }
        let commits = self.commits_under_way(&partitions);
        if commits.is_empty() {
            self.begin_callback(id, now);
        } else if let Some(handover) = self.handovers.get_mut(id) {
            handover.until = until;
            handover.stage = Stage::Committing(commits);
        }
    }

    /// A commit has ended, well or badly: nothing may be committed for a partition that has been
    /// given up, so handovers waited for it.
    pub(crate) fn end_commit_before_handovers(&mut self, commit: CommitId, now: Instant) {
        for id in self.handovers.commit_ended(commit) {
            match self.handovers.get(id).map(|handover| &handover.stage) {
                Some(Stage::Committing(_)) => self.begin_callback(id, now),
                Some(Stage::LettingGo(_)) => self.finish_handover(id, now),
                _ => {}
            }
        }
    }

    fn begin_callback_for(
        &mut self,
        kind: RebalanceKind,
        origin: Origin,
        partitions: BTreeSet<TopicPartition>,
        now: Instant,
    ) {
        let id = self.begin_handover(kind, origin, partitions, Stage::Queued, now);
        self.begin_callback(id, now);
    }

    fn begin_callback(&mut self, id: CallbackId, now: Instant) {
        let is_closing = self.is_closing();
        let Some(handover) = self.handovers.get_mut(id) else {
            return;
        };
        handover.until = match is_closing {
            true => half_way(now, handover.deadline),
            false => handover.deadline,
        };
        handover.stage = Stage::Queued;
        if !self.listens {
            self.await_last_commits(id, now);
        } else if self.handovers.enqueue(id) {
            self.call_listener(id);
        }
    }

    fn call_listener(&mut self, id: CallbackId) {
        let Some(handover) = self.handovers.get_mut(id) else {
            return;
        };
        handover.stage = Stage::Callback;
        let notice = RebalanceNotice {
            kind: handover.kind,
            partitions: handover.partitions.iter().cloned().collect(),
            generation: handover.origin.generation,
            member_id: handover.origin.member_id.clone(),
            reason: handover.origin.reason.clone(),
        };
        self.effects.push_back(Effect::Callback { id, notice });
    }

    /// The listener has returned.
    pub(crate) fn callback_done(&mut self, id: CallbackId, now: Instant) {
        if let Some(next) = self.handovers.returned(id) {
            self.call_listener(next);
        }
        let handover = self.handovers.get(id);
        if handover.is_some_and(|handover| handover.stage == Stage::Callback) {
            self.await_last_commits(id, now);
        }
    }

    /// The listener has said what it had to say, or will not be asked.
    fn await_last_commits(&mut self, id: CallbackId, now: Instant) {
        let Some(handover) = self.handovers.get(id) else {
            return;
        };
        let mut commits = BTreeSet::new();
        if handover.kind == RebalanceKind::Revoked {
            commits = self.commits_under_way(&handover.partitions);
        }
        if commits.is_empty() {
            self.finish_handover(id, now);
        } else if let Some(handover) = self.handovers.get_mut(id) {
            handover.until = half_way(now, handover.deadline);
            handover.stage = Stage::LettingGo(commits);
        }
    }

    fn finish_handover(&mut self, id: CallbackId, now: Instant) {
        let Some(handover) = self.handovers.end(id) else {
            return;
        };
        match handover.kind {
            RebalanceKind::Revoked => self.let_go(&handover.partitions, now),
            RebalanceKind::Assigned => {
                // The group may not have waited for the listener: what is taken away again by now,
                // or was assigned anew, is held for another reason.
                let mut free = handover.partitions;
                let is_wanted = !matches!(self.subscription, Subscription::None);
                free.retain(|partition| is_wanted && !self.handovers.concern(partition));
                self.with_fetch(|fetch| fetch.release(&free, now));
            }
            RebalanceKind::Lost => {}
        }
        if let Some(token) = handover.origin.token {
            self.with_group(|group| group.on_callback_done(token, now));
        }
    }

    fn let_go(&mut self, partitions: &BTreeSet<TopicPartition>, now: Instant) {
        self.with_fetch(|fetch| fetch.unassign(partitions, now));
        self.ledger.forget(partitions);
        self.forget_offset_work(partitions);
    }
}

/// The middle of the time that is left.
fn half_way(now: Instant, deadline: Instant) -> Instant {
    now + deadline.saturating_duration_since(now) / 2
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
        core.begin_assignment(Origin::default(), both.clone(), now);
        for id in drain(&mut core) {
            core.callback_done(id, now);
        }
        core.begin_revocation(Origin::default(), both, now);
        let leave = drain(&mut core);
        // The listener takes longer than the group waits.
        core.begin_assignment(Origin::default(), BTreeSet::from([orders.clone()]), now);
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
        core.begin_assignment(Origin::default(), orders.clone(), now);
        let arrival = drain(&mut core);
        core.begin_revocation(Origin::default(), orders.clone(), now);
        assert!(drain(&mut core).is_empty(), "one call at a time");
        for id in arrival {
            core.callback_done(id, now);
        }
        let leave = drain(&mut core);
        let held = |core: &ConsumerCore| core.fetch.is_held(&TopicPartition::new("orders", 0));
        assert!(held(&core));
        for id in leave {
            core.callback_done(id, now);
        }
        assert!(!core.fetch.is_assigned(&TopicPartition::new("orders", 0)));
    }
}
