//! What is seen of the truth on the way: answers of the broker, and where members stand.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use windlass_broker::ConnectionId;
use windlass_group::GroupState;
use windlass_model::TopicPartition;
use windlass_protocol::messages::{OffsetCommitResponse, ProduceResponse};
use windlass_protocol::{ResponseKind, consumer_protocol};

use super::World;
use crate::history::{Event, Incarnation};
use crate::member::{Activity, GROUP};
use crate::upgrade::incarnation;

impl World {
    /// What the broker's answer says about the truth.
    pub(super) fn note_at_broker(
        &mut self,
        connection: ConnectionId,
        correlation_id: i32,
        response: &ResponseKind,
    ) {
        match response {
            ResponseKind::Produce(response) => self.note_produced(correlation_id, response),
            ResponseKind::SyncGroup(response) if response.error_code.is_none() => {
                self.count_rebalance();
            }
            ResponseKind::OffsetCommit(response) => {
                self.note_committed(connection, correlation_id, response);
            }
            _ => {}
        }
    }

    fn note_produced(&mut self, correlation_id: i32, response: &ProduceResponse) {
        let Some((partition, count)) = self.producing.remove(&correlation_id) else {
            return;
        };
        let answer = response
            .responses
            .first()
            .and_then(|topic| topic.partition_responses.first());
        if let Some(answer) = answer.filter(|answer| answer.error_code.is_none()) {
            for offset in answer.base_offset..answer.base_offset + count {
                self.note(Event::Produced {
                    partition: partition.clone(),
                    offset,
                });
            }
        }
    }

    fn note_committed(
        &mut self,
        connection: ConnectionId,
        correlation_id: i32,
        response: &OffsetCommitResponse,
    ) {
        let Some((who, offsets)) = self.commits.remove(&(connection, correlation_id)) else {
            return;
        };
        let mut stored = BTreeMap::new();
        for topic in &response.topics {
            let partitions = topic.partitions.iter();
            for partition in partitions.filter(|partition| partition.error_code.is_none()) {
                let key = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                if let Some(offset) = offsets.get(&key) {
                    stored.insert(key, *offset);
                }
            }
        }
        if !stored.is_empty() {
            self.note(Event::Committed {
                who,
                offsets: stored,
            });
        }
    }

    /// What a member is told, and by whom.
    pub(super) fn note_answer(&mut self, who: Incarnation, response: &ResponseKind, now: Instant) {
        if let Some(member) = self.members.get_mut(&who) {
            member.troubles.on_answer(response, now);
        }
        let ResponseKind::SyncGroup(response) = response else {
            return;
        };
        if self.cooperative.contains(&who)
            && response.error_code.is_none()
            && let Ok(assignment) = consumer_protocol::Assignment::decode(&response.assignment)
        {
            let partitions = assignment.partitions.iter().collect();
            self.note(Event::Told { who, partitions });
        }
    }

    /// Partitions may just have been withdrawn from the member: assigned, and not to be handed out.
    pub(super) fn watch_withdrawals(&mut self, who: Incarnation, now: Instant) {
        let interval = self.options.max_poll_interval;
        if let Some(member) = self.members.get_mut(&who) {
            let reason = member.troubles.excuse_loss(interval, now);
            let fetch = member.core.fetch();
            let assigned: BTreeMap<_, _> =
                fetch.assigned().map(|one| (one.clone(), None)).collect();
            let mut vanished = Vec::new();
            member.had.retain(|one, gone| {
                if gone.is_none() && !assigned.contains_key(one) {
                    vanished.push(one.clone());
                }
                gone.get_or_insert(reason);
                !assigned.contains_key(one)
            });
            // Whenever the listener hears of it: nobody waits for their records any more.
            self.silence.gone(who, &vanished);
            member.had.extend(assigned);
            let held = fetch.assigned().filter(|one| fetch.is_held(one));
            let before = &member.troubles.withdrawn;
            let since = |one: &TopicPartition| before.get(one).copied().unwrap_or(now);
            let withdrawn = held.map(|one| (one.clone(), since(one))).collect();
            member.troubles.withdrawn = withdrawn;
        }
    }

    /// Whether records of the member's partitions are waited for, and what else it is at.
    pub(super) fn watch_silence(&mut self, who: Incarnation, now: Instant) {
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        let rebalances = member.core.group().is_some_and(|group| {
            matches!(
                group.state(),
                GroupState::PreparingRebalance
                    | GroupState::CompletingRebalance
                    | GroupState::Reconciling
            )
        });
        let asks = matches!(member.activity, Activity::Polling(_));
        if asks {
            member.troubles.away_since = None;
        } else {
            member.troubles.away_since.get_or_insert(now);
        }
        self.silence.rebalances(who, rebalances, now);
        self.silence.asks(who, asks, now);
    }

    /// The members that the coordinator counts in this generation, except those that have been giving
    /// up partitions for longer than it has to wait for them, and static ones, which stay in the
    /// group without taking part.
    pub(super) fn peers(&self, generation: Option<i32>, now: Instant) -> BTreeSet<Incarnation> {
        let group = self.cluster.group(GROUP);
        let group = group.filter(|group| Some(group.generation) == generation);
        let members = group.into_iter().flat_map(|group| group.members);
        members
            .filter(|member| member.instance_id.is_none())
            .filter_map(|member| incarnation(&member.client_id))
            .filter(|who| {
                self.members.get(who).is_some_and(|member| {
                    let since = member.troubles.withdrawn.values().min();
                    since.is_none_or(|since| {
                        now.saturating_duration_since(*since) < self.options.max_poll_interval
                    })
                })
            })
            .collect()
    }
}
