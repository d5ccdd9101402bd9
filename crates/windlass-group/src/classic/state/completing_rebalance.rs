//! JoinGroup is answered; SyncGroup is being made ready or under way.

use std::collections::BTreeSet;
use std::sync::Arc;

use windlass_assignor::{AssignError, Assignment, Assignor};
use windlass_machine::{RequestFailure, RequestId};
use windlass_model::TopicPartition;
use windlass_protocol::ErrorCode;
use windlass_protocol::consumer_protocol;
use windlass_protocol::messages::JoinGroupResponse;
use windlass_protocol::messages::sync_group::{
    SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};

use crate::classic::join;
use crate::classic::leadership::Leadership;
use crate::classic::partition_watch::PartitionWatch;
use crate::classic::state::{Fatal, PreparingRebalance, Reconciling, State, Unjoined};
use crate::classic::turn::Turn;
use crate::event::AssignmentToken;
use crate::identity::Reset;
use crate::outputs::{Purpose, Sent};
use crate::timer::GroupTimer;
use crate::words::counted;
use crate::{AssignmentJob, GroupError, GroupEvent, GroupState};

/// A generation without an assignment yet. The leader's work lives here and nowhere else.
#[derive(Debug)]
pub(crate) struct CompletingRebalance {
    assignor: Arc<dyn Assignor>,
    /// What the leader watches from now on; `None` for everybody else.
    watch: Option<PartitionWatch>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// The leader waits for a picture of the cluster with every topic in it.
    AwaitingMetadata(Leadership),
    Computing(AssignmentToken, Leadership),
    /// SyncGroup can be sent as soon as the coordinator is known and a pause is over.
    Ready(Vec<SyncGroupRequestAssignment>),
    Syncing(RequestId, Vec<SyncGroupRequestAssignment>),
}

impl CompletingRebalance {
    pub(crate) fn begin(
        response: &JoinGroupResponse,
        assignor: Arc<dyn Assignor>,
        turn: &mut Turn<'_>,
    ) -> State {
        let leads = response.leader == response.member_id;
        let reason = format!(
            "joined generation {} as {} {}, strategy `{}`",
            response.generation_id,
            if leads { "leader" } else { "follower" },
            response.member_id,
            assignor.name(),
        );
        turn.out.enter(GroupState::CompletingRebalance, &reason);
        let (watch, phase) = if leads {
            Self::lead(response, turn)
        } else {
            turn.need_topics(&BTreeSet::new(), "this member does not lead the group");
            (None, Phase::Ready(Vec::new()))
        };
        State::CompletingRebalance(Self {
            assignor,
            watch,
            phase,
        })
    }

    fn lead(response: &JoinGroupResponse, turn: &mut Turn<'_>) -> (Option<PartitionWatch>, Phase) {
        let leadership = Leadership::read(&response.members, turn.out);
        turn.need_topics(&leadership.topics, "this member leads the group");
        if response.skip_assignment {
            // The coordinator still has the assignment that this static member made before it was
            // restarted (KIP-814); it is only to be watched.
            let alone = response.members.len() == 1;
            let watch = PartitionWatch::adopt(&leadership.topics, alone);
            return (Some(watch), Phase::Ready(Vec::new()));
        }
        let config = &turn.member.config;
        let wait = config.request_timeout.min(config.rebalance_timeout / 2);
        turn.out
            .timers
            .set(GroupTimer::MetadataDeadline, turn.now + wait);
        (None, Phase::AwaitingMetadata(leadership))
    }

    pub(crate) fn abandon(self, turn: &mut Turn<'_>) {
        match self.phase {
            Phase::Syncing(request, _) => turn.out.abandon(request),
            Phase::AwaitingMetadata(_) | Phase::Computing(..) | Phase::Ready(_) => {}
        }
    }

    pub(crate) const fn awaits_metadata(&self) -> bool {
        matches!(self.phase, Phase::AwaitingMetadata(_))
    }

    pub(crate) const fn computes(&self) -> bool {
        matches!(self.phase, Phase::Computing(..))
    }

    /// The strategy has had its time: a leader that cannot assign makes room for one that can.
    pub(crate) fn on_overdue(self, turn: &mut Turn<'_>) -> State {
        let limit = turn.member.config.rebalance_timeout;
        let name = self.assignor.name();
        let detail = format!("`{name}` has not returned for {limit:?} (max.poll.interval.ms)");
        let error = GroupError::Assignment(AssignError::strategy(detail));
        Fatal::enter(State::CompletingRebalance(self), error, turn)
    }

    /// The group has begun another rebalance.
    pub(crate) fn on_rebalance(self, turn: &mut Turn<'_>, reason: &str) -> State {
        match self.phase {
            Phase::AwaitingMetadata(_) | Phase::Computing(..) => join_soon(turn, reason),
            Phase::Ready(_) | Phase::Syncing(..) => State::CompletingRebalance(self),
        }
    }

    pub(crate) fn advance(mut self, turn: &mut Turn<'_>) -> State {
        self.phase = match self.phase {
            Phase::AwaitingMetadata(leadership) => {
                let picture = &turn.member.picture;
                let told = leadership
                    .topics
                    .iter()
                    .all(|topic| picture.tells_about(topic));
                let waited = turn
                    .out
                    .timers
                    .deadline(GroupTimer::MetadataDeadline)
                    .is_none();
                if told || waited {
                    self.watch = Some(PartitionWatch::new(&leadership.topics, picture));
                    compute(&self.assignor, leadership, turn)
                } else {
                    Phase::AwaitingMetadata(leadership)
                }
            }
            Phase::Ready(assignments) => send(&self.assignor, assignments, turn),
            phase @ (Phase::Computing(..) | Phase::Syncing(..)) => phase,
        };
        State::CompletingRebalance(self)
    }

    pub(crate) fn on_assignment_computed(
        mut self,
        token: AssignmentToken,
        result: Result<Assignment, AssignError>,
        turn: &mut Turn<'_>,
    ) -> State {
        let leadership = match self.phase {
            Phase::Computing(expected, leadership) if expected == token => leadership,
            Phase::AwaitingMetadata(_)
            | Phase::Computing(..)
            | Phase::Ready(_)
            | Phase::Syncing(..) => {
                turn.out.counters.late_answers += 1;
                return State::CompletingRebalance(self);
            }
        };
        if let (Some(watch), Ok(assignment)) = (&mut self.watch, &result) {
            let given = assignment.iter().map(|(_, partitions)| partitions.len());
            watch.gives(given.sum());
        }
        let encoded = result
            .map_err(GroupError::Assignment)
            .and_then(|assignment| {
                let encoded = leadership.encode(&assignment);
                encoded.map_err(|error| GroupError::unencodable(Purpose::SyncGroup, &error))
            });
        match encoded {
            Ok(assignments) => {
                self.phase = Phase::Ready(assignments);
                State::CompletingRebalance(self)
            }
            Err(error) => {
                self.phase = Phase::Ready(Vec::new());
                Fatal::enter(State::CompletingRebalance(self), error, turn)
            }
        }
    }

    /// What was asked of the old coordinator is void: a new one does not know this rebalance, and
    /// the same one has lost the connection that it would answer on.
    pub(crate) fn on_coordinator_lost(self, turn: &mut Turn<'_>, reason: &str) -> State {
        match self.phase {
            Phase::Syncing(request, _) => {
                turn.out.abandon(request);
                turn.member.pacing.soon(turn.out, turn.now);
                PreparingRebalance::again(turn, reason)
            }
            Phase::AwaitingMetadata(_) | Phase::Computing(..) | Phase::Ready(_) => {
                State::CompletingRebalance(self)
            }
        }
    }

    pub(crate) fn on_sync(
        mut self,
        sent: &Sent,
        answer: Result<SyncGroupResponse, RequestFailure>,
        turn: &mut Turn<'_>,
    ) -> State {
        let assignments = match self.phase {
            Phase::Syncing(_, assignments) | Phase::Ready(assignments) => assignments,
            Phase::AwaitingMetadata(_) | Phase::Computing(..) => Vec::new(),
        };
        self.phase = Phase::Ready(assignments);
        let response = match answer {
            Ok(response) => response,
            Err(failure) => {
                let reason = format!("SyncGroup was not answered: {failure}");
                return match turn.unanswered(sent, failure) {
                    Ok(()) => join_soon(turn, &reason),
                    Err(error) => Fatal::enter(State::CompletingRebalance(self), error, turn),
                };
            }
        };
        let code = response.error_code;
        let said = format!("the coordinator answered SyncGroup with {code}");
        match code {
            ErrorCode::NONE => {
                turn.coordinator_answered(sent);
                self.synced(&response, turn)
            }
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => {
                turn.member.pacing.later(turn.out, turn.now);
                State::CompletingRebalance(self)
            }
            ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE => {
                turn.coordinator_lost(sent, &said);
                join_soon(turn, &said)
            }
            ErrorCode::REBALANCE_IN_PROGRESS => join_soon(turn, &said),
            ErrorCode::UNKNOWN_MEMBER_ID => {
                turn.member.pacing.soon(turn.out, turn.now);
                let state = State::CompletingRebalance(self);
                Unjoined::after_reset(state, Reset::MemberId, turn, &said)
            }
            ErrorCode::ILLEGAL_GENERATION => {
                turn.member.pacing.soon(turn.out, turn.now);
                let state = State::CompletingRebalance(self);
                Unjoined::after_reset(state, Reset::Generation, turn, &said)
            }
            _ => match turn.refusal(Purpose::SyncGroup, code) {
                Ok(()) => join_later(turn, &said),
                Err(error) => Fatal::enter(State::CompletingRebalance(self), error, turn),
            },
        }
    }

    /// There is an assignment; now it has to make sense.
    fn synced(self, response: &SyncGroupResponse, turn: &mut Turn<'_>) -> State {
        // Coordinators before SyncGroup version 5 name neither.
        let name = response
            .protocol_name
            .as_deref()
            .unwrap_or_else(|| self.assignor.name());
        let protocol_type = response.protocol_type.as_deref();
        let agreed = join::agreed_assignor(&turn.member.config, protocol_type, Some(name));
        let error = match agreed {
            Ok(assignor) if assignor.name() == self.assignor.name() => None,
            Ok(assignor) => Some(GroupError::InconsistentProtocol {
                group: turn.member.config.group_id.clone(),
                detail: format!(
                    "it joined with `{}` and synced with `{}`",
                    self.assignor.name(),
                    assignor.name()
                ),
            }),
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            return Fatal::enter(State::CompletingRebalance(self), error, turn);
        }
        let assigned = match read_assignment(&response.assignment) {
            Ok(assigned) => assigned,
            Err(reason) => return join_later(turn, &reason),
        };
        let topics = &turn.member.topics;
        if let Some(stray) = assigned.iter().find(|one| !topics.contains(&one.topic)) {
            let reason =
                format!("{stray} was assigned, but its topic is not subscribed to any more");
            return join_soon(turn, &reason);
        }
        let mut watch = self.watch;
        if let Some(watch) = &mut watch {
            watch.assigned(&assigned);
        }
        Reconciling::begin(assigned, watch, turn)
    }
}

fn join_soon(turn: &mut Turn<'_>, reason: &str) -> State {
    turn.member.pacing.soon(turn.out, turn.now);
    PreparingRebalance::again(turn, reason)
}

fn join_later(turn: &mut Turn<'_>, reason: &str) -> State {
    turn.member.pacing.later(turn.out, turn.now);
    PreparingRebalance::again(turn, reason)
}

fn compute(assignor: &Arc<dyn Assignor>, leadership: Leadership, turn: &mut Turn<'_>) -> Phase {
    let token = turn.out.next_assignment();
    let deadline = turn.now + turn.member.config.rebalance_timeout;
    turn.out
        .timers
        .set(GroupTimer::AssignmentDeadline, deadline);
    let cluster = Arc::clone(&turn.member.picture.cluster);
    let members = Arc::clone(&leadership.members);
    let reason = format!(
        "this member leads a group of {} and {}",
        counted(members.len(), "member"),
        counted(leadership.topics.len(), "topic")
    );
    turn.out.emit(GroupEvent::ComputeAssignment {
        token,
        job: AssignmentJob::new(Arc::clone(assignor), cluster, members),
        reason,
    });
    Phase::Computing(token, leadership)
}

fn send(
    assignor: &Arc<dyn Assignor>,
    assignments: Vec<SyncGroupRequestAssignment>,
    turn: &mut Turn<'_>,
) -> Phase {
    let resting = turn.out.timers.deadline(GroupTimer::JoinRetry).is_some();
    if resting || !turn.coordinator.is_known() {
        return Phase::Ready(assignments);
    }
    let config = &turn.member.config;
    let timeout = config.request_timeout;
    let request = SyncGroupRequest {
        group_id: config.group_id.as_str().to_owned(),
        generation_id: turn.member.identity.wire_generation(),
        member_id: turn.member.identity.member_id_text(),
        group_instance_id: config.instance_id_text(),
        protocol_type: Some(join::PROTOCOL_TYPE.to_owned()),
        protocol_name: Some(assignor.name().to_owned()),
        assignments: assignments.clone(),
    };
    match turn.send(Purpose::SyncGroup, request, timeout) {
        Some(id) => Phase::Syncing(id, assignments),
        None => Phase::Ready(assignments),
    }
}

/// The partitions in an assignment. No bytes at all mean none: some coordinators answer so to a
/// member that the leader forgot.
fn read_assignment(payload: &[u8]) -> Result<BTreeSet<TopicPartition>, String> {
    if payload.is_empty() {
        return Ok(BTreeSet::new());
    }
    let assignment = consumer_protocol::Assignment::decode(payload)
        .map_err(|error| format!("the leader's assignment cannot be read: {error}"))?;
    let partitions = assignment.partitions.iter();
    Ok(partitions.filter(|one| one.partition >= 0).collect())
}
