//! A member of a group under the classic protocol: the state it is in, and what reaches it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use windlass_assignor::{AssignError, Assignment};
use windlass_machine::RequestFailure;
use windlass_model::{Cluster, TopicName};
use windlass_protocol::ResponseKind;
use windlass_protocol::messages::describe_groups::DescribeGroupsResponse;
use windlass_protocol::messages::{
    HeartbeatResponse, JoinGroupResponse, LeaveGroupResponse, SyncGroupResponse,
};

use crate::answer::response_to;
use crate::classic::heartbeat::Heartbeat;
use crate::classic::member::Member;
use crate::classic::state::{Departure, Leaving, Stale, State};
use crate::classic::turn::Turn;
use crate::classic::verdict::on_finding;
use crate::coordinator::Coordinator;
use crate::event::{AssignmentToken, CallbackToken};
use crate::finding::Finding;
use crate::identity::Identity;
use crate::outputs::{Outputs, Purpose, Sent};
use crate::ownership::Ownership;
use crate::timer::GroupTimer;
use crate::{GroupConfig, GroupError, GroupEvent, GroupState};

/// Whether a commit can be sent now, and as whom.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CommitGate {
    /// Under this identity.
    Open(Identity),
    /// Under this identity, which is about to be replaced: what somebody waits for can be tried.
    Closing(Identity),
    /// A generation is being replaced: nothing that is sent now would be accepted.
    Held,
    /// There is no membership to commit under.
    Closed,
}

/// The classic membership. The strategy of KIP-848 will stand beside it, behind the same verbs and
/// events.
#[derive(Debug)]
pub(crate) struct Membership {
    state: State,
    member: Member,
}

impl Membership {
    pub(crate) fn new(config: GroupConfig) -> Self {
        Self {
            state: State::default(),
            member: Member::new(config),
        }
    }

    pub(crate) const fn kind(&self) -> GroupState {
        self.state.kind()
    }

    pub(crate) const fn config(&self) -> &GroupConfig {
        &self.member.config
    }

    pub(crate) const fn identity(&self) -> &Identity {
        &self.member.identity
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.member.picture.cluster
    }

    pub(crate) const fn ownership(&self) -> &Ownership {
        &self.member.ownership
    }

    /// Whether partitions are assigned by the group, so that only what is owned can be committed.
    pub(crate) fn is_subscribed(&self) -> bool {
        !self.member.topics.is_empty()
    }

    pub(crate) const fn wants_coordinator(&self) -> bool {
        self.state.wants_coordinator()
    }

    pub(crate) const fn is_joining(&self) -> bool {
        match &self.state {
            State::PreparingRebalance(state) => state.is_joining(),
            State::Unsubscribed(_)
            | State::Unjoined(_)
            | State::CompletingRebalance(_)
            | State::Reconciling(_)
            | State::Stable(_)
            | State::Stale(_)
            | State::Leaving(_)
            | State::Fatal(_) => false,
        }
    }

    pub(crate) fn commit_gate(&self) -> CommitGate {
        let open = match &self.state {
            State::PreparingRebalance(state) if state.is_joining() => {
                let identity = &self.member.identity;
                return match identity.generation {
                    Some(_) => CommitGate::Closing(identity.clone()),
                    None => CommitGate::Held,
                };
            }
            State::PreparingRebalance(state) if state.awaits_commit() => return CommitGate::Held,
            State::CompletingRebalance(_) => return CommitGate::Held,
            State::PreparingRebalance(_) | State::Reconciling(_) | State::Stable(_) => true,
            State::Leaving(state) => state.is_still_member(),
            State::Unsubscribed(_) | State::Unjoined(_) | State::Stale(_) | State::Fatal(_) => {
                false
            }
        };
        if open && self.member.identity.generation.is_some() {
            CommitGate::Open(self.member.identity.clone())
        } else {
            CommitGate::Closed
        }
    }

    // Intents.

    pub(crate) fn subscribe(&mut self, topics: BTreeSet<TopicName>, hands: Hands<'_>) {
        self.member.topics = topics;
        self.turn(hands, |state, turn| {
            if let State::Fatal(fatal) = state {
                fatal.begin_again(turn)
            } else {
                state
            }
        });
    }

    pub(crate) fn leave(&mut self, departure: Departure, hands: Hands<'_>) {
        self.member.topics = BTreeSet::new();
        self.turn(hands, |state, turn| Leaving::enter(state, departure, turn));
    }

    pub(crate) fn request_rejoin(&mut self, reason: &str, hands: Hands<'_>) {
        let finding = Finding::Rejoin(reason.to_owned());
        self.on_finding(finding, hands);
    }

    pub(crate) fn application_polling(&mut self, polling: bool, hands: Hands<'_>) {
        self.member.application_polls = polling;
        if self.kind().takes_part() {
            self.turn(hands, |state, turn| {
                turn.arm_poll_interval();
                state
            });
        }
    }

    // What the driver brings.

    pub(crate) fn on_cluster(&mut self, cluster: &Arc<Cluster>) {
        self.member.picture.install(cluster);
    }

    /// Says whether the token was the one that counts.
    pub(crate) fn on_callback_done(&mut self, token: CallbackToken, hands: Hands<'_>) -> bool {
        if self.state.callback() != Some(token) {
            return false;
        }
        self.turn(hands, State::on_callback_done);
        true
    }

    pub(crate) fn on_assignment_computed(
        &mut self,
        token: AssignmentToken,
        result: Result<Assignment, AssignError>,
        hands: Hands<'_>,
    ) {
        self.turn(hands, |state, turn| {
            if let State::CompletingRebalance(completing) = state {
                completing.on_assignment_computed(token, result, turn)
            } else {
                turn.out.counters.late_answers += 1;
                state
            }
        });
    }

    // Answers.

    /// The answer to a request of the membership's own.
    pub(crate) fn on_answer(
        &mut self,
        sent: &Sent,
        answer: Result<ResponseKind, RequestFailure>,
        hands: Hands<'_>,
    ) {
        match sent.purpose {
            Purpose::JoinGroup => self.on_join(sent, response_to!(sent, answer, JoinGroup), hands),
            Purpose::SyncGroup => self.on_sync(sent, response_to!(sent, answer, SyncGroup), hands),
            Purpose::Heartbeat => {
                self.on_heartbeat(sent, response_to!(sent, answer, Heartbeat), hands);
            }
            Purpose::LeaveGroup => {
                self.on_leave(sent, &response_to!(sent, answer, LeaveGroup), hands);
            }
            Purpose::DescribeGroups => {
                self.on_described(sent, response_to!(sent, answer, DescribeGroups), hands);
            }
            // These are not the membership's.
            Purpose::FindCoordinator | Purpose::OffsetCommit | Purpose::OffsetFetch => {}
        }
    }

    fn on_join(
        &mut self,
        sent: &Sent,
        answer: Result<JoinGroupResponse, RequestFailure>,
        hands: Hands<'_>,
    ) {
        self.turn(hands, |state, turn| {
            if let State::PreparingRebalance(preparing) = state {
                preparing.on_join(sent, answer, turn)
            } else {
                unexpected(state, turn)
            }
        });
    }

    fn on_sync(
        &mut self,
        sent: &Sent,
        answer: Result<SyncGroupResponse, RequestFailure>,
        hands: Hands<'_>,
    ) {
        self.turn(hands, |state, turn| {
            if let State::CompletingRebalance(completing) = state {
                completing.on_sync(sent, answer, turn)
            } else {
                unexpected(state, turn)
            }
        });
    }

    fn on_described(
        &mut self,
        sent: &Sent,
        answer: Result<DescribeGroupsResponse, RequestFailure>,
        hands: Hands<'_>,
    ) {
        self.turn(hands, |state, turn| {
            if let State::Stable(stable) = state {
                stable.on_described(sent, answer, turn)
            } else {
                state
            }
        });
    }

    fn on_leave(
        &mut self,
        sent: &Sent,
        answer: &Result<LeaveGroupResponse, RequestFailure>,
        hands: Hands<'_>,
    ) {
        let story = match answer {
            Ok(response) if response.error_code.is_none() => "the group".to_owned(),
            Ok(response) => format!("after the coordinator answered {}", response.error_code),
            Err(failure) => format!("after LeaveGroup was not answered: {failure}"),
        };
        self.turn(hands, |state, turn| {
            if let State::Leaving(leaving) = state {
                leaving.on_answer(sent, &story, turn)
            } else {
                // A member that left because its application was stuck does not wait for the answer.
                state
            }
        });
    }

    fn on_heartbeat(
        &mut self,
        sent: &Sent,
        answer: Result<HeartbeatResponse, RequestFailure>,
        hands: Hands<'_>,
    ) {
        self.turn(hands, |state, turn| {
            match Heartbeat::on_answer(sent, answer, turn) {
                Some(finding) => on_finding(state, finding, turn),
                None => state,
            }
        });
    }

    // What commits and offset fetches found out.

    pub(crate) fn on_finding(&mut self, finding: Finding, hands: Hands<'_>) {
        self.turn(hands, |state, turn| on_finding(state, finding, turn));
    }

    pub(crate) fn tell(&mut self, error: GroupError, hands: Hands<'_>) {
        self.turn(hands, |state, turn| {
            if state.kind().takes_part() {
                turn.tell(error);
            }
            state
        });
    }

    // Time.

    pub(crate) fn on_timer(&mut self, timer: GroupTimer, hands: Hands<'_>) {
        match timer {
            GroupTimer::Heartbeat => self.member.heartbeat.on_interval(),
            GroupTimer::SessionExpiry => self.turn(hands, |state, turn| {
                match Heartbeat::on_session_expired(turn) {
                    Some(reason) => state.on_coordinator_lost(turn, &reason),
                    None => state,
                }
            }),
            GroupTimer::PollInterval => self.turn(hands, Stale::enter),
            GroupTimer::PollWarning => self.turn(hands, |state, turn| {
                let reason = turn.poll_overdue();
                turn.out.emit(GroupEvent::PollOverdueSoon { reason });
                state
            }),
            GroupTimer::CallbackDeadline => self.turn(hands, State::on_callback_overdue),
            GroupTimer::SecondRound => self.turn(hands, |state, turn| {
                if let State::Stable(stable) = state {
                    stable.on_second_round(turn)
                } else {
                    unexpected(state, turn)
                }
            }),
            GroupTimer::AssignmentDeadline => self.turn(hands, |state, turn| {
                if let State::CompletingRebalance(completing) = state {
                    completing.on_overdue(turn)
                } else {
                    unexpected(state, turn)
                }
            }),
            GroupTimer::LeaveDeadline => self.turn(hands, |state, turn| {
                if let State::Leaving(leaving) = state {
                    leaving.on_deadline(turn)
                } else {
                    unexpected(state, turn)
                }
            }),
            // That these are over is seen when the state goes on.
            GroupTimer::JoinRetry
            | GroupTimer::MetadataDeadline
            | GroupTimer::CoordinatorRetry
            | GroupTimer::CommitRetry
            | GroupTimer::CommitDeadline
            | GroupTimer::OffsetFetchRetry
            | GroupTimer::OffsetFetchDeadline => {}
        }
    }

    /// Goes on as far as possible.
    pub(crate) fn advance(&mut self, commits_idle: bool, hands: Hands<'_>) {
        self.turn(hands, |state, turn| state.advance(commits_idle, turn));
    }

    /// Heartbeats, and clears the timers that the state has no use for.
    pub(crate) fn keep_alive(&mut self, hands: Hands<'_>) {
        self.turn(hands, |state, turn| {
            if state.heartbeats() && turn.member.identity.generation.is_some() {
                Heartbeat::advance(turn);
            } else {
                Heartbeat::stop(turn);
            }
            clear_timers(&state, turn.out);
            state
        });
    }

    fn turn(&mut self, hands: Hands<'_>, act: impl FnOnce(State, &mut Turn<'_>) -> State) {
        let Hands {
            coordinator,
            out,
            now,
            commit_under_way,
        } = hands;
        let mut turn = Turn {
            member: &mut self.member,
            coordinator,
            out,
            now,
            commit_under_way,
        };
        let state = std::mem::take(&mut self.state);
        self.state = act(state, &mut turn);
        debug_assert_eq!(
            self.state.kind(),
            turn.out.state(),
            "a state was entered unsaid"
        );
    }
}

/// What a membership works with and does not own.
pub(crate) struct Hands<'a> {
    pub(crate) coordinator: &'a mut Coordinator,
    pub(crate) out: &'a mut Outputs,
    pub(crate) now: Instant,
    pub(crate) commit_under_way: bool,
}

/// The uniform answer to something that does not belong to the state.
fn unexpected(state: State, turn: &mut Turn<'_>) -> State {
    turn.out.counters.unexpected_inputs += 1;
    state
}

fn clear_timers(state: &State, out: &mut Outputs) {
    let kind = state.kind();
    let joins = matches!(
        kind,
        GroupState::Unjoined | GroupState::PreparingRebalance | GroupState::CompletingRebalance
    );
    let (awaits_metadata, computes) = match state {
        State::CompletingRebalance(state) => (state.awaits_metadata(), state.computes()),
        State::Unsubscribed(_)
        | State::Unjoined(_)
        | State::PreparingRebalance(_)
        | State::Reconciling(_)
        | State::Stable(_)
        | State::Stale(_)
        | State::Leaving(_)
        | State::Fatal(_) => (false, false),
    };
    for (timer, wanted) in [
        (GroupTimer::CallbackDeadline, state.callback().is_some()),
        (GroupTimer::LeaveDeadline, kind == GroupState::Leaving),
        (GroupTimer::PollInterval, kind.takes_part()),
        (GroupTimer::PollWarning, kind.takes_part()),
        (GroupTimer::AssignmentDeadline, computes),
        (GroupTimer::SecondRound, kind == GroupState::Stable),
        (GroupTimer::JoinRetry, joins),
        (GroupTimer::MetadataDeadline, awaits_metadata),
    ] {
        if !wanted {
            out.timers.clear(timer);
        }
    }
}
