//! What a finding does to the state of a membership.

use crate::GroupError;
use crate::classic::state::{Fatal, State, Unjoined};
use crate::classic::turn::Turn;
use crate::finding::Finding;
use crate::identity::Reset;

pub(super) fn on_finding(state: State, finding: Finding, turn: &mut Turn<'_>) -> State {
    match finding {
        // Another may be known by now.
        Finding::CoordinatorLost(_) if turn.coordinator.is_known() => state,
        Finding::CoordinatorLost(reason) => state.on_coordinator_lost(turn, &reason),
        Finding::Rebalance(reason) => on_rebalance(state, &reason, turn),
        Finding::Rejoin(reason) => on_rejoin(state, reason, turn),
        Finding::Reset(reset, reason) => on_reset(state, reset, &reason, turn),
        Finding::Over(error) => on_fatal(state, error, turn),
    }
}

fn on_rejoin(state: State, reason: String, turn: &mut Turn<'_>) -> State {
    match &state {
        State::CompletingRebalance(_) | State::Reconciling(_) | State::Stable(_) => {
            turn.member.rejoin.get_or_insert(reason);
        }
        // A join is on its way already, or nobody wants one.
        State::PreparingRebalance(_)
        | State::Unjoined(_)
        | State::Unsubscribed(_)
        | State::Stale(_)
        | State::Leaving(_)
        | State::Fatal(_) => {}
    }
    state
}

fn on_rebalance(state: State, reason: &str, turn: &mut Turn<'_>) -> State {
    // Only a settled member joins for it, or one that is about to settle; for all others a join is
    // under way, or its SyncGroup will be told.
    if matches!(state, State::Stable(_) | State::Reconciling(_)) {
        turn.member.rejoin.get_or_insert_with(|| reason.to_owned());
    }
    // A leader that has not synced yet assigns for a generation that is void already.
    if let State::CompletingRebalance(completing) = state {
        return completing.on_rebalance(turn, reason);
    }
    state
}

fn on_reset(state: State, reset: Reset, reason: &str, turn: &mut Turn<'_>) -> State {
    match state {
        // While the group moves to its next generation, the one before is no longer legal: the
        // answer to the join will bring the new one. Dropping the assignment for that would lose
        // what a cooperative member rightly keeps.
        State::PreparingRebalance(preparing)
            if preparing.is_joining() && reset == Reset::Generation =>
        {
            State::PreparingRebalance(preparing)
        }
        state @ (State::Unjoined(_)
        | State::PreparingRebalance(_)
        | State::CompletingRebalance(_)
        | State::Reconciling(_)
        | State::Stable(_)) => Unjoined::after_reset(state, reset, turn, reason),
        State::Leaving(leaving) => leaving.on_reset(reset, turn, reason),
        state @ (State::Unsubscribed(_) | State::Stale(_) | State::Fatal(_)) => state,
    }
}

fn on_fatal(state: State, error: GroupError, turn: &mut Turn<'_>) -> State {
    match state {
        state @ (State::Unjoined(_)
        | State::PreparingRebalance(_)
        | State::CompletingRebalance(_)
        | State::Reconciling(_)
        | State::Stable(_)) => Fatal::enter(state, error, turn),
        State::Leaving(leaving) => leaving.on_reset(Reset::MemberId, turn, &error.to_string()),
        state @ (State::Unsubscribed(_) | State::Stale(_) | State::Fatal(_)) => state,
    }
}
