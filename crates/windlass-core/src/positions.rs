//! Positions: asked for, moved, paused; and offsets that are looked up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use windlass_fetch::{ListOffsetsId, OffsetLookup, OffsetReset, Standing, TakenRecords};
use windlass_model::{OffsetAndMetadata, TopicPartition};

use crate::ConsumerError;
use crate::metadata::Interest;
use crate::{ConsumerCore, OffsetQuery, OperationId, Progress, Reply, SeekTo};

impl ConsumerCore {
    pub(crate) fn position(
        &mut self,
        operation: OperationId,
        partition: TopicPartition,
        within: Option<OffsetAndMetadata>,
        deadline: Instant,
    ) {
        if let Some(within) = within {
            self.reply(operation, Reply::Position(within.offset));
            return;
        }
        if !self.fetch.is_assigned(&partition) {
            self.fail(
                operation,
                ConsumerError::NotAssigned {
                    topic_partition: partition,
                    operation: "position",
                },
            );
            return;
        }
        self.offset_work
            .positions
            .insert(operation, (partition, deadline));
    }

    /// Answers those who wait for a position that is known by now.
    pub(crate) fn answer_positions(&mut self) {
        for (operation, (partition, deadline)) in std::mem::take(&mut self.offset_work.positions) {
            if let Some(position) = self.fetch.position(&partition) {
                self.reply(operation, Reply::Position(position.offset));
            } else if self.fetch.is_assigned(&partition) {
                self.offset_work
                    .positions
                    .insert(operation, (partition, deadline));
            } else {
                self.fail(
                    operation,
                    ConsumerError::NotAssigned {
                        topic_partition: partition,
                        operation: "position",
                    },
                );
            }
        }
    }

    pub(crate) fn offset_work_due(&mut self, now: Instant) {
        let mut again = self.offset_work.due_again(now);
        again.retain(|partition| self.fetch.standing(partition) == Some(Standing::Awaiting));
        self.ask_for_committed(again, now);
        let late: Vec<_> = self
            .offset_work
            .positions
            .iter()
            .filter(|(_, (_, deadline))| *deadline <= now)
            .map(|(operation, _)| *operation)
            .collect();
        for operation in late {
            if let Some((partition, _)) = self.offset_work.positions.remove(&operation) {
                self.fail(
                    operation,
                    ConsumerError::TimedOut {
                        operation: "position",
                        waited: self.config.default_api_timeout,
                        detail: format!("the position of {partition} is still being looked up"),
                    },
                );
            }
        }
    }

    pub(crate) fn seek(
        &mut self,
        operation: OperationId,
        partition: &TopicPartition,
        to: SeekTo,
        now: Instant,
    ) {
        if !self.fetch.is_assigned(partition) {
            let topic_partition = partition.clone();
            self.fail(
                operation,
                ConsumerError::NotAssigned {
                    topic_partition,
                    operation: "seek",
                },
            );
            return;
        }
        self.attention += 1;
        match &to {
            SeekTo::Offset(offset) => self.ledger.move_away(partition, Some(offset)),
            // Nothing lies before that: no commit goes back for what the application is at.
            SeekTo::Reset(OffsetReset::Earliest) => self.ledger.come_back_from(partition),
            SeekTo::Reset(_) => {
                self.ledger.move_away(partition, None);
            }
        }
        // The seek answers what was wrong with the old position, whether or not a poll told of it.
        self.errors.forget_position(partition);
        self.with_fetch(|fetch| match to {
            SeekTo::Offset(offset) => {
                fetch.seek(partition, offset.offset, offset.leader_epoch, now);
            }
            SeekTo::Reset(reset) => fetch.seek_to(partition, reset, now),
        });
        self.done(operation);
    }

    pub(crate) fn pause(
        &mut self,
        operation: OperationId,
        partitions: &BTreeSet<TopicPartition>,
        returned: Vec<TakenRecords>,
        progress: &Progress,
        now: Instant,
    ) {
        if self.refuse_foreign(operation, "pause", partitions) {
            return;
        }
        // Records of them may be on their way to the application.
        self.attention += 1;
        self.take_back(partitions, returned, progress, now);
        self.with_fetch(|fetch| fetch.pause(partitions, now));
        self.done(operation);
    }

    pub(crate) fn resume(
        &mut self,
        operation: OperationId,
        partitions: &BTreeSet<TopicPartition>,
        now: Instant,
    ) {
        if self.refuse_foreign(operation, "resume", partitions) {
            return;
        }
        self.with_fetch(|fetch| fetch.resume(partitions, now));
        self.done(operation);
    }

    fn refuse_foreign(
        &mut self,
        operation: OperationId,
        name: &'static str,
        partitions: &BTreeSet<TopicPartition>,
    ) -> bool {
        let Some(foreign) = partitions
            .iter()
            .find(|partition| !self.fetch.is_assigned(partition))
        else {
            return false;
        };
        let topic_partition = foreign.clone();
        self.fail(
            operation,
            ConsumerError::NotAssigned {
                topic_partition,
                operation: name,
            },
        );
        true
    }

    pub(crate) fn list_offsets(
        &mut self,
        operation: OperationId,
        queries: BTreeMap<TopicPartition, OffsetQuery>,
        deadline: Instant,
        now: Instant,
    ) {
        let topics: BTreeSet<_> = queries.keys().map(|asked| asked.topic.clone()).collect();
        let queries = queries
            .into_iter()
            .map(|(partition, query)| (partition, lookup(query)))
            .collect();
        let id = self.with_fetch(|fetch| fetch.list_offsets(queries, deadline, now));
        self.offset_work.lookups.insert(id, (operation, topics));
        self.renew_question_interest(now);
    }

    /// A lookup is answered: nobody is interested in its topics on its account any longer.
    pub(crate) fn take_lookup(&mut self, id: ListOffsetsId, now: Instant) -> Option<OperationId> {
        let (operation, _) = self.offset_work.lookups.remove(&id)?;
        self.renew_question_interest(now);
        Some(operation)
    }

    fn renew_question_interest(&mut self, now: Instant) {
        let lookups = self.offset_work.lookups.values();
        let topics = lookups.flat_map(|(_, topics)| topics).cloned().collect();
        self.metadata.set_interest(Interest::Question, topics, now);
    }
}

const fn lookup(query: OffsetQuery) -> OffsetLookup {
    match query {
        OffsetQuery::Beginning => OffsetLookup::Earliest,
        OffsetQuery::End => OffsetLookup::Latest,
        OffsetQuery::AtOrAfter(timestamp) => OffsetLookup::AtOrAfter(timestamp),
    }
}
