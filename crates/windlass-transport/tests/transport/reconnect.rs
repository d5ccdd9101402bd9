//! A connection that breaks is made again: not too soon, and only when it is wanted.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use windlass_machine::{Destination, FailureKind};
use windlass_model::NodeId;

use crate::scripted_broker::{client, failure, heartbeat, number};

const NODE: Destination = Destination::Node(NodeId(1));

#[tokio::test(start_paused = true)]
async fn what_was_under_way_fails_and_what_comes_later_connects_again() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let first = client.send(NODE, heartbeat(1));
    let second = client.send(NODE, heartbeat(2));
    let mut broker = network.attempt().await.serve().await;
    broker.request().await.unwrap();
    drop(broker);
    for answer in [first, second] {
        let failure = failure(answer).await;
        assert_eq!(failure.kind, FailureKind::Disconnected);
        assert!(
            failure.detail.contains("broker 1 at node-1:9092"),
            "{failure}"
        );
    }

    sleep(Duration::from_secs(60)).await;
    assert!(network.is_quiet(), "nobody wants a connection");
    let third = client.send(NODE, heartbeat(3));
    let mut broker = network.attempt().await.serve().await;
    broker.echo().await;
    assert_eq!(number(third).await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_fails_what_waits_and_backs_off() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let mut previous: Option<Instant> = None;
    for expected in [0_u32, 50, 100, 200, 400, 800, 1000, 1000] {
        let answer = client.send(NODE, heartbeat(1));
        let attempt = network.attempt().await;
        if let Some(previous) = previous {
            let pause = attempt.at - previous;
            let expected = Duration::from_millis(expected.into());
            assert!(pause >= expected * 8 / 10, "{pause:?}, not {expected:?}");
            assert!(
                pause <= expected * 12 / 10 + Duration::from_millis(2),
                "{pause:?}, not {expected:?}"
            );
        }
        previous = Some(attempt.at);
        attempt.refuse();
        let failure = failure(answer).await;
        assert_eq!(failure.kind, FailureKind::Disconnected);
        assert!(failure.detail.contains("refused"), "{failure}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_made_during_the_pause_waits_for_the_next_attempt() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let refused = client.send(NODE, heartbeat(1));
    network.attempt().await.refuse();
    failure(refused).await;
    let waiting = client.send(NODE, heartbeat(2));
    let start = Instant::now();
    let mut broker = network.attempt().await.serve().await;
    assert!(start.elapsed() >= Duration::from_millis(39));
    broker.echo().await;
    assert_eq!(number(waiting).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_passes_during_the_pause() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    for _ in 0..6 {
        let answer = client.send(NODE, heartbeat(1));
        network.attempt().await.refuse();
        failure(answer).await;
    }
    let answer = client.send_within(NODE, heartbeat(1), Duration::from_millis(20));
    let failure = failure(answer).await;
    assert_eq!(failure.kind, FailureKind::TimedOut);
    assert!(
        failure.detail.contains("refused"),
        "says why it had to wait: {failure}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_success_forgets_the_failures() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    for _ in 0..6 {
        let answer = client.send(NODE, heartbeat(1));
        network.attempt().await.refuse();
        failure(answer).await;
    }
    let answer = client.send(NODE, heartbeat(1));
    let mut broker = network.attempt().await.serve().await;
    broker.echo().await;
    number(answer).await;
    drop(broker);
    sleep(Duration::from_millis(1)).await;
    let start = Instant::now();
    let _answer = client.send(NODE, heartbeat(1));
    network.attempt().await;
    assert!(
        start.elapsed() <= Duration::from_millis(62),
        "{:?}",
        start.elapsed()
    );
}
