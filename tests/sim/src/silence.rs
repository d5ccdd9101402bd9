//! How long partitions stay silent while an application asks for what they have.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use windlass_model::TopicPartition;

use crate::history::Incarnation;

/// The wait for the next records of one partition, in one ownership. It runs while there is
/// something to read and the application is inside of `poll`, and rests otherwise.
#[derive(Debug)]
struct Wait {
    next: i64,
    running_since: Option<Instant>,
    so_far: Duration,
    /// Whether the member took part in a rebalance meanwhile.
    through_rebalance: bool,
}

/// What the waits amounted to while nothing was wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// Partitions that stayed with their owner through a rebalance, once for each time.
    pub retained: u64,
    /// The longest wait during which a rebalance took place, for records of a partition that stayed.
    pub through_rebalance: Duration,
    /// The longest wait without one.
    pub steady: Duration,
}

impl Waits {
    /// Those of another run as well.
    pub fn add(&mut self, other: &Self) {
        self.retained += other.retained;
        self.through_rebalance = self.through_rebalance.max(other.through_rebalance);
        self.steady = self.steady.max(other.steady);
    }
}

/// Measures the waits of all members.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    waits: BTreeMap<(Incarnation, TopicPartition), Wait>,
    /// One beyond the last record of each partition.
    ends: BTreeMap<TopicPartition, i64>,
    asking: BTreeSet<Incarnation>,
    rebalancing: BTreeSet<Incarnation>,
    /// When members were through with their last rebalance.
    settled: BTreeMap<Incarnation, Instant>,
    longest: Waits,
    over: bool,
}

impl Silence {
    pub(crate) fn produced(&mut self, partition: &TopicPartition, end: i64, now: Instant) {
        self.ends.insert(partition.clone(), end);
        self.rerun(|_, of| of == partition, now);
    }

    /// The application goes into `poll`, or comes out of it.
    pub(crate) fn asks(&mut self, who: Incarnation, asks: bool, now: Instant) {
        let changed = if asks {
            self.asking.insert(who)
        } else {
            self.asking.remove(&who)
        };
        if changed {
            self.rerun(|of, _| of == who, now);
        }
    }

    /// The member begins a rebalance, or is through with it.
    pub(crate) fn rebalances(&mut self, who: Incarnation, rebalances: bool, now: Instant) {
        if !rebalances {
            if self.rebalancing.remove(&who) {
                self.settled.insert(who, now);
            }
        } else if self.rebalancing.insert(who) {
            let waits = self.waits.iter_mut().filter(|((of, _), _)| *of == who);
            for (_, wait) in waits {
                wait.through_rebalance = true;
            }
        }
    }

    /// Whether the member is in a rebalance, or was since then.
    pub(crate) fn rebalanced_since(&self, who: Incarnation, then: Instant) -> bool {
        self.rebalancing.contains(&who) || self.settled.get(&who).is_some_and(|at| *at >= then)
    }

    /// A rebalance ended for the member; `added` is what it did not have before.
    pub(crate) fn assigned(&mut self, who: Incarnation, added: &[TopicPartition]) {
        let kept = self.waits.keys().filter(|(of, _)| *of == who);
        let kept = kept.filter(|(_, partition)| !added.contains(partition));
        if !self.over {
            self.longest.retained += u64::try_from(kept.count()).unwrap_or(0);
        }
    }

    /// The member does not have the partition any more: a wait for it that was under way is void.
    pub(crate) fn gone(&mut self, who: Incarnation, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.waits.remove(&(who, partition.clone()));
        }
    }

    pub(crate) fn dead(&mut self, who: Incarnation) {
        self.waits.retain(|(of, _), _| *of != who);
        self.asking.remove(&who);
        self.rebalancing.remove(&who);
        self.settled.remove(&who);
    }

    /// Records came, and the next wait begins.
    pub(crate) fn handed_out(
        &mut self,
        who: Incarnation,
        partition: &TopicPartition,
        next: i64,
        now: Instant,
    ) {
        let fresh = Wait {
            next,
            running_since: None,
            so_far: Duration::ZERO,
            through_rebalance: self.rebalancing.contains(&who),
        };
        if self.over {
            return;
        }
        let before = self.waits.insert((who, partition.clone()), fresh);
        if let Some(wait) = before {
            self.measure(&wait, now);
        }
        self.rerun(|of, one| of == who && one == partition, now);
    }

    /// From here on something may be wrong: what is waited for now has been waited for so long.
    pub(crate) fn end(&mut self, now: Instant) -> Waits {
        if !self.over {
            for wait in std::mem::take(&mut self.waits).into_values() {
                self.measure(&wait, now);
            }
            self.over = true;
        }
        self.longest
    }

    fn measure(&mut self, wait: &Wait, now: Instant) {
        if self.over {
            return;
        }
        let running = wait
            .running_since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let longest = if wait.through_rebalance {
            &mut self.longest.through_rebalance
        } else {
            &mut self.longest.steady
        };
        *longest = (*longest).max(wait.so_far + running);
    }

    /// Lets these waits run, or rest.
    fn rerun(&mut self, which: impl Fn(Incarnation, &TopicPartition) -> bool, now: Instant) {
        if self.over {
            return;
        }
        for ((who, partition), wait) in &mut self.waits {
            if !which(*who, partition) {
                continue;
            }
            if let Some(since) = wait.running_since.take() {
                wait.so_far += now.saturating_duration_since(since);
            }
            let readable = self.ends.get(partition).is_some_and(|end| wait.next < *end);
            wait.running_since = (readable && self.asking.contains(who)).then_some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_asking_for_something_counts_and_rebalances_are_told_apart() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let (who, events) = (Incarnation(1), TopicPartition::new("events", 0));
        let mut silence = Silence::default();
        silence.handed_out(who, &events, 5, at(0));
        silence.asks(who, true, at(0));
        silence.produced(&events, 7, at(100));
        silence.asks(who, false, at(130));
        silence.asks(who, true, at(500));
        silence.handed_out(who, &events, 6, at(520));
        silence.rebalances(who, true, at(520));
        silence.rebalances(who, false, at(520));
        silence.assigned(who, &[]);
        silence.handed_out(who, &events, 7, at(590));
        let expected = Waits {
            retained: 1,
            through_rebalance: Duration::from_millis(70),
            steady: Duration::from_millis(50),
        };
        assert_eq!(silence.end(at(1000)), expected);
    }
}
