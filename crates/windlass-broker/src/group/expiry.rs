//! What happens when members are not heard of.

use std::time::Instant;

use super::member::Member;
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
        let due: Vec<String> = self
            .by_id
            .iter()
            .filter(|(_, group)| group.next_deadline().is_some_and(|at| at <= now))
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            self.expire_pending(&id, now);
            self.expire_sessions(&id, now);
            self.expire_initial_join(&id, now);
            self.expire_join(&id, now);
            self.expire_sync(&id, now);
        }
    }

    /// Member ids that were given out and never used.
    fn expire_pending(&mut self, id: &str, now: Instant) {
        let Some(group) = self.by_id.get_mut(id) else {
            return;
        };
        let before = group.pending.len();
        group.pending.retain(|_, until| *until > now);
        if group.pending.len() < before && group.all_have_joined() {
            self.complete_join(id, now);
        }
    }

    fn expire_sessions(&mut self, id: &str, now: Instant) {
        let Some(group) = self.by_id.get(id) else {
            return;
        };
        let silent: Vec<String> = group
            .members
            .values()
            .filter(|member| member.session_deadline().is_some_and(|at| at <= now))
            .map(|member| member.id.clone())
            .collect();
        for member_id in silent {
            self.remove_member(id, &member_id);
            let Some(group) = self.by_id.get(id) else {
                return;
            };
            match group.state {
                GroupState::Stable | GroupState::CompletingRebalance => {
                    self.prepare_rebalance(id, now);
                }
                GroupState::PreparingRebalance if group.all_have_joined() => {
                    self.complete_join(id, now);
                }
                GroupState::PreparingRebalance | GroupState::Empty => {}
            }
        }
    }

    /// The first members of a group have waited for others; if some came, they wait once more.
    fn expire_initial_join(&mut self, id: &str, now: Instant) {
        let delay = self.settings.initial_rebalance_delay;
        let Some(group) = self.by_id.get_mut(id) else {
            return;
        };
        let Some(initial) = group.initial_join.as_mut().filter(|join| join.until <= now) else {
            return;
        };
        if initial.others_came && !initial.remaining.is_zero() {
            let next = delay.min(initial.remaining);
            initial.others_came = false;
            initial.remaining = initial.remaining.saturating_sub(initial.delay);
            initial.delay = next;
            initial.until = now + next;
        } else {
            self.complete_join(id, now);
        }
    }

    fn expire_join(&mut self, id: &str, now: Instant) {
        let Some(group) = self.by_id.get_mut(id) else {
            return;
        };
        if group.join_deadline.is_some_and(|at| at <= now) {
            self.complete_join(id, now);
        }
    }

    /// Members that joined, and never asked for their assignment.
    fn expire_sync(&mut self, id: &str, now: Instant) {
        let Some(group) = self.by_id.get_mut(id) else {
            return;
        };
        if group.sync_deadline.is_none_or(|at| at > now) {
            return;
        }
        let missing: Vec<String> = group
            .members
            .values()
            .filter(|member| member.owes_sync)
            .map(|member| member.id.clone())
            .collect();
        for member_id in missing {
            self.remove_member(id, &member_id);
        }
        self.prepare_rebalance(id, now);
    }
}

impl ClassicGroup {
    /// Without a coordinator nobody counts the time.
    fn next_deadline(&self) -> Option<Instant> {
        let sessions = self.members.values().filter_map(Member::session_deadline);
        let pending = self.pending.values().copied();
        let initial = self.initial_join.as_ref().map(|join| join.until);
        sessions
            .chain(pending)
            .chain(initial)
            .chain(self.join_deadline)
            .chain(self.sync_deadline)
            .min()
            .filter(|_| self.has_coordinator)
    }
}
