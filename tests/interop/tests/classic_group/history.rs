//! What the members reported: who owns what, and who read what.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use crate::member::Kind;

pub(crate) const PARTITIONS: i64 = 6;

/// Longer than any rebalance takes, and any client's refresh of metadata.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) enum Event {
    Assigned(Vec<i64>),
    Revoked(Vec<i64>),
    Read { partition: i64, offsets: Range<i64> },
    Ended,
}

#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) kind: Kind,
    pub(crate) event: Event,
}

pub(crate) struct History {
    reports: Receiver<Report>,
    owned: BTreeMap<Kind, BTreeSet<i64>>,
    /// How far each partition has been read.
    read: BTreeMap<i64, i64>,
}

impl History {
    pub(crate) fn new(reports: Receiver<Report>) -> Self {
        Self {
            reports,
            owned: BTreeMap::new(),
            read: (0..PARTITIONS).map(|partition| (partition, 0)).collect(),
        }
    }

    /// Waits until each of these owns something, and every partition has exactly one owner.
    pub(crate) fn wait_for_owners(&mut self, members: &[Kind]) {
        self.wait_until(&format!("{members:?} share the partitions"), |history| {
            let owned = |kind: &Kind| history.owned.get(kind).map_or(0, BTreeSet::len);
            let together: BTreeSet<_> = history.owned.values().flatten().collect();
            let count: usize = members.iter().map(owned).sum();
            let total: usize = history.owned.values().map(BTreeSet::len).sum();
            members.iter().all(|kind| owned(kind) > 0)
                && (count, total) == (together.len(), together.len())
                && (0..PARTITIONS).all(|partition| together.contains(&partition))
        });
    }

    /// Waits until every partition is read up to this offset.
    pub(crate) fn wait_for_reading(&mut self, end: i64) {
        self.wait_until(&format!("all is read up to {end}"), |history| {
            history.read.values().all(|read| *read == end)
        });
    }

    fn wait_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(report) = self.reports.recv_timeout(left) else {
                panic!(
                    "waited in vain until {what}; owned {:?}, read {:?}",
                    self.owned, self.read
                );
            };
            self.add(report);
        }
    }

    fn add(&mut self, Report { kind, event }: Report) {
        let owned = self.owned.entry(kind).or_default();
        match event {
            Event::Assigned(partitions) => owned.extend(partitions),
            Event::Revoked(partitions) => owned.retain(|it| !partitions.contains(it)),
            Event::Ended => owned.clear(),
            Event::Read { partition, offsets } => {
                assert!(
                    owned.contains(&partition),
                    "{kind:?} reads {partition}, which it does not own"
                );
                let read = self.read.get_mut(&partition).unwrap();
                assert_eq!(
                    *read, offsets.start,
                    "{kind:?} reads partition {partition} where the last one ended"
                );
                *read = offsets.end;
            }
        }
    }
}
