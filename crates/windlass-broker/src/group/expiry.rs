//! What happens when members are not heard of.

use std::time::Instant;

use super::{ClassicGroup, GroupState, Groups};

impl Groups {
    /// The next moment at which something is over.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.by_id
            .values()
            .filter_map(ClassicGroup::next_deadline)
            .min()
    }

    /// Gives up whoever has not been heard of in time.
    pub(crate) fn expire(&mut self, now: Instant) {
        for id in self.ids() {
            self.expire_members(&id, now);
            self.expire_rebalance(&id, now);
        }
    }

    fn expire_members(&mut self, id: &str, now: Instant) {
        let Some(group) = self.by_id.get_mut(id) else {
            return;
        };
        let pending = group.pending.len();
        group.pending.retain(|_, until| *until > now);
        let silent: Vec<String> = group
            .members
            .values()
            .filter(|member| {
                member
                    .session_deadline()
                    .is_some_and(|deadline| deadline <= now)
            })
            .map(|member| member.id.clone())
            .collect();
        for member_id in &silent {
            group.forget(member_id);
        }
        if !silent.is_empty() || group.pending.len() != pending {
            self.after_departure(id, now);
        }
    }

    fn expire_rebalance(&mut self, id: &str, now: Instant) {
        let Some(group) = self.by_id.get_mut(id) else {
            return;
        };
        if group.initial_delay_until.is_some_and(|until| until <= now) {
            group.initial_delay_until = None;
            self.complete_join_if_all_are_here(id, now);
            return;
        }
        if group
            .rebalance_deadline
            .is_none_or(|deadline| deadline > now)
        {
            return;
        }
        group.rebalance_deadline = None;
        match group.state {
            GroupState::PreparingRebalance => {
                group.pending.clear();
                self.complete_join(id, now);
            }
            GroupState::CompletingRebalance => {
                // The leader, or others, joined and did not sync.
                let missing: Vec<String> = group
                    .members
                    .values()
                    .filter(|member| member.awaiting_sync.is_none())
                    .map(|member| member.id.clone())
                    .collect();
                for member_id in missing {
                    group.forget(&member_id);
                }
                self.prepare_rebalance(id, now);
            }
            GroupState::Empty | GroupState::Stable => {}
        }
    }
}

impl ClassicGroup {
    fn next_deadline(&self) -> Option<Instant> {
        let sessions = self
            .members
            .values()
            .filter_map(super::member::Member::session_deadline);
        let pending = self.pending.values().copied();
        let rebalance = match self.state {
            GroupState::PreparingRebalance | GroupState::CompletingRebalance => {
                self.rebalance_deadline
            }
            GroupState::Empty | GroupState::Stable => None,
        };
        sessions
            .chain(pending)
            .chain(rebalance)
            .chain(self.initial_delay_until)
            .min()
    }
}
