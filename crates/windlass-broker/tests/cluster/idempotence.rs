//! Idempotent producers: sequences, repetitions, epochs.

use windlass_protocol::ErrorCode;
use windlass_protocol::messages::init_producer_id::InitProducerIdRequest;
use windlass_protocol::records::{RecordBatch, RecordBatchBuilder};

use crate::records::{filled, produce};
use crate::world::{Client, World};

fn numbered(producer: i64, epoch: i16, sequence: i32, count: usize) -> RecordBatch {
    let builder = RecordBatchBuilder::new().producer(producer, epoch, sequence);
    filled(builder, &vec!["x"; count])
}

/// Error code and base offset of one batch.
#[track_caller]
fn send(
    world: &mut World,
    client: Client,
    epoch: i16,
    sequence: i32,
    count: usize,
) -> (ErrorCode, i64) {
    let answer = produce(world, client, &numbered(9, epoch, sequence, count));
    (answer.error_code, answer.base_offset)
}

#[test]
fn every_producer_gets_an_id_of_its_own() {
    let mut world = World::new(1);
    let client = world.client(1);
    let ids: Vec<i64> = (0..3)
        .map(|_| {
            let request = InitProducerIdRequest {
                transactional_id: None,
                ..InitProducerIdRequest::default()
            };
            let answer = world.ask(client, 4, request);
            assert_eq!(answer.error_code, ErrorCode::NONE);
            assert_eq!(answer.producer_epoch, 0);
            answer.producer_id
        })
        .collect();
    assert!(ids[0] < ids[1] && ids[1] < ids[2], "{ids:?}");
}

#[test]
fn each_of_the_last_five_batches_is_known_again() {
    let mut world = World::new(1);
    let client = world.client(1);
    for index in 0..6 {
        let sent = send(&mut world, client, 0, index * 2, 2);
        assert_eq!(sent, (ErrorCode::NONE, i64::from(index) * 2));
    }
    for index in 1..6 {
        let again = send(&mut world, client, 0, index * 2, 2);
        assert_eq!(again, (ErrorCode::NONE, i64::from(index) * 2));
    }
    assert_eq!(world.core.high_watermark("events", 0), Some(12));
    let forgotten = send(&mut world, client, 0, 0, 2);
    assert_eq!(forgotten.0, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
}

#[test]
fn a_gap_is_refused_and_so_is_a_batch_that_overlaps() {
    let mut world = World::new(1);
    let client = world.client(1);
    send(&mut world, client, 0, 0, 2);
    for (sequence, count) in [(3, 1), (1, 1), (0, 1), (0, 3)] {
        let sent = send(&mut world, client, 0, sequence, count);
        assert_eq!(sent.0, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    }
    assert_eq!(send(&mut world, client, 0, 2, 1), (ErrorCode::NONE, 2));
}

#[test]
fn a_newer_epoch_begins_at_zero_and_fences_the_older() {
    let mut world = World::new(1);
    let client = world.client(1);
    send(&mut world, client, 0, 0, 2);
    let sent = send(&mut world, client, 1, 2, 1);
    assert_eq!(sent.0, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(send(&mut world, client, 1, 0, 1).0, ErrorCode::NONE);
    assert_eq!(
        send(&mut world, client, 0, 2, 1).0,
        ErrorCode::INVALID_PRODUCER_EPOCH
    );
}

#[test]
fn a_producer_that_is_not_known_may_begin_anywhere() {
    let mut world = World::new(1);
    let client = world.client(1);
    assert_eq!(send(&mut world, client, 0, 77, 1), (ErrorCode::NONE, 0));
    assert_eq!(send(&mut world, client, 0, 78, 1), (ErrorCode::NONE, 1));
}

#[test]
fn sequences_begin_again_after_the_largest() {
    let mut world = World::new(1);
    let client = world.client(1);
    assert_eq!(
        send(&mut world, client, 0, i32::MAX - 1, 2).0,
        ErrorCode::NONE
    );
    assert_eq!(send(&mut world, client, 0, 0, 1).0, ErrorCode::NONE);
    assert_eq!(
        send(&mut world, client, 0, i32::MAX - 1, 2),
        (ErrorCode::NONE, 0),
        "a repetition"
    );
}
