//! The bytes that came in and are not yet understood.

use bytes::BytesMut;

use crate::segment_pool::{PoolBudget, Segment, SegmentPool};

/// A read into less room than this is not worth its system call.
const MIN_ROOM_BYTES: usize = 4 * 1024;

/// How far a length that the broker claims is believed at once. Beyond it the buffer at most
/// doubles each time it is full, so that memory follows the bytes that did arrive.
const TRUSTED_BYTES: usize = 64 * 1024;

/// The same for record batches: a batch of up to a mebibyte, the usual limit of brokers, gets its
/// room in one step and is never copied twice.
const TRUSTED_BATCH_BYTES: usize = 1024 * 1024;

/// What room a read is to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// For a message that is gathered whole.
    Message,
    /// For a Fetch response, whose batches are cut off the segment while it fills.
    Segment,
}

/// A segment being filled, and the pool it came from.
#[derive(Debug)]
pub(crate) struct ReadBuffer {
    segment: Segment,
    pool: SegmentPool,
    segment_bytes: usize,
}

impl ReadBuffer {
    /// An empty buffer; nothing is allocated before the first read.
    pub(crate) fn new(segment_bytes: usize, pool: PoolBudget) -> Self {
        Self {
            segment: Segment::default(),
            pool: SegmentPool::new(pool),
            segment_bytes: segment_bytes.max(MIN_ROOM_BYTES),
        }
    }

    /// What is there. Cut off from its front, append at its end.
    pub(crate) const fn bytes(&mut self) -> &mut BytesMut {
        &mut self.segment.bytes
    }

    /// How many bytes are there.
    pub(crate) fn len(&self) -> usize {
        self.segment.bytes.len()
    }

    /// Makes room for a read when at least `needed` more bytes are awaited. What is there moves to
    /// the front of another segment where the present one has too little left.
    pub(crate) fn make_room(&mut self, needed: usize, room: Room) {
        let (length, spare) = (self.len(), self.segment.spare());
        let suits = match room {
            Room::Message => true,
            // A buffer that was made for messages is not gone on with for a Fetch response.
            Room::Segment => self.segment.capacity >= self.segment_bytes,
        };
        // A short read is better than moving much.
        let is_worth_it = spare >= MIN_ROOM_BYTES || length > MIN_ROOM_BYTES;
        let is_enough = spare >= needed.max(1) && is_worth_it;
        // A whole segment is filled to its end first: it is replaced by a larger one only then, so
        // that memory follows the bytes that did arrive.
        let is_filling = self.segment.is_whole() && spare >= MIN_ROOM_BYTES;
        if suits && (is_enough || is_filling) {
            return;
        }
        let (floor, trusted) = match room {
            Room::Message => (2 * MIN_ROOM_BYTES, TRUSTED_BYTES),
            Room::Segment => (self.segment_bytes, TRUSTED_BATCH_BYTES),
        };
        let believed = length
            .saturating_add(needed)
            .min(trusted.max(length.saturating_mul(2)));
        let capacity = believed.max(floor).max(length + MIN_ROOM_BYTES);
        if self.segment.capacity >= capacity && self.segment.reclaim() {
            return;
        }
        let mut next = match room {
            Room::Message => Segment::with_capacity(capacity),
            Room::Segment => self.pool.take(capacity),
        };
        next.bytes.extend_from_slice(&self.segment.bytes);
        let full = std::mem::replace(&mut self.segment, next);
        if full.pooled {
            self.pool.give_back(full);
        }
    }

    /// Lets go of a buffer that one long message made large.
    pub(crate) fn shrink(&mut self) {
        let segment = &self.segment;
        if segment.bytes.is_empty() && !segment.pooled && segment.capacity > TRUSTED_BYTES {
            self.segment = Segment::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets `total` bytes arrive in reads of at most `step`, and says how large the buffer grew and
    /// how often it moved.
    fn fill(total: usize, present: usize, room: Room) -> (usize, usize) {
        let mut buffer = ReadBuffer::new(128 * 1024, PoolBudget::new(1024 * 1024));
        let mut moves = 0;
        while buffer.len() < present {
            let before = buffer.segment.capacity;
            buffer.make_room(total - buffer.len(), room);
            moves += usize::from(buffer.segment.capacity != before);
            let read = (present - buffer.len())
                .min(1500)
                .min(buffer.segment.spare());
            assert!(read > 0);
            buffer.bytes().extend_from_slice(&vec![1; read]);
        }
        (buffer.segment.capacity, moves)
    }

    #[test]
    fn a_claimed_length_is_not_believed_before_bytes_arrive() {
        const CLAIMED: usize = 100 * 1024 * 1024;
        assert_eq!(fill(CLAIMED, 100, Room::Message).0, TRUSTED_BYTES);
        assert_eq!(fill(CLAIMED, 100, Room::Segment).0, TRUSTED_BATCH_BYTES);
        let (capacity, moves) = fill(CLAIMED, 3 * 1024 * 1024, Room::Message);
        assert!(capacity <= 6 * 1024 * 1024 + MIN_ROOM_BYTES, "{capacity}");
        assert!(moves <= 8, "{moves}");
    }

    #[test]
    fn a_batch_of_a_mebibyte_gets_its_room_at_once() {
        assert_eq!(fill(1_000_000, 1_000_000, Room::Segment), (1_000_000, 1));
    }

    #[test]
    fn small_batches_fill_one_segment_after_the_other() {
        let mut buffer = ReadBuffer::new(128 * 1024, PoolBudget::new(1024 * 1024));
        let mut addresses = std::collections::BTreeSet::new();
        for _ in 0..1000 {
            buffer.make_room(1000, Room::Segment);
            buffer.bytes().extend_from_slice(&[1; 1000]);
            let batch = buffer.bytes().split_to(1000).freeze();
            addresses.insert(batch.as_ptr() as usize / (128 * 1024));
        }
        assert!(
            addresses.len() <= 3,
            "one or two segments serve: {addresses:?}"
        );
    }

    #[test]
    fn a_long_message_leaves_no_large_buffer() {
        let mut buffer = ReadBuffer::new(128 * 1024, PoolBudget::new(1024 * 1024));
        buffer.make_room(10, Room::Message);
        buffer.bytes().extend_from_slice(&vec![1; 500_000]);
        buffer.segment.capacity = buffer.segment.bytes.capacity();
        drop(buffer.bytes().split_to(500_000));
        buffer.shrink();
        assert_eq!(buffer.segment.capacity, 0);
    }
}
