//! Questions of the application's for offsets: beginnings, ends, timestamps.

use std::collections::BTreeMap;
use std::time::Instant;

use windlass_machine::{Backoff, RequestFailure, Wakeup};
use windlass_model::{LeaderEpoch, NodeId, TopicPartition};
use windlass_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsResponse,
};

use crate::in_flight::{InFlight, LookupInFlight};
use crate::{FetchEvent, FetchMachine, FoundOffset, ListOffsetsId, LookupError, OffsetLookup};

type Results = BTreeMap<TopicPartition, Result<Option<FoundOffset>, LookupError>>;

/// One question, perhaps about partitions of many leaders.
#[derive(Clone, Debug)]
struct Lookup {
    deadline: Instant,
    backoff: Backoff,
    retry_at: Option<Instant>,
    /// Not answered yet; true while the leader is being asked.
    open: BTreeMap<TopicPartition, (OffsetLookup, bool)>,
    results: Results,
    waiting_for: String,
}

/// The questions that are not answered yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lookups {
    open: BTreeMap<ListOffsetsId, Lookup>,
    counter: u64,
}

impl Lookups {
    pub(crate) fn deadline(&self) -> Option<Wakeup> {
        let at = self.open.values().map(|lookup| lookup.deadline).min()?;
        Some(Wakeup {
            at,
            reason: "an offset is waited for",
        })
    }

    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.open
            .values()
            .filter_map(|lookup| lookup.retry_at)
            .min()
    }
}

impl FetchMachine {
    /// Looks offsets up, whether the partitions are assigned or not. The answer comes as
    /// [`FetchEvent::OffsetsListed`], at the deadline at the latest. The cluster has to know the
    /// topics.
    pub fn list_offsets(
        &mut self,
        queries: BTreeMap<TopicPartition, OffsetLookup>,
        deadline: Instant,
        now: Instant,
    ) -> ListOffsetsId {
        self.assert_drained();
        self.lookups.counter += 1;
        let id = ListOffsetsId(self.lookups.counter);
        let lookup = Lookup {
            deadline,
            backoff: Backoff::new(self.config.retry_backoff, self.config.retry_backoff_max),
            retry_at: None,
            open: queries
                .into_iter()
                .map(|(partition, query)| (partition, (query, false)))
                .collect(),
            results: BTreeMap::new(),
            waiting_for: "metadata of the topics".to_owned(),
        };
        self.lookups.open.insert(id, lookup);
        self.finish_lookup(id);
        self.pump(now);
        id
    }

    /// Asks the leaders about everything that has not been asked yet.
    pub(crate) fn send_lookups(&mut self, now: Instant) {
        for id in self.lookups.open.keys().copied().collect::<Vec<_>>() {
            self.send_lookup(id, now);
        }
    }

    fn send_lookup(&mut self, id: ListOffsetsId, now: Instant) {
        let cluster = std::sync::Arc::clone(&self.cluster);
        let Some(lookup) = self.lookups.open.get_mut(&id) else {
            return;
        };
        if lookup.retry_at.is_some_and(|at| at > now) {
            return;
        }
        lookup.retry_at = None;
        let mut by_leader: BTreeMap<NodeId, Vec<(TopicPartition, ListOffsetsPartition)>> =
            BTreeMap::new();
        let mut leaderless = None;
        for (topic_partition, (query, asked)) in &mut lookup.open {
            if *asked {
                continue;
            }
            let known = cluster.partition(topic_partition);
            let Some((leader, known)) =
                known.and_then(|partition| Some((partition.leader?, partition)))
            else {
                leaderless = Some(topic_partition.clone());
                continue;
            };
            *asked = true;
            by_leader.entry(leader).or_default().push((
                topic_partition.clone(),
                ListOffsetsPartition {
                    partition_index: topic_partition.partition,
                    current_leader_epoch: LeaderEpoch::to_wire(known.leader_epoch),
                    timestamp: query.to_wire(),
                },
            ));
        }
        if let Some(topic_partition) = leaderless {
            lookup.waiting_for = format!("the leader of {topic_partition}");
            lookup.retry_at = Some(now + lookup.backoff.next(&mut self.random));
            self.need_metadata(format!("{topic_partition} has no known leader"));
        }
        for (node, questions) in by_leader {
            let asked = questions
                .iter()
                .map(|(partition, _)| partition.clone())
                .collect();
            let request = self.list_offsets_request(questions);
            let deadline = now + self.config.request_timeout;
            self.ask(
                node,
                request.into(),
                None,
                deadline,
                InFlight::Lookup(LookupInFlight { node, id, asked }),
            );
        }
    }

    pub(crate) fn on_lookup_response(
        &mut self,
        asked: LookupInFlight,
        response: ListOffsetsResponse,
        now: Instant,
    ) {
        let mut answers = BTreeMap::new();
        for topic in response.topics {
            for answer in topic.partitions {
                answers.insert(
                    TopicPartition::new(topic.name.as_str(), answer.partition_index),
                    answer,
                );
            }
        }
        let mut again = false;
        if !self.lookups.open.contains_key(&asked.id) {
            self.tally.late_answers += 1;
        }
        if let Some(lookup) = self.lookups.open.get_mut(&asked.id) {
            for topic_partition in asked.asked {
                match answers.get(&topic_partition).map(result) {
                    Some(Some(result)) => {
                        lookup.open.remove(&topic_partition);
                        lookup.results.insert(topic_partition, result);
                    }
                    Some(None) | None => {
                        again = true;
                        lookup.waiting_for = format!(
                            "broker {}, which did not tell of {topic_partition}",
                            asked.node
                        );
                        if let Some((_, asked)) = lookup.open.get_mut(&topic_partition) {
                            *asked = false;
                        }
                    }
                }
            }
            if again {
                lookup.retry_at = Some(now + lookup.backoff.next(&mut self.random));
            }
        }
        if again {
            self.need_metadata("ListOffsets was answered with an error that may pass".to_owned());
        }
        self.finish_lookup(asked.id);
    }

    pub(crate) fn lookup_failed(
        &mut self,
        asked: &LookupInFlight,
        failure: &RequestFailure,
        now: Instant,
    ) {
        let passes = failure.kind.is_retriable();
        let Some(lookup) = self.lookups.open.get_mut(&asked.id) else {
            self.tally.late_answers += 1;
            return;
        };
        for topic_partition in &asked.asked {
            if passes {
                if let Some((_, asked)) = lookup.open.get_mut(topic_partition) {
                    *asked = false;
                }
            } else if lookup.open.remove(topic_partition).is_some() {
                let error = LookupError::Unreachable {
                    detail: format!("broker {}: {failure}", asked.node),
                };
                lookup.results.insert(topic_partition.clone(), Err(error));
            }
        }
        if passes {
            lookup.waiting_for = failure.detail.clone();
            lookup.retry_at = Some(now + lookup.backoff.next(&mut self.random));
            self.need_metadata(format!("broker {}: {failure}", asked.node));
        }
        self.finish_lookup(asked.id);
    }

    pub(crate) fn expire_lookups(&mut self, now: Instant) {
        let late: Vec<_> = self
            .lookups
            .open
            .iter()
            .filter(|(_, lookup)| lookup.deadline <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in late {
            if let Some(lookup) = self.lookups.open.get_mut(&id) {
                for (topic_partition, _) in std::mem::take(&mut lookup.open) {
                    let error = LookupError::TimedOut {
                        waiting_for: lookup.waiting_for.clone(),
                    };
                    lookup.results.insert(topic_partition, Err(error));
                }
            }
            self.finish_lookup(id);
        }
    }

    /// Tells the results of a question that is answered in all its parts.
    fn finish_lookup(&mut self, id: ListOffsetsId) {
        if self
            .lookups
            .open
            .get(&id)
            .is_some_and(|lookup| lookup.open.is_empty())
            && let Some(lookup) = self.lookups.open.remove(&id)
        {
            self.events.push_back(FetchEvent::OffsetsListed {
                id,
                results: lookup.results,
            });
        }
    }
}

/// What an answer means; none where the question has to be asked again.
fn result(
    answer: &ListOffsetsPartitionResponse,
) -> Option<Result<Option<FoundOffset>, LookupError>> {
    let code = answer.error_code;
    if code.is_none() {
        let timestamp = (answer.timestamp >= 0).then_some(answer.timestamp);
        let found = FoundOffset {
            offset: answer.offset,
            timestamp,
            leader_epoch: LeaderEpoch::from_wire(answer.leader_epoch),
        };
        return Some(Ok((answer.offset >= 0).then_some(found)));
    }
    if code.is_retriable() {
        None
    } else {
        Some(Err(LookupError::Refused { code }))
    }
}
