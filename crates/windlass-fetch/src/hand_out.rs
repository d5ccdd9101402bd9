//! Handing records over.

use std::time::Instant;

use windlass_model::{OffsetAndMetadata, TopicPartition};
use windlass_protocol::records::{DecodedBatch, RecordBatch};

use crate::FetchMachine;

/// A batch, or the part of one, that has been handed over. Cheap to clone: the bytes are shared.
#[derive(Clone, Debug)]
pub struct TakenRecords {
    /// Where it comes from.
    pub topic_partition: TopicPartition,
    /// The batch, decompressed by whoever walks it.
    pub batch: RecordBatch,
    /// The batch decompressed, where that had to be done already.
    pub decoded: Option<DecodedBatch>,
    /// Records below this offset are not part of it.
    pub from_offset: i64,
    /// Records from this offset on are not part of it.
    pub until_offset: i64,
    /// Where the consumer stood before it.
    pub position_before: OffsetAndMetadata,
    /// Where the consumer stands after it.
    pub position_after: OffsetAndMetadata,
}

impl FetchMachine {
    /// Hands over at most `max_records` records, in the order of each partition, beginning with
    /// another partition each time. Positions go past what is handed over.
    pub fn take(&mut self, max_records: usize, now: Instant) -> Vec<TakenRecords> {
        self.assert_drained();
        let mut taken = Vec::new();
        let mut left = max_records;
        for topic_partition in self.hand_out_order() {
            if left == 0 {
                break;
            }
            self.take_from(&topic_partition, &mut left, &mut taken);
        }
        if !taken.is_empty() {
            self.pump(now);
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
        while let Some((cut, count)) = state.queue.take(*left) {
            *left = left.saturating_sub(count);
            if count > 0 {
                taken.push(cut.into_taken(topic_partition.clone()));
            }
        }
        self.budget.released(before - state.queue.bytes());
        if state.queue.is_empty() {
            self.loaded.remove(topic_partition);
        } else if *left == 0 {
            // Its neighbours come first next time.
            self.last_served = Some(topic_partition.clone());
        }
    }

    /// The partitions with something to hand over: first those after the one that was served last.
    fn hand_out_order(&self) -> Vec<TopicPartition> {
        let Some(last) = &self.last_served else {
            return self.loaded.iter().cloned().collect();
        };
        let after = self
            .loaded
            .range((std::ops::Bound::Excluded(last), std::ops::Bound::Unbounded));
        let before = self.loaded.range(..=last);
        after.chain(before).cloned().collect()
    }
}
