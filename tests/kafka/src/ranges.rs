//! Sets of offsets, kept as ranges: a million records are a handful of them.

use std::collections::BTreeMap;

/// How often each offset was seen, as ranges that no two share an offset of the same count.
#[derive(Clone, Debug, Default)]
pub struct Ranges {
    /// Where the count changes, and by how much.
    steps: BTreeMap<i64, i64>,
}

impl Ranges {
    /// Counts the offsets from `from` up to, not including, `to` once more.
    pub fn add(&mut self, from: i64, to: i64) {
        if from < to {
            *self.steps.entry(from).or_default() += 1;
            *self.steps.entry(to).or_default() -= 1;
        }
    }

    /// Counts what the other has as well.
    pub fn add_all(&mut self, other: &Self) {
        for (at, step) in &other.steps {
            *self.steps.entry(*at).or_default() += step;
        }
    }

    /// The stretches of offsets with their counts, in order, where the count is not 0.
    #[must_use]
    pub fn stretches(&self) -> Vec<(i64, i64, i64)> {
        let mut stretches: Vec<(i64, i64, i64)> = Vec::new();
        let mut count = 0;
        let mut since = i64::MIN;
        for (at, step) in self.steps.iter().filter(|(_, step)| **step != 0) {
            if count > 0 {
                stretches.push((since, *at, count));
            }
            count += step;
            since = *at;
        }
        stretches
    }

    /// How many different offsets there are.
    #[must_use]
    pub fn distinct(&self) -> i64 {
        self.stretches().iter().map(|(from, to, _)| to - from).sum()
    }

    /// How many offsets there are beyond one of each.
    #[must_use]
    pub fn repeated(&self) -> i64 {
        let more = |(from, to, count): &(i64, i64, i64)| (to - from) * (count - 1);
        self.stretches().iter().map(more).sum()
    }

    /// The offsets that are missing from 0 up to `end`.
    #[must_use]
    pub fn gaps(&self, end: i64) -> Vec<(i64, i64)> {
        let mut gaps = Vec::new();
        let mut next = 0;
        for (from, to, _) in self.stretches() {
            if from > next {
                gaps.push((next, from.min(end)));
            }
            next = next.max(to);
        }
        if next < end {
            gaps.push((next, end));
        }
        gaps
    }

    /// The offsets that are here more than once, without those that `excused` has.
    #[must_use]
    pub fn repeated_beyond(&self, excused: &Self) -> Vec<(i64, i64)> {
        let excused = excused.stretches();
        let mut left = Vec::new();
        for (from, to, _) in self
            .stretches()
            .into_iter()
            .filter(|(_, _, count)| *count > 1)
        {
            let mut next = from;
            for (start, end, _) in &excused {
                if *start < to && *end > next {
                    if *start > next {
                        left.push((next, *start));
                    }
                    next = *end;
                }
            }
            if next < to {
                left.push((next, to));
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(all: &[(i64, i64)]) -> Ranges {
        let mut ranges = Ranges::default();
        for (from, to) in all {
            ranges.add(*from, *to);
        }
        ranges
    }

    #[test]
    fn what_was_seen_is_counted() {
        let seen = ranges(&[(0, 10), (10, 20), (15, 30), (40, 50)]);
        assert_eq!(seen.distinct(), 40);
        assert_eq!(seen.repeated(), 5);
        assert_eq!(seen.gaps(60), [(30, 40), (50, 60)]);
        assert_eq!(ranges(&[(5, 9)]).gaps(9), [(0, 5)]);
        assert!(ranges(&[(0, 5), (5, 9)]).gaps(9).is_empty());
    }

    #[test]
    fn repetitions_can_be_excused() {
        let seen = ranges(&[(0, 10), (5, 20), (12, 14)]);
        assert_eq!(
            seen.repeated_beyond(&Ranges::default()),
            [(5, 10), (12, 14)]
        );
        assert_eq!(
            seen.repeated_beyond(&ranges(&[(6, 13)])),
            [(5, 6), (13, 14)]
        );
        assert!(seen.repeated_beyond(&ranges(&[(0, 99)])).is_empty());
    }
}
