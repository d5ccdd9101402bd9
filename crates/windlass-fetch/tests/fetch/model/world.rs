//! The machine, its brokers, and whatever happens to them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use windlass_fetch::{
    FetchConfig, FetchEvent, FetchMachine, OffsetReset, Position, Standing, TakenRecords,
};
use windlass_machine::{FailureKind, OutgoingRequest, RequestId};
use windlass_protocol::RequestKind;
use windlass_protocol::fetch_response::FetchPart;

use super::brokers::{self, Mood};
use super::ledger::Ledger;
use super::log::Log;
use crate::answer::node;
use crate::scene::{Scene, partition};

pub(crate) const PARTITIONS: i32 = 4;
const BUFFER: usize = 2048;
const MOST_OF_ONE: usize = 512;
/// No batch of the model is larger.
const LARGEST_BATCH: usize = 420;

pub(crate) struct World {
    pub(crate) scene: Scene,
    pub(crate) logs: Vec<Log>,
    pub(crate) ledger: Ledger,
    /// What was asked and not answered.
    open: Vec<OutgoingRequest>,
    /// Answers to fetches that have begun to arrive.
    arriving: BTreeMap<RequestId, VecDeque<FetchPart>>,
    last_taken: Vec<TakenRecords>,
    /// Whether newer metadata was asked for since it came last.
    wants_metadata: bool,
    /// Partitions that the application does not want at the moment.
    stopped: BTreeSet<i32>,
    /// Whether nothing ever kept a partition from being handed out.
    is_calm: bool,
}

impl World {
    pub(crate) fn new() -> Self {
        let scene = Scene::with({
            let mut config = FetchConfig::default();
            config.offset_reset = OffsetReset::Earliest;
            config.buffer_bytes = BUFFER;
            config.max_partition_bytes = i32::try_from(MOST_OF_ONE).unwrap();
            config
        });
        let mut world = Self {
            scene,
            logs: (0..PARTITIONS)
                .map(|index| Log::new(1 + index % 3))
                .collect(),
            ledger: Ledger::default(),
            open: Vec::new(),
            arriving: BTreeMap::new(),
            last_taken: Vec::new(),
            wants_metadata: false,
            stopped: BTreeSet::new(),
            is_calm: true,
        };
        world.tell_cluster();
        world
    }

    pub(crate) fn log(&mut self, index: i32) -> &mut Log {
        &mut self.logs[usize::try_from(index).unwrap()]
    }

    pub(crate) fn tell_cluster(&mut self) {
        let leaders: Vec<(i32, i32)> = self
            .logs
            .iter()
            .map(|log| (log.leader, log.epoch))
            .collect();
        self.tell(&leaders);
    }

    pub(crate) fn tell(&mut self, leaders: &[(i32, i32)]) {
        self.wants_metadata = false;
        self.is_calm = false;
        self.scene.leaders(leaders);
        self.settle();
    }

    pub(crate) fn input<T>(
        &mut self,
        input: impl FnOnce(&mut FetchMachine, std::time::Instant) -> T,
    ) -> T {
        let answer = self.scene.input(input);
        self.settle();
        answer
    }

    /// Stops or lets go on: a pause or a hold.
    pub(crate) fn stop(&mut self, index: i32, stopped: bool) {
        self.is_calm = false;
        if stopped {
            self.stopped.insert(index);
        } else {
            self.stopped.remove(&index);
        }
    }

    /// Takes in what came out, and checks what must always be so.
    fn settle(&mut self) {
        for event in std::mem::take(&mut self.scene.events) {
            self.wants_metadata |= matches!(event, FetchEvent::MetadataNeeded { .. });
            self.ledger.event(&event);
        }
        self.open.append(&mut self.scene.requests);
        let mut fetched_from = BTreeSet::new();
        for request in &self.open {
            if matches!(request.request, RequestKind::Fetch(_)) {
                assert!(
                    fetched_from.insert(node(request)),
                    "two fetches to one broker"
                );
            }
        }
        assert_eq!(self.scene.machine.fetches_in_flight(), fetched_from.len());
        self.check_bytes();
    }

    fn check_bytes(&self) {
        let buffered = self.scene.machine.buffered_bytes();
        let calm = BUFFER + 3 * LARGEST_BATCH;
        let partitions = usize::try_from(PARTITIONS).unwrap();
        let ever = partitions * (2 * MOST_OF_ONE + LARGEST_BATCH);
        let bound = if self.is_calm { calm } else { calm.max(ever) };
        assert!(buffered <= bound, "{buffered} bytes wait");
        if self.scene.machine.assigned().next().is_none() {
            assert_eq!(buffered, 0, "bytes of nothing");
        }
    }

    /// What must be so whenever nothing is in the middle of happening.
    pub(crate) fn check(&mut self) {
        self.ledger.check(&self.scene.machine, &self.logs);
        let machine = &self.scene.machine;
        let waits = (0..PARTITIONS).any(|index| {
            let wanted = !self.stopped.contains(&index);
            let standing = machine.standing(&partition(index));
            wanted
                && matches!(
                    standing,
                    Some(Standing::Fetching | Standing::Resetting | Standing::Validating)
                )
        });
        let moves = !self.open.is_empty()
            || machine.poll_timeout().is_some()
            || self.wants_metadata
            || machine.buffered_bytes() > 0;
        assert!(moves || !waits, "nothing will ever happen");
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.scene.now += time;
        let now = self.scene.now;
        let due = |machine: &FetchMachine| {
            machine
                .poll_timeout()
                .is_some_and(|wakeup| wakeup.at <= now)
        };
        if due(&self.scene.machine) {
            self.input(FetchMachine::handle_timeout);
            assert!(!due(&self.scene.machine), "a timeout that stays due");
        }
    }

    pub(crate) fn take(&mut self, most: usize) -> usize {
        let taken = self.scene.machine.take(most, self.scene.now);
        let mut count = 0;
        for part in &taken {
            let index = part.topic_partition.partition;
            assert!(!self.stopped.contains(&index), "{index} is stopped");
            self.ledger.taken(part, &self.logs);
            let decoded = part.decode().unwrap();
            let mut walk = part.records(&decoded);
            count += walk.by_ref().map(Result::unwrap).count();
            if count.is_multiple_of(2) {
                part.walked(&walk);
            }
        }
        assert!(count <= most, "{count} records instead of {most}");
        self.last_taken = taken;
        self.input(|_, _| ());
        count
    }

    /// The application was not given the last parts of what was taken of a partition.
    pub(crate) fn give_back(&mut self, index: i32, parts: usize) {
        let mut taken = std::mem::take(&mut self.last_taken);
        taken.retain(|part| part.topic_partition.partition == index);
        let returned = taken.split_off(taken.len().saturating_sub(parts));
        let (Some(first), Some(last)) = (returned.first(), returned.last()) else {
            return;
        };
        let from = Position {
            offset: first.position_before.offset,
            leader_epoch: first.position_before.leader_epoch,
        };
        let until = last.position_after.offset;
        let partition = partition(index);
        if self.ledger.given_back(&partition, from.offset, until) {
            self.input(|machine, now| machine.give_back(&partition, from, returned, now));
        }
    }

    /// Brings one of the open requests on: so many parts of a fetch, or a whole answer.
    pub(crate) fn answer(&mut self, which: usize, parts: usize, mood: Mood) {
        if self.open.is_empty() {
            return;
        }
        let index = which % self.open.len();
        let request = self.open[index].clone();
        let node = node(&request);
        match &request.request {
            RequestKind::Fetch(fetch) => {
                let logs = &self.logs;
                let pieces = self
                    .arriving
                    .entry(request.id)
                    .or_insert_with(|| brokers::fetch(logs, node, fetch, mood));
                let now: Vec<FetchPart> = pieces.drain(..parts.min(pieces.len())).collect();
                let is_done = pieces.is_empty();
                for piece in now {
                    self.input(|machine, now| machine.on_fetch_part(request.id, piece, now));
                }
                if is_done {
                    self.arriving.remove(&request.id);
                    self.open.remove(index);
                    self.input(|machine, now| machine.on_fetch_done(request.id, now));
                }
            }
            RequestKind::ListOffsets(asked) => {
                let response = brokers::list_offsets(&self.logs, node, asked, mood).into();
                self.open.remove(index);
                self.input(|machine, now| machine.on_response(request.id, response, now));
            }
            RequestKind::OffsetForLeaderEpoch(asked) => {
                let response = brokers::epoch_ends(&self.logs, node, asked, mood).into();
                self.open.remove(index);
                self.input(|machine, now| machine.on_response(request.id, response, now));
            }
            other => panic!("nobody asked for {other:?}"),
        }
    }

    pub(crate) fn fail(&mut self, which: usize, kind: FailureKind) {
        if self.open.is_empty() {
            return;
        }
        let request = self.open.remove(which % self.open.len());
        self.arriving.remove(&request.id);
        let failure = windlass_machine::RequestFailure::new(kind, "it went wrong");
        self.input(|machine, now| machine.on_failure(request.id, &failure, now));
    }

    /// Whether every partition knows where it stands.
    pub(crate) fn is_settled(&self) -> bool {
        let machine = &self.scene.machine;
        machine
            .assigned()
            .all(|partition| machine.standing(partition) == Some(Standing::Fetching))
    }

    pub(crate) fn has_open(&self) -> bool {
        !self.open.is_empty()
    }
}
