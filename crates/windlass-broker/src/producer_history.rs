//! What a partition remembers of an idempotent producer.

use std::collections::VecDeque;

use windlass_protocol::records::BatchHeader;

use crate::appended::Appended;

/// How many batches are remembered, so that a repetition is known for one: as many as a client may
/// have in flight.
const REMEMBERED_BATCHES: usize = 5;

/// A batch that was appended.
#[derive(Clone, Copy, Debug)]
struct Remembered {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
}

/// An idempotent producer, as one partition knows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProducerHistory {
    epoch: i16,
    batches: VecDeque<Remembered>,
}

impl ProducerHistory {
    /// What is wrong with a batch that comes next, or whether it came before.
    pub(crate) fn check(&self, header: &BatchHeader) -> Option<Appended> {
        if header.producer_epoch < self.epoch {
            return Some(Appended::FencedProducer);
        }
        if header.producer_epoch > self.epoch {
            return (header.base_sequence != 0).then_some(Appended::OutOfSequence);
        }
        let range = (header.base_sequence, last_sequence(header));
        let same = |batch: &&Remembered| (batch.first_sequence, batch.last_sequence) == range;
        if let Some(batch) = self.batches.iter().find(same) {
            return Some(Appended::Duplicate(batch.base_offset));
        }
        let expected = self
            .batches
            .back()
            .map_or(0, |batch| next_sequence(batch.last_sequence));
        (header.base_sequence != expected).then_some(Appended::OutOfSequence)
    }

    /// The batch is in the log.
    pub(crate) fn appended(&mut self, header: &BatchHeader, base_offset: i64) {
        self.begin_epoch(header.producer_epoch);
        if self.batches.len() == REMEMBERED_BATCHES {
            self.batches.pop_front();
        }
        self.batches.push_back(Remembered {
            first_sequence: header.base_sequence,
            last_sequence: last_sequence(header),
            base_offset,
        });
    }

    /// The producer has this epoch now; what it sent under an older one is forgotten.
    pub(crate) fn begin_epoch(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.batches.clear();
        }
    }
}

/// Sequences begin again at zero after the largest number.
const fn next_sequence(sequence: i32) -> i32 {
    sequence.wrapping_add(1) & i32::MAX
}

const fn last_sequence(header: &BatchHeader) -> i32 {
    header
        .base_sequence
        .wrapping_add(header.record_count)
        .wrapping_sub(1)
        & i32::MAX
}
