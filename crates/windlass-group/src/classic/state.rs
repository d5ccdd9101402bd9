//! The states of a classic member, and which may follow which.

mod completing_rebalance;
mod fatal;
mod leaving;
mod preparing_rebalance;
mod reconciling;
mod stable;
mod stale;
mod unjoined;
mod unsubscribed;

use std::fmt;

pub(crate) use completing_rebalance::CompletingRebalance;
pub(crate) use fatal::Fatal;
pub(crate) use leaving::{Departure, Leaving};
pub(crate) use preparing_rebalance::PreparingRebalance;
pub(crate) use reconciling::Reconciling;
pub(crate) use stable::Stable;
pub(crate) use stale::Stale;
pub(crate) use unjoined::Unjoined;
pub(crate) use unsubscribed::Unsubscribed;

use crate::classic::turn::{Callback, Turn};
use crate::event::CallbackToken;

/// Where a membership stands. The first four names after `Unsubscribed` are those of Kafka's client
/// (`AbstractCoordinator.MemberState`); the others are named as in its newer `MemberState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum GroupState {
    /// No subscription: at rest. Commits go out without a membership.
    Unsubscribed,
    /// A subscription, but no place in the group yet, or none any more.
    Unjoined,
    /// Partitions are given up, then JoinGroup is under way.
    PreparingRebalance,
    /// JoinGroup is answered; SyncGroup is being made ready or under way.
    CompletingRebalance,
    /// The assignment is known; the application takes leave of what moves and gets to know what is
    /// new.
    Reconciling,
    /// A member with an assignment.
    Stable,
    /// The application stopped polling, so the member left; it waits for the next poll.
    Stale,
    /// The last callback, the last commits, LeaveGroup.
    Leaving,
    /// The membership ended with an error: at rest.
    Fatal,
}

impl GroupState {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Unsubscribed,
        Self::Unjoined,
        Self::PreparingRebalance,
        Self::CompletingRebalance,
        Self::Reconciling,
        Self::Stable,
        Self::Stale,
        Self::Leaving,
        Self::Fatal,
    ];

    /// The transition table: the states from which this one may be entered.
    /// `docs/group-protocol.md` shows the same table and is checked against this one.
    #[must_use]
    pub const fn allowed_predecessors(self) -> &'static [Self] {
        use GroupState::{
            CompletingRebalance, Fatal, Leaving, PreparingRebalance, Reconciling, Stable, Stale,
            Unjoined, Unsubscribed,
        };
        match self {
            Unsubscribed => &[Leaving],
            Unjoined => &[
                Unsubscribed,
                PreparingRebalance,
                CompletingRebalance,
                Reconciling,
                Stable,
                Stale,
                Fatal,
            ],
            PreparingRebalance => &[Unjoined, CompletingRebalance, Reconciling, Stable],
            CompletingRebalance => &[PreparingRebalance],
            Reconciling => &[CompletingRebalance],
            Stable => &[Reconciling],
            Stale => &[
                Unjoined,
                PreparingRebalance,
                CompletingRebalance,
                Reconciling,
                Stable,
            ],
            Leaving => &[
                Unsubscribed,
                Unjoined,
                PreparingRebalance,
                CompletingRebalance,
                Reconciling,
                Stable,
                Stale,
                Fatal,
            ],
            Fatal => &[
                Unjoined,
                PreparingRebalance,
                CompletingRebalance,
                Reconciling,
                Stable,
            ],
        }
    }

    /// Whether nothing will happen until the application wants something: no wake-up is needed.
    #[must_use]
    pub const fn is_at_rest(self) -> bool {
        matches!(self, Self::Unsubscribed | Self::Stale | Self::Fatal)
    }

    /// Whether the member takes part in the group, or is about to.
    pub(crate) const fn takes_part(self) -> bool {
        match self {
            Self::Unjoined
            | Self::PreparingRebalance
            | Self::CompletingRebalance
            | Self::Reconciling
            | Self::Stable => true,
            Self::Unsubscribed | Self::Stale | Self::Leaving | Self::Fatal => false,
        }
    }

    /// The name in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unsubscribed => "unsubscribed",
            Self::Unjoined => "unjoined",
            Self::PreparingRebalance => "preparing rebalance",
            Self::CompletingRebalance => "completing rebalance",
            Self::Reconciling => "reconciling",
            Self::Stable => "stable",
            Self::Stale => "stale",
            Self::Leaving => "leaving",
            Self::Fatal => "fatal",
        }
    }
}

impl fmt::Display for GroupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A state with what is valid in it.
#[derive(Debug)]
pub(crate) enum State {
    Unsubscribed(Unsubscribed),
    Unjoined(Unjoined),
    PreparingRebalance(PreparingRebalance),
    CompletingRebalance(CompletingRebalance),
    Reconciling(Reconciling),
    Stable(Stable),
    Stale(Stale),
    Leaving(Leaving),
    Fatal(Fatal),
}

impl State {
    pub(crate) const fn kind(&self) -> GroupState {
        match self {
            Self::Unsubscribed(_) => GroupState::Unsubscribed,
            Self::Unjoined(_) => GroupState::Unjoined,
            Self::PreparingRebalance(_) => GroupState::PreparingRebalance,
            Self::CompletingRebalance(_) => GroupState::CompletingRebalance,
            Self::Reconciling(_) => GroupState::Reconciling,
            Self::Stable(_) => GroupState::Stable,
            Self::Stale(_) => GroupState::Stale,
            Self::Leaving(_) => GroupState::Leaving,
            Self::Fatal(_) => GroupState::Fatal,
        }
    }

    /// The callback that the state waits for.
    pub(crate) fn callback(&self) -> Option<CallbackToken> {
        let callback = match self {
            Self::Unjoined(state) => state.callback(),
            Self::PreparingRebalance(state) => state.callback(),
            Self::Reconciling(state) => Some(state.callback()),
            Self::Stale(state) => state.callback(),
            Self::Leaving(state) => state.callback(),
            Self::Fatal(state) => state.callback(),
            Self::Unsubscribed(_) | Self::CompletingRebalance(_) | Self::Stable(_) => None,
        };
        callback.map(|callback| callback.token)
    }

    /// Whether the coordinator holds a request of this member until the others have come.
    pub(crate) const fn is_parked(&self) -> bool {
        match self {
            Self::PreparingRebalance(state) => state.is_joining(),
            Self::CompletingRebalance(_) => true,
            Self::Unsubscribed(_)
            | Self::Unjoined(_)
            | Self::Reconciling(_)
            | Self::Stable(_)
            | Self::Stale(_)
            | Self::Leaving(_)
            | Self::Fatal(_) => false,
        }
    }

    /// The application has taken too long with what it was asked.
    pub(crate) fn on_callback_overdue(self, turn: &mut Turn<'_>) -> Self {
        let is_assigning = matches!(&self, Self::Reconciling(state) if state.is_assigning());
        if is_assigning {
            Stale::without_listener(self, turn)
        } else {
            self.on_callback_done(turn)
        }
    }

    /// Gives the state up for another one that is not its usual successor: requests under way are
    /// abandoned, the callback it waits for is handed over.
    pub(crate) fn abandon(self, turn: &mut Turn<'_>) -> Option<Callback> {
        match self {
            Self::Unjoined(state) => state.into_callback(),
            Self::PreparingRebalance(state) => state.abandon(turn),
            Self::CompletingRebalance(state) => {
                state.abandon(turn);
                None
            }
            Self::Reconciling(state) => Some(state.into_callback()),
            Self::Stale(state) => state.into_callback(),
            Self::Leaving(state) => state.abandon(turn),
            Self::Fatal(state) => state.into_callback(),
            Self::Unsubscribed(_) | Self::Stable(_) => None,
        }
    }

    /// Goes on as far as possible without an input: called until nothing changes.
    pub(crate) fn advance(self, commits_idle: bool, turn: &mut Turn<'_>) -> Self {
        match self {
            Self::Unsubscribed(state) => state.advance(turn),
            Self::Unjoined(state) => state.advance(turn),
            Self::PreparingRebalance(state) => state.advance(turn),
            Self::CompletingRebalance(state) => state.advance(turn),
            Self::Stable(state) => state.advance(turn),
            Self::Stale(state) => state.advance(turn),
            Self::Leaving(state) => state.advance(commits_idle, turn),
            Self::Reconciling(_) | Self::Fatal(_) => self,
        }
    }

    /// The application has done what it was asked, or has had its time.
    pub(crate) fn on_callback_done(self, turn: &mut Turn<'_>) -> Self {
        match self {
            Self::Unjoined(state) => state.on_callback_done(turn),
            Self::PreparingRebalance(state) => state.on_callback_done(turn),
            Self::Reconciling(state) => state.on_callback_done(turn),
            Self::Stale(state) => state.on_callback_done(turn),
            Self::Leaving(state) => state.on_callback_done(turn),
            Self::Fatal(state) => state.on_callback_done(),
            Self::Unsubscribed(_) | Self::CompletingRebalance(_) | Self::Stable(_) => self,
        }
    }

    /// The coordinator is gone: what was asked of it will not be answered.
    pub(crate) fn on_coordinator_lost(self, turn: &mut Turn<'_>, reason: &str) -> Self {
        match self {
            Self::PreparingRebalance(state) => state.on_coordinator_lost(turn),
            Self::CompletingRebalance(state) => state.on_coordinator_lost(turn, reason),
            Self::Unsubscribed(_)
            | Self::Unjoined(_)
            | Self::Reconciling(_)
            | Self::Stable(_)
            | Self::Stale(_)
            | Self::Leaving(_)
            | Self::Fatal(_) => self,
        }
    }

    /// Whether heartbeats are to be sent, given a generation. Not while JoinGroup is under way: the
    /// coordinator keeps a joining member alive, and answers what comes after it on the same
    /// connection only after it.
    pub(crate) const fn heartbeats(&self) -> bool {
        match self {
            Self::PreparingRebalance(state) => !state.is_joining(),
            Self::CompletingRebalance(_) | Self::Reconciling(_) | Self::Stable(_) => true,
            Self::Leaving(state) => state.is_still_member(),
            Self::Unsubscribed(_) | Self::Unjoined(_) | Self::Stale(_) | Self::Fatal(_) => false,
        }
    }

    /// Whether somebody in this state needs to know the coordinator.
    pub(crate) const fn wants_coordinator(&self) -> bool {
        match self {
            Self::Unjoined(_)
            | Self::PreparingRebalance(_)
            | Self::CompletingRebalance(_)
            | Self::Reconciling(_)
            | Self::Stable(_) => true,
            Self::Leaving(state) => state.wants_coordinator(),
            Self::Unsubscribed(_) | Self::Stale(_) | Self::Fatal(_) => false,
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self::Unsubscribed(Unsubscribed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_can_be_entered_and_none_follows_itself() {
        for state in GroupState::ALL {
            assert!(!state.allowed_predecessors().is_empty(), "{state}");
            assert!(!state.allowed_predecessors().contains(&state), "{state}");
        }
    }

    #[test]
    fn every_state_can_be_left_by_the_application() {
        for state in GroupState::ALL {
            let leaves = GroupState::Leaving.allowed_predecessors().contains(&state);
            assert_eq!(leaves, state != GroupState::Leaving, "{state}");
        }
    }
}
