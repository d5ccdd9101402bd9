//! No subscription: the member is at rest.

use crate::classic::state::{State, Unjoined};
use crate::classic::turn::Turn;
use crate::words::list_topics;

/// Nothing to do with the group but to commit and fetch offsets for whoever assigns partitions by
/// hand.
#[derive(Debug, Default)]
pub(crate) struct Unsubscribed;

impl Unsubscribed {
    pub(crate) fn advance(self, turn: &mut Turn<'_>) -> State {
        if turn.member.topics.is_empty() {
            return State::Unsubscribed(self);
        }
        let reason = format!("subscribed to {}", list_topics(&turn.member.topics));
        Unjoined::begin(turn, &reason)
    }
}
