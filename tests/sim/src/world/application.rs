//! What the applications do: poll, work, commit, close; and the producer that feeds them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use windlass_broker::{ConnectionId, Inbound};
use windlass_core::{ConsumerError, Effect, Intent, OperationId, Reply};
use windlass_fetch::TakenRecords;
use windlass_model::TopicPartition;
use windlass_protocol::messages::produce::{
    PartitionProduceData, ProduceRequest, TopicProduceData,
};
use windlass_protocol::records::RecordBatchBuilder;

use super::World;
use crate::history::{Event, Incarnation};
use crate::member::{Activity, COMMIT, FAREWELL, Member, TOPIC};
use crate::network::Arrival;
use crate::options::Commits;

/// The producer's connection.
pub(super) const PRODUCER: ConnectionId = ConnectionId(0);

impl World {
    pub(crate) fn begin_poll(&mut self, who: Incarnation, now: Instant) {
        let max_records = self.options.max_poll_records;
        let wait = Duration::from_millis(50 + self.random.below(1000));
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        if member.wants_to_stop {
            self.begin_close(who, now);
            return;
        }
        member.come_back();
        let operation = member.submit(Intent::Poll { max_records }, now + FAREWELL, now);
        member.activity = Activity::Polling(operation);
        member.turn += 1;
        let turn = member.turn;
        self.agenda
            .add(now + wait, Arrival::Application { who, turn });
        self.drain_member(who, now);
    }

    pub(crate) fn begin_close(&mut self, who: Incarnation, now: Instant) {
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        member.come_back();
        member.turn += 1;
        let operation = member.submit(Intent::Close, now + FAREWELL, now);
        member.activity = Activity::Closing(operation, now);
        self.drain_member(who, now);
    }

    /// Something the application waited for is over.
    pub(crate) fn application_turn(&mut self, who: Incarnation, turn: u64, now: Instant) {
        let Some(member) = self
            .members
            .get_mut(&who)
            .filter(|member| member.turn == turn)
        else {
            return;
        };
        match std::mem::replace(&mut member.activity, Activity::Working(BTreeMap::new())) {
            Activity::Polling(operation) => {
                member.activity = Activity::Polling(operation);
                member.submit(Intent::EndPoll(operation), now + FAREWELL, now);
                self.drain_member(who, now);
            }
            Activity::Working(done) => self.work_done(who, done, now),
            other @ (Activity::Committing(..) | Activity::Closing(..)) => member.activity = other,
        }
    }

    fn work_done(&mut self, who: Incarnation, done: BTreeMap<TopicPartition, i64>, now: Instant) {
        let worked = !done.is_empty();
        for (partition, next_offset) in done {
            if let Some(member) = self.members.get_mut(&who) {
                member.processed.insert(partition.clone(), next_offset);
            }
            self.note(Event::Processed {
                who,
                partition,
                next_offset,
            });
        }
        let commits = match self.options.commits {
            Commits::Timer => false,
            Commits::Manual => worked,
            Commits::Listener => worked && self.random.chance(1, 5),
        };
        if !commits {
            self.begin_poll(who, now);
            return;
        }
        if let Some(member) = self.members.get_mut(&who) {
            let operation = member.submit(Member::commit_intent(now), now + FAREWELL, now);
            member.activity = Activity::Committing(operation, now);
            self.drain_member(who, now);
        }
    }

    /// Carries out what a member wants.
    pub(crate) fn carry_out(&mut self, who: Incarnation, effect: Effect, now: Instant) {
        match effect {
            Effect::Reply { operation, outcome } => self.on_reply(who, operation, outcome, now),
            Effect::Callback {
                id,
                kind,
                partitions,
            } => {
                self.call_listener(who, id, kind, partitions, now);
            }
            Effect::ComputeAssignment { token, job } => {
                let result = job.run();
                if let Some(member) = self.members.get_mut(&who) {
                    member.core.on_assignment_computed(token, result, now);
                }
            }
            Effect::ClusterChanged(_) | Effect::BrokerFound { .. } => {}
        }
    }

    fn on_reply(
        &mut self,
        who: Incarnation,
        operation: OperationId,
        outcome: Result<Reply, ConsumerError>,
        now: Instant,
    ) {
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        match member.activity.clone() {
            Activity::Polling(waiting) if waiting == operation => match outcome {
                Ok(Reply::Records { records, .. }) if !records.is_empty() => {
                    self.on_records(who, operation, &records, now);
                }
                // Nothing came in time, or something went wrong that polling again will mend.
                Ok(_) => self.pause_before_poll(who, 0, now),
                Err(ConsumerError::GroupRefused { .. }) => self.start_over(who, now),
                Err(_) => self.pause_before_poll(who, 100, now),
            },
            Activity::Committing(waiting, since) if waiting == operation => {
                if outcome.is_err() {
                    let excused = self.excuse_failed_commit(who, since, COMMIT, now);
                    self.note(Event::CommitFailed {
                        who,
                        partitions: None,
                        excused,
                    });
                }
                self.pause_before_poll(who, 0, now);
            }
            Activity::Closing(waiting, since) if waiting == operation => {
                self.closed(who, since, now);
            }
            _ => self.on_listeners_commit(who, operation, outcome.is_ok(), now),
        }
    }

    fn pause_before_poll(&mut self, who: Incarnation, milliseconds: u64, now: Instant) {
        if let Some(member) = self.members.get_mut(&who) {
            member.activity = Activity::Working(BTreeMap::new());
            member.turn += 1;
            let turn = member.turn;
            self.agenda.add(
                now + Duration::from_millis(milliseconds),
                Arrival::Application { who, turn },
            );
        }
    }

    fn on_records(
        &mut self,
        who: Incarnation,
        operation: OperationId,
        records: &[TakenRecords],
        now: Instant,
    ) {
        let mut done = BTreeMap::new();
        for taken in records {
            let offsets = offsets(taken);
            done.insert(taken.topic_partition.clone(), taken.until_offset);
            self.note(Event::HandedOut {
                who,
                partition: taken.topic_partition.clone(),
                offsets,
            });
        }
        let work = Duration::from_micros(self.random.below(40_000));
        if let Some(member) = self.members.get_mut(&who) {
            member.holding = Some(operation);
            member.activity = Activity::Working(done);
            member.turn += 1;
            let turn = member.turn;
            self.agenda
                .add(now + work, Arrival::Application { who, turn });
        }
    }

    /// Sends a batch to the leader of some partition.
    pub(crate) fn produce(&mut self, now: Instant) {
        if now >= self.quiet_from {
            return;
        }
        self.agenda
            .add(now + self.options.produce_every, Arrival::Produce);
        let partitions = u64::try_from(self.options.partitions).unwrap_or(1);
        let partition = i32::try_from(self.random.below(partitions)).unwrap_or(0);
        let Some(leader) = self.cluster.leader(TOPIC, partition) else {
            return;
        };
        let count = 1 + self.random.below(20);
        let mut builder = RecordBatchBuilder::new();
        for index in 0..count {
            let value = format!("{partition}:{index}");
            if builder
                .append(1_700_000_000_000, None, Some(value.as_bytes()), &[])
                .is_err()
            {
                return;
            }
        }
        let Ok(batch) = builder.build() else {
            return;
        };
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: 1000,
            topic_data: vec![TopicProduceData {
                name: TOPIC.to_owned(),
                partition_data: vec![PartitionProduceData {
                    index: partition,
                    records: Some(batch.bytes().clone()),
                }],
                ..TopicProduceData::default()
            }],
            ..ProduceRequest::default()
        };
        let correlation_id = i32::try_from(self.requests & 0x7fff_ffff).unwrap_or(0);
        self.requests += 1;
        let records = i64::try_from(count).unwrap_or(0);
        self.producing.insert(
            correlation_id,
            (TopicPartition::new(TOPIC, partition), records),
        );
        let inbound = Inbound {
            node: leader,
            connection: ConnectionId(PRODUCER.0 | u64::from(leader.0.unsigned_abs()) << 48),
            correlation_id,
            version: 12,
            client_id: "producer".to_owned(),
            host: "simulated".to_owned(),
        };
        self.cluster.on_request(inbound, request.into(), now);
        self.drain_cluster(now);
    }

    pub(crate) fn is_producing(&self) -> bool {
        !self.producing.is_empty()
    }
}

/// The offsets of the records that were handed out.
fn offsets(taken: &TakenRecords) -> Vec<i64> {
    let Ok(decoded) = taken.decode() else {
        return Vec::new();
    };
    let mut walk = taken.records(&decoded);
    let offsets = walk
        .by_ref()
        .filter_map(Result::ok)
        .map(|record| record.offset)
        .collect();
    taken.walked(&walk);
    offsets
}
