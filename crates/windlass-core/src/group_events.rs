//! What the group machine says, and what follows from it.

use std::collections::BTreeSet;
use std::time::Instant;

use windlass_group::{
    CallbackToken, CommitError, GroupError, GroupEvent, GroupMachine, OffsetFetchError,
};
use windlass_model::TopicPartition;

use crate::ConsumerError;
use crate::handover::Origin;
use crate::metadata::Interest;
use crate::{ConsumerCore, Effect};

impl ConsumerCore {
    pub(crate) fn on_group_event(&mut self, event: GroupEvent, now: Instant) {
        match event {
            GroupEvent::StateChanged { from, to, reason } => {
                tracing::debug!(%from, %to, reason, "the membership changed its state");
            }
            GroupEvent::CoordinatorFound {
                node,
                endpoint,
                reason,
            } => {
                tracing::debug!(%node, %endpoint, reason, "coordinator found");
            }
            GroupEvent::CoordinatorLost { node, reason } => {
                tracing::info!(%node, reason, "the coordinator is not known any more");
            }
            GroupEvent::Revoke {
                token,
                partitions,
                reason,
            } => {
                tracing::info!(?partitions, reason, "partitions are being revoked");
                let origin = self.origin(token, reason);
                self.begin_revocation(origin, partitions, now);
            }
            GroupEvent::Lost {
                token,
                partitions,
                reason,
            } => {
                tracing::warn!(?partitions, reason, "partitions are lost");
                self.ledger.lose(&partitions, &reason);
                let origin = self.origin(token, reason);
                self.begin_loss(origin, partitions, now);
            }
            GroupEvent::Assigned {
                token,
                added,
                owned,
                generation,
                reason,
            } => {
                tracing::info!(?added, ?owned, %generation, reason, "partitions are assigned");
                let origin = self.origin(token, reason);
                self.begin_group_assignment(origin, added, now);
            }
            GroupEvent::ComputeAssignment { token, job, reason } => {
                tracing::debug!(reason, "an assignment is computed");
                self.effects
                    .push_back(Effect::ComputeAssignment { token, job });
            }
            GroupEvent::MetadataNeeded { topics, reason } => {
                tracing::debug!(?topics, reason, "the group needs metadata");
                self.metadata.set_interest(Interest::Group, topics, now);
            }
            GroupEvent::CommitDone { id, results, .. } => self.commit_done(id, &results, now),
            GroupEvent::OffsetsFetched {
                id,
                results,
                is_last,
                ..
            } => {
                self.offsets_fetched(id, results, is_last, now);
            }
            GroupEvent::Left { reason } => {
                tracing::info!(reason, "left the group");
                self.finish_closing();
            }
            other => self.on_group_news(other),
        }
    }
}

impl ConsumerCore {
    /// The membership as it is now, for the listener.
    fn origin(&self, token: CallbackToken, reason: String) -> Origin {
        let group = self.group.as_ref();
        Origin {
            token: Some(token),
            generation: group.and_then(GroupMachine::generation),
            member_id: group.and_then(GroupMachine::member_id).cloned(),
            reason,
        }
    }

    /// What somebody has to know, and nothing follows from.
    fn on_group_news(&mut self, event: GroupEvent) {
        match event {
            GroupEvent::MemberIgnored { member_id, reason } => {
                tracing::warn!(%member_id, reason, "a member's subscription cannot be read");
            }
            GroupEvent::Failed { error, reason } => {
                tracing::error!(%error, reason, "the membership is over");
                self.failed = Some(group_error(error));
            }
            GroupEvent::Trouble { error, reason } => {
                tracing::warn!(%error, reason, "the group cannot be used as it should");
                self.errors.add(group_error(error));
            }
            GroupEvent::PollOverdueSoon { reason } => {
                tracing::warn!(reason, "the member will have to leave its group soon");
            }
            other => tracing::debug!(reason = other.reason(), "the group has news"),
        }
    }

    /// The rebalance is over: the auto-commit's interval begins anew.
    fn begin_group_assignment(
        &mut self,
        origin: Origin,
        added: BTreeSet<TopicPartition>,
        now: Instant,
    ) {
        if self.config.auto_commits() {
            self.auto_commit.restart(now);
        }
        self.begin_assignment(origin, added, now);
    }
}

pub(crate) fn group_error(error: GroupError) -> ConsumerError {
    match error {
        GroupError::GroupAuthorization { group } => ConsumerError::GroupAuthorization {
            group: group.to_string(),
        },
        GroupError::Fenced {
            instance_id: Some(instance_id),
        } => ConsumerError::Fenced { instance_id },
        other => ConsumerError::GroupRefused {
            detail: other.to_string(),
        },
    }
}

pub(crate) fn commit_error(error: CommitError, topic_partition: &TopicPartition) -> ConsumerError {
    match error {
        CommitError::RebalanceInProgress => ConsumerError::RebalanceInProgress,
        CommitError::MembershipLost { reason } => ConsumerError::CommitRefused { reason },
        CommitError::NotOwned => ConsumerError::NotAssigned {
            topic_partition: topic_partition.clone(),
            operation: "commit",
        },
        CommitError::Refused { code } => ConsumerError::Refused {
            operation: "commit",
            topic_partition: Some(topic_partition.clone()),
            code,
            advice: "see Kafka's documentation of this error".to_owned(),
        },
        CommitError::Group(error) => group_error(error),
        CommitError::TimedOut { waiting_for } => ConsumerError::Unreachable {
            operation: "commit",
            detail: waiting_for,
        },
        CommitError::Unanswered(failure) => ConsumerError::Unreachable {
            operation: "commit",
            detail: failure.detail,
        },
        other => ConsumerError::CommitRefused {
            reason: other.to_string(),
        },
    }
}

pub(crate) fn offset_fetch_error(
    error: OffsetFetchError,
    topic_partition: Option<&TopicPartition>,
) -> ConsumerError {
    match error {
        OffsetFetchError::Refused { code } => ConsumerError::Refused {
            operation: "fetching committed offsets",
            topic_partition: topic_partition.cloned(),
            code,
            advice: "see Kafka's documentation of this error".to_owned(),
        },
        OffsetFetchError::Group(error) => group_error(error),
        OffsetFetchError::TimedOut { waiting_for } => ConsumerError::Unreachable {
            operation: "fetching committed offsets",
            detail: waiting_for,
        },
        other => ConsumerError::Unreachable {
            operation: "fetching committed offsets",
            detail: other.to_string(),
        },
    }
}
