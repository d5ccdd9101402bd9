//! The application's side: what it was handed, how much of that it was given, what it asks next.

mod delivery;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use windlass_fetch::TakenRecords;
use windlass_model::TopicPartition;

use self::delivery::Delivery;
use crate::{ConsumerError, OperationId, Progress, Reply};

/// A record that was cut out of a batch, as the application's side hands it on.
#[derive(Clone, Debug)]
pub struct CutRecord<T> {
    /// The offset after it; none for what could not be read.
    pub next_offset: Option<i64>,
    /// What is handed on.
    pub item: T,
}

/// What the application's side has to do before it can give anything out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Nothing: records are here, and they may be given out.
    Give,
    /// Submit [`Intent::CheckIn`](crate::Intent::CheckIn) and tell its answer to [`Application::checked_in`].
    CheckIn,
    /// Submit [`Intent::Poll`](crate::Intent::Poll) and tell its name to [`Application::poll_sent`].
    Poll,
    /// Wait for the answer to this poll and tell it to [`Application::poll_answered`].
    AwaitPoll(OperationId),
}

/// The application's side of one consumer, as a value without IO: a driver asks it for the
/// [`NextStep`], submits what it says to the core, and tells it the answers.
///
/// It alone knows how far the application is inside of the records that it was handed, and tells the
/// core so with each [`Progress`]. It never decides whose a partition is: what changed at the core's
/// side it hears as a number, `attention`, and asks before it gives out more. `T` is what a single
/// record is handed on as.
#[derive(Debug)]
pub struct Application<T> {
    delivery: Option<Delivery<T>>,
    /// The last poll whose records were all given out.
    given: Option<OperationId>,
    /// The last poll whose records the application has come back from.
    finished: Option<OperationId>,
    /// A poll whose answer has not been taken yet.
    asked: Option<OperationId>,
    /// Where records that were handed out cannot be read, as far as the core has not been told.
    unreadable: BTreeMap<TopicPartition, i64>,
    /// When the core last heard how far the application is.
    in_touch: Instant,
    /// How long it may do without.
    patience: Duration,
}

impl<T> Application<T> {
    /// An application that was handed nothing yet. `patience` is how long it may give out records
    /// without telling the core that it is there.
    #[must_use]
    pub const fn new(patience: Duration, now: Instant) -> Self {
        Self {
            delivery: None,
            given: None,
            finished: None,
            asked: None,
            unreadable: BTreeMap::new(),
            in_touch: now,
            patience,
        }
    }

    /// The application asks for more: it is done with all that it was given.
    pub const fn come_back(&mut self) {
        self.finished = self.given;
    }

    /// What was handed out of the partition cannot be read from this offset on. The core is told with
    /// the next [`Progress`], and lets nothing be committed beyond it.
    pub fn note_unreadable(&mut self, partition: TopicPartition, offset: i64) {
        self.unreadable.insert(partition, offset);
    }

    /// How far the application is, the record it was given last included. To be submitted: what cannot
    /// be read is in one of them only.
    pub fn progress(&mut self) -> Progress {
        let delivery = self.delivery.as_ref();
        Progress {
            unreadable: std::mem::take(&mut self.unreadable),
            through: self.finished,
            given: self.given,
            partial: delivery.map(Delivery::progress).unwrap_or_default(),
        }
    }

    /// What has to be done before records can be given out; `attention` is that of the core now.
    pub fn next_step(&mut self, attention: u64, now: Instant) -> NextStep {
        if let Some(delivery) = &self.delivery {
            if !delivery.is_finished() {
                return match self.may_give(delivery, attention, now) {
                    true => NextStep::Give,
                    false => NextStep::CheckIn,
                };
            }
            self.given = Some(delivery.operation());
            self.delivery = None;
            self.come_back();
        }
        self.asked.map_or(NextStep::Poll, NextStep::AwaitPoll)
    }

    fn may_give(&self, delivery: &Delivery<T>, attention: u64, now: Instant) -> bool {
        delivery.attention() == attention
            && now.saturating_duration_since(self.in_touch) < self.patience
    }

    /// The core has said which partitions may still be given out; `attention` was its number before
    /// it was asked.
    ///
    /// # Errors
    ///
    /// What the core answered.
    pub fn checked_in(
        &mut self,
        outcome: Result<Reply, ConsumerError>,
        attention: u64,
        now: Instant,
    ) -> Result<(), ConsumerError> {
        let Reply::Partitions(partitions) = outcome? else {
            return Err(ConsumerError::Closed);
        };
        self.in_touch = now;
        if let Some(delivery) = &mut self.delivery {
            delivery.keep_only(&partitions, attention);
        }
        Ok(())
    }

    /// The poll that was asked for has this name.
    pub const fn poll_sent(&mut self, operation: OperationId) {
        self.asked = Some(operation);
    }

    /// The poll under way is answered: whether it brought records.
    ///
    /// # Errors
    ///
    /// What the core answered.
    pub fn poll_answered(
        &mut self,
        operation: OperationId,
        outcome: Result<Reply, ConsumerError>,
        now: Instant,
    ) -> Result<bool, ConsumerError> {
        self.asked = None;
        self.in_touch = now;
        let Reply::Records { records, attention } = outcome? else {
            return Err(ConsumerError::Closed);
        };
        if records.is_empty() {
            return Ok(false);
        }
        self.delivery = Some(Delivery::new(operation, attention, records));
        Ok(true)
    }

    /// Gives out all that is here, for a caller that was told [`NextStep::Give`].
    pub fn take(&mut self) -> Vec<TakenRecords> {
        let Some(delivery) = self.delivery.take() else {
            return Vec::new();
        };
        self.given = Some(delivery.operation());
        delivery.into_taken()
    }

    /// Gives out the next record, if one is here that may be given out; `cut` makes the records of a
    /// batch, all of them in their order.
    pub fn next_record(
        &mut self,
        attention: u64,
        now: Instant,
        cut: impl Fn(TakenRecords) -> Vec<CutRecord<T>>,
    ) -> Option<T> {
        let delivery = self.delivery.as_ref()?;
        if !self.may_give(delivery, attention, now) {
            return None;
        }
        let delivery = self.delivery.as_mut()?;
        let record = delivery.next_record(cut)?;
        if record.next_offset.is_none()
            && let Some((partition, offset)) = delivery.give_up_current()
        {
            self.unreadable.insert(partition, offset);
        }
        Some(record.item)
    }

    /// The application stops these partitions for a while: what is here of them and was not given goes
    /// back with [`Intent::Pause`](crate::Intent::Pause). To be called after [`Application::progress`].
    pub fn give_back(&mut self, partitions: &BTreeSet<TopicPartition>) -> Vec<TakenRecords> {
        let delivery = self.delivery.as_mut();
        delivery.map_or_else(Vec::new, |delivery| delivery.give_back(partitions))
    }

    /// The application moved these partitions: what is here of them counts no longer. To be called
    /// after [`Application::progress`] and before the core is told.
    pub fn drop_partitions(&mut self, partitions: &BTreeSet<TopicPartition>) {
        if let Some(delivery) = &mut self.delivery {
            delivery.drop_partitions(partitions);
        }
    }

    /// The application reads only these partitions from now on.
    pub fn keep_only(&mut self, partitions: &BTreeSet<TopicPartition>) {
        if let Some(delivery) = &mut self.delivery {
            delivery.keep_only(partitions, delivery.attention());
        }
    }

    /// The application wants nothing of what is here. See [`Intent::Unsubscribe`](crate::Intent::Unsubscribe).
    pub fn drop_all(&mut self) {
        self.delivery = None;
    }
}
