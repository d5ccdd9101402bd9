//! Where the group's coordinator is.

use std::time::Instant;

use windlass_machine::{Backoff, Destination, RequestFailure, RequestId};
use windlass_model::{BrokerEndpoint, NodeId};
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};

use crate::identity::Identity;
use crate::incarnation::Incarnation;
use crate::outputs::{Outputs, Purpose};
use crate::timer::GroupTimer;
use crate::{GroupConfig, GroupError, GroupEvent};

/// The key type of a group in FindCoordinator.
const GROUP_KEY: i8 = 0;

/// The coordinator, looked for when somebody wants it. Losing it never touches the membership.
#[derive(Debug)]
pub(crate) struct Coordinator {
    status: Status,
    incarnation: Incarnation,
    backoff: Backoff,
    failed_lookups: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Unknown,
    Asked(RequestId),
    Known(NodeId),
}

impl Coordinator {
    pub(crate) fn new(config: &GroupConfig) -> Self {
        Self {
            status: Status::Unknown,
            incarnation: Incarnation::default(),
            backoff: Backoff::new(config.retry_backoff, config.retry_backoff_max),
            failed_lookups: 0,
        }
    }

    /// Where to send what is meant for the coordinator, if it is known.
    pub(crate) const fn address(&self) -> Option<(Destination, Incarnation)> {
        match self.status {
            Status::Known(node) => Some((Destination::Coordinator(node), self.incarnation)),
            Status::Unknown | Status::Asked(_) => None,
        }
    }

    /// Where to send what the coordinator may hold until the other members have come.
    pub(crate) const fn joining_address(&self) -> Option<(Destination, Incarnation)> {
        match self.status {
            Status::Known(node) => Some((Destination::Joining(node), self.incarnation)),
            Status::Unknown | Status::Asked(_) => None,
        }
    }

    pub(crate) const fn is_known(&self) -> bool {
        matches!(self.status, Status::Known(_))
    }

    /// Which finding holds now.
    pub(crate) const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// How many lookups failed since the coordinator was known.
    pub(crate) const fn failed_lookups(&self) -> u32 {
        self.failed_lookups
    }

    /// Looks for the coordinator, unless it is known, being looked for, or to be let alone for a
    /// while.
    pub(crate) fn ensure(&mut self, config: &GroupConfig, out: &mut Outputs, now: Instant) {
        let resting = out.timers.deadline(GroupTimer::CoordinatorRetry).is_some();
        if self.status != Status::Unknown || resting {
            return;
        }
        let request = FindCoordinatorRequest {
            key_type: GROUP_KEY,
            coordinator_keys: vec![config.group_id.as_str().to_owned()],
        };
        let id = out.send(
            Purpose::FindCoordinator,
            (Destination::Any, self.incarnation),
            Identity::default(),
            request,
            now + config.request_timeout,
        );
        self.status = Status::Asked(id);
    }

    /// The answer to a lookup. An error is one that somebody has to see to; unless it is final, the
    /// coordinator is looked for again after a pause.
    pub(crate) fn on_answer(
        &mut self,
        answer: Result<FindCoordinatorResponse, RequestFailure>,
        config: &GroupConfig,
        out: &mut Outputs,
        now: Instant,
    ) -> Result<(), GroupError> {
        self.status = Status::Unknown;
        match found(answer, config) {
            Ok((node, endpoint)) => {
                self.incarnation.0 += 1;
                self.failed_lookups = 0;
                self.status = Status::Known(node);
                let reason = format!(
                    "a broker named {endpoint} as the coordinator of `{}`",
                    config.group_id
                );
                out.emit(GroupEvent::CoordinatorFound {
                    node,
                    endpoint,
                    reason,
                });
                Ok(())
            }
            Err(Lookup::Later) => {
                self.failed_lookups = self.failed_lookups.saturating_add(1);
                self.rest(out, now);
                Ok(())
            }
            Err(Lookup::Refused(error)) => {
                self.failed_lookups = self.failed_lookups.saturating_add(1);
                if !error.is_final() {
                    self.rest(out, now);
                }
                Err(error)
            }
        }
    }

    /// The coordinator of that incarnation is not to be trusted any more. Says whether that is news.
    pub(crate) fn lost(
        &mut self,
        incarnation: Incarnation,
        reason: &str,
        out: &mut Outputs,
        now: Instant,
    ) -> bool {
        let Status::Known(node) = self.status else {
            return false;
        };
        if incarnation != self.incarnation {
            return false;
        }
        self.status = Status::Unknown;
        // The first loss is answered at once; a coordinator that is found again and again but never
        // answers is looked for ever more slowly.
        if self.backoff.failures() == 0 {
            self.backoff.next(&mut out.random);
        } else {
            self.rest(out, now);
        }
        out.emit(GroupEvent::CoordinatorLost {
            node,
            reason: reason.to_owned(),
        });
        true
    }

    /// The coordinator of that incarnation did its work: the next loss is answered at once.
    pub(crate) fn answered(&mut self, incarnation: Incarnation) {
        if incarnation == self.incarnation {
            self.backoff.reset();
        }
    }

    fn rest(&mut self, out: &mut Outputs, now: Instant) {
        let pause = self.backoff.next(&mut out.random);
        out.timers.set(GroupTimer::CoordinatorRetry, now + pause);
    }
}

enum Lookup {
    Later,
    Refused(GroupError),
}

fn found(
    answer: Result<FindCoordinatorResponse, RequestFailure>,
    config: &GroupConfig,
) -> Result<(NodeId, BrokerEndpoint), Lookup> {
    let api = Purpose::FindCoordinator.api();
    let response = match answer {
        Ok(response) => response,
        Err(failure) if is_hopeless(&failure) => {
            return Err(Lookup::Refused(GroupError::Unsendable { api, failure }));
        }
        Err(_) => return Err(Lookup::Later),
    };
    let group = config.group_id.as_str();
    // Brokers before FindCoordinator version 4 do not repeat the key.
    let mut coordinators = response.coordinators.into_iter();
    let Some(coordinator) = coordinators.find(|one| one.key == group || one.key.is_empty()) else {
        return Err(Lookup::Later);
    };
    let code = coordinator.error_code;
    if code != ErrorCode::NONE {
        return Err(match GroupError::from_code(code, config) {
            Some(error) => Lookup::Refused(error),
            None if code.is_retriable() => Lookup::Later,
            None => Lookup::Refused(GroupError::Refused { api, code }),
        });
    }
    let Ok(port) = u16::try_from(coordinator.port) else {
        return Err(Lookup::Later);
    };
    let endpoint = BrokerEndpoint::new(coordinator.host, port);
    Ok((NodeId(coordinator.node_id), endpoint))
}

/// Whether sending the request again cannot help. A request that was given up because the driver
/// closes is not hopeless: nothing is wrong with the group.
pub(crate) const fn is_hopeless(failure: &RequestFailure) -> bool {
    use windlass_machine::FailureKind;
    match failure.kind {
        FailureKind::Disconnected
        | FailureKind::TimedOut
        | FailureKind::Undecodable
        | FailureKind::Closed => false,
        FailureKind::UnsupportedVersion
        | FailureKind::Unencodable
        | FailureKind::AuthenticationFailed => true,
    }
}
