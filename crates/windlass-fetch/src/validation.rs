//! Has a new leader what was read from the old one (KIP-320)?

use std::collections::BTreeMap;
use std::time::Instant;

use windlass_machine::{FailureKind, RequestFailure};
use windlass_model::{LeaderEpoch, NodeId, TopicPartition};
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};

use crate::in_flight::{InFlight, ValidationInFlight};
use crate::partition::Stage;
use crate::{FetchError, FetchEvent, FetchMachine, OffsetReset, Position};

/// So many times newer metadata is asked for when what was read is of a later epoch than that of the
/// leader we know; then the leader is asked anyhow, for the topic may have been made anew.
const OUTDATED_LEADERS: u32 = 3;

impl FetchMachine {
    /// Asks every new leader whether it has what was read.
    pub(crate) fn send_validations(&mut self, now: Instant) {
        self.avoid_outdated_leaders(now);
        let mut by_leader: BTreeMap<NodeId, Vec<TopicPartition>> = BTreeMap::new();
        for (topic_partition, state) in &self.partitions {
            let waiting =
                matches!(state.stage(), Stage::Validating { asked: false }) && !state.waits(now);
            if let Some(leader) = state
                .leader
                .filter(|leader| waiting && !self.rests(*leader, now))
            {
                by_leader
                    .entry(leader)
                    .or_default()
                    .push(topic_partition.clone());
            }
        }
        for (node, partitions) in by_leader {
            let mut asked = BTreeMap::new();
            let mut topics: Vec<OffsetForLeaderTopic> = Vec::new();
            for topic_partition in partitions {
                let Some(state) = self.partitions.get_mut(&topic_partition) else {
                    continue;
                };
                if let Stage::Validating { asked } = state.stage_mut() {
                    *asked = true;
                }
                let question = OffsetForLeaderPartition {
                    partition: topic_partition.partition,
                    current_leader_epoch: LeaderEpoch::to_wire(state.leader_epoch),
                    leader_epoch: LeaderEpoch::to_wire(state.queue.next_fetch().leader_epoch),
                };
                match topics.last_mut() {
                    Some(topic) if topic.topic == topic_partition.topic.as_str() => {
                        topic.partitions.push(question);
                    }
                    _ => topics.push(OffsetForLeaderTopic {
                        topic: topic_partition.topic.as_str().to_owned(),
                        partitions: vec![question],
                    }),
                }
                asked.insert(topic_partition, state.epoch);
            }
            let request = OffsetForLeaderEpochRequest {
                replica_id: -1,
                topics,
            };
            let deadline = now + self.config.request_timeout;
            self.ask(
                node,
                request.into(),
                None,
                deadline,
                InFlight::Validation(ValidationInFlight { node, asked }),
            );
        }
    }

    /// A leader of an earlier epoch than that of what was read cannot have it, and has most likely
    /// been deposed: its word must not lead to a reset.
    fn avoid_outdated_leaders(&mut self, now: Instant) {
        let mut outdated = None;
        for (topic_partition, state) in &mut self.partitions {
            let is_asked = matches!(state.stage(), Stage::Validating { asked: false });
            if is_asked
                && !state.waits(now)
                && state.leader_epoch.is_some()
                && state.queue.next_fetch().leader_epoch > state.leader_epoch
                && state.failures() < OUTDATED_LEADERS
            {
                state.back_off(&mut self.random, now);
                outdated = Some(topic_partition.clone());
            }
        }
        if let Some(topic_partition) = outdated {
            self.need_metadata(format!(
                "what was read of {topic_partition} is of a later epoch than the leader that is known"
            ));
        }
    }

    pub(crate) fn on_validation_response(
        &mut self,
        mut validation: ValidationInFlight,
        response: OffsetForLeaderEpochResponse,
        now: Instant,
    ) {
        self.source(validation.node).settle_down();
        for topic in response.topics {
            for answer in topic.partitions {
                let topic_partition = TopicPartition::new(topic.topic.as_str(), answer.partition);
                if let Some(epoch) = validation.asked.remove(&topic_partition) {
                    self.on_validation_answer(&topic_partition, epoch, &answer, now);
                }
            }
        }
        self.validate_again(&validation, now);
    }

    fn on_validation_answer(
        &mut self,
        topic_partition: &TopicPartition,
        epoch: u64,
        answer: &EpochEndOffset,
        now: Instant,
    ) {
        let Some(state) = self
            .partitions
            .get_mut(topic_partition)
            .filter(|state| state.epoch == epoch)
        else {
            self.tally.late_answers += 1;
            return;
        };
        if answer.error_code.is_error() {
            self.on_validation_error(topic_partition, answer.error_code, now);
            return;
        }
        state.settle_down();
        if answer.end_offset < 0 || answer.leader_epoch < 0 {
            // The leader knows nothing of the epoch that was read.
            let error = FetchError::LogTruncated {
                offset: state.queue.position().offset,
                divergent_offset: None,
            };
            let reason = "the new leader does not know what was read".to_owned();
            self.lose_position(topic_partition, reason, error, now);
        } else {
            self.truncate(topic_partition, answer);
        }
    }

    fn on_validation_error(
        &mut self,
        topic_partition: &TopicPartition,
        code: ErrorCode,
        now: Instant,
    ) {
        let Some(state) = self.partitions.get_mut(topic_partition) else {
            return;
        };
        match code {
            // Brokers before Kafka 2.3 answer only other brokers.
            ErrorCode::CLUSTER_AUTHORIZATION_FAILED
            | ErrorCode::UNSUPPORTED_VERSION
            | ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT => state.enter(Stage::Fetching),
            code => {
                state.enter(Stage::Validating { asked: false });
                state.back_off(&mut self.random, now);
                if code.is_retriable() {
                    self.need_metadata(format!(
                        "OffsetForLeaderEpoch of {topic_partition} was answered with {}",
                        code.name()
                    ));
                } else {
                    let api = "OffsetForLeaderEpoch";
                    self.tell(topic_partition, FetchError::Refused { api, code });
                }
            }
        }
    }

    /// The leader has told where, in its log, the epoch ends that was fetched last, or the one
    /// before that if it never had that one.
    fn truncate(&mut self, topic_partition: &TopicPartition, answer: &EpochEndOffset) {
        let fresh = self.next_epoch();
        let Some(state) = self.partitions.get_mut(topic_partition) else {
            return;
        };
        let (end, leader_epoch) = (
            answer.end_offset,
            LeaderEpoch::from_wire(answer.leader_epoch),
        );
        let before = state.queue.bytes();
        let was_cut = state.queue.truncate(end, leader_epoch);
        self.budget.released(before - state.queue.bytes());
        if state.queue.is_empty() {
            self.loaded.remove(topic_partition);
        }
        let offset = state.queue.position().offset;
        if offset <= end {
            if was_cut && state.queue.next_fetch().leader_epoch.is_some() {
                // What is left is of an earlier epoch, of which the leader has to be asked in turn.
                state.enter(Stage::Validating { asked: false });
            } else {
                state.enter(Stage::Fetching);
            }
            return;
        }
        if self.config.offset_reset == OffsetReset::None {
            let error = FetchError::LogTruncated {
                offset,
                divergent_offset: Some(end),
            };
            self.fail(topic_partition, error);
            return;
        }
        let position = Position {
            offset: end,
            leader_epoch,
        };
        state.stand_at(position, fresh);
        self.events.push_back(FetchEvent::PositionReset {
            topic_partition: topic_partition.clone(),
            from: Some(offset),
            to: end,
            reason: "the log was truncated: what was read behind it is gone".to_owned(),
        });
    }

    pub(crate) fn validation_failed(
        &mut self,
        validation: &ValidationInFlight,
        failure: &RequestFailure,
        now: Instant,
    ) {
        if failure.kind == FailureKind::UnsupportedVersion {
            // Brokers before Kafka 2.3 cannot be asked by clients.
            for (topic_partition, epoch) in &validation.asked {
                if let Some(state) = self
                    .partitions
                    .get_mut(topic_partition)
                    .filter(|state| state.epoch == *epoch)
                {
                    state.enter(Stage::Fetching);
                }
            }
            return;
        }
        self.broker_failed(validation.node, &validation.asked, failure, now);
        self.validate_again(validation, now);
    }

    fn validate_again(&mut self, validation: &ValidationInFlight, now: Instant) {
        for (topic_partition, epoch) in &validation.asked {
            if let Some(state) = self
                .partitions
                .get_mut(topic_partition)
                .filter(|state| state.epoch == *epoch)
            {
                state.enter(Stage::Validating { asked: false });
                state.back_off(&mut self.random, now);
            }
        }
    }
}
