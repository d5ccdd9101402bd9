//! The end: commit, let go, leave.

use std::time::Instant;

use windlass_group::{CommitMode, LeaveMode};
use windlass_machine::Wakeup;

use crate::ConsumerError;
use crate::core::Subscription;
use crate::offsets::CommitPurpose;
use crate::{ConsumerCore, OperationId};

/// A consumer that closes. Whatever happens, it is over at the deadline.
#[derive(Debug)]
pub(crate) struct Closing {
    operation: OperationId,
    deadline: Instant,
    steps_until: Instant,
}

impl Closing {
    /// When the steps before the last one have to be over: a tenth of the time is left for leaving
    /// the group.
    pub(crate) const fn steps_until(&self) -> Instant {
        self.steps_until
    }

    pub(crate) const fn poll_timeout(&self) -> Option<Wakeup> {
        Some(Wakeup {
            at: self.deadline,
            reason: "closing takes too long",
        })
    }
}

impl ConsumerCore {
    /// Begins the farewell. The group machine asks for the partitions back, which commits what the
    /// application has said to be done with: one that vanished may have been in the middle of more.
    pub(crate) fn close(&mut self, operation: OperationId, deadline: Instant, now: Instant) {
        if self.closing.is_some() {
            self.fail(operation, ConsumerError::Closed);
            return;
        }
        self.auto_commit.stop();
        let steps_until = now + deadline.saturating_duration_since(now) * 9 / 10;
        self.closing = Some(Closing {
            operation,
            deadline,
            steps_until,
        });
        self.hasten_handovers(steps_until, now);
        self.advance_handovers_of_present_application(now);
        if matches!(self.subscription, Subscription::Partitions(_)) && self.config.auto_commits() {
            let offsets = self.auto_commit_offsets(&self.deliverable());
            if !offsets.is_empty() {
                self.send_commit(
                    offsets,
                    CommitMode::Sync {
                        deadline: steps_until,
                    },
                    CommitPurpose::Closing,
                    now,
                );
            }
        }
        if self.group.is_none() {
            self.finish_closing();
        } else {
            self.with_group(|group| {
                group.leave(LeaveMode::Default, deadline, "the consumer was closed", now);
            });
        }
    }

    pub(crate) const fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    pub(crate) fn closing_due(&mut self, now: Instant) {
        if self
            .closing
            .as_ref()
            .is_some_and(|closing| closing.deadline <= now)
        {
            tracing::warn!(
                "closing took longer than allowed: the coordinator will notice by the session timeout"
            );
            self.finish_closing();
        }
    }

    /// There is nothing left to do: the group machine has left, or the time is over.
    pub(crate) fn finish_closing(&mut self) {
        if let Some(closing) = self.closing.take() {
            self.closed = true;
            self.done(closing.operation);
        }
    }
}
