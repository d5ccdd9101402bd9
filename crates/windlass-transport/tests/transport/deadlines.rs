//! A deadline covers a request from its sending to the last byte of its response.

use std::time::Duration;

use tokio::time::{Instant, advance, sleep};
use windlass_machine::{Destination, FailureKind};
use windlass_model::NodeId;

use crate::scripted_broker::{
    PATIENCE, client, failure, frame, heartbeat, heartbeat_answer, number,
};

const NODE: Destination = Destination::Node(NodeId(1));
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_silent_broker_costs_the_connection() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let start = Instant::now();
    let first = client.send_within(NODE, heartbeat(1), 5 * SECOND);
    let second = client.send(NODE, heartbeat(2));
    let mut broker = network.attempt().await.serve().await;
    let first = failure(first).await;
    assert_eq!(first.kind, FailureKind::TimedOut);
    assert!(first.detail.contains("Heartbeat"), "{first}");
    assert!(first.detail.contains("node-1:9092"), "{first}");
    assert_eq!(start.elapsed().as_secs(), 5);
    let second = failure(second).await;
    assert_eq!(second.kind, FailureKind::Disconnected);
    assert!(second.detail.contains("in time"), "{second}");
    broker.hung_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_response_that_drips_is_not_waited_for() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let start = Instant::now();
    let answer = client.send_within(NODE, heartbeat(1), 5 * SECOND);
    let mut broker = network.attempt().await.serve().await;
    let received = broker.request().await.unwrap();
    let drip = tokio::spawn(async move {
        for byte in frame(&received, heartbeat_answer(1)) {
            sleep(SECOND).await;
            broker.write(&[byte]).await;
        }
    });
    assert_eq!(failure(answer).await.kind, FailureKind::TimedOut);
    assert_eq!(start.elapsed().as_secs(), 5);
    assert!(drip.await.unwrap_err().is_panic(), "the client hung up");
}

#[tokio::test(start_paused = true)]
async fn a_short_deadline_behind_a_long_one_leaves_the_connection_alone() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let slow = client.send(NODE, heartbeat(1));
    let hasty = client.send_within(NODE, heartbeat(2), SECOND);
    let mut broker = network.attempt().await.serve().await;
    let first = broker.request().await.unwrap();
    let hasty = failure(hasty).await;
    assert_eq!(hasty.kind, FailureKind::TimedOut);
    assert!(hasty.detail.contains("busy"), "{hasty}");

    sleep(5 * SECOND).await;
    broker.answer(&first, heartbeat_answer(1)).await;
    assert_eq!(number(slow).await, 1);
    broker.echo().await;
    let next = client.send(NODE, heartbeat(3));
    broker.echo().await;
    assert_eq!(number(next).await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_late_request_gets_its_time_once_more_and_no_longer() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let slow = client.send(NODE, heartbeat(1));
    let hasty = client.send_within(NODE, heartbeat(2), 2 * SECOND);
    let mut broker = network.attempt().await.serve().await;
    let first = broker.request().await.unwrap();
    assert_eq!(failure(hasty).await.kind, FailureKind::TimedOut);
    sleep(5 * SECOND).await;
    broker.answer(&first, heartbeat_answer(1)).await;
    assert_eq!(number(slow).await, 1);
    let start = Instant::now();
    broker.hung_up().await;
    assert_eq!(start.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_passes_while_connecting() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let start = Instant::now();
    let answer = client.send_within(NODE, heartbeat(1), 3 * SECOND);
    let patient = client.send(NODE, heartbeat(2));
    let attempt = network.attempt().await;
    let failure = failure(answer).await;
    assert_eq!(failure.kind, FailureKind::TimedOut);
    assert!(
        failure.detail.contains("connecting to node-1:9092"),
        "{failure}"
    );
    assert_eq!(start.elapsed().as_secs(), 3);
    let mut broker = attempt.serve().await;
    broker.echo().await;
    assert_eq!(number(patient).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_is_not_sent() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let first = client.send(NODE, heartbeat(1));
    let mut broker = network.attempt().await.serve().await;
    broker.echo().await;
    assert_eq!(number(first).await, 1);
    let late = client.send_within(NODE, heartbeat(2), Duration::ZERO);
    let next = client.send(NODE, heartbeat(3));
    assert_eq!(failure(late).await.kind, FailureKind::TimedOut);
    broker.echo().await;
    assert_eq!(number(next).await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_as_the_connection_is_made_costs_nothing() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let late = client.send_within(NODE, heartbeat(1), 5 * SECOND);
    let next = client.send(NODE, heartbeat(2));
    let mut broker = network.attempt().await.accept();
    broker.negotiate().await;
    advance(6 * SECOND).await;
    assert_eq!(failure(late).await.kind, FailureKind::TimedOut);
    broker.echo().await;
    assert_eq!(number(next).await, 2);
}

#[tokio::test(start_paused = true)]
async fn setting_up_a_connection_has_a_limit() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let start = Instant::now();
    let answer = client.send_within(NODE, heartbeat(1), 10 * PATIENCE);
    let mut broker = network.attempt().await.accept();
    assert!(broker.request().await.is_some(), "never answered");
    let failure = failure(answer).await;
    assert_eq!(failure.kind, FailureKind::Disconnected);
    assert!(
        failure
            .detail
            .contains("not connected and ready within 10s"),
        "{failure}"
    );
    assert_eq!(start.elapsed().as_secs(), 10);
}
