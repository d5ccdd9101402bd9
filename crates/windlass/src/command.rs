//! The way from the application's side to the driver, and back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use windlass_core::{CommitWhat, Intent, OperationId, Progress, Reply, SeekTo};
use windlass_model::{OffsetAndMetadata, TopicPartition};

use crate::ConsumerError;

/// The longest wait: a century, so that no deadline is beyond what a clock can tell.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// An answer of the driver's.
pub(crate) type Outcome = Result<Reply, ConsumerError>;

/// Something asked of the driver.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) operation: OperationId,
    pub(crate) intent: Intent,
    pub(crate) progress: Progress,
    pub(crate) timeout: Duration,
    pub(crate) answer: oneshot::Sender<Outcome>,
}

/// The application's end of the channel to the driver. Clones share the count of operations.
#[derive(Clone, Debug)]
pub(crate) struct Commands {
    sender: mpsc::UnboundedSender<Command>,
    counter: Arc<AtomicU64>,
    timeout: Duration,
}

impl Commands {
    pub(crate) fn new(sender: mpsc::UnboundedSender<Command>, timeout: Duration) -> Self {
        Self {
            sender,
            counter: Arc::new(AtomicU64::new(0)),
            timeout,
        }
    }

    /// A copy that does not keep the driver alive.
    pub(crate) fn downgrade(&self) -> WeakCommands {
        WeakCommands {
            sender: self.sender.downgrade(),
            counter: Arc::clone(&self.counter),
            timeout: self.timeout,
        }
    }

    /// Hands a command over without waiting for its answer.
    pub(crate) fn send(
        &self,
        intent: Intent,
        progress: Progress,
        timeout: Duration,
    ) -> (OperationId, oneshot::Receiver<Outcome>) {
        let operation = OperationId(self.counter.fetch_add(1, Ordering::Relaxed) + 1);
        let (answer, receiver) = oneshot::channel();
        let timeout = timeout.min(LONGEST);
        // A driver that is gone drops the answer's sender, which the receiver sees as closed.
        drop(self.sender.send(Command {
            operation,
            intent,
            progress,
            timeout,
            answer,
        }));
        (operation, receiver)
    }

    pub(crate) const fn default_timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) async fn call(&self, intent: Intent, progress: Progress) -> Outcome {
        let (_, receiver) = self.send(intent, progress, self.timeout);
        answer_of(receiver).await
    }
}

/// Waits for an answer; a driver that ended without one means that the consumer is closed.
pub(crate) async fn answer_of(receiver: oneshot::Receiver<Outcome>) -> Outcome {
    receiver.await.unwrap_or(Err(ConsumerError::Closed))
}

/// As [`Commands`], without keeping the driver alive.
#[derive(Clone, Debug)]
pub(crate) struct WeakCommands {
    sender: mpsc::WeakUnboundedSender<Command>,
    counter: Arc<AtomicU64>,
    timeout: Duration,
}

impl WeakCommands {
    fn upgrade(&self) -> Result<Commands, ConsumerError> {
        let sender = self.sender.upgrade().ok_or(ConsumerError::Closed)?;
        Ok(Commands {
            sender,
            counter: Arc::clone(&self.counter),
            timeout: self.timeout,
        })
    }
}

/// What a rebalance listener may do with the consumer while partitions move (KIP-1306): commit,
/// look up positions, seek, pause and resume. Polling, subscribing and closing are not among it.
#[derive(Clone, Debug)]
pub struct RebalanceHandle {
    commands: WeakCommands,
}

impl RebalanceHandle {
    pub(crate) const fn new(commands: WeakCommands) -> Self {
        Self { commands }
    }

    /// Commits these offsets, each the next one to read, and waits until the group holds them.
    ///
    /// # Errors
    ///
    /// As [`Consumer::commit_offsets`](crate::Consumer::commit_offsets).
    pub async fn commit_offsets(
        &self,
        offsets: impl IntoIterator<Item = (TopicPartition, OffsetAndMetadata)>,
    ) -> Result<(), ConsumerError> {
        let what = CommitWhat::Offsets(offsets.into_iter().collect());
        self.commit_what(what).await
    }

    /// Commits everything that the application is done with, and waits until the group holds it:
    /// what it was handed, but of records that it takes one by one those that it took.
    ///
    /// # Errors
    ///
    /// As [`Consumer::commit`](crate::Consumer::commit).
    pub async fn commit(&self) -> Result<(), ConsumerError> {
        self.commit_what(CommitWhat::Finished).await
    }

    async fn commit_what(&self, what: CommitWhat) -> Result<(), ConsumerError> {
        let commands = self.commands.upgrade()?;
        let retry_until = Some(tokio::time::Instant::now().into_std() + commands.default_timeout());
        let intent = Intent::Commit { what, retry_until };
        commands.call(intent, Progress::default()).await.map(drop)
    }

    /// The offset after what the application is done with in the partition.
    ///
    /// # Errors
    ///
    /// As [`Consumer::position`](crate::Consumer::position).
    pub async fn position(&self, partition: &TopicPartition) -> Result<i64, ConsumerError> {
        let commands = self.commands.upgrade()?;
        let intent = Intent::FinishedPosition(partition.clone());
        position_of(commands.call(intent, Progress::default()).await)
    }

    /// Makes `offset` the next one to be handed out of the partition.
    ///
    /// # Errors
    ///
    /// As [`Consumer::seek`](crate::Consumer::seek).
    pub async fn seek(
        &self,
        partition: &TopicPartition,
        offset: impl Into<OffsetAndMetadata>,
    ) -> Result<(), ConsumerError> {
        let intent = Intent::Seek(partition.clone(), SeekTo::Offset(offset.into()));
        self.commands
            .upgrade()?
            .call(intent, Progress::default())
            .await
            .map(drop)
    }

    /// As [`Consumer::pause`](crate::Consumer::pause).
    ///
    /// # Errors
    ///
    /// As [`Consumer::pause`](crate::Consumer::pause).
    pub async fn pause(&self, partitions: &[TopicPartition]) -> Result<(), ConsumerError> {
        let intent = Intent::Pause {
            partitions: partitions.iter().cloned().collect(),
            returned: Vec::new(),
        };
        self.commands
            .upgrade()?
            .call(intent, Progress::default())
            .await
            .map(drop)
    }

    /// As [`Consumer::resume`](crate::Consumer::resume).
    ///
    /// # Errors
    ///
    /// As [`Consumer::resume`](crate::Consumer::resume).
    pub async fn resume(&self, partitions: &[TopicPartition]) -> Result<(), ConsumerError> {
        let intent = Intent::Resume(partitions.iter().cloned().collect());
        self.commands
            .upgrade()?
            .call(intent, Progress::default())
            .await
            .map(drop)
    }
}

pub(crate) fn position_of(outcome: Outcome) -> Result<i64, ConsumerError> {
    match outcome? {
        Reply::Position(position) => Ok(position),
        _ => Err(ConsumerError::Closed),
    }
}

pub(crate) fn partitions_of(outcome: Outcome) -> Result<BTreeSet<TopicPartition>, ConsumerError> {
    match outcome? {
        Reply::Partitions(partitions) => Ok(partitions),
        _ => Err(ConsumerError::Closed),
    }
}

pub(crate) fn offsets_of(
    outcome: Outcome,
) -> Result<BTreeMap<TopicPartition, Option<OffsetAndMetadata>>, ConsumerError> {
    match outcome? {
        Reply::Offsets(offsets) => Ok(offsets),
        _ => Err(ConsumerError::Closed),
    }
}
