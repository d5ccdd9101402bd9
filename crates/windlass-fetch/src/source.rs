//! A broker, as a source of records.

use std::time::{Duration, Instant};

use windlass_machine::{Backoff, SplitMix64};
use windlass_model::TopicPartition;

use crate::FetchConfig;

/// How long a broker may wait for more when a partition of it had to be left out of the fetch: it
/// may be ready any moment, and must not wait for its quiet neighbours.
pub(crate) const SHORT_WAIT: Duration = Duration::from_millis(10);

/// What is remembered of a broker from fetch to fetch.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    backoff: Backoff,
    rests_until: Option<Instant>,
    /// The partition that stood first in the last fetch: another one is to be first in the next.
    first: Option<TopicPartition>,
    /// Fetches in a row that waited shortly, and in vain.
    short_waits: u32,
    /// The waits that the broker does not do itself: see [`Source::stand_in`].
    idle: Backoff,
    idles_until: Option<Instant>,
}

impl Source {
    pub(crate) fn new(config: &FetchConfig) -> Self {
        Self {
            backoff: Backoff::new(config.retry_backoff, config.retry_backoff_max),
            rests_until: None,
            first: None,
            short_waits: 0,
            idle: Backoff::new(SHORT_WAIT, config.max_wait),
            idles_until: None,
        }
    }

    /// When the broker may be fetched from again, if not now.
    pub(crate) fn fetchable_from(&self, now: Instant) -> Option<Instant> {
        self.rests_until(now)
            .max(self.idles_until.filter(|until| *until > now))
    }

    /// The broker answered with nothing, and sooner than it was asked to: wait in its stead, in the
    /// end as long as it should have.
    pub(crate) fn stand_in(&mut self, random: &mut SplitMix64, now: Instant) {
        self.idles_until = Some(now + self.idle.next(random));
    }

    /// The broker sent something, or waited for it.
    pub(crate) const fn went_well(&mut self) {
        self.idle.reset();
        self.idles_until = None;
    }

    /// When to try the broker again, if it failed a short while ago.
    pub(crate) fn rests_until(&self, now: Instant) -> Option<Instant> {
        self.rests_until.filter(|until| *until > now)
    }

    /// The broker failed: leave it alone, longer each time.
    pub(crate) fn rest(&mut self, random: &mut SplitMix64, now: Instant) {
        self.rests_until = Some(now + self.backoff.next(random));
    }

    /// The broker answered.
    pub(crate) const fn settle_down(&mut self) {
        self.rests_until = None;
        self.backoff.reset();
    }

    /// Turns the list, which is sorted, so that each partition is first in its turn: the broker
    /// fills a response from the front, and only the first batch may be larger than what was asked.
    pub(crate) fn rotate(&mut self, partitions: &mut [TopicPartition]) {
        if let Some(last) = &self.first {
            let next = partitions.partition_point(|partition| partition <= last);
            if next < partitions.len() {
                partitions.rotate_left(next);
            }
        }
        self.first = partitions.first().cloned();
    }

    /// How long the broker may wait for records. While partitions are left out this begins short
    /// and doubles, so that an application that takes its time does not make a busy loop.
    pub(crate) fn patience(&mut self, max_wait: Duration, some_left_out: bool) -> Duration {
        if !some_left_out {
            self.short_waits = 0;
            return max_wait;
        }
        let wait = SHORT_WAIT.saturating_mul(1 << self.short_waits.min(16));
        self.short_waits = self.short_waits.saturating_add(1);
        wait.min(max_wait)
    }

    /// Something moved: what was left out may be ready soon.
    pub(crate) const fn hurry(&mut self) {
        self.short_waits = 0;
        self.idles_until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partitions(numbers: &[i32]) -> Vec<TopicPartition> {
        numbers
            .iter()
            .map(|number| TopicPartition::new("t", *number))
            .collect()
    }

    #[test]
    fn each_partition_is_first_in_its_turn() {
        let mut source = Source::new(&FetchConfig::default());
        for expected in [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]] {
            let mut list = partitions(&[0, 1, 2]);
            source.rotate(&mut list);
            assert_eq!(list, partitions(&expected));
        }
        // Its successor is left out once: the one after that is first.
        let mut list = partitions(&[0, 2]);
        source.rotate(&mut list);
        assert_eq!(list, partitions(&[2, 0]));
    }

    #[test]
    fn short_waits_double_until_something_moves() {
        let mut source = Source::new(&FetchConfig::default());
        let most = Duration::from_millis(500);
        let waits: Vec<_> = (0..8)
            .map(|_| source.patience(most, true).as_millis())
            .collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 500, 500]);
        source.hurry();
        assert_eq!(source.patience(most, true).as_millis(), 10);
        assert_eq!(source.patience(most, false), most);
        assert_eq!(source.patience(most, true).as_millis(), 10);
    }
}
