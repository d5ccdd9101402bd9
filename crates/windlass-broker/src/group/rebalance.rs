//! From the first join of a rebalance to the last.

use std::time::Instant;

use windlass_protocol::ErrorCode;

use super::join::join_response;
use super::sync::sync_refused;
use super::{GroupState, Groups};

impl Groups {
    /// Begins a rebalance, or goes on with the one under way.
    pub(super) fn prepare_rebalance(&mut self, id: &str, now: Instant) {
        let delay = self.settings.initial_rebalance_delay;
        let Some(group) = self.by_id.get_mut(id) else {
            return;
        };
        let mut interrupted = Vec::new();
        if group.state == GroupState::CompletingRebalance {
            for member in group.members.values_mut() {
                interrupted.extend(member.awaiting_sync.take());
                member.heard_of(now);
            }
        }
        if group.state != GroupState::PreparingRebalance {
            if group.state == GroupState::Empty && !delay.is_zero() {
                group.initial_delay_until = Some(now + delay);
            }
            group.state = GroupState::PreparingRebalance;
            group.rebalance_deadline = Some(now + group.rebalance_timeout());
        }
        for reply_to in interrupted {
            self.reply(reply_to, sync_refused(ErrorCode::REBALANCE_IN_PROGRESS));
        }
        self.complete_join_if_all_are_here(id, now);
    }

    /// Ends the joining once nobody is missing.
    pub(super) fn complete_join_if_all_are_here(&mut self, id: &str, now: Instant) {
        let Some(group) = self.by_id.get(id) else {
            return;
        };
        let delayed = group.initial_delay_until.is_some_and(|until| until > now);
        let all_here = group.pending.is_empty()
            && group
                .members
                .values()
                .all(|member| member.awaiting_join.is_some());
        if group.state == GroupState::PreparingRebalance && all_here && !delayed {
            self.complete_join(id, now);
        }
    }

    /// The joining is over: who has not come is out, who has begins a new generation.
    pub(super) fn complete_join(&mut self, id: &str, now: Instant) {
        let Some(group) = self.by_id.get_mut(id) else {
            return;
        };
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
        group.initial_delay_until = None;
        group.generation += 1;
        if group.members.is_empty() {
            group.state = GroupState::Empty;
            group.protocol_name = None;
            group.leader = None;
            group.rebalance_deadline = None;
            return;
        }
        let leader_is_here = group
            .leader
            .as_ref()
            .and_then(|leader| group.members.get(leader))
            .is_some_and(|member| member.awaiting_join.is_some());
        if !leader_is_here {
            let present = group
                .members
                .values()
                .find(|member| member.awaiting_join.is_some());
            group.leader = present.map(|member| member.id.clone());
        }
        group.protocol_name = group.vote();
        group.state = GroupState::CompletingRebalance;
        group.rebalance_deadline = Some(now + group.rebalance_timeout());
        let mut answers = Vec::new();
        for member in group.members.values_mut() {
            member.heard_of(now);
            if let Some(reply_to) = member.awaiting_join.take() {
                answers.push((reply_to, member.id.clone()));
            }
        }
        let answers: Vec<_> = answers
            .into_iter()
            .map(|(reply_to, member)| (reply_to, join_response(group, &member)))
            .collect();
        for (reply_to, response) in answers {
            self.reply(reply_to, response);
        }
    }

    /// A member is gone: whoever is left shares anew.
    pub(super) fn after_departure(&mut self, id: &str, now: Instant) {
        let Some(group) = self.by_id.get_mut(id) else {
            return;
        };
        match group.state {
            GroupState::Empty => {}
            GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(id, now),
            GroupState::PreparingRebalance => self.complete_join_if_all_are_here(id, now),
        }
    }
}
