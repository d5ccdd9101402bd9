//! The consumer, as the application holds it.

mod commits;
mod positions;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use windlass_core::{Application, CutRecord, Intent, NextStep, OperationId, Progress};
use windlass_fetch::TakenRecords;
use windlass_model::{TopicName, TopicPartition};

pub use self::commits::PendingCommit;
use crate::command::{Commands, Outcome, answer_of, partitions_of};
use crate::records::{Batch, Unreadable};
use crate::{
    Config, ConsumerBuilder, ConsumerError, Deserializer, OwnedRecord, RecordStream, Records,
    TypedConsumer,
};

/// A member of a consumer group, or a reader of partitions chosen by hand. Mirrors Kafka's
/// `KafkaConsumer`.
///
/// A background task keeps the membership alive and fetches ahead; this value asks it for records
/// and tells it what to commit. Every call takes `&mut self` where order matters, so one consumer
/// serves one task; start one consumer a task to share a topic.
///
/// # Cancellation
///
/// Dropping the future of any method loses no record and corrupts nothing. A `poll` or `recv` that
/// is dropped leaves its records to the next call; any other call that is dropped is still carried
/// out, and only its answer is lost.
///
/// # Dropping
///
/// Dropping the consumer never blocks: the background task leaves the group by itself. It commits
/// only what the application came back from. [`Consumer::close`] does so at once and waits.
#[derive(Debug)]
pub struct Consumer {
    commands: Commands,
    attention: Arc<AtomicU64>,
    max_poll_records: usize,
    /// What is here, and how far the application is.
    application: Application<Result<OwnedRecord, ConsumerError>>,
    /// Where the answer to a poll arrives that has not been taken yet.
    pending: Option<oneshot::Receiver<Outcome>>,
    /// Where records that were handed out turned out to be unreadable.
    unreadable: (Unreadable, mpsc::UnboundedReceiver<(TopicPartition, i64)>),
}

impl Consumer {
    /// Begins a configuration.
    #[must_use]
    pub fn builder() -> ConsumerBuilder {
        ConsumerBuilder::new()
    }

    pub(crate) fn new(commands: Commands, attention: Arc<AtomicU64>, config: &Config) -> Self {
        Self {
            commands,
            attention,
            max_poll_records: config.max_poll_records,
            application: Application::new(
                (config.max_poll_interval / 8).min(Duration::from_secs(1)),
                now(),
            ),
            pending: None,
            unreadable: mpsc::unbounded_channel(),
        }
    }

    /// Waits up to `timeout` for records and hands out at most `max.poll.records` of them, grouped
    /// by partition; none where none came in time.
    ///
    /// Calling it says that the application is done with what it was handed before: the auto-commit
    /// may cover that, and partitions it came from may go to other members. It has to be called at
    /// least every `max.poll.interval.ms`.
    ///
    /// # Errors
    ///
    /// What went wrong in the background since the last call, one thing a call; records wait for the
    /// next call meanwhile. [`ConsumerError::advice`] says whether to go on.
    ///
    /// # Cancel safety
    ///
    /// Safe: records that were on their way are handed out by the next call.
    pub async fn poll(&mut self, timeout: Duration) -> Result<Records, ConsumerError> {
        self.refill(Some(timeout)).await?;
        Ok(Records::new(self.application.take(), &self.unreadable.0))
    }

    /// Waits for the next record and hands it out as a value of its own.
    ///
    /// Calling it says that the application is done with the record before. Meant for convenience:
    /// [`Consumer::poll`] is several times faster, since it copies nothing.
    ///
    /// # Errors
    ///
    /// As [`Consumer::poll`].
    ///
    /// # Cancel safety
    ///
    /// Safe: no record is lost.
    pub async fn recv(&mut self) -> Result<OwnedRecord, ConsumerError> {
        loop {
            self.refill(None).await?;
            if let Some(record) = self.next_delivered() {
                return record;
            }
        }
    }

    /// The records as a stream that never ends by itself; each as [`Consumer::recv`] gives it.
    pub const fn stream(&mut self) -> RecordStream<'_> {
        RecordStream::new(self)
    }

    /// A view of this consumer that hands out values of type `T`.
    pub const fn typed<T, D: Deserializer<T>>(
        &mut self,
        deserializer: D,
    ) -> TypedConsumer<'_, T, D> {
        TypedConsumer::new(self, deserializer)
    }

    /// Subscribes to these topics in place of the earlier ones: the group shares their partitions.
    ///
    /// # Errors
    ///
    /// [`ConsumerError::NoGroup`] without `group.id`.
    pub async fn subscribe<T: Into<TopicName>>(
        &mut self,
        topics: impl IntoIterator<Item = T>,
    ) -> Result<(), ConsumerError> {
        let topics = topics.into_iter().map(Into::into).collect();
        self.call(Intent::Subscribe(topics)).await.map(drop)
    }

    /// Gives every partition back and leaves the group, without closing the consumer.
    ///
    /// Calling it says that the application is done with what it was handed before.
    ///
    /// # Errors
    ///
    /// [`ConsumerError::Closed`].
    pub async fn unsubscribe(&mut self) -> Result<(), ConsumerError> {
        self.application.come_back();
        let progress = self.progress();
        self.application.drop_all();
        let unsubscribed = self.commands.call(Intent::Unsubscribe, progress);
        unsubscribed.await.map(drop)
    }

    /// Reads exactly these partitions from now on, without a group's assignment. With a `group.id`
    /// offsets can still be committed. It ends a subscription, and says then what
    /// [`Consumer::unsubscribe`] says.
    ///
    /// # Errors
    ///
    /// [`ConsumerError::Closed`].
    pub async fn assign(
        &mut self,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> Result<(), ConsumerError> {
        let partitions: BTreeSet<TopicPartition> = partitions.into_iter().collect();
        let progress = self.progress();
        self.application.keep_only(&partitions);
        let assigned = self.commands.call(Intent::Assign(partitions), progress);
        assigned.await.map(drop)
    }

    /// The partitions this consumer owns now.
    ///
    /// # Errors
    ///
    /// [`ConsumerError::Closed`].
    pub async fn assignment(&mut self) -> Result<BTreeSet<TopicPartition>, ConsumerError> {
        partitions_of(self.call(Intent::Assignment).await)
    }

    /// Commits what is handed out (where auto-commit is on), tells the listener, leaves the group and
    /// stops; all that within `timeout`, whatever the brokers do. A static member does not leave.
    ///
    /// # Errors
    ///
    /// None of the steps stops the others; what failed is in the log. [`ConsumerError::Closed`] when
    /// the background task had ended already.
    ///
    /// # Cancel safety
    ///
    /// The consumer goes on closing in the background.
    pub async fn close(mut self, timeout: Duration) -> Result<(), ConsumerError> {
        self.application.come_back();
        let progress = self.progress();
        let (_, answer) = self.commands.send(Intent::Close, progress, timeout);
        answer_of(answer).await.map(drop)
    }

    /// Gives out the next record if it is here already and may be given out.
    pub(crate) fn next_delivered(&mut self) -> Option<Result<OwnedRecord, ConsumerError>> {
        let attention = self.attention.load(Ordering::Acquire);
        self.application.next_record(attention, now(), cut)
    }

    /// Sees to it that there are records here which may be given out, or that the time is over.
    async fn refill(&mut self, timeout: Option<Duration>) -> Result<(), ConsumerError> {
        self.application.come_back();
        // One that no clock can tell is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut taken_up = self.pending.is_some();
        loop {
            let attention = self.attention.load(Ordering::Acquire);
            match self.application.next_step(attention, now()) {
                NextStep::Give => return Ok(()),
                NextStep::CheckIn => {
                    let outcome = self.call(Intent::CheckIn).await;
                    self.application.checked_in(outcome, attention, now())?;
                }
                NextStep::Poll => self.ask_for_records(),
                NextStep::AwaitPoll(operation) => {
                    let is_filled = self.await_records(operation, deadline).await?;
                    // A question whose future was dropped earlier was called off with it.
                    if !is_filled && !taken_up {
                        return Ok(());
                    }
                    taken_up = false;
                }
            }
        }
    }

    fn ask_for_records(&mut self) {
        let intent = Intent::Poll {
            max_records: self.max_poll_records,
        };
        let timeout = self.commands.default_timeout();
        let progress = self.progress();
        let (operation, answer) = self.commands.send(intent, progress, timeout);
        self.application.poll_sent(operation);
        self.pending = Some(answer);
    }

    /// Waits for the records that were asked for: whether any came.
    async fn await_records(
        &mut self,
        operation: OperationId,
        deadline: Option<Instant>,
    ) -> Result<bool, ConsumerError> {
        let waiting = Waiting {
            commands: self.commands.clone(),
            operation,
            over: false,
        };
        let outcome = match &mut self.pending {
            Some(answer) => waiting.wait(answer, deadline).await,
            None => Err(ConsumerError::Closed),
        };
        self.pending = None;
        self.application.poll_answered(operation, outcome, now())
    }

    /// How far the application is.
    fn progress(&mut self) -> Progress {
        while let Ok((partition, offset)) = self.unreadable.1.try_recv() {
            self.application.note_unreadable(partition, offset);
        }
        self.application.progress()
    }

    /// Asks the core, and tells it how far the application is.
    async fn call(&mut self, intent: Intent) -> Outcome {
        let progress = self.progress();
        self.commands.call(intent, progress).await
    }
}

/// The records of a batch as values of their own.
fn cut(taken: TakenRecords) -> Vec<CutRecord<Result<OwnedRecord, ConsumerError>>> {
    let partition = taken.topic_partition.clone();
    let batch = Batch::new(taken, None);
    let records = batch.iter(&partition).map(|record| {
        let record = record.and_then(|record| record.to_owned());
        CutRecord {
            next_offset: record.as_ref().ok().map(|record| record.offset + 1),
            item: record,
        }
    });
    records.collect()
}

/// The time, by the runtime's clock: tests may hold it.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// A wait for records. When it is dropped half-way the driver is told that nobody waits.
struct Waiting {
    commands: Commands,
    operation: OperationId,
    over: bool,
}

impl Waiting {
    async fn wait(
        mut self,
        receiver: &mut oneshot::Receiver<Outcome>,
        deadline: Option<Instant>,
    ) -> Outcome {
        let in_time = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, &mut *receiver).await.ok(),
            None => Some((&mut *receiver).await),
        };
        self.over = true;
        let answer = match in_time {
            Some(answer) => answer,
            None => {
                self.end_poll();
                receiver.await
            }
        };
        answer.unwrap_or(Err(ConsumerError::Closed))
    }

    fn end_poll(&self) {
        let intent = Intent::EndPoll(self.operation);
        drop(
            self.commands
                .send(intent, Progress::default(), self.commands.default_timeout()),
        );
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.over {
            self.end_poll();
        }
    }
}
