//! The last callback, the last commits, LeaveGroup.

use std::collections::BTreeSet;
use std::time::Instant;

use windlass_machine::RequestId;

use crate::classic::state::{State, Unsubscribed};
use crate::classic::turn::{Callback, Turn};
use crate::identity::Reset;
use crate::intent::LeaveMode;
use crate::outputs::Sent;
use crate::timer::GroupTimer;
use crate::{GroupEvent, GroupState};

/// How the application wants to go.
#[derive(Clone, Debug)]
pub(crate) struct Departure {
    pub(crate) mode: LeaveMode,
    pub(crate) reason: String,
    pub(crate) deadline: Instant,
}

/// On the way out: each step is taken when the one before is done. Nine tenths of the time are for
/// what comes before LeaveGroup; then the group is told, whatever has not been done.
#[derive(Debug)]
pub(crate) struct Leaving {
    departure: Departure,
    /// Whether the coordinator holds a request of this member.
    parked: bool,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// The application is busy with a callback: giving up partitions, or one from before.
    Callback(Callback),
    /// Partitions are to be given up, commits are to end, the coordinator is to be found.
    Packing,
    Departing(RequestId),
}

impl Leaving {
    pub(crate) fn enter(state: State, departure: Departure, turn: &mut Turn<'_>) -> State {
        let departure = match &state {
            // Leaving twice: the later wish counts, but never for longer.
            State::Leaving(before) => Departure {
                deadline: departure.deadline.min(before.departure.deadline),
                ..departure
            },
            State::Unsubscribed(_)
            | State::Unjoined(_)
            | State::PreparingRebalance(_)
            | State::CompletingRebalance(_)
            | State::Reconciling(_)
            | State::Stable(_)
            | State::Stale(_)
            | State::Fatal(_) => {
                turn.out.enter(GroupState::Leaving, &departure.reason);
                departure
            }
        };
        let left = departure.deadline.saturating_duration_since(turn.now);
        let mut steps_until = turn.now + left * 9 / 10;
        let parked = state.is_parked();
        if let State::Leaving(Self {
            phase: Phase::Departing(_),
            ..
        }) = &state
        {
            steps_until = departure.deadline;
        }
        turn.out.timers.set(GroupTimer::LeaveDeadline, steps_until);
        // The callback's own deadline would cut a listener short that still has time.
        turn.out.timers.clear(GroupTimer::CallbackDeadline);
        if let State::Leaving(Self {
            phase: phase @ Phase::Departing(_),
            parked,
            ..
        }) = state
        {
            return State::Leaving(Self {
                departure,
                parked,
                phase,
            });
        }
        let running = state.abandon(turn);
        let phase = running.map_or(Phase::Packing, Phase::Callback);
        State::Leaving(Self {
            departure,
            parked,
            phase,
        })
    }

    pub(crate) const fn callback(&self) -> Option<&Callback> {
        match &self.phase {
            Phase::Callback(callback) => Some(callback),
            Phase::Packing | Phase::Departing(_) => None,
        }
    }

    /// Only leaving again gives this state up.
    pub(crate) fn abandon(self, turn: &mut Turn<'_>) -> Option<Callback> {
        match self.phase {
            Phase::Callback(callback) => Some(callback),
            Phase::Packing => None,
            Phase::Departing(request) => {
                turn.out.abandon(request);
                None
            }
        }
    }

    /// Whether commits still count.
    pub(crate) const fn is_still_member(&self) -> bool {
        !matches!(self.phase, Phase::Departing(_))
    }

    pub(crate) const fn wants_coordinator(&self) -> bool {
        matches!(self.phase, Phase::Packing)
    }

    pub(crate) fn on_callback_done(mut self, turn: &mut Turn<'_>) -> State {
        if let Phase::Callback(callback) = &self.phase {
            turn.close_callback(callback);
            self.phase = Phase::Packing;
        }
        State::Leaving(self)
    }

    pub(crate) fn advance(mut self, commits_idle: bool, turn: &mut Turn<'_>) -> State {
        if !matches!(self.phase, Phase::Packing) {
            return State::Leaving(self);
        }
        let owned = turn.member.ownership.set();
        if !owned.is_empty() {
            let callback = turn.revoke(owned, &self.departure.reason);
            turn.out.timers.clear(GroupTimer::CallbackDeadline);
            self.phase = Phase::Callback(callback);
            return State::Leaving(self);
        }
        if !commits_idle {
            return State::Leaving(self);
        }
        if !self.tells_the_group(turn) {
            return self.finish(turn, "without telling the group");
        }
        if turn.member.identity.member_id.is_empty() {
            return self.finish(turn, "before having a place in the group");
        }
        if !self.depart(turn) && turn.coordinator.failed_lookups() > 0 {
            return self.finish(
                turn,
                "without telling the group: its coordinator was not found",
            );
        }
        State::Leaving(self)
    }

    fn tells_the_group(&self, turn: &Turn<'_>) -> bool {
        let is_static = turn.member.config.is_static();
        self.departure.mode.tells_the_group(is_static)
    }

    /// Sends LeaveGroup, if there is somebody to send it to.
    fn depart(&mut self, turn: &mut Turn<'_>) -> bool {
        let deadline = self.departure.deadline;
        let left = deadline.saturating_duration_since(turn.now);
        let timeout = turn.member.config.request_timeout.min(left);
        let sent = turn.send_leave(self.parked, &self.departure.reason, timeout);
        if let Some(id) = sent {
            turn.out.timers.set(GroupTimer::LeaveDeadline, deadline);
            self.phase = Phase::Departing(id);
        }
        sent.is_some()
    }

    /// The group knows, or has been told as well as one can.
    pub(crate) fn on_answer(self, sent: &Sent, story: &str, turn: &mut Turn<'_>) -> State {
        match self.phase {
            Phase::Departing(request) if request == sent.id => self.finish(turn, story),
            Phase::Departing(_) | Phase::Callback(_) | Phase::Packing => State::Leaving(self),
        }
    }

    /// The coordinator does not know this member any more.
    pub(crate) fn on_reset(mut self, reset: Reset, turn: &mut Turn<'_>, reason: &str) -> State {
        turn.reset_identity(reset);
        if let Some(lost) = turn.lose_all(reason) {
            turn.out.timers.clear(GroupTimer::CallbackDeadline);
            self.phase = Phase::Callback(lost);
        }
        State::Leaving(self)
    }

    pub(crate) fn on_deadline(mut self, turn: &mut Turn<'_>) -> State {
        let goes_untold = match std::mem::replace(&mut self.phase, Phase::Packing) {
            Phase::Departing(request) => {
                turn.out.abandon(request);
                true
            }
            // What the application was asked to give up has been named already.
            Phase::Callback(callback) => {
                turn.member.ownership.remove(&callback.gives_up);
                false
            }
            Phase::Packing => false,
        };
        turn.lose_all("leaving took too long");
        turn.out.timers.clear(GroupTimer::CallbackDeadline);
        // The others get the partitions now, and not when the session is over.
        if !goes_untold && self.tells_the_group(turn) && self.depart(turn) {
            return State::Leaving(self);
        }
        self.finish(turn, "when the time for leaving was over")
    }

    fn finish(self, turn: &mut Turn<'_>, story: &str) -> State {
        // A static member that went without a word has its place still, under the id that it had.
        let keeps_place = turn.member.config.is_static() && !self.tells_the_group(turn);
        turn.reset_identity(match keeps_place {
            true => Reset::Generation,
            false => Reset::MemberId,
        });
        turn.need_topics(&BTreeSet::new(), "the member left the group");
        let reason = format!("left {story} ({})", self.departure.reason);
        turn.out.enter(GroupState::Unsubscribed, &reason);
        turn.out.emit(GroupEvent::Left { reason });
        State::Unsubscribed(Unsubscribed)
    }
}
