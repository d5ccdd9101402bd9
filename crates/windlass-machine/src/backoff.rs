//! Waiting longer after each failure (KIP-580).

use std::time::Duration;

use crate::SplitMix64;

/// Exponential backoff with jitter: doubles from `initial` up to `max`, each time give or take 20 %.
/// Mirrors Kafka's `ExponentialBackoff`.
#[derive(Clone, Debug)]
pub struct Backoff {
    initial: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    /// No failure yet. A `max` below `initial` is raised to it. The first pause is a millisecond at
    /// least: none at all would never grow, and what fails at once would be tried again at once.
    #[must_use]
    pub fn new(initial: Duration, max: Duration) -> Self {
        let initial = initial.max(Duration::from_millis(1));
        Self {
            initial,
            max: max.max(initial),
            failures: 0,
        }
    }

    /// How many failures stand in a row.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Counts a failure and says how long to wait now.
    pub fn next(&mut self, random: &mut SplitMix64) -> Duration {
        let doubled = self.initial.saturating_mul(1 << self.failures.min(20));
        self.failures = self.failures.saturating_add(1);
        let base = doubled.min(self.max);
        // 80 % to 120 % in steps of a thousandth.
        let thousandths = u32::try_from(random.below(401)).unwrap_or(0) + 800;
        (base.saturating_mul(thousandths) / 1000).min(self.max)
    }

    /// Forgets the failures: something worked.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_limit_within_jitter() {
        let mut random = SplitMix64::new(1);
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(1000));
        for expected in [100_u64, 200, 400, 800, 1000, 1000] {
            let wait = backoff.next(&mut random);
            assert!(wait >= Duration::from_millis(expected * 8 / 10), "{wait:?}");
            assert!(
                wait <= Duration::from_millis((expected * 12 / 10).min(1000)),
                "{wait:?}"
            );
        }
        backoff.reset();
        assert!(backoff.next(&mut random) <= Duration::from_millis(120));
    }

    #[test]
    fn no_pause_at_all_grows_too() {
        let mut backoff = Backoff::new(Duration::ZERO, Duration::from_secs(1));
        let mut random = SplitMix64::new(1);
        let pauses: Duration = (0..10).map(|_| backoff.next(&mut random)).sum();
        assert!(pauses > Duration::from_millis(500), "{pauses:?}");
    }
}
