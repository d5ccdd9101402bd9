//! Records that have arrived at the application's side and are given out one by one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use windlass_core::OperationId;
use windlass_fetch::TakenRecords;
use windlass_model::{LeaderEpoch, OffsetAndMetadata, TopicPartition};

use crate::records::Batch;
use crate::{ConsumerError, OwnedRecord, Records};

/// The answer to one poll, on its way into the application's hands.
#[derive(Debug)]
pub(crate) struct Delivery {
    operation: OperationId,
    attention: u64,
    batches: VecDeque<TakenRecords>,
    /// The records of the first batch, cut out one by one.
    cut: VecDeque<Result<OwnedRecord, ConsumerError>>,
    /// Next offsets of the partitions of which something is or was here.
    progress: BTreeMap<TopicPartition, OffsetAndMetadata>,
    /// The batch that the cut records come from.
    current: Option<TakenRecords>,
}

impl Delivery {
    pub(crate) fn new(operation: OperationId, attention: u64, records: Vec<TakenRecords>) -> Self {
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
    pub(crate) const fn operation(&self) -> OperationId {
        self.operation
    }

    /// The state of affairs under which the records may be given out.
    pub(crate) const fn attention(&self) -> u64 {
        self.attention
    }

    /// Whether everything has been given out.
    pub(crate) fn is_finished(&self) -> bool {
        self.cut.is_empty() && self.batches.is_empty()
    }

    /// How far the application is in each partition that is or was here.
    pub(crate) fn progress(&self) -> BTreeMap<TopicPartition, OffsetAndMetadata> {
        self.progress.clone()
    }

    /// What will be given out next of a partition of which something is or was here.
    pub(crate) fn position(&self, partition: &TopicPartition) -> Option<&OffsetAndMetadata> {
        self.progress.get(partition)
    }

    /// Gives out the next record.
    pub(crate) fn next_record(&mut self) -> Option<Result<OwnedRecord, ConsumerError>> {
        loop {
            if let Some(record) = self.cut.pop_front() {
                self.note(&record);
                return Some(record);
            }
            let taken = self.batches.pop_front()?;
            self.cut_out(taken);
        }
    }

    /// What has not been given out, as one `poll` hands it out.
    pub(crate) fn into_records(mut self) -> Records {
        if let Some(mut current) = self.current.take_if(|_| !self.cut.is_empty()) {
            if let Some(progress) = self.progress.get(&current.topic_partition) {
                current.from_offset = progress.offset;
            }
            self.batches.push_front(current);
        }
        Records::new(self.batches)
    }

    /// Keeps only what belongs to these partitions; `attention` is the state of affairs that was so.
    pub(crate) fn keep_only(&mut self, partitions: &BTreeSet<TopicPartition>, attention: u64) {
        self.attention = attention;
        self.batches
            .retain(|taken| partitions.contains(&taken.topic_partition));
        self.progress
            .retain(|partition, _| partitions.contains(partition));
        let is_kept = self
            .current
            .as_ref()
            .is_some_and(|current| partitions.contains(&current.topic_partition));
        if !is_kept {
            self.cut.clear();
        }
    }

    /// The application moved this partition's position: what is here of it no longer counts.
    pub(crate) fn drop_partition(&mut self, partition: &TopicPartition) {
        let mut others: BTreeSet<_> = self.progress.keys().cloned().collect();
        others.remove(partition);
        self.keep_only(&others, self.attention);
    }

    fn cut_out(&mut self, taken: TakenRecords) {
        let partition = taken.topic_partition.clone();
        let after = taken.position_after.clone();
        let batch = Batch::new(taken.clone());
        self.current = Some(taken);
        self.cut = batch
            .iter(&partition)
            .map(|record| record.and_then(|record| record.to_owned()))
            .collect();
        if self.cut.is_empty() {
            self.progress.insert(partition, after);
        }
    }

    fn note(&mut self, record: &Result<OwnedRecord, ConsumerError>) {
        let Ok(record) = record else {
            return;
        };
        if let Some(progress) = self.progress.get_mut(&record.topic_partition) {
            progress.offset = record.offset + 1;
            if let Some(current) = &self.current {
                let epoch = current.batch.header().partition_leader_epoch;
                progress.leader_epoch = LeaderEpoch::from_wire(epoch);
            }
        }
    }
}
