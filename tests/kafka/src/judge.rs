//! What the events of all members amount to, held against the rules that Kafka's own system tests
//! hold: records and commits only of what is owned, batches without gaps, one owner a partition.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::member::Event;

/// What is known of one member.
#[derive(Debug, Default)]
struct MemberView {
    owned: BTreeSet<i64>,
    /// Where each owned partition goes on.
    next: BTreeMap<i64, i64>,
    revocations: u32,
    killed: bool,
}

/// The judge: takes events in, and keeps count.
#[derive(Debug)]
pub struct Judge {
    events: Receiver<Event>,
    members: BTreeMap<String, MemberView>,
    /// How often each record of each partition was consumed.
    seen: BTreeMap<i64, BTreeMap<i64, u32>>,
    committed: BTreeMap<i64, i64>,
    /// Records that may be consumed once more: their owner was killed before it committed them.
    forgiven: BTreeSet<(i64, i64)>,
    /// The rules that were broken.
    broken: Vec<String>,
    /// Records that were consumed in earlier scenes.
    earlier: u64,
}

impl Judge {
    /// A judge of what comes through this channel.
    #[must_use]
    pub const fn new(events: Receiver<Event>) -> Self {
        Self {
            events,
            members: BTreeMap::new(),
            seen: BTreeMap::new(),
            committed: BTreeMap::new(),
            forgiven: BTreeSet::new(),
            broken: Vec::new(),
            earlier: 0,
        }
    }

    /// Takes events in until `done` says so.
    ///
    /// # Errors
    ///
    /// A rule that was broken, or that it took too long.
    pub fn until(
        &mut self,
        what: &str,
        patience: Duration,
        done: impl Fn(&Self) -> bool,
    ) -> Result<(), String> {
        let start = Instant::now();
        while !done(self) {
            if start.elapsed() > patience {
                return Err(format!(
                    "{what}: not within {patience:?}; {}",
                    self.describe()
                ));
            }
            if let Ok(event) = self.events.recv_timeout(Duration::from_millis(100)) {
                self.observe(&event);
            }
        }
        if self.broken.is_empty() {
            Ok(())
        } else {
            Err(self.broken.join("\n"))
        }
    }

    /// A member was killed: it may have had records in hand.
    pub fn killed(&mut self, member: &str) {
        // What it printed before its end is still in the channel.
        while let Ok(event) = self.events.recv_timeout(Duration::from_millis(300)) {
            self.observe(&event);
        }
        if let Some(view) = self.members.get_mut(member) {
            view.killed = true;
            for (partition, next) in std::mem::take(&mut view.next) {
                let committed = self.committed.get(&partition).copied().unwrap_or(0);
                self.forgiven
                    .extend((committed..next).map(|offset| (partition, offset)));
            }
            view.owned.clear();
        }
    }

    /// How many different records were consumed.
    #[must_use]
    pub fn consumed(&self) -> u64 {
        self.seen.values().map(|offsets| offsets.len() as u64).sum()
    }

    /// How many records were consumed since the first, in all scenes.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.consumed() + self.earlier
    }

    /// Another scene begins, with another topic: its offsets are counted from 0.
    pub fn begin_anew(&mut self) {
        self.earlier += self.consumed();
        self.seen.clear();
        self.members.clear();
        self.committed.clear();
        self.forgiven.clear();
    }

    /// How many records were consumed more than once.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.seen
            .values()
            .flat_map(BTreeMap::values)
            .filter(|count| **count > 1)
            .count() as u64
    }

    /// How many partitions have an owner.
    #[must_use]
    pub fn owned_partitions(&self) -> usize {
        self.members.values().map(|view| view.owned.len()).sum()
    }

    /// How many members own something.
    #[must_use]
    pub fn owners(&self) -> usize {
        self.members
            .values()
            .filter(|view| !view.owned.is_empty())
            .count()
    }

    /// How many members have been told of an assignment, be it empty.
    #[must_use]
    pub fn joined(&self) -> usize {
        self.members.len()
    }

    /// How often the member gave something up.
    #[must_use]
    pub fn revocations(&self, member: &str) -> u32 {
        self.members.get(member).map_or(0, |view| view.revocations)
    }

    fn observe(&mut self, event: &Event) {
        let name = event.json["name"].as_str().unwrap_or_default();
        match name {
            "partitions_assigned" => self.assigned(&event.member, &partitions(&event.json)),
            "partitions_revoked" => self.revoked(&event.member, &partitions(&event.json)),
            "records_consumed" => self.records(&event.member, &event.json),
            "offsets_committed" => self.commit(&event.member, &event.json),
            _ => {}
        }
    }

    fn assigned(&mut self, member: &str, partitions: &[i64]) {
        for partition in partitions {
            let rival = self
                .members
                .iter()
                .find(|(name, view)| {
                    *name != member && !view.killed && view.owned.contains(partition)
                })
                .map(|(name, _)| name.clone());
            if let Some(rival) = rival {
                self.broken.push(format!(
                    "partition {partition} was given to {member} while {rival} owned it"
                ));
            }
        }
        let view = self.members.entry(member.to_owned()).or_default();
        for partition in partitions {
            view.owned.insert(*partition);
            view.next.remove(partition);
        }
    }

    fn revoked(&mut self, member: &str, partitions: &[i64]) {
        let view = self.members.entry(member.to_owned()).or_default();
        if !partitions.is_empty() {
            view.revocations += 1;
        }
        for partition in partitions {
            if !view.owned.remove(partition) {
                self.broken.push(format!(
                    "{member} gave up partition {partition}, which it did not own"
                ));
            }
            view.next.remove(partition);
        }
    }

    fn records(&mut self, member: &str, json: &Value) {
        for summary in json["partitions"].as_array().into_iter().flatten() {
            let number = |name: &str| summary[name].as_i64().unwrap_or(-1);
            let (partition, first, last) = (
                number("partition"),
                number("minOffset"),
                number("maxOffset"),
            );
            let view = self.members.entry(member.to_owned()).or_default();
            if !view.owned.contains(&partition) {
                self.broken.push(format!(
                    "{member} was handed records of partition {partition}, which it does not own"
                ));
            }
            let expected = view.next.insert(partition, last + 1);
            if expected.is_some_and(|expected| expected != first) {
                self.broken.push(format!("{member} was handed offset {first} of partition {partition}, {expected:?} was next"));
            }
            let seen = self.seen.entry(partition).or_default();
            for offset in first..=last {
                let count = seen.entry(offset).or_default();
                *count += 1;
                if *count > 1 && !self.forgiven.remove(&(partition, offset)) {
                    self.broken.push(format!(
                        "{member} was handed offset {offset} of partition {partition} once more"
                    ));
                }
            }
        }
    }

    fn commit(&mut self, member: &str, json: &Value) {
        if json["success"] != true {
            return;
        }
        for committed in json["offsets"].as_array().into_iter().flatten() {
            let partition = committed["partition"].as_i64().unwrap_or(-1);
            let offset = committed["offset"].as_i64().unwrap_or(-1);
            let view = self.members.entry(member.to_owned()).or_default();
            if !view.owned.contains(&partition) {
                self.broken.push(format!(
                    "{member} committed partition {partition}, which it does not own"
                ));
            }
            if view.next.get(&partition).is_some_and(|next| offset > *next) {
                self.broken.push(format!("{member} committed {offset} of partition {partition}, beyond what it was handed"));
            }
            self.committed.insert(partition, offset);
        }
    }

    fn describe(&self) -> String {
        format!(
            "{} consumed, {} partitions owned by {} members",
            self.consumed(),
            self.owned_partitions(),
            self.owners()
        )
    }
}

fn partitions(json: &Value) -> Vec<i64> {
    let all = json["partitions"].as_array().into_iter().flatten();
    all.filter_map(|partition| partition["partition"].as_i64())
        .collect()
}
