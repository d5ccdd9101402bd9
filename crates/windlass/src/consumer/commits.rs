//! Committing, and what has been committed.

use std::collections::BTreeMap;

use tokio::sync::oneshot;
use tokio::time::Instant;
use windlass_core::{CommitWhat, Intent};
use windlass_model::{OffsetAndMetadata, TopicPartition};

use super::Consumer;
use crate::ConsumerError;
use crate::command::{Outcome, answer_of, offsets_of};

impl Consumer {
    /// Commits everything handed out so far, and waits until the group holds it. With `recv` and
    /// streams that is up to and including the last record given. Mirrors `commitSync`.
    ///
    /// # Errors
    ///
    /// Retries what may pass until `default.api.timeout.ms`. [`ConsumerError::CommitRefused`] and
    /// [`ConsumerError::RebalanceInProgress`] mean that the group moved on: keep polling.
    ///
    /// # Cancel safety
    ///
    /// The commit is sent by the first poll of the future. Dropping the future later loses the answer
    /// only.
    pub async fn commit(&mut self) -> Result<(), ConsumerError> {
        self.commit_what(CommitWhat::HandedOut).await
    }

    /// As [`Consumer::commit`], for these offsets, each the *next* one to read.
    ///
    /// # Errors
    ///
    /// As [`Consumer::commit`]; also [`ConsumerError::NotAssigned`].
    pub async fn commit_offsets<O: Into<OffsetAndMetadata>>(
        &mut self,
        offsets: impl IntoIterator<Item = (TopicPartition, O)>,
    ) -> Result<(), ConsumerError> {
        let offsets = offsets
            .into_iter()
            .map(|(partition, offset)| (partition, offset.into()))
            .collect();
        self.commit_what(CommitWhat::Offsets(offsets)).await
    }

    /// Sends a commit of everything handed out so far without waiting for the answer, which the
    /// returned value holds for those who want it. It is never retried, so that an older commit
    /// cannot overtake a newer one. Mirrors `commitAsync`.
    pub fn commit_async(&mut self) -> PendingCommit {
        let intent = Intent::Commit {
            what: CommitWhat::HandedOut,
            retry_until: None,
        };
        let progress = self.progress();
        let timeout = self.commands.default_timeout();
        let (_, answer) = self.commands.send(intent, progress, timeout);
        PendingCommit { answer }
    }

    /// The offsets the group has committed for these partitions; `None` where it has none.
    ///
    /// # Errors
    ///
    /// [`ConsumerError::NoGroup`] without `group.id`; what the coordinator refused.
    pub async fn committed(
        &mut self,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> Result<BTreeMap<TopicPartition, Option<OffsetAndMetadata>>, ConsumerError> {
        offsets_of(
            self.call(Intent::Committed(partitions.into_iter().collect()))
                .await,
        )
    }

    async fn commit_what(&mut self, what: CommitWhat) -> Result<(), ConsumerError> {
        let retry_until = Some((Instant::now() + self.commands.default_timeout()).into_std());
        let intent = Intent::Commit { what, retry_until };
        self.call(intent).await.map(drop)
    }
}

/// A commit on its way. Dropping it abandons the answer, not the commit.
#[derive(Debug)]
pub struct PendingCommit {
    answer: oneshot::Receiver<Outcome>,
}

impl PendingCommit {
    /// Waits until the group holds the offsets.
    ///
    /// # Errors
    ///
    /// As [`Consumer::commit`], but without any retry.
    pub async fn wait(self) -> Result<(), ConsumerError> {
        answer_of(self.answer).await.map(drop)
    }
}
