//! Handing records over.

use std::ops::Bound;
use std::time::Instant;

use windlass_model::{OffsetAndMetadata, TopicPartition};
use windlass_protocol::records::{BatchError, DecodedBatch, RecordBatch, Records};

use crate::FetchMachine;
use crate::shared_batch::{LARGEST_BATCH, SharedBatch, UNPACKED_AT_ONCE};

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
    pub(crate) shared: Option<SharedBatch>,
}

impl TakenRecords {
    /// The batch, unpacked; into 256 MiB at most. A batch that is handed over in parts is unpacked
    /// once for all of them.
    ///
    /// # Errors
    ///
    /// Those of [`RecordBatch::decompressed`].
    pub fn decode(&self) -> Result<DecodedBatch, BatchError> {
        match &self.shared {
            Some(shared) => shared.decode(&self.batch).clone(),
            None => self.batch.decompressed(LARGEST_BATCH),
        }
    }

    /// Walks what was handed over, in what [`decode`](Self::decode) gave.
    #[must_use]
    pub fn records<'a>(&self, decoded: &'a DecodedBatch) -> Records<'a> {
        let walk = match &self.shared {
            Some(shared) => shared.records(decoded),
            None => decoded.records(),
        };
        walk.starting_at(self.from_offset)
            .ending_before(self.until_offset)
    }

    /// Says that a walk of [`records`](Self::records) has come to its end, so that the walk over the
    /// next part of the batch need not pass over this one again.
    pub fn walked(&self, walk: &Records<'_>) {
        if let Some(shared) = &self.shared {
            shared.ends_at(walk.bookmark());
        }
    }
}

/// What one hand-over may still take.
struct Left {
    records: usize,
    /// Bytes to unpack, to find out where to cut.
    unpacking: usize,
    /// Whether some partition has to wait for the next time, and is the first then.
    refused: bool,
}

impl FetchMachine {
    /// Hands over at most `max_records` records, in the order of each partition, beginning with
    /// another partition each time; but a compressed batch that was begun is finished first, so that
    /// not many are unpacked at once. Positions go past what is handed over.
    ///
    /// A batch that is compressed, has gaps and is larger inside than 4 MiB goes whole, however many
    /// records it holds: to cut it would take the time of whoever drives the machine.
    ///
    /// A batch that turns out to be unreadable counts as however many records its header promises,
    /// and is handed over for its reader to fail on.
    pub fn take(&mut self, max_records: usize, now: Instant) -> Vec<TakenRecords> {
        self.assert_drained();
        let mut taken = Vec::new();
        let mut left = Left {
            records: max_records,
            unpacking: UNPACKED_AT_ONCE,
            refused: false,
        };
        let buffered = self.budget.buffered();
        let order = self.hand_out_order();
        // The first may have had to stop at the end of what it had begun: its next turn is the last.
        let again = order.first().cloned();
        for topic_partition in order.into_iter().chain(again) {
            if left.records == 0 {
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
        left: &mut Left,
        taken: &mut Vec<TakenRecords>,
    ) {
        let Some(state) = self.partitions.get_mut(topic_partition) else {
            return;
        };
        if !state.may_hand_out() {
            return;
        }
        let before = state.queue.bytes();
        let goes_on = state.queue.holds_unpacked();
        while let Some(cut) = state.queue.take(left.records, &mut left.unpacking) {
            left.records = left.records.saturating_sub(cut.count);
            if cut.count > 0 {
                taken.push(cut.into_taken(topic_partition.clone()));
            }
            if goes_on && !state.queue.holds_unpacked() {
                // To begin another batch here would keep the neighbours waiting for ever.
                break;
            }
        }
        self.budget.released(before - state.queue.bytes());
        let is_refused = left.unpacking == 0 && !state.queue.is_empty() && !left.refused;
        left.refused |= is_refused;
        if left.records == 0 && !left.refused || is_refused {
            let here = topic_partition.clone();
            self.begin_at = if state.queue.holds_unpacked() || is_refused {
                Bound::Included(here)
            } else {
                Bound::Excluded(here)
            };
        }
        if state.queue.is_empty() {
            self.loaded.remove(topic_partition);
            if let Some(failure) = state.failure_ahead.take() {
                self.fail(topic_partition, failure);
            }
        }
    }

    /// The partitions with something to hand over, in their turns.
    fn hand_out_order(&self) -> Vec<TopicPartition> {
        let begin = self.begin_at.as_ref();
        let before = match begin {
            Bound::Included(first) => Bound::Excluded(first),
            Bound::Excluded(last) => Bound::Included(last),
            Bound::Unbounded => return self.loaded.iter().cloned().collect(),
        };
        let first = self.loaded.range((begin, Bound::Unbounded));
        let then = self.loaded.range((Bound::Unbounded, before));
        first.chain(then).cloned().collect()
    }
}
