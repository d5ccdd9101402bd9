//! A subscription, but no place in the group.

use crate::GroupState;
use crate::classic::state::{PreparingRebalance, State};
use crate::classic::turn::{Callback, Turn};
use crate::identity::Reset;

/// Waits until the application knows what it lost, until the coordinator is known, and until a pause
/// after a failure is over; then joins.
#[derive(Debug)]
pub(crate) struct Unjoined {
    callback: Option<Callback>,
}

impl Unjoined {
    /// A membership begins.
    pub(crate) fn begin(turn: &mut Turn<'_>, reason: &str) -> State {
        Self::begin_after(None, turn, reason)
    }

    /// A membership begins once the application has done what the one before it left to be done.
    pub(crate) fn begin_after(
        callback: Option<Callback>,
        turn: &mut Turn<'_>,
        reason: &str,
    ) -> State {
        turn.out.enter(GroupState::Unjoined, reason);
        reason.clone_into(&mut turn.member.join_reason);
        turn.arm_poll_interval();
        State::Unjoined(Self { callback })
    }

    /// The coordinator does not accept the member as it is: whatever it owned is lost.
    pub(crate) fn after_reset(
        state: State,
        reset: Reset,
        turn: &mut Turn<'_>,
        reason: &str,
    ) -> State {
        let entered = matches!(state, State::Unjoined(_));
        let running = state.abandon(turn);
        turn.reset_identity(reset);
        if !entered {
            turn.out.enter(GroupState::Unjoined, reason);
        }
        reason.clone_into(&mut turn.member.join_reason);
        let callback = turn.lose_all(reason).or(running);
        State::Unjoined(Self { callback })
    }

    pub(crate) const fn callback(&self) -> Option<&Callback> {
        self.callback.as_ref()
    }

    pub(crate) fn into_callback(self) -> Option<Callback> {
        self.callback
    }

    pub(crate) fn on_callback_done(self, turn: &mut Turn<'_>) -> State {
        if let Some(callback) = &self.callback {
            turn.close_callback(callback);
        }
        State::Unjoined(Self { callback: None })
    }

    pub(crate) fn advance(self, turn: &mut Turn<'_>) -> State {
        if self.callback.is_some() || !turn.coordinator.is_known() {
            return State::Unjoined(self);
        }
        PreparingRebalance::without_generation(turn)
    }
}
