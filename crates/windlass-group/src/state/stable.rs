//! A member with an assignment.

use std::collections::BTreeSet;

use windlass_model::TopicName;

use crate::GroupState;
use crate::partition_watch::PartitionWatch;
use crate::state::{PreparingRebalance, State};
use crate::timer::GroupTimer;
use crate::turn::Turn;
use crate::words::{counted, list_topics};

/// Nothing to do but heartbeats, until somebody wants a rebalance.
#[derive(Debug)]
pub(crate) struct Stable {
    watch: Option<PartitionWatch>,
}

impl Stable {
    pub(crate) fn begin(watch: Option<PartitionWatch>, turn: &mut Turn<'_>) -> State {
        let owned = turn.member.ownership.set().len();
        let reason = format!(
            "the assignment of {} is in place",
            counted(owned, "partition")
        );
        turn.out.enter(GroupState::Stable, &reason);
        turn.member.pacing.settle();
        let leftover = watch.as_ref().map(|watch| watch.leftover().clone());
        if turn.awaits_second_round(leftover) {
            let patience = turn.member.config.session_timeout;
            let deadline = turn.now + patience;
            turn.out.timers.set(GroupTimer::SecondRound, deadline);
        }
        State::Stable(Self { watch })
    }

    /// Nobody has called for the round in which what was given up is given to others.
    pub(crate) fn on_second_round(self, turn: &mut Turn<'_>) -> State {
        let reason = "partitions may be without an owner, and nobody called for the second round";
        turn.member.rejoin.get_or_insert_with(|| reason.to_owned());
        State::Stable(self)
    }

    pub(crate) fn advance(mut self, turn: &mut Turn<'_>) -> State {
        let member = &mut *turn.member;
        let wanted = member.rejoin.take();
        let reason = wanted
            .or_else(|| subscription_change(&member.joined_topics, &member.topics))
            .or_else(|| self.watch.as_mut()?.change(&member.picture));
        match reason {
            Some(reason) => PreparingRebalance::begin(turn, &reason),
            None => State::Stable(self),
        }
    }
}

/// How the subscription differs from the one the group knows, in words; `None` where it does not.
fn subscription_change(
    before: &BTreeSet<TopicName>,
    after: &BTreeSet<TopicName>,
) -> Option<String> {
    if before == after {
        return None;
    }
    let difference = |one: &BTreeSet<TopicName>, other: &BTreeSet<TopicName>| {
        one.difference(other).cloned().collect::<BTreeSet<_>>()
    };
    let (added, removed) = (difference(after, before), difference(before, after));
    let mut reason = "the subscription changed:".to_owned();
    if !added.is_empty() {
        reason.push_str(&format!(" {} added", list_topics(&added)));
    }
    if !removed.is_empty() {
        let comma = if added.is_empty() { "" } else { "," };
        reason.push_str(&format!("{comma} {} removed", list_topics(&removed)));
    }
    Some(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_subscription_is_told_by_topic() {
        let set = |names: &[&str]| names.iter().map(|name| TopicName::new(name)).collect();
        let told = |before: &[&str], after: &[&str]| subscription_change(&set(before), &set(after));
        assert_eq!(told(&["a"], &["a"]), None);
        let swapped = "the subscription changed: `b` added, `a` removed";
        assert_eq!(told(&["a"], &["b"]).unwrap(), swapped);
        let removed = "the subscription changed: `b` removed";
        assert_eq!(told(&["a", "b"], &["a"]).unwrap(), removed);
    }
}
