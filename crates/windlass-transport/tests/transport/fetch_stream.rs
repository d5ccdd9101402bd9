//! A Fetch response leaves in parts while it arrives.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::{Instant, timeout};
use windlass_machine::{Destination, FailureKind, RequestFailure};
use windlass_model::NodeId;
use windlass_protocol::fetch_response::FetchPart;
use windlass_protocol::messages::fetch::{FetchableTopicResponse, PartitionData};
use windlass_protocol::messages::{FetchRequest, FetchResponse};
use windlass_protocol::records::RecordBatchBuilder;
use windlass_transport::{BrokerEvent, BrokerResponse};

use crate::scripted_broker::{
    Client, Events, ID, PATIENCE, ScriptedBroker, broker_request, client, frame, heartbeat, number,
};

const NODE: Destination = Destination::Node(NodeId(1));

/// The receiving end of one fetch.
struct Fetch(Events);

fn fetch(client: &mut Client, patience: Duration) -> Fetch {
    let mut request = broker_request(NODE, FetchRequest::default(), patience);
    // By name: the newest versions know topics by their ids.
    request.max_version = Some(12);
    Fetch(client.listen(request))
}

impl Fetch {
    /// The next parts.
    async fn parts(&mut self) -> Vec<FetchPart> {
        match self.0.recv().await {
            Some(BrokerEvent::Parts { request, parts }) => {
                assert_eq!(request, ID);
                assert!(!parts.is_empty());
                parts
            }
            other => panic!("no parts: {other:?}"),
        }
    }

    /// Every part, in how many messages they came, and the answer, which is the last event.
    async fn end(
        &mut self,
    ) -> (
        Vec<FetchPart>,
        usize,
        Result<BrokerResponse, RequestFailure>,
    ) {
        let mut parts = Vec::new();
        let mut messages = 0;
        loop {
            match self.0.recv().await.unwrap() {
                BrokerEvent::Parts {
                    request,
                    parts: more,
                } => {
                    assert_eq!(request, ID);
                    messages += 1;
                    parts.extend(more);
                }
                BrokerEvent::Answer { outcome, .. } => {
                    assert!(self.0.recv().await.is_none(), "answered once");
                    return (parts, messages, outcome);
                }
                BrokerEvent::Postponed { .. } => {}
            }
        }
    }

    /// Every part of a response that is whole, and in how many messages they came.
    async fn all(mut self) -> (Vec<FetchPart>, usize) {
        let (parts, messages, outcome) = self.end().await;
        assert_eq!(outcome, Ok(BrokerResponse::FetchDone));
        (parts, messages)
    }

    /// The failure that it must end in.
    async fn failure(mut self) -> RequestFailure {
        self.end().await.2.unwrap_err()
    }
}

/// A batch of one record with so many bytes of value.
fn batch(base_offset: i64, value_bytes: usize) -> Bytes {
    let mut builder = RecordBatchBuilder::new().base_offset(base_offset);
    let value = vec![b'v'; value_bytes];
    builder.append(0, None, Some(&value), &[]).unwrap();
    builder.build().unwrap().bytes().clone()
}

fn response(partitions: &[&[Bytes]]) -> FetchResponse {
    let partitions = (0..).zip(partitions).map(|(index, batches)| PartitionData {
        partition_index: index,
        records: Some(batches.concat().into()),
        ..PartitionData::default()
    });
    FetchResponse {
        responses: vec![FetchableTopicResponse {
            topic: "orders".to_owned(),
            partitions: partitions.collect(),
            ..FetchableTopicResponse::default()
        }],
        ..FetchResponse::default()
    }
}

/// Three partitions, of one, no and many batches.
fn three_partitions() -> FetchResponse {
    let many: Vec<Bytes> = (0..40_u8)
        .map(|number| batch(number.into(), 100 * usize::from(number)))
        .collect();
    response(&[&[batch(7, 10)], &[], &many])
}

/// A client whose fetch has reached the broker, and the whole frame of its answer.
async fn asked(response: FetchResponse) -> (Client, Fetch, ScriptedBroker, BytesMut) {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let fetch = fetch(&mut client, PATIENCE);
    let mut broker = network.attempt().await.serve().await;
    let received = broker.request().await.unwrap();
    let frame = frame(&received, response);
    (client, fetch, broker, frame)
}

fn batches(parts: &[FetchPart]) -> usize {
    let is_batch = |part: &&FetchPart| matches!(part, FetchPart::Batch(_));
    parts.iter().filter(is_batch).count()
}

#[tokio::test(start_paused = true)]
async fn the_parts_are_the_same_however_the_bytes_are_divided() {
    let mut seen: Option<Vec<FetchPart>> = None;
    for chunk in [usize::MAX, 60_000, 4096, 1000, 61, 7, 1] {
        let (_client, fetch, mut broker, frame) = asked(three_partitions()).await;
        for bytes in frame.chunks(chunk) {
            broker.write(bytes).await;
            tokio::task::yield_now().await;
        }
        let (parts, _) = fetch.all().await;
        assert_eq!(batches(&parts), 41);
        assert!(matches!(parts.first(), Some(FetchPart::Head { .. })));
        assert!(matches!(parts.last(), Some(FetchPart::End { .. })));
        if let Some(seen) = &seen {
            assert_eq!(&parts, seen, "in chunks of {chunk}");
        }
        seen = Some(parts);
    }
}

#[tokio::test(start_paused = true)]
async fn batches_are_handed_on_before_the_response_is_complete() {
    let (_client, mut fetch, mut broker, frame) = asked(three_partitions()).await;
    let (most, last) = frame.split_at(frame.len() - 1);
    broker.write(most).await;
    let mut seen = 0;
    while seen < 41 {
        seen += batches(&fetch.parts().await);
    }
    assert!(fetch.0.try_recv().is_err(), "it has no end yet");
    broker.write(last).await;
    let (rest, _) = fetch.all().await;
    assert!(matches!(rest.last(), Some(FetchPart::End { .. })));
}

#[tokio::test(start_paused = true)]
async fn what_comes_together_is_handed_on_together() {
    let (_client, fetch, mut broker, frame) = asked(three_partitions()).await;
    let reads = frame.len().div_ceil(60_000);
    for bytes in frame.chunks(60_000) {
        broker.write(bytes).await;
    }
    let (parts, messages) = fetch.all().await;
    assert!(parts.len() > 40);
    assert!(
        messages <= 2 * reads,
        "{messages} messages for {reads} reads"
    );
}

#[tokio::test(start_paused = true)]
async fn a_batch_larger_than_a_segment_stays_whole() {
    let large = batch(0, 3_000_000);
    let (_client, fetch, mut broker, frame) =
        asked(response(&[std::slice::from_ref(&large)])).await;
    let writer = tokio::spawn(async move {
        broker.write(&frame).await;
        broker
    });
    let (parts, _) = fetch.all().await;
    let length = parts.iter().find_map(|part| match part {
        FetchPart::Batch(batch) => Some(batch.bytes().len()),
        _ => None,
    });
    assert_eq!(length, Some(large.len()));
    drop(writer.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn parts_before_a_broken_connection_are_kept() {
    let (_client, mut fetch, mut broker, frame) = asked(three_partitions()).await;
    broker.write(&frame[..frame.len() / 2]).await;
    drop(broker);
    let (parts, _, outcome) = fetch.end().await;
    let failure = outcome.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Disconnected);
    assert!(failure.detail.contains("Fetch v12"), "{failure}");
    let seen = batches(&parts);
    assert!(seen > 10 && seen < 41, "{seen}");
}

#[tokio::test(start_paused = true)]
async fn a_malformed_response_fails_alone() {
    let (mut client, fetch, mut broker, mut frame) = asked(three_partitions()).await;
    let beat = client.send(NODE, heartbeat(5));
    // Header and throttle time stay, and the rest makes no sense.
    for byte in frame.iter_mut().skip(13) {
        *byte = 0xff;
    }
    broker.write(&frame).await;
    broker.echo().await;
    assert_eq!(fetch.failure().await.kind, FailureKind::Undecodable);
    assert_eq!(number(beat).await, 5);
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_fetch_is_read_off_and_thrown_away() {
    let (mut client, mut fetch, mut broker, frame) = asked(three_partitions()).await;
    let beat = client.send(NODE, heartbeat(5));
    let (first, second) = frame.split_at(frame.len() / 2);
    broker.write(first).await;
    assert!(!fetch.parts().await.is_empty());
    fetch.0.close();
    broker.write(second).await;
    broker.echo().await;
    assert_eq!(number(beat).await, 5);
    let silence = timeout(Duration::from_secs(1), fetch.0.recv()).await;
    assert!(matches!(silence, Ok(None)), "{silence:?}");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_covers_the_last_byte() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let start = Instant::now();
    let fetch = fetch(&mut client, Duration::from_secs(10));
    let mut broker = network.attempt().await.serve().await;
    let received = broker.request().await.unwrap();
    let frame = frame(&received, three_partitions());
    broker.write(&frame[..frame.len() - 1]).await;
    assert_eq!(fetch.failure().await.kind, FailureKind::TimedOut);
    assert_eq!(start.elapsed().as_secs(), 10);
    broker.hung_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_fetch_can_be_throttled() {
    let mut throttled = three_partitions();
    throttled.throttle_time_ms = 5000;
    let (mut client, fetch, mut broker, frame) = asked(throttled).await;
    broker.write(&frame).await;
    fetch.all().await;
    let start = Instant::now();
    let beat = client.send(NODE, heartbeat(5));
    broker.echo().await;
    assert_eq!(number(beat).await, 5);
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_throttle_is_no_time_for_the_rest_of_the_same_response() {
    let mut throttled = three_partitions();
    throttled.throttle_time_ms = 25_000;
    let start = Instant::now();
    let (_client, fetch, mut broker, frame) = asked(throttled).await;
    broker.write(&frame[..frame.len() - 1]).await;
    assert_eq!(fetch.failure().await.kind, FailureKind::TimedOut);
    assert_eq!(start.elapsed(), PATIENCE);
}
