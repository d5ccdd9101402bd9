//! The membership ended with an error.

use windlass_protocol::messages::LeaveGroupRequest;

use crate::identity::Reset;
use crate::outputs::Purpose;
use crate::state::{State, Unjoined};
use crate::turn::{Callback, Turn};
use crate::{GroupError, GroupEvent, GroupState, leave};

/// At rest until the application subscribes again, or goes.
#[derive(Debug)]
pub(crate) struct Fatal {
    callback: Option<Callback>,
}

impl Fatal {
    pub(crate) fn enter(state: State, error: GroupError, turn: &mut Turn<'_>) -> State {
        let reason = error.to_string();
        let doing = state.kind().name();
        let running = state.abandon(turn);
        // A leader that cannot assign makes room for one that can.
        if matches!(error, GroupError::Assignment(_)) {
            let timeout = turn.member.config.request_timeout;
            let request: LeaveGroupRequest = leave::request(turn.member, &reason);
            turn.send(Purpose::LeaveGroup, request, timeout);
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
