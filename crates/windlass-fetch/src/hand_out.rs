//! Handing records over.

use std::ops::Bound;
use std::time::Instant;

use windlass_model::{OffsetAndMetadata, TopicPartition};
use windlass_protocol::records::{BatchError, DecodedBatch, RecordBatch};

use crate::FetchMachine;
use crate::queue::SharedDecoding;

/// A batch, or the part of one, that has been handed over. Cheap to clone: the bytes are shared.
#[derive(Clone, Debug)]
pub struct TakenRecords {
    /// Where it comes from.
    pub topic_partition: TopicPartition,
    /// The batch as it came. See [`TakenRecords::decode`].
    pub batch: RecordBatch,
    /// Records below this offset are not part of it.
    pub from_offset: i64,
    /// Records from this offset on are not part of it.
    pub until_offset: i64,
    /// Where the consumer stood before it.
    pub position_before: OffsetAndMetadata,
    /// Where the consumer stands after it, and after what holds no records behind it.
    pub position_after: OffsetAndMetadata,
    /// Present where other parts of the batch go to others.
    pub(crate) decoding: Option<SharedDecoding>,
}

impl TakenRecords {
    /// The batch, decompressed to at most `limit` bytes. A batch that is handed over in parts is
    /// decompressed once for all of them, with the limit of the first who asks.
    ///
    /// # Errors
    ///
    /// Those of [`RecordBatch::decompressed`].
    pub fn decode(&self, limit: usize) -> Result<DecodedBatch, BatchError> {
        match &self.decoding {
            Some(decoding) => decoding
                .get_or_init(|| self.batch.decompressed(limit))
                .clone(),
            None => self.batch.decompressed(limit),
        }
    }
}

impl FetchMachine {
    /// Hands over at most `max_records` records, in the order of each partition, beginning with
    /// another partition each time. Positions go past what is handed over.
    ///
    /// A batch that turns out to be unreadable counts as however many records its header promises,
    /// and is handed over for its reader to fail on.
    pub fn take(&mut self, max_records: usize, now: Instant) -> Vec<TakenRecords> {
        self.assert_drained();
        let mut taken = Vec::new();
        let mut left = max_records;
        let buffered = self.budget.buffered();
        for topic_partition in self.hand_out_order() {
            if left == 0 {
                break;
            }
            self.take_from(&topic_partition, &mut left, &mut taken);
        }
        if self.budget.buffered() < buffered {
            self.hurry_sources();
            self.pump(now);
        } else {
            self.note_ready();
        }
        taken
    }

    fn take_from(
        &mut self,
        topic_partition: &TopicPartition,
        left: &mut usize,
        taken: &mut Vec<TakenRecords>,
    ) {
        let Some(state) = self.partitions.get_mut(topic_partition) else {
            return;
        };
        if !state.may_hand_out() {
            return;
        }
        let before = state.queue.bytes();
        while let Some(cut) = state.queue.take(*left) {
            *left = left.saturating_sub(cut.count);
            if cut.count > 0 {
                taken.push(cut.into_taken(topic_partition.clone()));
            }
        }
        self.budget.released(before - state.queue.bytes());
        if *left == 0 {
            // Its neighbours come first next time.
            self.last_served = Some(topic_partition.clone());
        }
        if state.queue.is_empty() {
            self.loaded.remove(topic_partition);
            if let Some(failure) = state.failure_ahead.take() {
                self.fail(topic_partition, failure);
            }
        }
    }

    /// The partitions with something to hand over: first those after the one that was served last.
    fn hand_out_order(&self) -> Vec<TopicPartition> {
        let Some(last) = &self.last_served else {
            return self.loaded.iter().cloned().collect();
        };
        let after = self.loaded.range((Bound::Excluded(last), Bound::Unbounded));
        let before = self.loaded.range(..=last);
        after.chain(before).cloned().collect()
    }
}
