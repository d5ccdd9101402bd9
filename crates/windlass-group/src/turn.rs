//! One input's worth of work on the membership.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use windlass_machine::{RequestFailure, RequestId};
use windlass_model::{TopicName, TopicPartition};
use windlass_protocol::{ErrorCode, RequestKind};

use crate::coordinator::{Coordinator, is_hopeless};
use crate::event::CallbackToken;
use crate::identity::Reset;
use crate::member::Member;
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
            | Purpose::OffsetFetch => self.coordinator.address()?,
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

    /// No answer came: an error where there is no point in trying again.
    pub(crate) fn unanswered(
        &mut self,
        sent: &Sent,
        failure: RequestFailure,
    ) -> Result<(), GroupError> {
        if is_hopeless(&failure) {
            let api = sent.purpose.api();
            return Err(GroupError::Unsendable { api, failure });
        }
        let reason = format!("{} was not answered: {failure}", sent.purpose.api());
        self.coordinator_lost(sent, &reason);
        Ok(())
    }

    /// The error that a code without a meaning of its own for the API amounts to; `None` where it
    /// may pass.
    pub(crate) fn refusal(&self, purpose: Purpose, code: ErrorCode) -> Option<GroupError> {
        let api = purpose.api();
        GroupError::from_code(code, &self.member.config)
            .or_else(|| (!code.is_retriable()).then_some(GroupError::Refused { api, code }))
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
        } else {
            let deadline = self.now + self.member.config.rebalance_timeout;
            self.out.timers.set(GroupTimer::PollInterval, deadline);
        }
    }
}
