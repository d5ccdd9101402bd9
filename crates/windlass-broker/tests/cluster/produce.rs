//! Produce.

use bytes::{Bytes, BytesMut};
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::heartbeat::HeartbeatRequest;
use windlass_protocol::records::RecordBatchBuilder;

use crate::records::{batch, fetch_request, filled, produce, produce_request, values, write};
use crate::world::World;

#[test]
fn offsets_go_up_by_one() {
    let mut world = World::new(1);
    let client = world.client(1);
    assert_eq!(write(&mut world, client, &["a", "b"]), 0);
    assert_eq!(write(&mut world, client, &["c"]), 2);
    let answer = world.ask(client, 12, fetch_request(0));
    let expected = [(0, "a"), (1, "b"), (2, "c")];
    assert_eq!(
        values(&answer),
        expected.map(|(offset, value)| (offset, value.to_owned()))
    );
}

#[test]
fn only_the_leader_takes_records() {
    let mut world = World::new(3);
    let client = world.client(2);
    let answer = produce(&mut world, client, &batch(&["a"]));
    assert_eq!(answer.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    let mut answer = world.ask(
        client,
        10,
        produce_request(0, batch(&["a"]).bytes().clone()),
    );
    let partition = answer.responses[0].partition_responses.remove(0);
    assert_eq!(partition.current_leader.leader_id, 1);
    assert_eq!(world.core.high_watermark("events", 0), Some(0));
}

#[test]
fn what_is_not_exactly_one_good_batch_is_refused() {
    let mut world = World::new(1);
    let client = world.client(1);
    let good = batch(&["a"]);
    let mut twice = BytesMut::from(&good.bytes()[..]);
    twice.extend_from_slice(good.bytes());
    let mut flipped = BytesMut::from(&good.bytes()[..]);
    *flipped.last_mut().unwrap() ^= 1;
    let control = filled(RecordBatchBuilder::new().control(), &["a"]);
    for (bytes, code) in [
        (Bytes::new(), ErrorCode::INVALID_RECORD),
        (twice.freeze(), ErrorCode::INVALID_RECORD),
        (flipped.freeze(), ErrorCode::CORRUPT_MESSAGE),
        (good.bytes().slice(..40), ErrorCode::CORRUPT_MESSAGE),
        (control.bytes().clone(), ErrorCode::INVALID_RECORD),
        (good.bytes().clone(), ErrorCode::NONE),
    ] {
        let mut answer = world.ask(client, 9, produce_request(0, bytes));
        let partition = answer.responses[0].partition_responses.remove(0);
        assert_eq!(partition.error_code, code);
    }
    assert_eq!(world.core.high_watermark("events", 0), Some(1));
}

#[test]
fn unknown_partitions_and_odd_acks_are_refused() {
    let mut world = World::new(1);
    let client = world.client(1);
    let records = batch(&["a"]).bytes().clone();
    let mut answer = world.ask(client, 9, produce_request(3, records.clone()));
    let partition = answer.responses[0].partition_responses.remove(0);
    assert_eq!(partition.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let mut odd = produce_request(0, records);
    odd.acks = 2;
    let mut answer = world.ask(client, 9, odd);
    let partition = answer.responses[0].partition_responses.remove(0);
    assert_eq!(partition.error_code, ErrorCode::INVALID_REQUIRED_ACKS);
}

#[test]
fn a_producer_that_wants_no_answer_gets_none() {
    let mut world = World::new(1);
    let client = world.client(1);
    let mut silent = produce_request(0, batch(&["a"]).bytes().clone());
    silent.acks = 0;
    let ticket = world.send(client, 9, silent.clone());
    // The next request of the connection is answered all the same.
    let heartbeat = HeartbeatRequest {
        group_id: "none".to_owned(),
        ..HeartbeatRequest::default()
    };
    world.ask(client, 4, heartbeat);
    assert!(world.answer(&ticket).is_none());
    assert_eq!(world.core.high_watermark("events", 0), Some(1));

    silent.topic_data[0].partition_data[0].index = 9;
    world.send(client, 9, silent);
    assert!(world.is_closed(client), "the only way to tell of an error");
}
