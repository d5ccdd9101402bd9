//! Transactions: markers, the last stable offset, fencing.

use windlass_protocol::ErrorCode;
use windlass_protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic,
};
use windlass_protocol::messages::end_txn::EndTxnRequest;
use windlass_protocol::messages::fetch::FetchResponse;
use windlass_protocol::messages::init_producer_id::{
    InitProducerIdRequest, InitProducerIdResponse,
};
use windlass_protocol::records::RecordBatchBuilder;

use crate::records::{fetch_request, filled, send_batch, values, write};
use crate::world::{Client, World};

#[derive(Clone, Copy, Debug)]
struct Producer {
    client: Client,
    name: &'static str,
    id: i64,
    epoch: i16,
    sequence: i32,
}

impl Producer {
    fn init(world: &mut World, client: Client, name: &'static str) -> Self {
        let answer = init(world, client, name, (-1, -1));
        assert_eq!(answer.error_code, ErrorCode::NONE);
        Self {
            client,
            name,
            id: answer.producer_id,
            epoch: answer.producer_epoch,
            sequence: 0,
        }
    }

    fn add_partition(&self, world: &mut World) -> ErrorCode {
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: self.name.to_owned(),
            v3_and_below_producer_id: self.id,
            v3_and_below_producer_epoch: self.epoch,
            v3_and_below_topics: vec![AddPartitionsToTxnTopic {
                name: "events".to_owned(),
                partitions: vec![0],
            }],
        };
        let answer = world.ask(self.client, 3, request);
        answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
    }

    fn send(&mut self, world: &mut World, value: &str) -> ErrorCode {
        let batch = RecordBatchBuilder::new()
            .producer(self.id, self.epoch, self.sequence)
            .transactional();
        let batch = filled(batch, &[value]);
        let code = send_batch(world, self.client, Some(self.name), &batch).error_code;
        if code.is_none() {
            self.sequence += 1;
        }
        code
    }

    /// Opens a transaction with one record.
    fn begin(&mut self, world: &mut World, value: &str) {
        assert_eq!(self.add_partition(world), ErrorCode::NONE);
        assert_eq!(self.send(world, value), ErrorCode::NONE);
    }

    fn end(&self, world: &mut World, committed: bool) -> ErrorCode {
        let request = EndTxnRequest {
            transactional_id: self.name.to_owned(),
            producer_id: self.id,
            producer_epoch: self.epoch,
            committed,
        };
        world.ask(self.client, 3, request).error_code
    }
}

fn init(
    world: &mut World,
    client: Client,
    name: &str,
    (producer_id, producer_epoch): (i64, i16),
) -> InitProducerIdResponse {
    let request = InitProducerIdRequest {
        transactional_id: Some(name.to_owned()),
        transaction_timeout_ms: 60_000,
        producer_id,
        producer_epoch,
    };
    world.ask(client, 4, request)
}

fn read(world: &mut World, client: Client, isolation_level: i8) -> FetchResponse {
    let mut request = fetch_request(0);
    request.isolation_level = isolation_level;
    request.max_wait_ms = 0;
    world.ask(client, 12, request)
}

fn texts(response: &FetchResponse) -> Vec<String> {
    values(response).into_iter().map(|(_, text)| text).collect()
}

#[test]
fn an_open_transaction_holds_careful_readers_back() {
    let mut world = World::new(1);
    let client = world.client(1);
    write(&mut world, client, &["before"]);
    let mut producer = Producer::init(&mut world, client, "tx");
    producer.begin(&mut world, "inside");
    write(&mut world, client, &["after"]);
    let careless = read(&mut world, client, 0);
    assert_eq!(texts(&careless), ["before", "inside", "after"]);
    let careful = read(&mut world, client, 1);
    assert_eq!(texts(&careful), ["before"]);
    let partition = &careful.responses[0].partitions[0];
    assert_eq!(
        (partition.last_stable_offset, partition.high_watermark),
        (1, 3)
    );
    assert_eq!(producer.end(&mut world, true), ErrorCode::NONE);
    let careful = read(&mut world, client, 1);
    assert_eq!(texts(&careful), ["before", "inside", "after", "commit"]);
    let partition = &careful.responses[0].partitions[0];
    assert_eq!(partition.last_stable_offset, 4);
    assert_eq!(partition.aborted_transactions, Some(Vec::new()));
}

#[test]
fn an_aborted_transaction_is_named_where_it_lies() {
    let mut world = World::new(1);
    let client = world.client(1);
    let mut producer = Producer::init(&mut world, client, "tx");
    producer.begin(&mut world, "gone");
    producer.end(&mut world, false);
    write(&mut world, client, &["after"]);
    let careful = read(&mut world, client, 1);
    assert_eq!(texts(&careful), ["gone", "abort", "after"]);
    let aborted = careful.responses[0].partitions[0]
        .aborted_transactions
        .clone();
    let aborted: Vec<_> = aborted
        .unwrap()
        .iter()
        .map(|it| (it.producer_id, it.first_offset))
        .collect();
    assert_eq!(aborted, [(producer.id, 0)]);
    let mut later = fetch_request(2);
    later.isolation_level = 1;
    let answer = world.ask(client, 12, later);
    let aborted = &answer.responses[0].partitions[0].aborted_transactions;
    assert_eq!(aborted.as_deref(), Some(&[][..]), "it ended before");
    let careless = read(&mut world, client, 0);
    assert_eq!(
        careless.responses[0].partitions[0].aborted_transactions,
        None
    );
}

#[test]
fn only_what_was_read_is_named() {
    let mut world = World::new(1);
    let client = world.client(1);
    write(&mut world, client, &["before"]);
    let mut producer = Producer::init(&mut world, client, "tx");
    producer.begin(&mut world, "gone");
    producer.end(&mut world, false);
    let mut small = fetch_request(0);
    small.isolation_level = 1;
    small.max_bytes = 1;
    let answer = world.ask(client, 12, small);
    assert_eq!(texts(&answer), ["before"]);
    let aborted = &answer.responses[0].partitions[0].aborted_transactions;
    assert_eq!(aborted.as_deref(), Some(&[][..]));
}

#[test]
fn a_careful_fetch_that_waits_is_answered_by_the_marker() {
    let mut world = World::new(1);
    let (client, reader) = (world.client(1), world.client(1));
    let mut producer = Producer::init(&mut world, client, "tx");
    let mut request = fetch_request(0);
    request.isolation_level = 1;
    let ticket = world.send(reader, 12, request);
    producer.begin(&mut world, "inside");
    assert!(world.answer(&ticket).is_none());
    producer.end(&mut world, true);
    assert_eq!(texts(&world.expect(&ticket)), ["inside", "commit"]);
}

#[test]
fn a_partition_has_to_be_added_first() {
    let mut world = World::new(1);
    let client = world.client(1);
    let mut producer = Producer::init(&mut world, client, "tx");
    assert_eq!(producer.send(&mut world, "x"), ErrorCode::INVALID_TXN_STATE);
    producer.begin(&mut world, "x");
    producer.end(&mut world, true);
    assert_eq!(producer.send(&mut world, "x"), ErrorCode::INVALID_TXN_STATE);
    let batch = RecordBatchBuilder::new()
        .producer(producer.id, producer.epoch, 1)
        .transactional();
    let nameless = send_batch(&mut world, client, None, &filled(batch, &["x"]));
    assert_eq!(
        nameless.error_code,
        ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    );
}

#[test]
fn a_second_producer_of_the_same_name_fences_the_first() {
    let mut world = World::new(1);
    let client = world.client(1);
    let mut first = Producer::init(&mut world, client, "tx");
    first.begin(&mut world, "lost");
    let mut second = Producer::init(&mut world, client, "tx");
    assert_eq!((second.id, second.epoch), (first.id, first.epoch + 1));
    assert_eq!(texts(&read(&mut world, client, 1)), ["lost", "abort"]);
    second.begin(&mut world, "kept");
    assert_eq!(
        first.send(&mut world, "zombie"),
        ErrorCode::INVALID_PRODUCER_EPOCH
    );
    assert_eq!(first.add_partition(&mut world), ErrorCode::PRODUCER_FENCED);
    assert_eq!(first.end(&mut world, false), ErrorCode::PRODUCER_FENCED);
    assert_eq!(second.end(&mut world, true), ErrorCode::NONE);
    assert_eq!(
        texts(&read(&mut world, client, 1)),
        ["lost", "abort", "kept", "commit"]
    );
}

#[test]
fn a_transaction_ends_once() {
    let mut world = World::new(1);
    let client = world.client(1);
    let mut producer = Producer::init(&mut world, client, "tx");
    assert_eq!(producer.end(&mut world, true), ErrorCode::INVALID_TXN_STATE);
    producer.begin(&mut world, "x");
    assert_eq!(producer.end(&mut world, true), ErrorCode::NONE);
    assert_eq!(
        producer.end(&mut world, true),
        ErrorCode::NONE,
        "the answer may have been lost"
    );
    assert_eq!(
        producer.end(&mut world, false),
        ErrorCode::INVALID_TXN_STATE
    );
    assert_eq!(
        world.core.high_watermark("events", 0),
        Some(2),
        "one marker"
    );
}

#[test]
fn an_identity_is_renewed_by_its_last_holder_alone() {
    let mut world = World::new(1);
    let client = world.client(1);
    let producer = Producer::init(&mut world, client, "tx");
    let renewed = init(&mut world, client, "tx", (producer.id, producer.epoch));
    assert_eq!(renewed.producer_epoch, producer.epoch + 1);
    let late = init(&mut world, client, "tx", (producer.id, producer.epoch));
    assert_eq!(late.error_code, ErrorCode::PRODUCER_FENCED);
    assert_eq!(late.producer_id, -1);
}

#[test]
fn transactions_have_a_coordinator() {
    let mut world = World::new(3);
    let node = world.core.coordinator_of_group("tx").unwrap().0;
    let elsewhere = world.client(node % 3 + 1);
    let answer = init(&mut world, elsewhere, "tx", (-1, -1));
    assert_eq!(answer.error_code, ErrorCode::NOT_COORDINATOR);
    let mut producer = {
        let client = world.client(node);
        Producer::init(&mut world, client, "tx")
    };
    producer.client = elsewhere;
    assert_eq!(
        producer.add_partition(&mut world),
        ErrorCode::NOT_COORDINATOR
    );
    assert_eq!(producer.end(&mut world, true), ErrorCode::NOT_COORDINATOR);
}
