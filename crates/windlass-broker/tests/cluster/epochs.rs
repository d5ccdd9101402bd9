//! ListOffsets and OffsetForLeaderEpoch.

use windlass_protocol::ErrorCode;
use windlass_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsTopic,
};
use windlass_protocol::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use windlass_protocol::records::RecordBatchBuilder;

use crate::records::{produce, write};
use crate::world::{Client, World};

fn list(world: &mut World, client: Client, timestamp: i64) -> ListOffsetsPartitionResponse {
    list_in(world, client, timestamp, (0, -1))
}

fn list_in(
    world: &mut World,
    client: Client,
    timestamp: i64,
    (isolation_level, current_leader_epoch): (i8, i32),
) -> ListOffsetsPartitionResponse {
    let request = ListOffsetsRequest {
        replica_id: -1,
        isolation_level,
        topics: vec![ListOffsetsTopic {
            name: "events".to_owned(),
            partitions: vec![ListOffsetsPartition {
                partition_index: 0,
                current_leader_epoch,
                timestamp,
            }],
        }],
        ..ListOffsetsRequest::default()
    };
    let mut answer = world.ask(client, 8, request);
    answer.topics[0].partitions.remove(0)
}

fn end_of(world: &mut World, node: i32, leader_epoch: i32) -> EpochEndOffset {
    let client = world.client(node);
    let request = OffsetForLeaderEpochRequest {
        replica_id: -1,
        topics: vec![OffsetForLeaderTopic {
            topic: "events".to_owned(),
            partitions: vec![OffsetForLeaderPartition {
                partition: 0,
                current_leader_epoch: -1,
                leader_epoch,
            }],
        }],
    };
    let mut answer = world.ask(client, 4, request);
    answer.topics[0].partitions.remove(0)
}

#[test]
fn beginnings_and_ends() {
    let mut world = World::new(1);
    let client = world.client(1);
    let empty = list(&mut world, client, -1);
    assert_eq!((empty.offset, empty.leader_epoch), (0, 0));
    write(&mut world, client, &["a", "b", "c"]);
    write(&mut world, client, &["d"]);
    world.act(|core, _| core.delete_records_before("events", 0, 2));
    assert_eq!(list(&mut world, client, -2).offset, 2);
    assert_eq!(list(&mut world, client, -4).offset, 2);
    assert_eq!(list(&mut world, client, -1).offset, 4);
}

#[test]
fn offsets_for_times() {
    let mut world = World::new(1);
    let client = world.client(1);
    // Three batches: 1000 and 1001, again 1000 and 1001, then 3000.
    write(&mut world, client, &["a", "b"]);
    write(&mut world, client, &["c", "d"]);
    let mut late = RecordBatchBuilder::new();
    late.append(3_000, None, None, &[]).unwrap();
    produce(&mut world, client, &late.build().unwrap());
    for (asked, offset, timestamp) in [
        (0, 0, 1_000),
        (1_000, 0, 1_000),
        (1_001, 1, 1_001),
        (1_002, 4, 3_000),
        (3_000, 4, 3_000),
        (3_001, -1, -1),
    ] {
        let found = list(&mut world, client, asked);
        assert_eq!(found.error_code, ErrorCode::NONE);
        assert_eq!(
            (found.offset, found.timestamp),
            (offset, timestamp),
            "{asked}"
        );
    }
    let youngest = list(&mut world, client, -3);
    assert_eq!((youngest.offset, youngest.timestamp), (4, 3_000));
}

#[test]
fn offsets_are_the_leader_s_business() {
    let mut world = World::new(3);
    world.act(|core, now| core.move_leader("events", 0, 2, now));
    for (node, epoch, code) in [
        (1, -1, ErrorCode::NOT_LEADER_OR_FOLLOWER),
        (1, 0, ErrorCode::FENCED_LEADER_EPOCH),
        (2, 0, ErrorCode::FENCED_LEADER_EPOCH),
        (2, 2, ErrorCode::UNKNOWN_LEADER_EPOCH),
        (2, 1, ErrorCode::NONE),
    ] {
        let client = world.client(node);
        let answer = list_in(&mut world, client, -1, (0, epoch));
        assert_eq!(answer.error_code, code, "node {node}, epoch {epoch}");
    }
}

#[test]
fn epochs_end_where_the_next_one_that_wrote_begins() {
    let mut world = World::new(3);
    let first = world.client(1);
    write(&mut world, first, &["a", "b"]);
    world.act(|core, now| core.move_leader("events", 0, 2, now));
    // Epoch 1 writes nothing, and leaves no trace.
    world.act(|core, now| core.move_leader("events", 0, 3, now));
    let third = world.client(3);
    write(&mut world, third, &["c"]);
    for (asked, epoch, end) in [(0, 0, 2), (1, 0, 2), (2, 2, 3), (3, -1, -1), (-1, -1, -1)] {
        let answer = end_of(&mut world, 3, asked);
        assert_eq!(answer.error_code, ErrorCode::NONE);
        assert_eq!(
            (answer.leader_epoch, answer.end_offset),
            (epoch, end),
            "{asked}"
        );
    }
    assert_eq!(
        end_of(&mut world, 1, 0).error_code,
        ErrorCode::NOT_LEADER_OR_FOLLOWER
    );
    assert_eq!(list(&mut world, third, -2).leader_epoch, 0);
    assert_eq!(list(&mut world, third, -1).leader_epoch, 2);
}

#[test]
fn what_lies_before_every_known_epoch_ends_where_the_first_begins() {
    let mut world = World::new(3);
    world.act(|core, now| core.move_leader("events", 0, 2, now));
    let client = world.client(2);
    write(&mut world, client, &["a"]);
    let answer = end_of(&mut world, 2, 0);
    assert_eq!((answer.leader_epoch, answer.end_offset), (0, 0));
}
