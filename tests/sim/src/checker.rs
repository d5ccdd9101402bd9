//! The invariants, held against every event of a run.

mod farewell;
mod retained;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use windlass_model::TopicPartition;

use self::retained::Retained;

use crate::history::{Entry, Event, Incarnation};

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The number of the rule, as `docs/testing.md` lists them.
    pub rule: u8,
    /// What happened.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invariant {} broken: {}", self.rule, self.text)
    }
}

/// One ownership of one partition by one member, from assignment to farewell.
#[derive(Clone, Debug)]
struct Ownership {
    generation: Option<i32>,
    /// The next offset that may be handed out; none before the first hand-out.
    next: Option<i64>,
    /// What the application is done with, as far as a commit is owed for it.
    processed: Option<i64>,
    /// What the application is done with.
    done: Option<i64>,
    /// The last offset committed in this ownership.
    committed: Option<i64>,
    /// Somebody else was given the partition in a later generation: this one is out of date.
    overtaken: bool,
}

/// Holds the history of one group against the rules.
#[derive(Debug, Default)]
pub struct Checker {
    owned: BTreeMap<(Incarnation, TopicPartition), Ownership>,
    dead: BTreeSet<Incarnation>,
    /// What brokers acknowledged.
    produced: BTreeMap<TopicPartition, BTreeSet<i64>>,
    /// The offsets that some application is done with.
    processed: BTreeMap<TopicPartition, BTreeSet<i64>>,
    /// What applications hold and are not done with.
    handed_out: BTreeMap<(Incarnation, TopicPartition), Vec<i64>>,
    committed: BTreeMap<TopicPartition, i64>,
    /// Records that may be processed once more, because their owner had no chance to commit them: it
    /// was killed, it lost them, or somebody else was given them behind its back.
    forgiven: BTreeMap<TopicPartition, BTreeSet<i64>>,
    retained: Retained,
    /// How many of the first of them belong to partitions that were lost since, and perhaps came back.
    of_the_lost: BTreeMap<(Incarnation, TopicPartition), usize>,
    /// Until when a commit may arrive that was sent before the partition was lost.
    late_commits: BTreeMap<(Incarnation, TopicPartition), Duration>,
    /// What listeners are at work on, since it is to go.
    listening: BTreeSet<(Incarnation, TopicPartition)>,
    duplicates: u64,
}

impl Checker {
    /// How many records were processed more than once.
    #[must_use]
    pub const fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Takes note of an event.
    ///
    /// # Errors
    ///
    /// The rule that it breaks.
    pub fn observe(&mut self, entry: &Entry) -> Result<(), Violation> {
        self.note_loss(entry);
        match &entry.event {
            Event::Produced { partition, offset } => {
                let produced = self.produced.entry(partition.clone()).or_default();
                produced.insert(*offset);
                Ok(())
            }
            Event::Assigned {
                who,
                partitions,
                generation,
                peers,
            } => {
                for partition in partitions {
                    self.require_given_up(*who, partition, peers)?;
                }
                self.assigned(*who, partitions, *generation)
            }
            Event::Told { who, partitions } => {
                self.retained.told(*who, partitions);
                Ok(())
            }
            Event::Revoking {
                who,
                partitions,
                leaves,
            } => self.revoking(*who, partitions, *leaves),
            Event::Revoked { who, partitions } => partitions
                .iter()
                .try_for_each(|(partition, excused)| self.revoked(*who, partition, *excused)),
            Event::Overdue { who, partitions } => self.lost(*who, partitions, true),
            Event::ListenerDone { who, partitions } => {
                self.listener_done(*who, partitions);
                Ok(())
            }
            Event::Lost {
                who,
                partitions,
                excused,
            } => self.lost(*who, partitions, *excused),
            Event::HandedOut {
                who,
                partition,
                offsets,
            } => self.handed_out(*who, partition, offsets),
            Event::Processed {
                who,
                partition,
                next_offset,
            } => self.processed(*who, partition, *next_offset),
            Event::Committed { who, offsets } => self.committed(*who, offsets, entry.at),
            Event::CommitFailed {
                who,
                partitions,
                excused,
            } => self.commit_failed(*who, partitions.as_deref(), *excused),
            Event::Killed { who } => {
                self.killed(*who);
                Ok(())
            }
            Event::Closed { who, took, allowed } => self.closed(*who, *took, *allowed),
        }
    }

    /// A member has said farewell.
    fn closed(
        &mut self,
        who: Incarnation,
        took: Duration,
        allowed: Duration,
    ) -> Result<(), Violation> {
        let left = self.owned.keys().any(|(owner, _)| *owner == who);
        require(6, !left || took >= allowed, || {
            format!("{who} closed in time, and did not give up what it owned")
        })?;
        self.killed(who);
        require(16, took <= allowed, || {
            format!("closing {who} took {took:?}, allowed were {allowed:?}")
        })
    }

    /// What is still unread at the end, when everything had time to be read.
    ///
    /// # Errors
    ///
    /// Rule 8, when an acknowledged record was processed by nobody.
    pub fn finish(&self) -> Result<(), Violation> {
        for (partition, produced) in &self.produced {
            let nothing = BTreeSet::new();
            let processed = self.processed.get(partition).unwrap_or(&nothing);
            if let Some(lost) = produced.difference(processed).next() {
                return Err(Violation {
                    rule: 8,
                    text: format!(
                        "{partition} offset {lost} was acknowledged and processed by nobody"
                    ),
                });
            }
        }
        Ok(())
    }

    /// How many acknowledged records have been processed.
    #[must_use]
    pub fn seen(&self) -> usize {
        self.processed.values().map(BTreeSet::len).sum()
    }

    /// How many acknowledged records nobody has processed yet.
    #[must_use]
    pub fn unseen(&self) -> usize {
        let nothing = BTreeSet::new();
        self.produced
            .iter()
            .map(|(partition, produced)| {
                produced
                    .difference(self.processed.get(partition).unwrap_or(&nothing))
                    .count()
            })
            .sum()
    }

    fn assigned(
        &mut self,
        who: Incarnation,
        partitions: &[TopicPartition],
        generation: Option<i32>,
    ) -> Result<(), Violation> {
        for partition in partitions {
            require(
                19,
                !self.owned.contains_key(&(who, partition.clone())),
                || format!("{who} was assigned {partition}, which it owned already"),
            )?;
            let rival = self.owned.iter().find(|((other, owned), ownership)| {
                owned == partition
                    && *other != who
                    && ownership.generation == generation
                    && !self.dead.contains(other)
            });
            if let Some(((other, _), _)) = rival {
                return Err(Violation {
                    rule: 1,
                    text: format!(
                        "{partition} belongs to {other} and to {who} in generation {generation:?}"
                    ),
                });
            }
            let overtaken: Vec<_> = self
                .owned
                .keys()
                .filter(|(other, owned)| owned == partition && *other != who)
                .map(|(other, _)| *other)
                .collect();
            for other in overtaken {
                self.forgive(other, partition);
                if let Some(ownership) = self.owned.get_mut(&(other, partition.clone())) {
                    ownership.overtaken = true;
                }
            }
            let fresh = Ownership {
                generation,
                next: None,
                processed: None,
                done: None,
                committed: None,
                overtaken: false,
            };
            self.owned.insert((who, partition.clone()), fresh);
        }
        // What it kept, it keeps in the new generation.
        for ((owner, _), ownership) in &mut self.owned {
            if *owner == who {
                ownership.generation = generation;
            }
        }
        Ok(())
    }

    fn handed_out(
        &mut self,
        who: Incarnation,
        partition: &TopicPartition,
        offsets: &[i64],
    ) -> Result<(), Violation> {
        require(2, !self.dead.contains(&who), || {
            format!("{who} is dead and was handed records of {partition}")
        })?;
        let leaving = self.listening.contains(&(who, partition.clone()));
        require(20, !leaving, || {
            format!("{who} was handed records of {partition} while its listener takes leave of it")
        })?;
        let committed = self.committed.get(partition).copied();
        let Some(ownership) = self.owned.get_mut(&(who, partition.clone())) else {
            return Err(Violation {
                rule: 2,
                text: format!("{who} was handed records of {partition}, which it does not own"),
            });
        };
        for offset in offsets {
            let expected = match ownership.next {
                Some(next) => Some((3, next)),
                None => Some((4, committed.unwrap_or(0))),
            };
            // Somebody else has moved the committed offset since this owner asked for it.
            let expected = expected.filter(|(rule, _)| *rule != 4 || !ownership.overtaken);
            if let Some((rule, expected)) = expected
                && *offset != expected
            {
                return Err(Violation {
                    rule,
                    text: format!(
                        "{who} was handed offset {offset} of {partition}, {expected} was next"
                    ),
                });
            }
            ownership.next = Some(offset + 1);
        }
        let out = self.handed_out.entry((who, partition.clone())).or_default();
        out.extend_from_slice(offsets);
        Ok(())
    }

    fn processed(
        &mut self,
        who: Incarnation,
        partition: &TopicPartition,
        next_offset: i64,
    ) -> Result<(), Violation> {
        let place = (who, partition.clone());
        let out = self.handed_out.entry(place.clone()).or_default();
        let below = out.iter().take_while(|offset| **offset < next_offset);
        let done = below.count();
        // What it was handed before it lost the partition is of an ownership that is over, though it may
        // have the partition again by now.
        let mut of_now = true;
        if let Some(lost) = self.of_the_lost.get_mut(&place) {
            of_now = done == 0 || done > *lost;
            *lost = lost.saturating_sub(done);
        }
        let rightful = of_now && self.is_rightful(who, partition);
        if let Some(ownership) = self.owned.get_mut(&place).filter(|_| of_now) {
            ownership.processed = Some(next_offset);
            ownership.done = ownership.done.max(Some(next_offset));
        }
        let out = self.handed_out.entry(place).or_default();
        let processed = self.processed.entry(partition.clone()).or_default();
        let forgiven = self.forgiven.entry(partition.clone()).or_default();
        for offset in out.drain(..done) {
            let again = !processed.insert(offset);
            if again {
                self.duplicates += 1;
                require(9, !rightful || forgiven.remove(&offset), || {
                    format!(
                        "{who} processed offset {offset} of {partition} once more, and nobody was killed over it"
                    )
                })?;
            } else if !rightful {
                forgiven.insert(offset);
            }
        }
        Ok(())
    }

    /// Whether the member owns the partition and nobody was given it in a later generation.
    fn is_rightful(&self, who: Incarnation, partition: &TopicPartition) -> bool {
        let ownership = self.owned.get(&(who, partition.clone()));
        ownership.is_some_and(|ownership| !ownership.overtaken)
    }

    fn committed(
        &mut self,
        who: Incarnation,
        offsets: &BTreeMap<TopicPartition, i64>,
        at: Duration,
    ) -> Result<(), Violation> {
        for (partition, offset) in offsets {
            let place = (who, partition.clone());
            let late = self
                .late_commits
                .get(&place)
                .is_some_and(|most| at <= *most);
            if self.dead.contains(&who) || late && !self.owned.contains_key(&place) {
                // Sent before it died or lost it, and stored by a coordinator that did not know yet.
                self.committed.insert(partition.clone(), *offset);
                continue;
            }
            let Some(ownership) = self.owned.get_mut(&(who, partition.clone())) else {
                return Err(Violation {
                    rule: 5,
                    text: format!("{who} committed {partition}, which it does not own"),
                });
            };
            let stored = self.committed.get(partition).copied();
            let limit = ownership.done.max(stored).unwrap_or(0);
            require(5, *offset <= limit, || {
                format!(
                    "{who} committed {offset} of {partition}, of which it processed what is below {limit}"
                )
            })?;
            let before = ownership.committed.unwrap_or(*offset);
            require(5, *offset >= before, || {
                format!("{who} committed {offset} of {partition} after {before}")
            })?;
            ownership.committed = Some(*offset);
            self.committed.insert(partition.clone(), *offset);
        }
        Ok(())
    }

    fn killed(&mut self, who: Incarnation) {
        self.dead.insert(who);
        let gone: Vec<_> = self
            .owned
            .keys()
            .filter(|(owner, _)| *owner == who)
            .cloned()
            .collect();
        for key in gone {
            self.forgive(who, &key.1);
            self.owned.remove(&key);
        }
    }

    /// The owner had no chance to commit: what lies above the last commit may come again.
    fn forgive(&mut self, who: Incarnation, partition: &TopicPartition) {
        let from = self.committed.get(partition).copied().unwrap_or(0);
        let processed = self.processed.get(partition);
        let uncommitted = processed
            .into_iter()
            .flat_map(|offsets| offsets.range(from..));
        let in_hands = self.handed_out.get(&(who, partition.clone()));
        let in_hands = in_hands.into_iter().flatten();
        let forgiven = self.forgiven.entry(partition.clone()).or_default();
        forgiven.extend(uncommitted.chain(in_hands));
    }
}

/// Holds, or is a violation of the rule.
pub(crate) fn require(
    rule: u8,
    holds: bool,
    text: impl FnOnce() -> String,
) -> Result<(), Violation> {
    if holds {
        Ok(())
    } else {
        Err(Violation { rule, text: text() })
    }
}
