//! Handing records to the application.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use windlass_fetch::{Position, TakenRecords};
use windlass_model::{OffsetAndMetadata, TopicPartition};

use crate::ConsumerError;
use crate::{ConsumerCore, Effect, OperationId, Progress, Reply};

/// The application waits for records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PendingPoll {
    operation: OperationId,
    max_records: usize,
}

impl ConsumerCore {
    pub(crate) fn begin_poll(&mut self, operation: OperationId, max_records: usize, now: Instant) {
        if let Some(stale) = self.polling.take() {
            self.reply_no_records(stale.operation);
        }
        self.polling = Some(PendingPoll {
            operation,
            max_records,
        });
        self.with_group(|group| group.application_polling(true, now));
    }

    pub(crate) fn end_poll(&mut self, poll: OperationId, now: Instant) {
        if self
            .polling
            .is_some_and(|pending| pending.operation == poll)
        {
            self.polling = None;
            self.reply_no_records(poll);
            self.with_group(|group| group.application_polling(false, now));
        }
    }

    pub(crate) const fn application_waits(&self) -> bool {
        self.polling.is_some()
    }

    /// Answers the waiting poll if there is something to answer it with. Errors go first: they would
    /// never be told while records keep coming. The records wait meanwhile, none is lost. Without a
    /// membership every poll says so.
    pub(crate) fn serve_poll(&mut self, now: Instant) {
        let Some(pending) = self.polling else {
            return;
        };
        let over = || self.failed.clone();
        let outcome = if let Some(error) = self.errors.next().or_else(over) {
            Err(error)
        } else {
            let taken = self.with_fetch(|fetch| fetch.take(pending.max_records, now));
            if taken.is_empty() {
                return;
            }
            for records in &taken {
                self.ledger.hand_out(
                    pending.operation,
                    &records.topic_partition,
                    records.position_before.clone(),
                );
            }
            Ok(Reply::Records {
                records: taken,
                attention: self.attention,
            })
        };
        self.polling = None;
        self.effects.push_back(Effect::Reply {
            operation: pending.operation,
            outcome,
        });
        self.with_group(|group| group.application_polling(false, now));
    }

    /// The application holds records and wants to know which of them it may still give out. It is
    /// here now, so what waits for it may go on. What it may not give out is taken back.
    pub(crate) fn check_in(&mut self, operation: OperationId, progress: &Progress, now: Instant) {
        let out = self.ledger.all_out();
        let (kept, withdrawn): (BTreeSet<_>, BTreeSet<_>) =
            out.into_iter().partition(|partition| {
                self.fetch.is_assigned(partition) && !self.handovers.holds(partition)
            });
        self.come_back_from(&withdrawn, progress, now);
        self.advance_handovers_of_present_application(now);
        // Whoever takes records one by one polls less often than that.
        self.with_group(|group| group.application_polling(false, now));
        let current = |partition: &TopicPartition| self.ledger.is_current(partition);
        let deliverable = kept.into_iter().filter(current).collect();
        self.reply(operation, Reply::Partitions(deliverable));
    }

    /// Records that the application was handed cannot be read from this offset on: the partition stands
    /// there until the application seeks, and no commit passes it. The application knows.
    pub(crate) fn stop_at(&mut self, partition: &TopicPartition, offset: i64, now: Instant) {
        if self.ledger.is_current(partition) {
            self.ledger.stop_at(partition, offset);
            self.with_fetch(|fetch| fetch.stop(partition, offset, now));
        }
    }

    /// The application is done with what it was given of these partitions, and is given no more.
    pub(crate) fn come_back_from(
        &mut self,
        partitions: &BTreeSet<TopicPartition>,
        progress: &Progress,
        now: Instant,
    ) {
        self.take_back(partitions, Vec::new(), progress, now);
        for partition in partitions {
            self.ledger.come_back_from(partition);
        }
    }

    /// What the application was handed of these partitions and was not given is its own no longer:
    /// in the same step they stand where the application stands. What of it was `returned` is not
    /// fetched again.
    pub(crate) fn take_back(
        &mut self,
        partitions: &BTreeSet<TopicPartition>,
        returned: Vec<TakenRecords>,
        progress: &Progress,
        now: Instant,
    ) {
        let mut by_partition: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for records in returned {
            let partition = records.topic_partition.clone();
            by_partition.entry(partition).or_default().push(records);
        }
        for partition in partitions {
            if let Some(given) = self.ledger.given_position(partition, progress) {
                let given = Position {
                    offset: given.offset,
                    leader_epoch: given.leader_epoch,
                };
                let returned = by_partition.remove(partition).unwrap_or_default();
                self.with_fetch(|fetch| fetch.give_back(partition, given, returned, now));
                self.ledger.take_back(partition);
            }
        }
    }

    /// The partitions whose records may be given out: assigned, and not about to go.
    pub(crate) fn deliverable(&self) -> BTreeSet<TopicPartition> {
        self.fetch
            .assigned()
            .filter(|partition| !self.handovers.holds(partition))
            .cloned()
            .collect()
    }

    /// Where the application stands in the partition: after everything it was given.
    pub(crate) fn given_position(
        &self,
        partition: &TopicPartition,
        progress: &Progress,
    ) -> Option<OffsetAndMetadata> {
        let within = self.ledger.given_position(partition, progress);
        within.or_else(|| self.handed_out_position(partition))
    }

    /// Where reading goes on: after everything the application was handed.
    fn handed_out_position(&self, partition: &TopicPartition) -> Option<OffsetAndMetadata> {
        let position = self.fetch.position(partition)?;
        Some(OffsetAndMetadata {
            offset: position.offset,
            leader_epoch: position.leader_epoch,
            metadata: String::new(),
        })
    }

    /// Where the application stands in the partition: before what it has not come back from.
    pub(crate) fn finished_position(
        &self,
        partition: &TopicPartition,
    ) -> Option<OffsetAndMetadata> {
        self.ledger
            .before_out(partition)
            .cloned()
            .or_else(|| self.handed_out_position(partition))
    }

    fn reply_no_records(&mut self, operation: OperationId) {
        let reply = Reply::Records {
            records: Vec::new(),
            attention: self.attention,
        };
        self.reply(operation, reply);
    }

    pub(crate) fn reply(&mut self, operation: OperationId, reply: Reply) {
        self.effects.push_back(Effect::Reply {
            operation,
            outcome: Ok(reply),
        });
    }

    pub(crate) fn done(&mut self, operation: OperationId) {
        self.reply(operation, Reply::Done);
    }

    pub(crate) fn fail(&mut self, operation: OperationId, error: ConsumerError) {
        self.effects.push_back(Effect::Reply {
            operation,
            outcome: Err(error),
        });
    }
}
