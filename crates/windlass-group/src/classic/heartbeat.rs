//! Telling the coordinator that the member lives, and noticing when the coordinator does not.

use windlass_machine::{RequestFailure, RequestId};
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use crate::classic::turn::Turn;
use crate::finding::Finding;
use crate::identity::Reset;
use crate::incarnation::Incarnation;
use crate::outputs::{Purpose, Sent};
use crate::timer::GroupTimer;

/// The heartbeats of a member: one at a time, one each interval, one at once to a coordinator that
/// was just found. Mirrors Kafka's `Heartbeat`.
#[derive(Debug, Default)]
pub(crate) struct Heartbeat {
    in_flight: Option<(RequestId, Incarnation)>,
    due: bool,
    /// The coordinator that has been greeted.
    greeted: Incarnation,
}

impl Heartbeat {
    /// Sends what is due. Called after every input while the member heartbeats.
    pub(crate) fn advance(turn: &mut Turn<'_>) {
        let now = turn.now;
        let (interval, session) = {
            let config = &turn.member.config;
            (config.heartbeat_interval, config.session_timeout)
        };
        let timers = &mut turn.out.timers;
        let begins = timers.deadline(GroupTimer::Heartbeat).is_none() && !turn.member.heartbeat.due;
        if begins {
            timers.set(GroupTimer::Heartbeat, now + interval);
            timers.set(GroupTimer::SessionExpiry, now + session);
            turn.member.heartbeat.greeted = turn.coordinator.incarnation();
        } else if turn.coordinator.is_known()
            && turn.member.heartbeat.greeted != turn.coordinator.incarnation()
        {
            turn.member.heartbeat.greeted = turn.coordinator.incarnation();
            turn.member.heartbeat.due = true;
            timers.set(GroupTimer::SessionExpiry, now + session);
            // One that the coordinator before it has not answered keeps nobody waiting.
            let asked = turn.member.heartbeat.in_flight.take();
            if let Some((id, _)) = asked {
                turn.out.abandon(id);
            }
        }
        if turn.member.heartbeat.due && turn.member.heartbeat.in_flight.is_none() {
            Self::send(turn);
        }
    }

    fn send(turn: &mut Turn<'_>) {
        let config = &turn.member.config;
        let (interval, timeout) = (
            config.heartbeat_interval,
            config.request_timeout.min(config.session_timeout),
        );
        let request = HeartbeatRequest {
            group_id: config.group_id.as_str().to_owned(),
            generation_id: turn.member.identity.wire_generation(),
            member_id: turn.member.identity.member_id_text(),
            group_instance_id: config.instance_id_text(),
        };
        if let Some(id) = turn.send(Purpose::Heartbeat, request, timeout) {
            let incarnation = turn.coordinator.incarnation();
            turn.member.heartbeat.in_flight = Some((id, incarnation));
            turn.member.heartbeat.due = false;
            turn.out
                .timers
                .set(GroupTimer::Heartbeat, turn.now + interval);
        }
    }

    /// The member does not heartbeat in its present state.
    pub(crate) fn stop(turn: &mut Turn<'_>) {
        turn.member.heartbeat.due = false;
        turn.out.timers.clear(GroupTimer::Heartbeat);
        turn.out.timers.clear(GroupTimer::SessionExpiry);
    }

    /// The interval is over.
    pub(crate) const fn on_interval(&mut self) {
        self.due = true;
    }

    /// A whole session without an answer: the coordinator is given up, the membership is not. What
    /// the coordinator thinks of this member, the next one that answers will tell.
    pub(crate) fn on_session_expired(turn: &mut Turn<'_>) -> Option<String> {
        if let Some((id, _)) = turn.member.heartbeat.in_flight.take() {
            turn.out.abandon(id);
        }
        turn.member.heartbeat.due = true;
        let reason = format!(
            "no heartbeat was answered for {:?} (session.timeout.ms)",
            turn.member.config.session_timeout
        );
        let incarnation = turn.coordinator.incarnation();
        let news = turn
            .coordinator
            .lost(incarnation, &reason, turn.out, turn.now);
        news.then_some(reason)
    }

    pub(crate) fn on_answer(
        sent: &Sent,
        answer: Result<HeartbeatResponse, RequestFailure>,
        turn: &mut Turn<'_>,
    ) -> Option<Finding> {
        let asked = &mut turn.member.heartbeat.in_flight;
        asked.take_if(|(id, _)| *id == sent.id);
        let response = match answer {
            Ok(response) => response,
            Err(failure) => {
                let reason = format!("Heartbeat was not answered: {failure}");
                return match turn.unanswered(sent, failure) {
                    Ok(()) => Some(Finding::CoordinatorLost(reason)),
                    Err(error) => Some(Finding::Over(error)),
                };
            }
        };
        let code = response.error_code;
        let reason = format!("the coordinator answered Heartbeat with {code}");
        let current = sent.identity == turn.member.identity;
        match code {
            ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE => {
                turn.coordinator_lost(sent, &reason);
                return Some(Finding::CoordinatorLost(reason));
            }
            // The answer is about somebody this member no longer is.
            _ if !current => {
                turn.out.counters.late_answers += 1;
                return None;
            }
            ErrorCode::NONE | ErrorCode::REBALANCE_IN_PROGRESS => {
                turn.coordinator_answered(sent);
                Self::extend_session(turn);
            }
            _ => {}
        }
        match code {
            ErrorCode::NONE | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => None,
            ErrorCode::REBALANCE_IN_PROGRESS => {
                Some(Finding::Rebalance("the group rebalances: the coordinator answered a heartbeat with REBALANCE_IN_PROGRESS".to_owned()))
            }
            ErrorCode::ILLEGAL_GENERATION => Some(Finding::Reset(Reset::Generation, reason)),
            ErrorCode::UNKNOWN_MEMBER_ID => Some(Finding::Reset(Reset::MemberId, reason)),
            // A heartbeat that was missed: the next one is due in an interval.
            _ => match turn.refusal(Purpose::Heartbeat, code) {
                Ok(()) => None,
                Err(error) => Some(Finding::Over(error)),
            },
        }
    }

    /// The coordinator has heard of the member.
    fn extend_session(turn: &mut Turn<'_>) {
        let timers = &mut turn.out.timers;
        if timers.deadline(GroupTimer::SessionExpiry).is_some() {
            let session = turn.member.config.session_timeout;
            timers.set(GroupTimer::SessionExpiry, turn.now + session);
        }
    }
}
