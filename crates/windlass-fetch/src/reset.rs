//! Positions by `auto.offset.reset`, or by the application's wish.

use std::collections::BTreeMap;
use std::time::Instant;

use windlass_machine::RequestFailure;
use windlass_model::{LeaderEpoch, NodeId, TopicPartition};
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopic,
};

use crate::in_flight::{InFlight, ResetInFlight};
use crate::partition::Stage;
use crate::{FetchError, FetchEvent, FetchMachine, OffsetLookup, OffsetReset, Position};

impl FetchMachine {
    /// Asks every leader about the partitions that have to be reset.
    pub(crate) fn send_resets(&mut self, now: Instant) {
        let mut by_leader: BTreeMap<NodeId, Vec<(TopicPartition, ListOffsetsPartition)>> =
            BTreeMap::new();
        for (topic_partition, state) in &self.partitions {
            let Stage::Resetting {
                to, asked: false, ..
            } = state.stage()
            else {
                continue;
            };
            let Some(leader) = state
                .leader
                .filter(|leader| !state.waits(now) && !self.rests(*leader, now))
            else {
                continue;
            };
            let lookup = match to {
                OffsetReset::Earliest => OffsetLookup::Earliest,
                OffsetReset::Latest | OffsetReset::None => OffsetLookup::Latest,
            };
            by_leader.entry(leader).or_default().push((
                topic_partition.clone(),
                ListOffsetsPartition {
                    partition_index: topic_partition.partition,
                    current_leader_epoch: LeaderEpoch::to_wire(state.leader_epoch),
                    timestamp: lookup.to_wire(),
                },
            ));
        }
        for (node, questions) in by_leader {
            let mut asked = BTreeMap::new();
            for (topic_partition, _) in &questions {
                if let Some(state) = self.partitions.get_mut(topic_partition) {
                    asked.insert(topic_partition.clone(), state.epoch);
                    if let Stage::Resetting { asked, .. } = state.stage_mut() {
                        *asked = true;
                    }
                }
            }
            let request = self.list_offsets_request(questions);
            let deadline = now + self.config.request_timeout;
            self.ask(
                node,
                request.into(),
                None,
                deadline,
                InFlight::Reset(ResetInFlight { node, asked }),
            );
        }
    }

    /// A ListOffsets request for these partitions of one leader.
    pub(crate) fn list_offsets_request(
        &self,
        questions: Vec<(TopicPartition, ListOffsetsPartition)>,
    ) -> ListOffsetsRequest {
        let mut topics: Vec<ListOffsetsTopic> = Vec::new();
        for (topic_partition, partition) in questions {
            match topics.last_mut() {
                Some(topic) if topic.name == topic_partition.topic.as_str() => {
                    topic.partitions.push(partition);
                }
                _ => topics.push(ListOffsetsTopic {
                    name: topic_partition.topic.as_str().to_owned(),
                    partitions: vec![partition],
                }),
            }
        }
        ListOffsetsRequest {
            // Kafka's default, 0, is a follower's id: a broker would show us what only followers see.
            replica_id: -1,
            isolation_level: self.config.isolation_level.to_wire(),
            topics,
            timeout_ms: i32::try_from(self.config.request_timeout.as_millis()).unwrap_or(i32::MAX),
        }
    }

    pub(crate) fn on_reset_response(
        &mut self,
        mut reset: ResetInFlight,
        response: ListOffsetsResponse,
        now: Instant,
    ) {
        self.source(reset.node).settle_down();
        for topic in response.topics {
            for answer in topic.partitions {
                let topic_partition =
                    TopicPartition::new(topic.name.as_str(), answer.partition_index);
                if let Some(epoch) = reset.asked.remove(&topic_partition) {
                    self.on_reset_answer(&topic_partition, epoch, &answer, now);
                }
            }
        }
        // What the broker left out is asked again.
        self.ask_resets_again(&reset, now);
    }

    fn on_reset_answer(
        &mut self,
        topic_partition: &TopicPartition,
        epoch: u64,
        answer: &ListOffsetsPartitionResponse,
        now: Instant,
    ) {
        let fresh = self.next_epoch();
        let Some(state) = self
            .partitions
            .get_mut(topic_partition)
            .filter(|state| state.epoch == epoch)
        else {
            self.tally.late_answers += 1;
            return;
        };
        let Stage::Resetting {
            reason,
            from,
            asked,
            ..
        } = state.stage_mut()
        else {
            return;
        };
        if answer.error_code.is_none() && answer.offset >= 0 {
            let (from, reason) = (*from, std::mem::take(reason));
            // No record before it has been read, so there is no epoch to hold the log against.
            state.stand_at(
                Position {
                    offset: answer.offset,
                    leader_epoch: None,
                },
                fresh,
            );
            self.events.push_back(FetchEvent::PositionReset {
                topic_partition: topic_partition.clone(),
                from,
                to: answer.offset,
                reason,
            });
            return;
        }
        *asked = false;
        state.back_off(&mut self.random, now);
        if answer.error_code.is_none() {
            // It says that all is well, and names no offset.
            self.tell(topic_partition, FetchError::NoSuchEnd);
            return;
        }
        self.on_list_error(topic_partition, answer.error_code);
    }

    /// An error of a leader that was asked for offsets.
    fn on_list_error(&mut self, topic_partition: &TopicPartition, code: ErrorCode) {
        if code.is_retriable() {
            self.need_metadata(format!(
                "ListOffsets of {topic_partition} was answered with {}",
                code.name()
            ));
        } else if code.is_error() {
            self.tell(
                topic_partition,
                FetchError::Refused {
                    api: "ListOffsets",
                    code,
                },
            );
        }
    }

    pub(crate) fn reset_failed(
        &mut self,
        reset: &ResetInFlight,
        failure: &RequestFailure,
        now: Instant,
    ) {
        self.broker_failed(reset.node, &reset.asked, failure, now);
        self.ask_resets_again(reset, now);
    }

    fn ask_resets_again(&mut self, reset: &ResetInFlight, now: Instant) {
        for (topic_partition, epoch) in &reset.asked {
            let Some(state) = self
                .partitions
                .get_mut(topic_partition)
                .filter(|state| state.epoch == *epoch)
            else {
                continue;
            };
            if let Stage::Resetting { asked, .. } = state.stage_mut() {
                *asked = false;
                state.back_off(&mut self.random, now);
            }
        }
    }
}
