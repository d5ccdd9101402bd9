//! One input's worth of work on the membership.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use windlass_assignor::RebalanceProtocol;
use windlass_machine::{RequestFailure, RequestId};
use windlass_model::{TopicName, TopicPartition};
use windlass_protocol::{ErrorCode, RequestKind};

use crate::classic::leave;
use crate::classic::member::Member;
use crate::classic::partition_watch::Leftover;
use crate::coordinator::{Coordinator, is_hopeless};
use crate::event::CallbackToken;
use crate::identity::Reset;
use crate::outputs::{Outputs, Purpose, Sent};
use crate::timer::GroupTimer;
use crate::{GroupError, GroupEvent};

/// What a state needs to take its turn: the member it belongs to, the coordinator, somewhere to
/// speak, and the time.
pub(crate) struct Turn<'a> {
    pub(crate) member: &'a mut Member,
    pub(crate) coordinator: &'a mut Coordinator,
    pub(crate) out: &'a mut Outputs,
    pub(crate) now: Instant,
    /// Whether the coordinator has not answered a commit yet, which the join must not overtake.
    pub(crate) commit_under_way: bool,
}

/// Something the application was asked to do, and what it gives up by having done it.
#[derive(Debug)]
pub(crate) struct Callback {
    pub(crate) token: CallbackToken,
    pub(crate) gives_up: BTreeSet<TopicPartition>,
}

impl Turn<'_> {
    /// Sends to the coordinator; `None` where it is not known.
    pub(crate) fn send(
        &mut self,
        purpose: Purpose,
        request: impl Into<RequestKind>,
        timeout: Duration,
    ) -> Option<RequestId> {
        let address = match purpose {
            Purpose::JoinGroup | Purpose::SyncGroup => self.coordinator.joining_address()?,
            Purpose::FindCoordinator
            | Purpose::Heartbeat
            | Purpose::LeaveGroup
            | Purpose::OffsetCommit
            | Purpose::OffsetFetch
            | Purpose::DescribeGroups => self.coordinator.address()?,
        };
        let identity = self.member.identity.clone();
        let deadline = self.now + timeout;
        Some(self.out.send(purpose, address, identity, request, deadline))
    }

    /// The coordinator did not answer, or says it is none.
    pub(crate) fn coordinator_lost(&mut self, sent: &Sent, reason: &str) {
        self.coordinator
            .lost(sent.incarnation, reason, self.out, self.now);
    }

    /// The coordinator did its work.
    pub(crate) fn coordinator_answered(&mut self, sent: &Sent) {
        self.coordinator.answered(sent.incarnation);
    }

    /// No answer came: an error where there is no point in trying again. What only this broker cannot
    /// do, or cannot do now, is told; another may be the coordinator by the next time.
    pub(crate) fn unanswered(
        &mut self,
        sent: &Sent,
        failure: RequestFailure,
    ) -> Result<(), GroupError> {
        let api = sent.purpose.api();
        let reason = format!("{api} was not answered: {failure}");
        if is_hopeless(&failure) {
            let error = GroupError::Unsendable { api, failure };
            if error.is_final() {
                return Err(error);
            }
            self.tell(error);
        }
        self.coordinator_lost(sent, &reason);
        Ok(())
    }

    /// What a code without a meaning of its own for the API amounts to: an error where it ends the
    /// membership. What may pass is told where somebody has to see to it, and tried again.
    pub(crate) fn refusal(&mut self, purpose: Purpose, code: ErrorCode) -> Result<(), GroupError> {
        let api = purpose.api();
        let error = GroupError::from_code(code, &self.member.config)
            .or_else(|| (!code.is_retriable()).then_some(GroupError::Refused { api, code }));
        match error {
            Some(error) if error.is_final() => Err(error),
            Some(error) => {
                self.tell(error);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Tells of what may pass.
    pub(crate) fn tell(&mut self, error: GroupError) {
        let reason = format!("{}: {error}", self.out.state());
        self.out.emit(GroupEvent::Trouble { error, reason });
    }

    /// Tells the group that the member goes, if it has a place there, without waiting for the answer.
    /// `parked` says that the coordinator holds a join of this member, and reads nothing behind it.
    pub(crate) fn send_leave(
        &mut self,
        parked: bool,
        reason: &str,
        timeout: Duration,
    ) -> Option<RequestId> {
        if self.member.identity.member_id.is_empty() {
            return None;
        }
        let request = leave::request(self.member, reason);
        // Nor must it wait behind a commit that takes its time.
        let address = match self.commit_under_way && !parked {
            true => self.coordinator.joining_address()?,
            false => self.coordinator.address()?,
        };
        let identity = self.member.identity.clone();
        let deadline = self.now + timeout;
        let purpose = Purpose::LeaveGroup;
        Some(self.out.send(purpose, address, identity, request, deadline))
    }

    /// Asks the application to give up partitions.
    pub(crate) fn revoke(
        &mut self,
        partitions: BTreeSet<TopicPartition>,
        reason: &str,
    ) -> Callback {
        let token = self.open_callback();
        self.out.emit(GroupEvent::Revoke {
            token,
            partitions: partitions.clone(),
            reason: reason.to_owned(),
        });
        Callback {
            token,
            gives_up: partitions,
        }
    }

    /// Takes everything away, at once, and tells the application if there was anything.
    pub(crate) fn lose_all(&mut self, reason: &str) -> Option<Callback> {
        let partitions = self.member.ownership.take_all();
        if partitions.is_empty() {
            return None;
        }
        let token = self.open_callback();
        self.out.emit(GroupEvent::Lost {
            token,
            partitions,
            reason: reason.to_owned(),
        });
        Some(Callback {
            token,
            gives_up: BTreeSet::new(),
        })
    }

    /// A new token with the rebalance timeout to be given back in.
    pub(crate) fn open_callback(&mut self) -> CallbackToken {
        let deadline = self.now + self.member.config.rebalance_timeout;
        self.out.timers.set(GroupTimer::CallbackDeadline, deadline);
        self.out.next_callback()
    }

    /// The application has done what it was asked, or has had its time.
    pub(crate) fn close_callback(&mut self, callback: &Callback) {
        self.out.timers.clear(GroupTimer::CallbackDeadline);
        self.member.ownership.remove(&callback.gives_up);
    }

    /// The coordinator does not accept who we say we are.
    pub(crate) fn reset_identity(&mut self, reset: Reset) {
        self.member.identity.reset(reset);
    }

    /// Says which topics the cluster pictures must show; in place of what was said before.
    pub(crate) fn need_topics(&mut self, topics: &BTreeSet<TopicName>, reason: &str) {
        let picture = &mut self.member.picture;
        if picture.needed.keys().eq(topics.iter()) {
            return;
        }
        let version = picture.version;
        let before = std::mem::take(&mut picture.needed);
        picture.needed = topics
            .iter()
            .map(|topic| {
                let asked = before.get(topic).copied().unwrap_or(version);
                (topic.clone(), asked)
            })
            .collect::<BTreeMap<_, _>>();
        self.out.emit(GroupEvent::MetadataNeeded {
            topics: topics.clone(),
            reason: reason.to_owned(),
        });
    }

    /// The application need not poll any more, or has just gone away from polling.
    pub(crate) fn arm_poll_interval(&mut self) {
        if self.member.application_polls {
            self.out.timers.clear(GroupTimer::PollInterval);
            self.out.timers.clear(GroupTimer::PollWarning);
        } else {
            let limit = self.member.config.rebalance_timeout;
            self.member.away_since = Some(self.now);
            let timers = &mut self.out.timers;
            timers.set(GroupTimer::PollInterval, self.now + limit);
            timers.set(GroupTimer::PollWarning, self.now + limit * 2 / 3);
        }
    }

    /// Whether the leader of a cooperative group has left partitions without an owner in a way that it
    /// did not the time before: a strategy that gives some to nobody does so again and again.
    pub(crate) fn awaits_second_round(&mut self, leftover: Option<Leftover>) -> bool {
        let before = std::mem::replace(&mut self.member.leftover, leftover);
        let protocol = self.member.config.rebalance_protocol();
        protocol == RebalanceProtocol::Cooperative
            && matches!(self.member.leftover, Some(Leftover::Count(count)) if count > 0)
            && before != self.member.leftover
    }

    /// How long the application has not polled, what the limit is, and what to do.
    pub(crate) fn poll_overdue(&self) -> String {
        let since = self.member.away_since.unwrap_or(self.now);
        let away = self.now.saturating_duration_since(since);
        let limit = self.member.config.rebalance_timeout;
        format!(
            "the application has not polled for {} s, and max.poll.interval.ms allows {} s: poll more often, take fewer records, or raise it",
            away.as_secs_f64(),
            limit.as_secs_f64()
        )
    }
}
