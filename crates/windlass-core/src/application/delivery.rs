//! Records that have arrived at the application's side and are given out one by one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use windlass_fetch::TakenRecords;
use windlass_model::{LeaderEpoch, OffsetAndMetadata, TopicPartition};

use super::CutRecord;
use crate::OperationId;

/// The answer to one poll, on its way into the application's hands.
#[derive(Debug)]
pub(super) struct Delivery<T> {
    operation: OperationId,
    attention: u64,
    batches: VecDeque<TakenRecords>,
    /// The records of the current batch, cut out one by one.
    cut: VecDeque<CutRecord<T>>,
    /// Next offsets of the partitions of which something is or was here.
    progress: BTreeMap<TopicPartition, OffsetAndMetadata>,
    /// The batch that the cut records come from.
    current: Option<TakenRecords>,
}

impl<T> Delivery<T> {
    pub(super) fn new(operation: OperationId, attention: u64, records: Vec<TakenRecords>) -> Self {
        let mut progress = BTreeMap::new();
        for taken in &records {
            progress
                .entry(taken.topic_partition.clone())
                .or_insert_with(|| taken.position_before.clone());
        }
        Self {
            operation,
            attention,
            batches: records.into(),
            cut: VecDeque::new(),
            progress,
            current: None,
        }
    }

    /// The poll this is the answer to.
    pub(super) const fn operation(&self) -> OperationId {
        self.operation
    }

    /// The state of affairs under which the records may be given out.
    pub(super) const fn attention(&self) -> u64 {
        self.attention
    }

    /// Whether everything has been given out.
    pub(super) fn is_finished(&self) -> bool {
        self.cut.is_empty() && self.batches.is_empty()
    }

    /// How far the application is in each partition that is or was here.
    pub(super) fn progress(&self) -> BTreeMap<TopicPartition, OffsetAndMetadata> {
        self.progress.clone()
    }

    /// Gives out the next record.
    pub(super) fn next_record(
        &mut self,
        cut: impl Fn(TakenRecords) -> Vec<CutRecord<T>>,
    ) -> Option<CutRecord<T>> {
        loop {
            if let Some(record) = self.cut.pop_front() {
                self.note(record.next_offset);
                return Some(record);
            }
            let taken = self.batches.pop_front()?;
            self.cut = cut(taken.clone()).into();
            if self.cut.is_empty() {
                self.progress
                    .insert(taken.topic_partition.clone(), taken.position_after.clone());
            }
            self.current = Some(taken);
        }
    }

    /// The current batch cannot be read on: nothing of its partition can, from the offset that is told.
    pub(super) fn give_up_current(&mut self) -> Option<(TopicPartition, i64)> {
        let partition = self.current.as_ref()?.topic_partition.clone();
        let offset = self.progress.get(&partition)?.offset;
        self.drop_partitions(&BTreeSet::from([partition.clone()]));
        Some((partition, offset))
    }

    /// What has not been given out.
    pub(super) fn into_taken(mut self) -> Vec<TakenRecords> {
        self.mend_current();
        self.batches.into()
    }

    /// What has not been given out of these partitions, which is here no longer.
    pub(super) fn give_back(&mut self, partitions: &BTreeSet<TopicPartition>) -> Vec<TakenRecords> {
        let current = self.current.as_ref();
        if current.is_some_and(|current| partitions.contains(&current.topic_partition)) {
            self.mend_current();
        }
        let ours = |taken: &&TakenRecords| partitions.contains(&taken.topic_partition);
        let returned = self.batches.iter().filter(ours).cloned().collect();
        self.drop_partitions(partitions);
        returned
    }

    /// Makes a batch again of what is left of the one that is being cut.
    fn mend_current(&mut self) {
        if let Some(mut current) = self.current.take_if(|_| !self.cut.is_empty()) {
            if let Some(progress) = self.progress.get(&current.topic_partition) {
                current.from_offset = progress.offset;
            }
            self.batches.push_front(current);
            self.cut.clear();
        }
    }

    /// Keeps only what belongs to these partitions; `attention` is the state of affairs that was so.
    pub(super) fn keep_only(&mut self, partitions: &BTreeSet<TopicPartition>, attention: u64) {
        self.attention = attention;
        self.retain(|partition| partitions.contains(partition));
    }

    /// Nothing of these partitions that is here counts any longer.
    pub(super) fn drop_partitions(&mut self, partitions: &BTreeSet<TopicPartition>) {
        self.retain(|partition| !partitions.contains(partition));
    }

    fn retain(&mut self, is_kept: impl Fn(&TopicPartition) -> bool) {
        self.batches.retain(|taken| is_kept(&taken.topic_partition));
        self.progress.retain(|partition, _| is_kept(partition));
        let current = self.current.as_ref();
        if !current.is_some_and(|current| is_kept(&current.topic_partition)) {
            self.cut.clear();
        }
    }

    /// A record was given out; with the last one of a batch goes what holds no records behind it.
    fn note(&mut self, next_offset: Option<i64>) {
        let (Some(next_offset), Some(current)) = (next_offset, &self.current) else {
            return;
        };
        let Some(progress) = self.progress.get_mut(&current.topic_partition) else {
            return;
        };
        if self.cut.is_empty() {
            progress.clone_from(&current.position_after);
        } else {
            progress.offset = next_offset;
            let epoch = current.batch.header().partition_leader_epoch;
            progress.leader_epoch = LeaderEpoch::from_wire(epoch);
        }
    }
}
