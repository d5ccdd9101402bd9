//! What the applications do: poll, work, commit, close; and the producer that feeds them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use windlass_broker::{ConnectionId, Inbound};
use windlass_core::{
    CommitWhat, ConsumerError, CutRecord, Effect, Intent, NextStep, OperationId, Progress, Reply,
    SeekTo,
};
use windlass_fetch::TakenRecords;
use windlass_model::{OffsetAndMetadata, TopicPartition};
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
    /// The application asks for records: `poll`, or `recv`.
    pub(crate) fn begin_poll(&mut self, who: Incarnation, now: Instant) {
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        if member.wants_to_stop {
            self.begin_close(who, now);
            return;
        }
        member.application.come_back();
        self.go_on(who, now);
    }

    /// Does what has to be done before records can be given out, and gives them out.
    fn go_on(&mut self, who: Incarnation, now: Instant) {
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        let attention = member.core.attention();
        match member.application.next_step(attention, now) {
            NextStep::Give => self.give(who, now),
            NextStep::CheckIn => {
                let operation = member.submit(Intent::CheckIn, now + FAREWELL, now);
                member.activity = Activity::CheckingIn(operation, attention);
                self.drain_member(who, now);
            }
            NextStep::Poll => {
                let max_records = self.options.max_poll_records;
                let operation = member.submit(Intent::Poll { max_records }, now + FAREWELL, now);
                member.application.poll_sent(operation);
                self.await_poll(who, operation, now);
                self.drain_member(who, now);
            }
            NextStep::AwaitPoll(operation) => self.await_poll(who, operation, now),
        }
    }

    fn await_poll(&mut self, who: Incarnation, operation: OperationId, now: Instant) {
        let most = if self.options.drops_futures {
            200
        } else {
            1000
        };
        let wait = Duration::from_millis(50 + self.random.below(most));
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        member.activity = Activity::Polling(operation);
        member.turn += 1;
        let turn = member.turn;
        if let Some((_, outcome)) = member.untaken.take_if(|(of, _)| *of == operation) {
            self.poll_answered(who, operation, outcome, now);
            return;
        }
        self.agenda
            .add(now + wait, Arrival::Application { who, turn });
    }

    pub(crate) fn begin_close(&mut self, who: Incarnation, now: Instant) {
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        member.application.come_back();
        member.turn += 1;
        let operation = member.submit(Intent::Close, now + FAREWELL, now);
        member.activity = Activity::Closing(operation, now);
        self.drain_member(who, now);
    }

    /// Something the application waited for is over.
    pub(crate) fn application_turn(&mut self, who: Incarnation, turn: u64, now: Instant) {
        let drops = self.options.drops_futures && self.random.chance(1, 2);
        let Some(member) = self
            .members
            .get_mut(&who)
            .filter(|member| member.turn == turn)
        else {
            return;
        };
        match std::mem::replace(&mut member.activity, Activity::Working(BTreeMap::new())) {
            Activity::Polling(operation) => {
                if !drops {
                    member.activity = Activity::Polling(operation);
                }
                let nothing = Progress::default();
                let end = Intent::EndPoll(operation);
                member.submit_as_of(end, &nothing, now + FAREWELL, now);
                if drops {
                    self.do_something_else(who, now);
                }
                self.drain_member(who, now);
            }
            Activity::Working(done) => self.work_done(who, done, now),
            other @ (Activity::Committing(..)
            | Activity::Closing(..)
            | Activity::CheckingIn(..)) => member.activity = other,
        }
    }

    /// The application has dropped the future of its poll, and does something before the next one.
    fn do_something_else(&mut self, who: Incarnation, now: Instant) {
        self.drain_member(who, now);
        let choice = self.random.below(4);
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        match choice {
            0 if self.options.commits == Commits::Manual => {
                let mut commit = Member::commit_intent(now);
                if let Intent::Commit { retry_until, .. } = &mut commit {
                    *retry_until = None;
                }
                member.submit(commit, now + FAREWELL, now);
            }
            1 => self.pause_and_resume(who, now),
            2 => {
                let place = member.processed.iter();
                // Of what it was not told to have it knows nothing.
                let fetch = member.core.fetch();
                let known = |one: &TopicPartition| fetch.is_assigned(one) && !fetch.is_held(one);
                let place = place.filter(|(partition, _)| known(partition));
                let place = place.map(|(partition, next)| (partition.clone(), *next));
                if let Some((partition, next)) = place.min() {
                    let progress = member.application.progress();
                    let moved = BTreeSet::from([partition.clone()]);
                    member.application.drop_partitions(&moved);
                    // What is on its way is not what a seek asks for: that wait begins anew.
                    self.silence.gone(who, std::slice::from_ref(&partition));
                    let to = SeekTo::Offset(OffsetAndMetadata::new(next));
                    let seek = Intent::Seek(partition, to);
                    member.submit_as_of(seek, &progress, now + FAREWELL, now);
                }
            }
            _ => {}
        }
        self.drain_member(who, now);
        self.pause_before_poll(who, 20, now);
    }

    /// The application stops all that it reads for a moment, in the middle of what it was handed.
    fn pause_and_resume(&mut self, who: Incarnation, now: Instant) {
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        let assigned: BTreeSet<TopicPartition> = member.core.fetch().assigned().cloned().collect();
        // Nobody waits for what is paused.
        let unwaited: Vec<_> = assigned.iter().cloned().collect();
        self.silence.gone(who, &unwaited);
        let progress = member.application.progress();
        let pause = Intent::Pause {
            partitions: assigned.clone(),
            returned: member.application.give_back(&assigned),
        };
        member.submit_as_of(pause, &progress, now + FAREWELL, now);
        self.drain_member(who, now);
        if let Some(member) = self.members.get_mut(&who) {
            member.submit(Intent::Resume(assigned), now + FAREWELL, now);
        }
        self.drain_member(who, now);
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
        let one_by_one = self.options.one_by_one;
        let commits = match self.options.commits {
            Commits::Timer => false,
            Commits::Manual if one_by_one => worked && self.random.chance(1, 20),
            Commits::Manual => worked,
            Commits::Listener if one_by_one => worked && self.random.chance(1, 100),
            Commits::Listener => worked && self.random.chance(1, 5),
        };
        if !commits {
            self.commit_in_passing(who, worked, now);
            if one_by_one && self.options.drops_futures && self.random.chance(1, 100) {
                self.pause_and_resume(who, now);
            }
            self.begin_poll(who, now);
            return;
        }
        if let Some(member) = self.members.get_mut(&who) {
            let operation = member.submit(Member::commit_intent(now), now + FAREWELL, now);
            member.activity = Activity::Committing(operation, now);
            self.drain_member(who, now);
        }
    }

    /// Who takes records one by one may commit each without waiting for the answer.
    fn commit_in_passing(&mut self, who: Incarnation, worked: bool, now: Instant) {
        let may = self.options.one_by_one && self.options.commits == Commits::Manual;
        if may && worked && self.random.chance(1, 2) {
            if let Some(member) = self.members.get_mut(&who) {
                let intent = Intent::Commit {
                    what: CommitWhat::HandedOut,
                    retry_until: None,
                };
                member.submit(intent, now + FAREWELL, now);
            }
            self.drain_member(who, now);
        }
    }

    /// Carries out what a member wants.
    pub(crate) fn carry_out(&mut self, who: Incarnation, effect: Effect, now: Instant) {
        match effect {
            Effect::Send(request) => self.send(who, request, now),
            Effect::Reply { operation, outcome } => self.on_reply(who, operation, outcome, now),
            Effect::Callback { id, notice } => {
                self.call_listener(who, id, notice.kind, notice.partitions, now);
            }
            Effect::ComputeAssignment { token, job } => {
                let result = job.run();
                if let Some(member) = self.members.get_mut(&who) {
                    member.core.on_assignment_computed(token, result, now);
                }
            }
            Effect::ClusterChanged(cluster) => {
                if let Some(member) = self.members.get_mut(&who) {
                    member.addresses.extend(cluster.brokers.keys());
                }
            }
            Effect::BrokerFound { node, .. } => {
                if let Some(member) = self.members.get_mut(&who) {
                    member.addresses.insert(node);
                }
            }
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
            Activity::Polling(waiting) if waiting == operation => {
                self.poll_answered(who, operation, outcome, now);
            }
            Activity::CheckingIn(waiting, attention) if waiting == operation => {
                if member
                    .application
                    .checked_in(outcome, attention, now)
                    .is_ok()
                {
                    self.go_on(who, now);
                }
            }
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
            _ if matches!(outcome, Ok(Reply::Records { .. })) => {
                member.untaken = Some((operation, outcome));
            }
            _ => self.on_listeners_commit(who, operation, outcome.is_ok(), now),
        }
    }

    fn poll_answered(
        &mut self,
        who: Incarnation,
        operation: OperationId,
        outcome: Result<Reply, ConsumerError>,
        now: Instant,
    ) {
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        match member.application.poll_answered(operation, outcome, now) {
            Ok(true) => self.go_on(who, now),
            // Nothing came in time, or something went wrong that polling again will mend.
            Ok(false) => self.pause_before_poll(who, 0, now),
            Err(ConsumerError::GroupRefused { .. }) => self.start_over(who, now),
            Err(_) => self.pause_before_poll(who, 100, now),
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

    /// The application is given what is here, all of it or one record, and works on that.
    fn give(&mut self, who: Incarnation, now: Instant) {
        let one_by_one = self.options.one_by_one;
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        let given: Vec<(TopicPartition, Vec<i64>)> = if one_by_one {
            let attention = member.core.attention();
            let record = member.application.next_record(attention, now, cut);
            let record = record.map(|(partition, offset)| (partition, vec![offset]));
            record.into_iter().collect()
        } else {
            let taken = member.application.take();
            let offsets = |taken: &TakenRecords| (taken.topic_partition.clone(), offsets(taken));
            taken.iter().map(offsets).collect()
        };
        if given.is_empty() {
            self.go_on(who, now);
            return;
        }
        let most = if one_by_one { 2_000 } else { 40_000 };
        let work = Duration::from_micros(self.random.below(most));
        let mut done = BTreeMap::new();
        for (partition, offsets) in given {
            if let Some(last) = offsets.last() {
                done.insert(partition.clone(), last + 1);
            }
            self.note(Event::HandedOut {
                who,
                partition,
                offsets,
            });
        }
        if let Some(member) = self.members.get_mut(&who) {
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

/// The records of a batch, one by one.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the application's side hands a batch over to be cut up"
)]
fn cut(taken: TakenRecords) -> Vec<CutRecord<(TopicPartition, i64)>> {
    let cut = |offset: i64| CutRecord {
        next_offset: Some(offset + 1),
        item: (taken.topic_partition.clone(), offset),
    };
    offsets(&taken).into_iter().map(cut).collect()
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
