//! What the one who drives the machine wants.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use windlass_model::{Cluster, LeaderEpoch, OffsetAndMetadata, TopicPartition};

use crate::in_flight::InFlight;
use crate::partition::{PartitionState, Stage};
use crate::{
    FetchError, FetchMachine, OffsetReset, Position, Standing, StartPosition, TakenRecords,
};

impl FetchMachine {
    /// Partitions have come. One that is assigned already begins anew: neither what was fetched of
    /// it nor a pause outlives an assignment.
    pub fn assign(&mut self, starts: BTreeMap<TopicPartition, StartPosition>, now: Instant) {
        self.assert_drained();
        for (topic_partition, start) in starts {
            self.drop_queue(&topic_partition);
            let epoch = self.next_epoch();
            let mut state = PartitionState::new(&self.config, epoch);
            let leads_nowhere = start == StartPosition::Reset(OffsetReset::None);
            if !leads_nowhere {
                state.start(start, epoch);
            }
            self.partitions.insert(topic_partition.clone(), state);
            if leads_nowhere {
                self.fail(&topic_partition, FetchError::NoOffset);
            }
        }
        self.note_leaders();
        self.moved(now);
    }

    /// Partitions are gone, with all that was fetched of them.
    pub fn unassign(&mut self, partitions: &BTreeSet<TopicPartition>, now: Instant) {
        self.assert_drained();
        for topic_partition in partitions {
            self.drop_queue(topic_partition);
            self.partitions.remove(topic_partition);
        }
        self.free_void_fetches();
        self.moved(now);
    }

    /// The group's committed offset of a partition that awaits one: see
    /// [`FetchMachine::set_committed_offsets`], which fetches all of them at once.
    pub fn set_committed(
        &mut self,
        topic_partition: &TopicPartition,
        committed: Option<OffsetAndMetadata>,
        now: Instant,
    ) {
        self.set_committed_offsets([(topic_partition.clone(), committed)], now);
    }

    /// The group's committed offsets of partitions that await one; `None` where there is none, so
    /// that `auto.offset.reset` decides. A partition that was moved by a seek meanwhile stays there.
    pub fn set_committed_offsets(
        &mut self,
        committed: impl IntoIterator<Item = (TopicPartition, Option<OffsetAndMetadata>)>,
        now: Instant,
    ) {
        self.assert_drained();
        for (topic_partition, committed) in committed {
            self.begin_at_committed(&topic_partition, committed);
        }
        self.moved(now);
    }

    fn begin_at_committed(
        &mut self,
        topic_partition: &TopicPartition,
        committed: Option<OffsetAndMetadata>,
    ) {
        let reset = self.config.offset_reset;
        let epoch = self.next_epoch();
        let Some(state) = self
            .partitions
            .get_mut(topic_partition)
            .filter(|state| state.standing() == Standing::Awaiting)
        else {
            return;
        };
        match committed {
            Some(committed) => {
                let position = Position {
                    offset: committed.offset,
                    leader_epoch: committed.leader_epoch,
                };
                state.stand_at(position, epoch);
                state.validate();
            }
            None if reset == OffsetReset::None => self.fail(topic_partition, FetchError::NoOffset),
            None => state.reset(reset, "the group has no committed offset".to_owned(), epoch),
        }
    }

    /// Partitions are about to go: nothing of them is fetched or handed over any more, and what was
    /// fetched makes room for the others. Their positions stay.
    pub fn withdraw(&mut self, partitions: &BTreeSet<TopicPartition>, now: Instant) {
        self.assert_drained();
        for topic_partition in partitions {
            self.drop_queue(topic_partition);
            let epoch = self.next_epoch();
            if let Some(state) = self.partitions.get_mut(topic_partition) {
                state.held = true;
                state.failure_ahead = None;
                if state.standing() == Standing::Fetching {
                    // What is still on its way is not waited for.
                    state.epoch = epoch;
                }
            }
        }
        self.free_void_fetches();
        self.moved(now);
    }

    /// Nothing of these partitions is fetched or handed over until `release`.
    pub fn hold(&mut self, partitions: &BTreeSet<TopicPartition>, now: Instant) {
        self.change_each(partitions, now, |state| {
            state.held = true;
            state.queue.pack();
        });
    }

    /// Ends `hold`.
    pub fn release(&mut self, partitions: &BTreeSet<TopicPartition>, now: Instant) {
        self.change_each(partitions, now, |state| state.held = false);
    }

    /// Nothing of these partitions is fetched or handed over until `resume`; what was fetched is
    /// kept.
    pub fn pause(&mut self, partitions: &BTreeSet<TopicPartition>, now: Instant) {
        self.change_each(partitions, now, |state| {
            state.paused = true;
            state.queue.pack();
        });
    }

    /// Ends `pause`.
    pub fn resume(&mut self, partitions: &BTreeSet<TopicPartition>, now: Instant) {
        self.change_each(partitions, now, |state| state.paused = false);
    }

    /// Makes `offset` the position. With the leader epoch of the record before it, a truncated log
    /// is noticed.
    pub fn seek(
        &mut self,
        topic_partition: &TopicPartition,
        offset: i64,
        leader_epoch: Option<LeaderEpoch>,
        now: Instant,
    ) {
        self.assert_drained();
        self.drop_queue(topic_partition);
        let epoch = self.next_epoch();
        if let Some(state) = self.partitions.get_mut(topic_partition) {
            let position = Position {
                offset,
                leader_epoch,
            };
            state.leave_standing();
            state.stand_at(position, epoch);
            state.validate();
        }
        self.moved(now);
    }

    /// The application was not given what it was handed of the partition from `position` on, and will
    /// not be: reading goes on there. The position was this machine's own before, so the leader is not
    /// asked about it again. Nothing happens where the position has been given up meanwhile.
    pub fn rewind(&mut self, topic_partition: &TopicPartition, position: Position, now: Instant) {
        self.assert_drained();
        let state = self.partitions.get(topic_partition);
        let Some(before) = state.and_then(PartitionState::position) else {
            return;
        };
        if before == position {
            return;
        }
        self.drop_queue(topic_partition);
        let epoch = self.next_epoch();
        if let Some(state) = self.partitions.get_mut(topic_partition) {
            let validates = state.standing() == Standing::Validating;
            if state.standing() == Standing::Failed {
                state.leave_standing();
            }
            state.stand_at(position, epoch);
            if validates {
                state.validate();
            }
        }
        self.free_void_fetches();
        self.moved(now);
    }

    /// As [`rewind`](Self::rewind), with all that was handed over from `position` on and not given to
    /// the application: it is handed over again, and not fetched again, where it still follows from
    /// there.
    pub fn give_back(
        &mut self,
        topic_partition: &TopicPartition,
        position: Position,
        records: Vec<TakenRecords>,
        now: Instant,
    ) {
        self.assert_drained();
        let state = self.partitions.get_mut(topic_partition);
        let state = state.filter(|state| state.standing() == Standing::Fetching);
        let Some(state) = state else {
            self.rewind(topic_partition, position, now);
            return;
        };
        let before = state.queue.bytes();
        if !state.queue.give_back(position, records) {
            self.rewind(topic_partition, position, now);
            return;
        }
        self.budget.returned(state.queue.bytes() - before);
        self.loaded.insert(topic_partition.clone());
        self.note_ready();
    }

    /// What was handed over of the partition cannot be read from this offset on, as whoever walked it has
    /// found out and told: the partition stands there until a seek.
    pub fn stop(&mut self, topic_partition: &TopicPartition, offset: i64, now: Instant) {
        self.assert_drained();
        self.drop_queue(topic_partition);
        let epoch = self.next_epoch();
        if let Some(state) = self.partitions.get_mut(topic_partition)
            && matches!(state.standing(), Standing::Fetching | Standing::Validating)
        {
            let leader_epoch = None;
            state.stand_at(
                Position {
                    offset,
                    leader_epoch,
                },
                epoch,
            );
            state.enter(Stage::Failed);
        }
        self.free_void_fetches();
        self.moved(now);
    }

    /// Makes the position what the leader says of this end of the log.
    pub fn seek_to(&mut self, topic_partition: &TopicPartition, to: OffsetReset, now: Instant) {
        self.assert_drained();
        self.drop_queue(topic_partition);
        let epoch = self.next_epoch();
        if let Some(state) = self.partitions.get_mut(topic_partition) {
            let from = state.position().map(|position| position.offset);
            state.leave_standing();
            if to == OffsetReset::None {
                self.fail(topic_partition, FetchError::NoOffset);
            } else {
                state.reset(to, "the application asked for it".to_owned(), epoch);
                if let Stage::Resetting { from: before, .. } = state.stage_mut() {
                    *before = from;
                }
            }
        }
        self.moved(now);
    }

    /// There is a newer picture of the cluster.
    pub fn on_cluster(&mut self, cluster: &Arc<Cluster>, now: Instant) {
        self.assert_drained();
        self.cluster = Arc::clone(cluster);
        self.note_leaders();
        self.moved(now);
    }

    fn change_each(
        &mut self,
        partitions: &BTreeSet<TopicPartition>,
        now: Instant,
        change: impl Fn(&mut PartitionState),
    ) {
        self.assert_drained();
        for topic_partition in partitions {
            if let Some(state) = self.partitions.get_mut(topic_partition) {
                change(state);
            }
        }
        self.moved(now);
    }

    /// Nothing that comes of a fetch will be kept once all it asked for is gone: others may have its
    /// part of the budget.
    fn free_void_fetches(&mut self) {
        for (id, in_flight) in &self.in_flight {
            let InFlight::Fetch(fetch) = in_flight else {
                continue;
            };
            let is_wanted = fetch.asked.iter().any(|(topic_partition, epoch)| {
                let state = self.partitions.get(topic_partition);
                state.is_some_and(|state| state.epoch == *epoch)
            });
            if !is_wanted {
                self.budget.finished(*id);
            }
        }
    }

    /// Something is different from before: send what can be sent now.
    fn moved(&mut self, now: Instant) {
        self.hurry_sources();
        self.pump(now);
    }
}
