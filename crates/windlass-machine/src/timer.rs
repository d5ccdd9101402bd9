//! Deadlines by name.

use std::collections::BTreeMap;
use std::time::Instant;

/// When a machine wants its `handle_timeout` called, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wakeup {
    /// The earliest deadline.
    pub at: Instant,
    /// What is due then, for logs and failing tests.
    pub reason: &'static str,
}

impl Wakeup {
    /// The earlier of two wake-ups, either of which may be absent.
    #[must_use]
    pub fn earlier(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) if other.at < one.at => Some(other),
            (None, other) => other,
            (one, _) => one,
        }
    }
}

/// The deadlines of a machine, one for each name in `K`: every reason to wake stands in one enum.
#[derive(Clone, Debug)]
pub struct Timers<K> {
    deadlines: BTreeMap<K, Instant>,
}

impl<K: Copy + Ord> Timers<K> {
    /// No deadline.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            deadlines: BTreeMap::new(),
        }
    }

    /// Sets the deadline of this name, in place of an earlier one.
    pub fn set(&mut self, name: K, at: Instant) {
        self.deadlines.insert(name, at);
    }

    /// Takes the deadline of this name away.
    pub fn clear(&mut self, name: K) {
        self.deadlines.remove(&name);
    }

    /// The deadline of this name, if set.
    #[must_use]
    pub fn deadline(&self, name: K) -> Option<Instant> {
        self.deadlines.get(&name).copied()
    }

    /// The earliest deadline and its name; of equal ones the first name.
    #[must_use]
    pub fn next(&self) -> Option<(Instant, K)> {
        self.deadlines
            .iter()
            .map(|(name, at)| (*at, *name))
            .min_by(|(one, _), (other, _)| one.cmp(other))
    }

    /// Takes out the earliest deadline that is not after `now`, if there is one.
    pub fn expire(&mut self, now: Instant) -> Option<K> {
        let (at, name) = self.next()?;
        if at > now {
            return None;
        }
        self.deadlines.remove(&name);
        Some(name)
    }
}

impl<K: Copy + Ord> Default for Timers<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs one instant to count from"
    )]
    fn expires_in_order_of_time() {
        let start = Instant::now();
        let mut timers = Timers::new();
        timers.set('b', start + Duration::from_secs(1));
        timers.set('a', start + Duration::from_secs(2));
        assert_eq!(timers.next(), Some((start + Duration::from_secs(1), 'b')));
        assert_eq!(timers.expire(start), None);
        let late = start + Duration::from_secs(3);
        assert_eq!(timers.expire(late), Some('b'));
        assert_eq!(timers.expire(late), Some('a'));
        assert_eq!(timers.expire(late), None);
    }
}
