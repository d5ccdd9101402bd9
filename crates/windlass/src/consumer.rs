//! The consumer, as the application holds it.

mod commits;
mod positions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use windlass_core::{Intent, OperationId, Progress, Reply};
use windlass_model::{TopicName, TopicPartition};

pub use self::commits::PendingCommit;
use crate::command::{Commands, Outcome, answer_of, partitions_of};
use crate::delivery::Delivery;
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
    /// A poll whose answer has not been taken yet.
    pending: Option<(OperationId, oneshot::Receiver<Outcome>)>,
    /// Records that have arrived here and were not all given out.
    delivery: Option<Delivery>,
    /// The last poll whose records were all given out.
    given: Option<OperationId>,
    /// The last poll whose records the application has come back from.
    finished: Option<OperationId>,
    /// What an earlier poll, whose future was dropped, had to say.
    untold: Option<ConsumerError>,
    /// When the driver last heard how far the application is.
    in_touch: Instant,
    /// How long it may do without.
    patience: Duration,
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
            pending: None,
            delivery: None,
            given: None,
            finished: None,
            untold: None,
            in_touch: Instant::now(),
            patience: (config.max_poll_interval / 8).min(Duration::from_secs(1)),
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
        let Some(delivery) = self.delivery.take() else {
            return Ok(Records::default());
        };
        self.given = Some(delivery.operation());
        Ok(delivery.into_records())
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
        self.take_in().await;
        self.come_back();
        let progress = self.progress();
        self.delivery = None;
        self.commands
            .call(Intent::Unsubscribe, progress)
            .await
            .map(drop)
    }

    /// Reads exactly these partitions from now on, without a group's assignment. With a `group.id`
    /// offsets can still be committed.
    ///
    /// # Errors
    ///
    /// [`ConsumerError::Closed`].
    pub async fn assign(
        &mut self,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> Result<(), ConsumerError> {
        self.take_in().await;
        let partitions: BTreeSet<TopicPartition> = partitions.into_iter().collect();
        if let Some(delivery) = &mut self.delivery {
            delivery.keep_only(&partitions, delivery.attention());
        }
        self.call(Intent::Assign(partitions)).await.map(drop)
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
        self.come_back();
        let progress = self.progress();
        let (_, answer) = self.commands.send(Intent::Close, progress, timeout);
        answer_of(answer).await.map(drop)
    }

    /// Gives out the next record if it is here already and may be given out.
    pub(crate) fn next_delivered(&mut self) -> Option<Result<OwnedRecord, ConsumerError>> {
        let attention = self.attention.load(Ordering::Acquire);
        let delivery = self.delivery.as_mut()?;
        if delivery.attention() == attention && self.in_touch.elapsed() < self.patience {
            delivery.next_record()
        } else {
            None
        }
    }

    /// Sees to it that there are records here which may be given out, or that the time is over.
    async fn refill(&mut self, timeout: Option<Duration>) -> Result<(), ConsumerError> {
        self.come_back();
        self.recheck().await?;
        if self
            .delivery
            .as_ref()
            .is_some_and(|delivery| !delivery.is_finished())
        {
            return Ok(());
        }
        if let Some(delivery) = self.delivery.take() {
            self.given = Some(delivery.operation());
            self.come_back();
        }
        self.await_delivery(timeout).await?;
        self.recheck().await
    }

    /// Asks the driver which records that are here may still be given out, if anything changed; and
    /// from time to time, so that it knows that the application is there and how far it is.
    async fn recheck(&mut self) -> Result<(), ConsumerError> {
        let now = self.attention.load(Ordering::Acquire);
        let Some(delivery) = &self.delivery else {
            return Ok(());
        };
        if delivery.attention() == now && self.in_touch.elapsed() < self.patience {
            return Ok(());
        }
        let assigned = partitions_of(self.commands.call(Intent::CheckIn, self.progress()).await)?;
        self.in_touch = Instant::now();
        if let Some(delivery) = &mut self.delivery {
            delivery.keep_only(&assigned, now);
        }
        Ok(())
    }

    /// Asks for records and waits for them. A question whose future was dropped earlier is taken up
    /// again first: its answer may hold records.
    async fn await_delivery(&mut self, timeout: Option<Duration>) -> Result<(), ConsumerError> {
        if let Some(error) = self.untold.take() {
            return Err(error);
        }
        // One that no clock can tell is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let taken_up = self.pending.is_some();
            let (operation, receiver) = match &mut self.pending {
                Some(pending) => pending,
                None => {
                    let intent = Intent::Poll {
                        max_records: self.max_poll_records,
                    };
                    let progress = Progress {
                        through: self.finished,
                        partial: BTreeMap::new(),
                    };
                    let asked =
                        self.commands
                            .send(intent, progress, self.commands.default_timeout());
                    self.pending.insert(asked)
                }
            };
            let operation = *operation;
            let waiting = Waiting {
                commands: self.commands.clone(),
                operation,
                over: false,
            };
            let outcome = waiting.wait(receiver, deadline).await;
            self.pending = None;
            self.in_touch = Instant::now();
            let Reply::Records { records, attention } = outcome? else {
                return Err(ConsumerError::Closed);
            };
            if !records.is_empty() {
                self.delivery = Some(Delivery::new(operation, attention, records));
                return Ok(());
            }
            if !taken_up {
                return Ok(());
            }
        }
    }

    /// Takes in what an earlier poll brought whose future was dropped: it was not given out, and
    /// whoever commits, seeks or pauses now must not pass over it.
    async fn take_in(&mut self) {
        let Some((operation, receiver)) = &mut self.pending else {
            return;
        };
        // It was called off when its future was dropped, so it is answered at once.
        let (operation, outcome) = (*operation, receiver.await);
        self.pending = None;
        match outcome {
            Ok(Ok(Reply::Records { records, attention })) if !records.is_empty() => {
                self.delivery = Some(Delivery::new(operation, attention, records));
            }
            Ok(Err(error)) => self.untold = Some(error),
            Ok(Ok(_)) | Err(_) => {}
        }
    }

    /// What the application is done with when it comes back here: all it was given.
    fn come_back(&mut self) {
        self.finished = self.given;
    }

    /// How far the application is, the record it was given last included.
    fn progress(&self) -> Progress {
        Progress {
            through: self.finished,
            partial: self
                .delivery
                .as_ref()
                .map(Delivery::progress)
                .unwrap_or_default(),
        }
    }

    async fn call(&self, intent: Intent) -> Outcome {
        self.commands.call(intent, Progress::default()).await
    }
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
