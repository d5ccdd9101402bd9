//! Partitions are given up, then JoinGroup is under way.

use windlass_assignor::RebalanceProtocol;
use windlass_machine::{RequestFailure, RequestId};
use windlass_model::{Generation, MemberId, TopicPartition};
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::JoinGroupResponse;

use crate::classic::join;
use crate::classic::state::{CompletingRebalance, Fatal, State, Unjoined};
use crate::classic::turn::{Callback, Turn};
use crate::identity::Reset;
use crate::outputs::{Purpose, Sent};
use crate::timer::GroupTimer;
use crate::{GroupError, GroupState};

/// Before the join, the application takes leave of what must not be owned while joining: of
/// everything in an eager group, of topics no longer subscribed to in a cooperative one. A member
/// that has a generation keeps it, and commits under it, until the join is sent.
#[derive(Debug)]
pub(crate) struct PreparingRebalance {
    /// Whether the leave has been taken: once for a rebalance, however often the join is sent.
    prepared: bool,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Revoking(Callback),
    /// The join can be sent as soon as the coordinator is known and a pause is over.
    Ready,
    /// The join can be sent as soon as a commit is answered. It has a connection of its own and would
    /// overtake it; the offsets of what was given up must be there before the next owner asks.
    AwaitingCommit,
    Joining(RequestId),
}

impl PreparingRebalance {
    /// A member with a generation joins again.
    pub(crate) fn begin(turn: &mut Turn<'_>, reason: &str) -> State {
        Self::enter(false, turn, reason)
    }

    /// The rebalance failed after the join: the application need not be asked again.
    pub(crate) fn again(turn: &mut Turn<'_>, reason: &str) -> State {
        Self::enter(true, turn, reason)
    }

    /// A member without a generation joins; it has nothing to give up.
    pub(crate) fn without_generation(turn: &mut Turn<'_>) -> State {
        let reason = turn.member.join_reason.clone();
        Self::enter(true, turn, &reason)
    }

    fn enter(prepared: bool, turn: &mut Turn<'_>, reason: &str) -> State {
        turn.out.enter(GroupState::PreparingRebalance, reason);
        reason.clone_into(&mut turn.member.join_reason);
        turn.member.rejoin = None;
        State::PreparingRebalance(Self {
            prepared,
            phase: Phase::Ready,
        })
    }

    pub(crate) const fn callback(&self) -> Option<&Callback> {
        match &self.phase {
            Phase::Revoking(callback) => Some(callback),
            Phase::Ready | Phase::AwaitingCommit | Phase::Joining(_) => None,
        }
    }

    pub(crate) const fn is_joining(&self) -> bool {
        matches!(self.phase, Phase::Joining(_))
    }

    pub(crate) const fn awaits_commit(&self) -> bool {
        matches!(self.phase, Phase::AwaitingCommit)
    }

    pub(crate) fn abandon(self, turn: &mut Turn<'_>) -> Option<Callback> {
        match self.phase {
            Phase::Revoking(callback) => Some(callback),
            Phase::Ready | Phase::AwaitingCommit => None,
            Phase::Joining(request) => {
                turn.out.abandon(request);
                None
            }
        }
    }

    pub(crate) fn on_callback_done(mut self, turn: &mut Turn<'_>) -> State {
        if let Phase::Revoking(callback) = &self.phase {
            turn.close_callback(callback);
            self.phase = Phase::Ready;
        }
        State::PreparingRebalance(self)
    }

    pub(crate) fn on_coordinator_lost(mut self, turn: &mut Turn<'_>) -> State {
        if let Phase::Joining(request) = self.phase {
            turn.out.abandon(request);
            self.phase = Phase::Ready;
        }
        State::PreparingRebalance(self)
    }

    pub(crate) fn advance(mut self, turn: &mut Turn<'_>) -> State {
        if matches!(self.phase, Phase::Ready | Phase::AwaitingCommit) {
            let must_give_up = match turn.member.config.rebalance_protocol() {
                RebalanceProtocol::Eager => turn.member.ownership.set(),
                RebalanceProtocol::Cooperative => {
                    let topics = &turn.member.topics;
                    let unwanted = |one: &TopicPartition| !topics.contains(&one.topic);
                    turn.member.ownership.subset(unwanted)
                }
            };
            if !must_give_up.is_empty() || self.tells_even_nothing(turn) {
                self.prepared = true;
                let reason = turn.member.join_reason.clone();
                self.phase = Phase::Revoking(turn.revoke(must_give_up, &reason));
            } else if turn.out.timers.deadline(GroupTimer::JoinRetry).is_none() {
                self.prepared = true;
                return self.send(turn);
            }
        }
        State::PreparingRebalance(self)
    }

    /// In an eager group Kafka calls the listener before every rebalance, even for no partitions.
    fn tells_even_nothing(&self, turn: &Turn<'_>) -> bool {
        let protocol = turn.member.config.rebalance_protocol();
        !self.prepared && protocol == RebalanceProtocol::Eager
    }

    fn send(mut self, turn: &mut Turn<'_>) -> State {
        self.phase = Phase::Ready;
        if !turn.coordinator.is_known() {
            return State::PreparingRebalance(self);
        }
        if turn.commit_under_way && turn.member.identity.generation.is_some() {
            self.phase = Phase::AwaitingCommit;
            return State::PreparingRebalance(self);
        }
        turn.member.joined_topics = turn.member.topics.clone();
        let timeout = turn.member.config.join_timeout();
        match join::request(turn.member) {
            Ok(request) => {
                if let Some(id) = turn.send(Purpose::JoinGroup, request, timeout) {
                    self.phase = Phase::Joining(id);
                }
                State::PreparingRebalance(self)
            }
            Err(error) => {
                let error = GroupError::unencodable(Purpose::JoinGroup, &error);
                Fatal::enter(State::PreparingRebalance(self), error, turn)
            }
        }
    }

    pub(crate) fn on_join(
        mut self,
        sent: &Sent,
        answer: Result<JoinGroupResponse, RequestFailure>,
        turn: &mut Turn<'_>,
    ) -> State {
        self.phase = Phase::Ready;
        let response = match answer {
            Ok(response) => response,
            Err(failure) => {
                return match turn.unanswered(sent, failure) {
                    Ok(()) => self.try_soon(turn),
                    Err(error) => Fatal::enter(State::PreparingRebalance(self), error, turn),
                };
            }
        };
        let code = response.error_code;
        let said = format!("the coordinator answered JoinGroup with {}", code);
        match code {
            ErrorCode::NONE => {
                turn.coordinator_answered(sent);
                self.joined(&response, turn)
            }
            ErrorCode::MEMBER_ID_REQUIRED => {
                turn.coordinator_answered(sent);
                turn.member.identity.member_id = MemberId::from(response.member_id);
                self.try_soon(turn)
            }
            ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE => {
                turn.coordinator_lost(sent, &said);
                self.try_soon(turn)
            }
            ErrorCode::REBALANCE_IN_PROGRESS => self.try_soon(turn),
            ErrorCode::UNKNOWN_MEMBER_ID => {
                turn.member.pacing.soon(turn.out, turn.now);
                Unjoined::after_reset(
                    State::PreparingRebalance(self),
                    Reset::MemberId,
                    turn,
                    &said,
                )
            }
            ErrorCode::ILLEGAL_GENERATION => {
                turn.member.pacing.soon(turn.out, turn.now);
                let state = State::PreparingRebalance(self);
                Unjoined::after_reset(state, Reset::Generation, turn, &said)
            }
            _ => match turn.refusal(Purpose::JoinGroup, code) {
                Ok(()) => self.try_later(turn),
                Err(error) => Fatal::enter(State::PreparingRebalance(self), error, turn),
            },
        }
    }

    fn try_soon(self, turn: &mut Turn<'_>) -> State {
        turn.member.pacing.soon(turn.out, turn.now);
        State::PreparingRebalance(self)
    }

    fn try_later(self, turn: &mut Turn<'_>) -> State {
        turn.member.pacing.later(turn.out, turn.now);
        State::PreparingRebalance(self)
    }

    /// The coordinator took us in; now the answer has to make sense.
    fn joined(self, response: &JoinGroupResponse, turn: &mut Turn<'_>) -> State {
        let protocol_type = response.protocol_type.as_deref();
        let name = response.protocol_name.as_deref().unwrap_or_default();
        let assignor = join::agreed_assignor(&turn.member.config, protocol_type, Some(name));
        let assignor = match assignor {
            Ok(assignor) => assignor,
            Err(error) => return Fatal::enter(State::PreparingRebalance(self), error, turn),
        };
        let Some(generation) = Generation::from_wire(response.generation_id) else {
            return self.try_later(turn);
        };
        turn.member.identity.member_id = MemberId::new(&response.member_id);
        turn.member.identity.generation = Some(generation);
        CompletingRebalance::begin(response, assignor, turn)
    }
}
