//! Segments that are used again once nobody holds a piece of them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::BytesMut;

/// How many lent segments are looked at for one that came back: the oldest come back first.
const LOOKS: usize = 8;

/// A buffer and the size of the allocation behind it.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    /// What is read and not yet cut off.
    pub(crate) bytes: BytesMut,
    /// The whole allocation, in bytes, cut-off pieces included.
    pub(crate) capacity: usize,
    /// Whether it goes back to a pool.
    pub(crate) pooled: bool,
}

impl Segment {
    /// A new one that belongs to no pool.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let bytes = BytesMut::with_capacity(capacity);
        Self {
            capacity: bytes.capacity(),
            bytes,
            pooled: false,
        }
    }

    /// How many bytes can be read into it.
    pub(crate) fn spare(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }

    /// Whether nothing has been cut off its front.
    pub(crate) fn is_whole(&self) -> bool {
        self.bytes.capacity() == self.capacity
    }

    /// Moves what is there to the front, if every piece cut off is dropped and that is cheap.
    pub(crate) fn reclaim(&mut self) -> bool {
        self.bytes.try_reclaim(self.capacity - self.bytes.len())
    }
}

/// How many bytes of segments all pools of a client may keep handles on.
#[derive(Clone, Debug)]
pub(crate) struct PoolBudget {
    left: Arc<AtomicUsize>,
}

impl PoolBudget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            left: Arc::new(AtomicUsize::new(bytes)),
        }
    }

    fn take(&self, bytes: usize) -> bool {
        let less = |left: usize| left.checked_sub(bytes);
        let taken = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        taken.is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.left.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Keeps a handle on every segment whose pieces are out. Once the pieces are dropped the handle is
/// the only one left and the whole segment can be filled again: no copy, no allocation, and never
/// a write into bytes that somebody still holds.
#[derive(Debug)]
pub(crate) struct SegmentPool {
    budget: PoolBudget,
    lent: VecDeque<Segment>,
}

impl Drop for SegmentPool {
    fn drop(&mut self) {
        let lent = self.lent.iter().map(|segment| segment.capacity).sum();
        self.budget.give_back(lent);
    }
}

impl SegmentPool {
    /// An empty pool that keeps handles as long as there is budget.
    pub(crate) const fn new(budget: PoolBudget) -> Self {
        Self {
            budget,
            lent: VecDeque::new(),
        }
    }

    /// An empty segment of at least this size: one that came back, or a new one.
    pub(crate) fn take(&mut self, capacity: usize) -> Segment {
        let back = self
            .lent
            .iter_mut()
            .take(LOOKS)
            .position(|segment| segment.capacity >= capacity && segment.reclaim());
        if let Some(segment) = back.and_then(|index| self.lent.remove(index)) {
            self.budget.give_back(segment.capacity);
            return segment;
        }
        // A segment that somebody keeps for long must not stand in the way of those behind it.
        if !self.lent.is_empty() {
            self.lent.rotate_left(1);
        }
        Segment {
            pooled: true,
            ..Segment::with_capacity(capacity)
        }
    }

    /// Keeps a handle on a segment that is full. Beyond the limit the handle is dropped, and the
    /// memory goes with the last piece: the handles that are kept are those that come back first.
    pub(crate) fn give_back(&mut self, mut segment: Segment) {
        segment.bytes.clear();
        if self.budget.take(segment.capacity) {
            self.lent.push_back(segment);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full_segment(pool: &mut SegmentPool) -> (Segment, *const u8) {
        let mut segment = pool.take(1024);
        segment.bytes.extend_from_slice(&[7; 1024]);
        let address = segment.bytes.as_ptr();
        (segment, address)
    }

    #[test]
    fn a_segment_is_reused_once_its_pieces_are_dropped() {
        let mut pool = SegmentPool::new(PoolBudget::new(4096));
        let (mut segment, address) = full_segment(&mut pool);
        let piece = segment.bytes.split_to(1000).freeze();
        pool.give_back(segment);

        let (other, other_address) = full_segment(&mut pool);
        assert_ne!(other_address, address, "a piece is still out");
        assert_eq!(&piece[..], &[7; 1000]);
        drop(piece);

        let again = pool.take(1024);
        assert_eq!(again.bytes.as_ptr(), address);
        assert_eq!(again.spare(), 1024);
        drop(other);
    }

    #[test]
    fn a_segment_cut_off_to_its_end_is_reused() {
        let mut pool = SegmentPool::new(PoolBudget::new(4096));
        let (mut segment, address) = full_segment(&mut pool);
        drop(segment.bytes.split_to(1024).freeze());
        pool.give_back(segment);
        assert_eq!(pool.take(1024).bytes.as_ptr(), address);
    }

    #[test]
    fn handles_beyond_the_limit_are_dropped() {
        let mut pool = SegmentPool::new(PoolBudget::new(2048));
        for _ in 0..5 {
            let segment = Segment::with_capacity(1024);
            pool.give_back(segment);
        }
        assert_eq!(pool.lent.len(), 2);
    }

    #[test]
    fn segments_that_are_kept_do_not_stand_in_the_way() {
        let mut pool = SegmentPool::new(PoolBudget::new(100 * 1024));
        let mut kept = Vec::new();
        for _ in 0..2 * LOOKS {
            let (mut segment, _) = full_segment(&mut pool);
            kept.push(segment.bytes.split_to(10).freeze());
            pool.give_back(segment);
        }
        let (segment, address) = full_segment(&mut pool);
        pool.give_back(segment);
        let comes_back = (0..2 * LOOKS).any(|_| pool.take(1024).bytes.as_ptr() == address);
        assert!(comes_back);
    }

    #[test]
    fn a_segment_too_small_is_left_alone() {
        let mut pool = SegmentPool::new(PoolBudget::new(4096));
        pool.give_back(Segment::with_capacity(512));
        assert_eq!(pool.take(1024).capacity, 1024);
        assert_eq!(pool.lent.len(), 1);
    }

    #[test]
    fn the_pools_of_a_client_have_one_budget() {
        let budget = PoolBudget::new(2048);
        let mut pools = [
            SegmentPool::new(budget.clone()),
            SegmentPool::new(budget.clone()),
        ];
        for turn in 0..6 {
            pools[turn % 2].give_back(Segment::with_capacity(1024));
        }
        let kept: usize = pools.iter().map(|pool| pool.lent.len()).sum();
        assert_eq!(kept, 2);
        let [one, other] = pools;
        drop((one, other));
        assert!(
            budget.take(2048),
            "a connection that ends gives back its part"
        );
    }
}
