//! How long the owner of a partition hears nothing of it.

use std::fmt;

use crate::judge::Tenure;

/// The times between two polls that brought records of one partition, in milliseconds, shortest
/// first.
#[derive(Clone, Debug, Default)]
pub struct Silences(Vec<u64>);

impl Silences {
    /// Adds those that ended in this time, first and last millisecond included. Between two tenures
    /// there is none: what a member does not have it does not wait for.
    pub fn add(&mut self, tenures: &[Tenure], (from, to): (u64, u64)) {
        for tenure in tenures {
            let gaps = tenure.arrivals.windows(2).filter_map(|pair| match pair {
                [before, after] if (from..=to).contains(after) => {
                    Some(after.saturating_sub(*before))
                }
                _ => None,
            });
            self.0.extend(gaps);
        }
        self.0.sort_unstable();
    }

    /// The longest.
    #[must_use]
    pub fn longest(&self) -> u64 {
        self.0.last().copied().unwrap_or_default()
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.0.len()
    }

    /// What so many of a thousand are not longer than.
    #[must_use]
    pub fn per_mille(&self, share: usize) -> u64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get(last * share / 1000).copied().unwrap_or_default()
    }
}

impl fmt::Display for Silences {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "median {}, 99 % {}, 99.9 % {}, longest {} ms of {}",
            self.per_mille(500),
            self.per_mille(990),
            self.per_mille(999),
            self.longest(),
            self.count()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Partition;

    #[test]
    fn only_what_ended_in_the_time_and_inside_a_tenure_counts() {
        let tenure = |arrivals: &[u64]| Tenure {
            partition: Partition {
                topic: "t".to_owned(),
                partition: 0,
            },
            from: 0,
            to: None,
            consumed: None,
            committed: None,
            arrivals: arrivals.to_vec(),
        };
        let mut silences = Silences::default();
        let tenures = [tenure(&[10, 20, 50, 60]), tenure(&[500, 505, 900])];
        silences.add(&tenures, (30, 600));
        assert_eq!(silences.0, [5, 10, 30]);
        assert_eq!((silences.longest(), silences.per_mille(500)), (30, 10));
        assert_eq!(Silences::default().longest(), 0);
    }
}
