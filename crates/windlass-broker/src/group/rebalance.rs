//! From the first join of a rebalance to the last.

use std::time::{Duration, Instant};

use windlass_protocol::ErrorCode;

use super::join::join_response;
use super::sync::sync_refused;
use super::{GroupState, Groups};

/// The first join of an empty group: whoever starts at the same time shall come along.
#[derive(Clone, Copy, Debug)]
pub(super) struct InitialJoin {
    /// Until when it waits now.
    pub(super) until: Instant,
    /// How long this wait is.
    pub(super) delay: Duration,
    /// For how long it may be prolonged yet.
    pub(super) remaining: Duration,
    /// Somebody came during this wait.
    pub(super) others_came: bool,
}

impl Groups {
    /// Somebody joined: a rebalance begins, or the one under way may be complete.
    pub(super) fn rebalance(&mut self, id: &str, now: Instant) {
        match self.by_id.get(id).map(|group| group.state) {
            Some(GroupState::PreparingRebalance) => self.complete_join_if_all_are_here(id, now),
            Some(_) => self.prepare_rebalance(id, now),
            None => {}
        }
    }

    /// Begins a rebalance.
    pub(super) fn prepare_rebalance(&mut self, id: &str, now: Instant) {
        let delay = self.settings.initial_rebalance_delay;
        let Some(group) = self.by_id.get_mut(id) else {
            return;
        };
        let mut interrupted = Vec::new();
        for member in group.members.values_mut() {
            if group.state == GroupState::CompletingRebalance {
                member.assignment.clear();
            }
            if let Some(reply_to) = member.awaiting_sync.take() {
                interrupted.push(reply_to);
                member.heard_of(now);
            }
            member.owes_sync = false;
        }
        group.sync_deadline = None;
        let first = group.state == GroupState::Empty;
        group.state = GroupState::PreparingRebalance;
        let timeout = group.rebalance_timeout();
        if first && !delay.is_zero() {
            group.initial_join = Some(InitialJoin {
                until: now + delay,
                delay,
                remaining: timeout.saturating_sub(delay),
                others_came: false,
            });
        } else if first || group.all_have_joined() {
            self.complete_join(id, now);
        } else {
            group.join_deadline = Some(now + timeout);
        }
        for reply_to in interrupted {
            self.reply(reply_to, sync_refused(ErrorCode::REBALANCE_IN_PROGRESS));
        }
    }

    /// Ends the joining once nobody is missing; the first join of a group ends by time alone.
    pub(super) fn complete_join_if_all_are_here(&mut self, id: &str, now: Instant) {
        let complete = self
            .by_id
            .get(id)
            .is_some_and(|group| group.initial_join.is_none() && group.all_have_joined());
        if complete {
            self.complete_join(id, now);
        }
    }

    /// The joining is over: who has not come is out, who has begins a new generation.
    pub(super) fn complete_join(&mut self, id: &str, now: Instant) {
        let Some(group) = self.by_id.get_mut(id) else {
            return;
        };
        group.initial_join = None;
        group.join_deadline = None;
        let missing: Vec<String> = group
            .members
            .values()
            // A static member stays until its session is over.
            .filter(|member| member.awaiting_join.is_none() && member.instance_id.is_none())
            .map(|member| member.id.clone())
            .collect();
        for member_id in missing {
            group.forget(&member_id);
        }
        if group.members.is_empty() {
            group.generation += 1;
            group.state = GroupState::Empty;
            group.protocol_name = None;
            group.leader = None;
            group.write_record();
            return;
        }
        if !group.elect_leader() {
            // Static members alone are left, and none has come: once more, until their sessions end.
            group.join_deadline = Some(now + group.rebalance_timeout());
            return;
        }
        group.generation += 1;
        group.protocol_name = group.vote();
        group.state = GroupState::CompletingRebalance;
        group.sync_deadline = Some(now + group.rebalance_timeout());
        let mut joined = Vec::new();
        for member in group.members.values_mut() {
            member.heard_of(now);
            member.is_new = false;
            member.owes_sync = true;
            let reply_to = member.awaiting_join.take();
            joined.extend(reply_to.map(|reply_to| (reply_to, member.id.clone())));
        }
        let answers: Vec<_> = joined
            .into_iter()
            .map(|(reply_to, member)| (reply_to, join_response(group, &member)))
            .collect();
        for (reply_to, response) in answers {
            self.reply(reply_to, response);
        }
    }

    /// Forgets a member; what it waits for will not come.
    pub(super) fn remove_member(&mut self, id: &str, member_id: &str) {
        let group = self.by_id.get_mut(id);
        let Some(member) = group.and_then(|group| group.forget(member_id)) else {
            return;
        };
        if let Some(reply_to) = member.awaiting_join {
            self.refuse_join(reply_to, ErrorCode::UNKNOWN_MEMBER_ID, String::new());
        }
        if let Some(reply_to) = member.awaiting_sync {
            self.reply(reply_to, sync_refused(ErrorCode::UNKNOWN_MEMBER_ID));
        }
    }
}
