//! The application stopped polling, so the member left.

use windlass_protocol::messages::LeaveGroupRequest;

use crate::identity::Reset;
use crate::outputs::Purpose;
use crate::state::{State, Unjoined};
use crate::turn::{Callback, Turn};
use crate::{GroupState, leave};

/// Waits until the application knows what it lost and polls again.
#[derive(Debug)]
pub(crate) struct Stale {
    callback: Option<Callback>,
}

impl Stale {
    /// `max.poll.interval.ms` is over. Everything is lost at once: whoever is stuck in processing
    /// must not commit any more, because others are about to take over.
    pub(crate) fn enter(state: State, turn: &mut Turn<'_>) -> State {
        let reason = format!(
            "the application has not polled for {:?} (max.poll.interval.ms): poll more often, take fewer records, or raise it",
            turn.member.config.rebalance_timeout
        );
        let running = state.abandon(turn);
        let config = &turn.member.config;
        // A static member's place is kept for it until its session is over.
        if !config.is_static() && !turn.member.identity.member_id.is_empty() {
            let timeout = config.request_timeout;
            let request: LeaveGroupRequest = leave::request(turn.member, &reason);
            turn.send(Purpose::LeaveGroup, request, timeout);
        }
        turn.reset_identity(Reset::MemberId);
        turn.out.enter(GroupState::Stale, &reason);
        let callback = turn.lose_all(&reason).or(running);
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
