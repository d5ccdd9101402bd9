//! The membership ended with an error.

use crate::classic::state::{State, Unjoined};
use crate::classic::turn::{Callback, Turn};
use crate::identity::Reset;
use crate::{GroupError, GroupEvent, GroupState};

/// At rest until the application subscribes again, or goes.
#[derive(Debug)]
pub(crate) struct Fatal {
    callback: Option<Callback>,
}

impl Fatal {
    pub(crate) fn enter(state: State, error: GroupError, turn: &mut Turn<'_>) -> State {
        let reason = error.to_string();
        let doing = state.kind().name();
        let parked = state.is_parked();
        let running = state.abandon(turn);
        // Whoever cannot go on makes room for those who can, unless somebody has its place already.
        if !matches!(error, GroupError::Fenced { .. }) {
            let timeout = turn.member.config.request_timeout;
            turn.send_leave(parked, &reason, timeout);
        }
        turn.reset_identity(Reset::MemberId);
        turn.out.enter(GroupState::Fatal, &reason);
        let callback = turn.lose_all(&reason).or(running);
        turn.need_topics(&std::collections::BTreeSet::new(), "the membership is over");
        turn.out.emit(GroupEvent::Failed {
            error,
            reason: format!("the membership ended while {doing}: {reason}"),
        });
        State::Fatal(Self { callback })
    }

    /// The application subscribes again: whatever was wrong may have been put right.
    pub(crate) fn begin_again(self, turn: &mut Turn<'_>) -> State {
        Unjoined::begin_after(self.callback, turn, "subscribed again after a failure")
    }

    pub(crate) const fn callback(&self) -> Option<&Callback> {
        self.callback.as_ref()
    }

    pub(crate) fn into_callback(self) -> Option<Callback> {
        self.callback
    }

    pub(crate) fn on_callback_done(self) -> State {
        drop(self.callback);
        State::Fatal(Self { callback: None })
    }
}
