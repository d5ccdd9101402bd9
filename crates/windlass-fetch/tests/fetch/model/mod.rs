//! The machine let loose on a small cluster, with everything happening that can happen.

mod brokers;
mod ledger;
mod log;
mod operation;
mod world;

use std::time::Duration;

use proptest::prelude::*;
use windlass_model::OffsetAndMetadata;

use self::brokers::Mood;
use self::operation::{Operation, operations};
use self::world::{PARTITIONS, World};
use crate::scene::{partition, set};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens, nothing is skipped, nothing is handed out twice, the bytes stay within
    /// bounds, no broker has two fetches, nothing waits for ever; and when it is over, everything
    /// there is has been handed out.
    #[test]
    fn every_record_is_handed_out_once_and_in_order(list in operations()) {
        let mut world = World::new();
        for operation in &list {
            operation.apply(&mut world);
            world.check();
        }
        come_to_rest(&mut world);
    }
}

fn come_to_rest(world: &mut World) {
    let all: Vec<i32> = (0..PARTITIONS).collect();
    for index in 0..PARTITIONS {
        world.stop(index, false);
    }
    world.input(|machine, now| machine.resume(&set(&all), now));
    world.input(|machine, now| machine.release(&set(&all), now));
    for index in 0..PARTITIONS {
        let from = world.log(index).start;
        let standing = world.scene.machine.standing(&partition(index));
        if standing == Some(windlass_fetch::Standing::Awaiting) {
            Operation::Committed(index, false).apply(world);
            assert!(from >= 0);
        }
    }
    world.tell_cluster();
    for _ in 0..3000 {
        if world.is_settled() && world.ledger.is_at_the_end(&world.logs) {
            world.ledger.check_against(&world.logs);
            return;
        }
        while world.take(7) > 0 {}
        world.check();
        if world.has_open() {
            world.answer(0, 100, Mood::Fine);
        } else if let Some(wakeup) = world.scene.machine.poll_timeout() {
            let wait = wakeup.at.saturating_duration_since(world.scene.now);
            world.pass(wait.max(Duration::from_millis(1)));
        } else {
            world.tell_cluster();
        }
    }
    panic!("not everything is handed out: {:?}", world.ledger);
}

/// A committed offset with the epoch of the record before it, if the log has that.
fn committed(offset: i64, epoch: Option<i32>) -> OffsetAndMetadata {
    OffsetAndMetadata {
        leader_epoch: epoch.and_then(windlass_model::LeaderEpoch::from_wire),
        ..OffsetAndMetadata::new(offset)
    }
}
