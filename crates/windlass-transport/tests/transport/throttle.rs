//! A broker that asks to be left alone is left alone (KIP-219).

use std::time::Duration;

use tokio::time::Instant;
use windlass_machine::{Destination, FailureKind};
use windlass_model::NodeId;
use windlass_transport::BrokerEvent;

use crate::scripted_broker::{
    Client, PATIENCE, ScriptedBroker, api_versions, broker_request, client, failure, heartbeat,
    heartbeat_answer, number, run,
};

const NODE: Destination = Destination::Node(NodeId(1));

/// A client whose first request was answered with so much throttle time.
async fn throttled(milliseconds: i32) -> (Client, ScriptedBroker) {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let answer = client.send(NODE, heartbeat(1));
    let mut broker = network.attempt().await.serve().await;
    let received = broker.request().await.unwrap();
    let mut response = heartbeat_answer(1);
    response.throttle_time_ms = milliseconds;
    broker.answer(&received, response).await;
    assert_eq!(
        number(answer).await,
        1,
        "the answer itself is not kept back"
    );
    (client, broker)
}

/// How long the next request is kept back.
async fn silence(milliseconds: i32) -> Duration {
    let (mut client, mut broker) = throttled(milliseconds).await;
    let start = Instant::now();
    let answer = client.send_within(NODE, heartbeat(2), 10 * PATIENCE);
    broker.echo().await;
    assert_eq!(number(answer).await, 2);
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn the_next_request_waits_for_as_long_as_asked_within_reason() {
    assert_eq!(silence(0).await, Duration::ZERO);
    assert_eq!(silence(-7).await, Duration::ZERO);
    assert_eq!(silence(4000).await.as_secs(), 4);
    assert_eq!(silence(i32::MAX).await.as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_kept_back_keeps_its_deadline() {
    let (mut client, mut broker) = throttled(10_000).await;
    let hasty = client.send_within(NODE, heartbeat(2), Duration::from_secs(1));
    let patient = client.send(NODE, heartbeat(3));
    let failure = failure(hasty).await;
    assert_eq!(failure.kind, FailureKind::TimedOut);
    assert!(failure.detail.contains("throttled"), "{failure}");
    broker.echo().await;
    assert_eq!(
        number(patient).await,
        3,
        "the connection is not lost over it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_connected_to_anew_is_still_left_alone() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let answer = client.send(NODE, heartbeat(1));
    let mut broker = network.attempt().await.serve().await;
    let received = broker.request().await.unwrap();
    let mut response = heartbeat_answer(1);
    response.throttle_time_ms = 8000;
    broker.answer(&received, response).await;
    assert_eq!(number(answer).await, 1);
    let start = Instant::now();
    drop(broker);
    let answer = client.send_within(NODE, heartbeat(2), 10 * PATIENCE);
    network.attempt().await.serve().await.echo().await;
    assert_eq!(number(answer).await, 2);
    assert_eq!(start.elapsed().as_secs(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_throttle_is_heeded_from_the_first_answer_on() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let start = Instant::now();
    let answer = client.send_within(NODE, heartbeat(2), 10 * PATIENCE);
    let mut broker = network.attempt().await.accept();
    let received = broker.request().await.unwrap();
    let mut versions = api_versions(&[]);
    versions.throttle_time_ms = 8000;
    broker.answer(&received, versions).await;
    broker.echo().await;
    assert_eq!(number(answer).await, 2);
    assert_eq!(start.elapsed().as_secs(), 8);
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_before_the_throttle_has_so_much_more_time() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let first = client.send_within(NODE, heartbeat(1), Duration::from_secs(5));
    let second = broker_request(NODE, heartbeat(2), Duration::from_secs(5));
    let deadline = second.deadline;
    let mut events = client.listen(second);
    let mut broker = network.attempt().await.serve().await;
    let received = broker.request().await.unwrap();
    let mut response = heartbeat_answer(1);
    response.throttle_time_ms = 8000;
    broker.answer(&received, response).await;
    assert_eq!(number(first).await, 1);
    let told = match events.recv().await {
        Some(BrokerEvent::Postponed { deadline, .. }) => deadline,
        other => panic!("whoever waits has to know: {other:?}"),
    };
    assert_eq!((told - deadline).as_secs(), 8);
    let second = run(events);
    // The broker reads nothing of what lies in its socket for so long.
    tokio::time::sleep(Duration::from_secs(8)).await;
    broker.echo().await;
    assert_eq!(number(second).await, 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_back_until_shortly_before_its_deadline_does_not_cost_the_connection() {
    let (mut client, mut broker) = throttled(8000).await;
    let late = client.send_within(NODE, heartbeat(2), Duration::from_millis(8100));
    let received = broker.request().await.unwrap();
    // The broker works on it for longer than the tenth of a second that is left.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(failure(late).await.kind, FailureKind::TimedOut);
    broker.answer(&received, heartbeat_answer(2)).await;
    let next = client.send(NODE, heartbeat(3));
    broker.echo().await;
    assert_eq!(number(next).await, 3, "the connection was well");
}
