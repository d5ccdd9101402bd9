//! The application stopped polling, so the member left.

use crate::classic::state::{State, Unjoined};
use crate::classic::turn::{Callback, Turn};
use crate::identity::Reset;
use crate::timer::GroupTimer;
use crate::{GroupError, GroupState};

/// Waits until the application knows what it lost and polls again.
#[derive(Debug)]
pub(crate) struct Stale {
    callback: Option<Callback>,
}

impl Stale {
    /// `max.poll.interval.ms` is over. Everything is lost at once: whoever is stuck in processing
    /// must not commit any more, because others are about to take over.
    pub(crate) fn enter(state: State, turn: &mut Turn<'_>) -> State {
        let reason = turn.poll_overdue();
        Self::leave(state, &reason, turn)
    }

    /// The listener has not returned from the call that told it of new partitions. Nobody reads them,
    /// so others shall; the member joins again when it has returned, however long that takes.
    pub(crate) fn without_listener(state: State, turn: &mut Turn<'_>) -> State {
        let limit = turn.member.config.rebalance_timeout;
        let error = GroupError::ListenerOverdue { limit };
        let reason = error.to_string();
        turn.tell(error);
        let state = Self::leave(state, &reason, turn);
        turn.out.timers.clear(GroupTimer::CallbackDeadline);
        state
    }

    fn leave(state: State, reason: &str, turn: &mut Turn<'_>) -> State {
        let parked = state.is_parked();
        let running = state.abandon(turn);
        let config = &turn.member.config;
        // A static member's place is kept for it until its session is over, and so is its id.
        let reset = if config.is_static() {
            Reset::Generation
        } else {
            let timeout = config.request_timeout;
            turn.send_leave(parked, reason, timeout);
            Reset::MemberId
        };
        turn.reset_identity(reset);
        turn.out.enter(GroupState::Stale, reason);
        let callback = turn.lose_all(reason).or(running);
        State::Stale(Self { callback })
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
        State::Stale(Self { callback: None })
    }

    pub(crate) fn advance(self, turn: &mut Turn<'_>) -> State {
        if self.callback.is_none() && turn.member.application_polls {
            Unjoined::begin(turn, "the application polls again")
        } else {
            State::Stale(self)
        }
    }
}
