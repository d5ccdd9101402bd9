//! A plan: who gets which partitions.

use std::collections::BTreeMap;
use std::fmt;

use windlass_model::{Cluster, MemberId, TopicName, TopicPartitionList, TopicPartitions};

use crate::claim_count::ClaimCount;
use crate::roster::Roster;
use crate::topic_index::{NONE, TopicIndex, number};
use crate::{AssignError, Members};

/// What each member is to own, ordered by member id: the values of Kafka's `GroupAssignment`.
///
/// The plan is held in flat arrays, so a million partitions cost a few megabytes and no allocation
/// each. Read it through [`get`](Self::get) and [`iter`](Self::iter); make one of your own by
/// collecting pairs of member and [`TopicPartitions`].
#[derive(Clone, Default)]
pub struct Assignment {
    /// Ascending.
    members: Vec<MemberId>,
    /// Where each member's runs end in `runs`.
    run_ends: Vec<u32>,
    runs: Vec<Run>,
    topics: Vec<TopicName>,
    partitions: Vec<i32>,
    claims: ClaimCount,
}

/// Partitions of one topic, one after another in the flat list; a run begins where the one before
/// it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    topic: u32,
    end: u32,
}

/// What one member gets: a view into an [`Assignment`].
#[derive(Clone, Copy)]
pub struct MemberPartitions<'a> {
    assignment: &'a Assignment,
    first_run: u32,
    end_run: u32,
}

impl Assignment {
    /// A plan that gives nobody anything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many members the plan names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether the plan names no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// What the member gets; `None` where the plan does not name it. O(log members).
    #[must_use]
    pub fn get(&self, member: &str) -> Option<MemberPartitions<'_>> {
        let place = self
            .members
            .binary_search_by(|id| id.as_str().cmp(member))
            .ok()?;
        Some(self.at(place))
    }

    /// Every member with what it gets, in order of member ids.
    pub fn iter(&self) -> impl Iterator<Item = (&MemberId, MemberPartitions<'_>)> {
        self.members
            .iter()
            .enumerate()
            .map(|(place, member)| (member, self.at(place)))
    }

    /// What became of the members' claims, for strategies that weigh them.
    #[must_use]
    pub fn claims(&self) -> ClaimCount {
        self.claims
    }

    /// Checks that the plan gives partitions that exist to members that asked for them, and none of
    /// them twice. Whether everything is given is not checked: cooperative plans leave out on purpose.
    /// O(partitions + names).
    ///
    /// # Errors
    ///
    /// The first thing found wrong, in order of member ids.
    pub fn validate(&self, cluster: &Cluster, members: &Members) -> Result<(), AssignError> {
        let roster = Roster::new(cluster, members)?;
        let mut number_of = vec![NONE; members.len()];
        for (place, member) in roster.by_id.iter().enumerate() {
            number_of[place] = *member;
        }
        let ids: Vec<&MemberId> = members.iter().map(|(id, _)| id).collect();
        let mut owners = vec![NONE; roster.topics.partition_total() as usize];
        for (place, (member, partitions)) in (0..).zip(self.iter()) {
            let known = ids
                .binary_search(&member)
                .ok()
                .map(|place| number_of[place]);
            let Some(known) = known else {
                return Err(AssignError::UnknownMember {
                    member: member.clone(),
                });
            };
            let mut guess = 0;
            for (topic, list) in partitions.topics() {
                guess = self.check_run(&roster, known, place, (topic, list, guess), &mut owners)?;
            }
        }
        Ok(())
    }

    /// Checks one run and marks its partitions as given to the member at `place`; returns the number
    /// of the topic that probably comes next.
    fn check_run(
        &self,
        roster: &Roster<'_>,
        known: u32,
        place: usize,
        (topic, list, guess): (&TopicName, &[i32], u32),
        owners: &mut [u32],
    ) -> Result<u32, AssignError> {
        let member = || self.members[place].clone();
        let Some(found) = roster.topics.find(topic, guess) else {
            return Err(AssignError::UnknownTopic {
                member: member(),
                topic: topic.clone(),
            });
        };
        if !roster.subscribes(known, found) {
            return Err(AssignError::NotSubscribed {
                member: member(),
                topic: topic.clone(),
            });
        }
        let range = roster.topics.partitions(found);
        for partition in list {
            let all = u32::try_from(*partition)
                .ok()
                .and_then(|index| range.start.checked_add(index))
                .filter(|all| range.contains(all));
            let Some(all) = all else {
                return Err(AssignError::PartitionOutOfRange {
                    member: member(),
                    topic: topic.clone(),
                    partition: *partition,
                    count: range.len(),
                });
            };
            let owner = &mut owners[all as usize];
            if *owner != NONE {
                return Err(AssignError::AssignedTwice {
                    topic: topic.clone(),
                    partition: *partition,
                    first: self.members[*owner as usize].clone(),
                    second: member(),
                });
            }
            *owner = number(place);
        }
        Ok(found + 1)
    }

    /// Makes the plan out of the owner of each partition, by number; `NONE` where nobody owns it.
    /// Every member of the roster is named. O(partitions + members + topics).
    pub(crate) fn from_owners(roster: &Roster<'_>, owners: &[u32], claims: ClaimCount) -> Self {
        let (partition_counts, run_counts) =
            count_runs(&roster.topics, owners, roster.members.len());
        let mut assignment = Self {
            members: Vec::with_capacity(roster.members.len()),
            run_ends: Vec::with_capacity(roster.members.len()),
            runs: Vec::new(),
            topics: (0..roster.topics.len())
                .map(|topic| roster.topics.name(topic).clone())
                .collect(),
            partitions: Vec::new(),
            claims,
        };
        let mut next = vec![(0_u32, 0_u32); roster.members.len()];
        let (mut partitions, mut runs) = (0, 0);
        for member in &roster.by_id {
            let member = *member as usize;
            assignment.members.push(roster.members[member].0.clone());
            next[member] = (partitions, runs);
            partitions += partition_counts[member];
            runs += run_counts[member];
            assignment.run_ends.push(runs);
        }
        assignment.partitions = vec![0; partitions as usize];
        assignment.runs = vec![
            Run {
                topic: NONE,
                end: 0
            };
            runs as usize
        ];
        assignment.scatter(&roster.topics, owners, &mut next);
        assignment
    }

    fn scatter(&mut self, topics: &TopicIndex<'_>, owners: &[u32], next: &mut [(u32, u32)]) {
        let mut last_topic = vec![NONE; next.len()];
        for topic in 0..topics.len() {
            let range = topics.partitions(topic);
            for (partition, owner) in (0..).zip(&owners[range.start as usize..range.end as usize]) {
                if *owner == NONE {
                    continue;
                }
                let member = *owner as usize;
                let (place, run) = &mut next[member];
                if last_topic[member] != topic {
                    last_topic[member] = topic;
                    *run += 1;
                }
                self.partitions[*place as usize] = partition;
                *place += 1;
                self.runs[*run as usize - 1] = Run { topic, end: *place };
            }
        }
    }

    fn at(&self, place: usize) -> MemberPartitions<'_> {
        MemberPartitions {
            assignment: self,
            first_run: match place {
                0 => 0,
                _ => self.run_ends[place - 1],
            },
            end_run: self.run_ends[place],
        }
    }

    fn run(&self, run: u32) -> (&TopicName, &[i32]) {
        let begin = match run {
            0 => 0,
            _ => self.runs[run as usize - 1].end,
        };
        let Run { topic, end } = self.runs[run as usize];
        (
            &self.topics[topic as usize],
            &self.partitions[begin as usize..end as usize],
        )
    }
}

/// How many partitions and how many runs each member has.
fn count_runs(topics: &TopicIndex<'_>, owners: &[u32], members: usize) -> (Vec<u32>, Vec<u32>) {
    let mut partition_counts = vec![0_u32; members];
    let mut run_counts = vec![0_u32; members];
    let mut last_topic = vec![NONE; members];
    for topic in 0..topics.len() {
        let range = topics.partitions(topic);
        for owner in &owners[range.start as usize..range.end as usize] {
            if *owner == NONE {
                continue;
            }
            let member = *owner as usize;
            partition_counts[member] += 1;
            if last_topic[member] != topic {
                last_topic[member] = topic;
                run_counts[member] += 1;
            }
        }
    }
    (partition_counts, run_counts)
}

impl<'a> MemberPartitions<'a> {
    /// The partitions, grouped by topic. Plans of this crate name topics and partitions in ascending
    /// order and each topic once.
    pub fn topics(self) -> impl Iterator<Item = (&'a TopicName, &'a [i32])> {
        (self.first_run..self.end_run).map(move |run| self.assignment.run(run))
    }

    /// How many partitions there are.
    #[must_use]
    pub fn len(self) -> usize {
        self.topics().map(|(_, list)| list.len()).sum()
    }

    /// Whether there is no partition.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.topics().all(|(_, list)| list.is_empty())
    }

    /// The partitions as a list of their own, as the wire wants them.
    #[must_use]
    pub fn to_topic_partitions(self) -> TopicPartitions {
        let topics = self.topics().map(|(topic, partitions)| TopicPartitionList {
            topic: topic.clone(),
            partitions: partitions.to_vec(),
        });
        TopicPartitions {
            topics: topics.collect(),
        }
    }
}

impl FromIterator<(MemberId, TopicPartitions)> for Assignment {
    /// Collects a plan; what is given to one member in several pieces is put together. Nothing is
    /// judged: that is [`validate`](Self::validate)'s.
    fn from_iter<I: IntoIterator<Item = (MemberId, TopicPartitions)>>(pairs: I) -> Self {
        let mut grouped: BTreeMap<MemberId, TopicPartitions> = BTreeMap::new();
        for (member, partitions) in pairs {
            let lists = &mut grouped.entry(member).or_default().topics;
            lists.extend(partitions.topics);
        }
        Self::from(grouped)
    }
}

impl From<BTreeMap<MemberId, TopicPartitions>> for Assignment {
    fn from(plan: BTreeMap<MemberId, TopicPartitions>) -> Self {
        let mut assignment = Self::new();
        let mut numbers: BTreeMap<TopicName, u32> = BTreeMap::new();
        for (member, partitions) in plan {
            for list in partitions.topics {
                let next = number(numbers.len());
                let topic = *numbers.entry(list.topic).or_insert(next);
                assignment.partitions.extend(list.partitions);
                assignment.runs.push(Run {
                    topic,
                    end: number(assignment.partitions.len()),
                });
            }
            assignment.members.push(member);
            assignment.run_ends.push(number(assignment.runs.len()));
        }
        assignment.topics = vec![TopicName::default(); numbers.len()];
        for (name, topic) in numbers {
            assignment.topics[topic as usize] = name;
        }
        assignment
    }
}

/// Two plans are equal when they give every member the same partitions in the same order; how the
/// claims were judged does not count.
impl PartialEq for Assignment {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Assignment {}

impl PartialEq for MemberPartitions<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.topics().eq(other.topics())
    }
}

impl Eq for MemberPartitions<'_> {}

impl fmt::Debug for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl fmt::Debug for MemberPartitions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.topics()).finish()
    }
}

#[cfg(test)]
mod tests;
