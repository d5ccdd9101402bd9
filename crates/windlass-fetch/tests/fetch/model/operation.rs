//! What can happen.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use windlass_fetch::{OffsetReset, StartPosition};
use windlass_machine::FailureKind;
use windlass_model::LeaderEpoch;
use windlass_protocol::ErrorCode;

use super::brokers::Mood;
use super::committed;
use super::log::Shape;
use super::world::{PARTITIONS, World};
use crate::scene::{partition, set};

#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Append(i32, Shape),
    Lead(i32, i32),
    Truncate(i32, usize, i32),
    Delete(i32, usize),
    Metadata,
    /// Of before the last few changes of leaders: by how many epochs.
    OldMetadata(i32),
    Leaderless(i32),
    Answer(usize, usize, Mood),
    Fail(usize, FailureKind),
    Take(usize),
    /// So many parts of what was taken last.
    GiveBack(i32, usize),
    Pass(u64),
    Assign(i32, Begin),
    Unassign(i32),
    Committed(i32, bool),
    /// How far from the end, and whether with the epoch.
    Seek(i32, i64, bool),
    SeekTo(i32, OffsetReset),
    Stop(i32, bool, bool),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Begin {
    Awaiting,
    At(i64, bool),
    Reset,
}

impl Operation {
    pub(crate) fn apply(&self, world: &mut World) {
        match *self {
            Self::Append(index, shape) => world.log(index).append(shape),
            Self::Lead(index, node) => world.log(index).lead(node),
            Self::Truncate(index, batches, node) => {
                world.log(index).truncate(batches, node);
                world.ledger.disturbed(&partition(index));
            }
            Self::Delete(index, batches) => {
                world.log(index).delete_before(batches);
                world.ledger.disturbed(&partition(index));
            }
            Self::Metadata => world.tell_cluster(),
            Self::OldMetadata(age) => {
                let logs = world.logs.iter();
                let old = logs.map(|log| (1, (log.epoch - age).max(0)));
                let old: Vec<_> = old.collect();
                world.tell(&old);
            }
            Self::Leaderless(index) => {
                let logs = world.logs.iter().zip(0..);
                let leaders = logs.map(|(log, other)| {
                    let leader = if other == index { -1 } else { log.leader };
                    (leader, log.epoch)
                });
                let leaders: Vec<_> = leaders.collect();
                world.tell(&leaders);
            }
            Self::Answer(which, parts, mood) => world.answer(which, parts, mood),
            Self::Fail(which, kind) => world.fail(which, kind),
            Self::Take(most) => {
                world.take(most);
            }
            Self::GiveBack(index, parts) => world.give_back(index, parts),
            Self::Pass(time) => world.pass(Duration::from_millis(time)),
            Self::Assign(..)
            | Self::Unassign(_)
            | Self::Committed(..)
            | Self::Seek(..)
            | Self::SeekTo(..)
            | Self::Stop(..) => self.intend(world),
        }
    }

    /// What the application or its group wants.
    fn intend(&self, world: &mut World) {
        match *self {
            Self::Assign(index, begin) => assign(world, index, begin),
            Self::Unassign(index) => {
                world.stop(index, false);
                world.ledger.gone(&partition(index));
                world.input(|machine, now| machine.unassign(&set(&[index]), now));
            }
            Self::Committed(index, known) => {
                let standing = world.scene.machine.standing(&partition(index));
                let (offset, epoch) = place(world, index, 2, true);
                if standing == Some(windlass_fetch::Standing::Awaiting) {
                    let cursor = known.then_some(offset);
                    let log = &world.logs[usize::try_from(index).unwrap()];
                    world.ledger.stands(&partition(index), cursor, log);
                }
                let committed = known.then(|| committed(offset, epoch));
                world.input(|machine, now| {
                    machine.set_committed(&partition(index), committed, now);
                });
            }
            Self::Seek(index, back, exact) if world.ledger.is_assigned(&partition(index)) => {
                let (offset, epoch) = place(world, index, back, exact);
                let log = &world.logs[usize::try_from(index).unwrap()];
                world.ledger.stands(&partition(index), Some(offset), log);
                let epoch = epoch.and_then(LeaderEpoch::from_wire);
                world.input(|machine, now| machine.seek(&partition(index), offset, epoch, now));
            }
            Self::SeekTo(index, to) if world.ledger.is_assigned(&partition(index)) => {
                let log = &world.logs[usize::try_from(index).unwrap()];
                world.ledger.stands(&partition(index), None, log);
                world.input(|machine, now| machine.seek_to(&partition(index), to, now));
            }
            Self::Stop(index, by_hold, stop) => {
                let one = set(&[index]);
                let is_assigned = world.ledger.is_assigned(&partition(index));
                world.input(|machine, now| match (by_hold, stop) {
                    (true, true) => machine.hold(&one, now),
                    (false, true) => machine.pause(&one, now),
                    (_, false) => {
                        machine.release(&one, now);
                    }
                });
                if !stop {
                    world.input(|machine, now| machine.resume(&one, now));
                }
                world.stop(index, stop && is_assigned);
            }
            _ => {}
        }
    }
}

/// An offset so far from the end, and the epoch before it.
fn place(world: &World, index: i32, back: i64, exact: bool) -> (i64, Option<i32>) {
    let log = &world.logs[usize::try_from(index).unwrap()];
    let offset = (log.end - back).max(0);
    let epoch = if exact {
        log.epoch_before(offset)
    } else {
        None
    };
    (offset, epoch)
}

fn assign(world: &mut World, index: i32, begin: Begin) {
    let (start, cursor) = match begin {
        Begin::Awaiting => (StartPosition::Awaiting, None),
        Begin::Reset => (StartPosition::Reset(OffsetReset::Earliest), None),
        Begin::At(back, exact) => {
            let (offset, epoch) = place(world, index, back, exact);
            let leader_epoch = epoch.and_then(LeaderEpoch::from_wire);
            let start = StartPosition::At {
                offset,
                leader_epoch,
            };
            (start, Some(offset))
        }
    };
    world.stop(index, false);
    let log = &world.logs[usize::try_from(index).unwrap()];
    world.ledger.stands(&partition(index), cursor, log);
    let starts = BTreeMap::from([(partition(index), start)]);
    world.input(|machine, now| machine.assign(starts, now));
}

pub(crate) fn operations() -> impl Strategy<Value = Vec<Operation>> {
    vec(operation(), 1..150)
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        12 => (index(), shape()).prop_map(|(index, shape)| Operation::Append(index, shape)),
        20 => (0..5_usize, prop_oneof![1..6_usize, Just(100)], mood())
            .prop_map(|(which, parts, mood)| Operation::Answer(which, parts, mood)),
        8 => (1..9_usize).prop_map(Operation::Take),
        3 => (index(), 1..3_usize)
            .prop_map(|(index, parts)| Operation::GiveBack(index, parts)),
        8 => (1..900_u64).prop_map(Operation::Pass),
        4 => Just(Operation::Metadata),
        2 => (0..5_usize, failure()).prop_map(|(which, kind)| Operation::Fail(which, kind)),
        5 => (index(), begin()).prop_map(|(index, begin)| Operation::Assign(index, begin)),
        8 => prop_oneof![
            (index(), 1..4).prop_map(|(index, node)| Operation::Lead(index, node)),
            (index(), 0..3_usize, 1..4)
                .prop_map(|(index, batches, node)| Operation::Truncate(index, batches, node)),
            (index(), 0..2_usize).prop_map(|(index, batches)| Operation::Delete(index, batches)),
            (0..4).prop_map(Operation::OldMetadata),
            index().prop_map(Operation::Leaderless),
        ],
        8 => prop_oneof![
            index().prop_map(Operation::Unassign),
            (index(), any::<bool>()).prop_map(|(index, known)| Operation::Committed(index, known)),
            (index(), -2..20_i64, any::<bool>())
                .prop_map(|(index, back, exact)| Operation::Seek(index, back, exact)),
            (index(), end()).prop_map(|(index, to)| Operation::SeekTo(index, to)),
            (index(), any::<bool>(), any::<bool>())
                .prop_map(|(index, hold, stop)| Operation::Stop(index, hold, stop)),
        ],
    ]
}

fn index() -> impl Strategy<Value = i32> {
    0..PARTITIONS
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        3 => (1..12_i64).prop_map(Shape::Dense),
        2 => (1..12_i64).prop_map(Shape::Sparse),
        1 => (1..5_i64).prop_map(Shape::Empty),
        1 => Just(Shape::Marker),
    ]
}

fn begin() -> impl Strategy<Value = Begin> {
    prop_oneof![
        Just(Begin::Awaiting),
        Just(Begin::Reset),
        (0..20_i64, any::<bool>()).prop_map(|(back, exact)| Begin::At(back, exact)),
    ]
}

fn end() -> impl Strategy<Value = OffsetReset> {
    prop_oneof![Just(OffsetReset::Earliest), Just(OffsetReset::Latest)]
}

fn mood() -> impl Strategy<Value = Mood> {
    prop_oneof![
        8 => Just(Mood::Fine),
        3 => Just(Mood::Helpful),
        1 => Just(Mood::Forgetful),
        1 => Just(Mood::Failing(ErrorCode::NOT_LEADER_OR_FOLLOWER)),
        1 => Just(Mood::Failing(ErrorCode::KAFKA_STORAGE_ERROR)),
        1 => Just(Mood::Failing(ErrorCode::TOPIC_AUTHORIZATION_FAILED)),
    ]
}

fn failure() -> impl Strategy<Value = FailureKind> {
    prop_oneof![
        Just(FailureKind::Disconnected),
        Just(FailureKind::TimedOut),
        Just(FailureKind::Undecodable),
    ]
}
