//! Holds every event of a member to what a consumer may do.
//!
//! The rules are those of Kafka's own system tests: records and commits only of partitions that are
//! assigned, each poll going on exactly where the last one ended, no commit beyond what was
//! consumed, nothing revoked that was not there. Across members: one owner at any moment.

use std::collections::BTreeMap;

use crate::event::{Event, Offset, Partition, RecordSet, Stamped};
use crate::ranges::Ranges;

/// The time in which a member had a partition, and what it did with it.
#[derive(Clone, Debug)]
pub struct Tenure {
    /// The partition.
    pub partition: Partition,
    /// When it came, in milliseconds since 1970.
    pub from: u64,
    /// When it went; none while it is there.
    pub to: Option<u64>,
    /// The offsets consumed: from the first up to, not including, the last of these.
    pub consumed: Option<(i64, i64)>,
    /// The last offset that was committed.
    pub committed: Option<i64>,
    /// When polls brought records, in milliseconds since 1970.
    pub arrivals: Vec<u64>,
}

impl Tenure {
    /// What was consumed and not committed, as far as the member told.
    #[must_use]
    pub fn uncommitted(&self) -> Option<(i64, i64)> {
        let (first, next) = self.consumed?;
        let from = self.committed.unwrap_or(first).max(first);
        (from < next).then_some((from, next))
    }
}

/// What one member has done so far.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    /// The partitions it has now: where their tenures are.
    owned: BTreeMap<Partition, usize>,
    /// All times it had partitions.
    pub tenures: Vec<Tenure>,
    /// What it consumed of each partition.
    pub consumed: BTreeMap<Partition, Ranges>,
    /// How many records it consumed.
    pub records: i64,
    /// How many commits succeeded.
    pub commits: u64,
    /// How many commits failed, and why the last one did.
    pub failed_commits: Vec<String>,
    /// How often partitions came, an empty set of them included.
    pub assignments: u64,
    /// How often partitions went, an empty set of them not counted.
    pub revocations: u64,
    /// Whether it has closed its consumer.
    pub is_closed: bool,
    /// What it did that no consumer may do.
    pub violations: Vec<String>,
}

impl Judge {
    /// The partitions that the member has now.
    pub fn owned(&self) -> impl Iterator<Item = &Partition> {
        self.owned.keys()
    }

    /// Takes note of an event.
    pub fn on_event(&mut self, stamped: &Stamped) {
        if self.is_closed && !matches!(stamped.event, Event::ShutdownRequested) {
            self.violations.push(format!("after the end: {stamped:?}"));
        }
        match &stamped.event {
            Event::PartitionsAssigned { partitions } => {
                self.assignments += 1;
                for partition in partitions {
                    self.on_assigned(partition, stamped.timestamp);
                }
            }
            Event::PartitionsRevoked { partitions } => {
                self.revocations += u64::from(!partitions.is_empty());
                for partition in partitions {
                    self.on_revoked(partition, stamped.timestamp);
                }
            }
            Event::RecordsConsumed { count, partitions } => {
                let sum: i64 = partitions.iter().map(|set| set.count).sum();
                if sum != *count {
                    self.violations
                        .push(format!("{sum} records, said to be {count}"));
                }
                for set in partitions {
                    self.on_records(set, stamped.timestamp);
                }
            }
            Event::OffsetsCommitted {
                offsets,
                error,
                success,
            } => {
                if *success {
                    self.commits += 1;
                    offsets.iter().for_each(|offset| self.on_commit(offset));
                } else {
                    self.failed_commits.push(error.clone().unwrap_or_default());
                }
            }
            Event::ShutdownComplete => {
                self.is_closed = true;
                self.on_end(stamped.timestamp);
            }
            Event::StartupComplete | Event::ShutdownRequested => {}
        }
    }

    /// The member is no more: nothing belongs to it from now on.
    pub fn on_end(&mut self, timestamp: u64) {
        for tenure in &mut self.tenures {
            tenure.to.get_or_insert(timestamp);
        }
        self.owned.clear();
    }

    fn on_assigned(&mut self, partition: &Partition, timestamp: u64) {
        let tenure = Tenure {
            partition: partition.clone(),
            from: timestamp,
            to: None,
            consumed: None,
            committed: None,
            arrivals: Vec::new(),
        };
        self.tenures.push(tenure);
        let place = self.tenures.len() - 1;
        if self.owned.insert(partition.clone(), place).is_some() {
            self.violations
                .push(format!("assigned what it has: {partition:?}"));
        }
    }

    fn on_revoked(&mut self, partition: &Partition, timestamp: u64) {
        match self.owned.remove(partition) {
            Some(place) => self.tenures[place].to = Some(timestamp),
            None => {
                let story = format!("revoked what it does not have: {partition:?}");
                self.violations.push(story);
            }
        }
    }

    fn on_records(&mut self, set: &RecordSet, timestamp: u64) {
        let partition = Partition {
            topic: set.topic.clone(),
            partition: set.partition,
        };
        let next = set.max_offset + 1;
        if set.count != next - set.min_offset {
            self.violations
                .push(format!("not as many as the offsets say: {set:?}"));
        }
        self.records += set.count;
        let ranges = self.consumed.entry(partition.clone()).or_default();
        ranges.add(set.min_offset, next);
        let Some(place) = self.owned.get(&partition) else {
            self.violations
                .push(format!("records of what is not assigned: {set:?}"));
            return;
        };
        let tenure = &mut self.tenures[*place];
        tenure.arrivals.push(timestamp);
        match &mut tenure.consumed {
            Some((_, position)) if *position == set.min_offset => *position = next,
            Some((_, position)) => {
                let story = format!("records do not go on at {position}: {set:?}");
                self.violations.push(story);
                *position = next;
            }
            None => tenure.consumed = Some((set.min_offset, next)),
        }
    }

    fn on_commit(&mut self, offset: &Offset) {
        let partition = Partition {
            topic: offset.topic.clone(),
            partition: offset.partition,
        };
        let Some(place) = self.owned.get(&partition) else {
            self.violations
                .push(format!("a commit of what is not assigned: {offset:?}"));
            return;
        };
        let tenure = &mut self.tenures[*place];
        if tenure
            .consumed
            .is_none_or(|(_, position)| offset.offset > position)
        {
            self.violations
                .push(format!("a commit beyond {tenure:?}: {offset:?}"));
        }
        if tenure
            .committed
            .is_some_and(|before| offset.offset < before)
        {
            self.violations
                .push(format!("a commit back from {tenure:?}: {offset:?}"));
        }
        tenure.committed = Some(offset.offset);
    }
}

/// The moments in which a partition had two owners.
///
/// A member tells that a partition goes before the next can be told that it comes, and all of them
/// look at the same clock, so that their times can be compared.
#[must_use]
pub fn shared_ownership<'a>(
    tenures: impl IntoIterator<Item = (&'a str, &'a Tenure)>,
) -> Vec<String> {
    let mut by_partition: BTreeMap<&Partition, Vec<(&str, &Tenure)>> = BTreeMap::new();
    for (member, tenure) in tenures {
        by_partition
            .entry(&tenure.partition)
            .or_default()
            .push((member, tenure));
    }
    let mut found = Vec::new();
    for owners in by_partition.values_mut() {
        // Ending the earlier first: in one millisecond a partition may come and go.
        owners.sort_by_key(|(_, tenure)| (tenure.from, tenure.to.unwrap_or(u64::MAX)));
        for pair in owners.windows(2) {
            if let [(earlier, before), (later, after)] = pair
                && before.to.is_none_or(|to| to > after.from)
            {
                found.push(format!("{earlier} and {later}: {before:?}, {after:?}"));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
