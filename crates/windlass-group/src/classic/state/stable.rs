//! A member with an assignment.

use std::collections::BTreeSet;

use windlass_machine::{RequestFailure, RequestId};
use windlass_model::TopicName;
use windlass_protocol::messages::describe_groups::DescribeGroupsResponse;

use crate::GroupState;
use crate::classic::inquiry;
use crate::classic::partition_watch::{Leftover, PartitionWatch};
use crate::classic::state::{PreparingRebalance, State};
use crate::classic::turn::Turn;
use crate::outputs::{Purpose, Sent};
use crate::timer::GroupTimer;
use crate::words::{counted, list_topics};

/// Nothing to do but heartbeats, until somebody wants a rebalance.
#[derive(Debug)]
pub(crate) struct Stable {
    watch: Option<PartitionWatch>,
    /// The question who owns what.
    inquiry: Option<RequestId>,
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
            Self::set_second_round(turn);
        }
        State::Stable(Self {
            watch,
            inquiry: None,
        })
    }

    fn set_second_round(turn: &mut Turn<'_>) {
        let deadline = turn.now + turn.member.config.session_timeout;
        turn.out.timers.set(GroupTimer::SecondRound, deadline);
    }

    /// Nobody has called for the round in which what was given up is given to others; or nobody has
    /// answered who owns what, and it is asked again.
    pub(crate) fn on_second_round(self, turn: &mut Turn<'_>) -> State {
        if !self.is_ignorant() {
            let reason =
                "partitions have no owner, and nobody called for the second round".to_owned();
            turn.member.rejoin.get_or_insert(reason);
        }
        State::Stable(self)
    }

    /// Whether the assignment was made before this member came back, and nobody has told yet who owns
    /// what.
    fn is_ignorant(&self) -> bool {
        let watch = self.watch.as_ref();
        watch.is_some_and(|watch| *watch.leftover() == Leftover::Unknown)
    }

    fn inquire(&mut self, turn: &mut Turn<'_>) {
        let pauses = turn.out.timers.deadline(GroupTimer::SecondRound).is_some();
        if self.inquiry.is_none() && !pauses && self.is_ignorant() {
            let request = inquiry::request(&turn.member.config);
            let timeout = turn.member.config.request_timeout;
            self.inquiry = turn.send(Purpose::DescribeGroups, request, timeout);
        }
    }

    /// The coordinator tells who owns what.
    pub(crate) fn on_described(
        mut self,
        sent: &Sent,
        answer: Result<DescribeGroupsResponse, RequestFailure>,
        turn: &mut Turn<'_>,
    ) -> State {
        if self.inquiry.take_if(|id| *id == sent.id).is_none() {
            return State::Stable(self);
        }
        let config = &turn.member.config;
        let told = answer.ok();
        let told = told.and_then(|response| inquiry::assigned(&response, config));
        match (told, &mut self.watch) {
            (Some(assigned), Some(watch)) => watch.adopt_counts(&assigned),
            _ => Self::set_second_round(turn),
        }
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
            None => {
                self.inquire(turn);
                State::Stable(self)
            }
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
