//! Many requests under way over one connection.

use windlass_machine::{Destination, FailureKind};
use windlass_model::NodeId;

use crate::scripted_broker::{client, failure, frame, heartbeat, heartbeat_answer, number};

const NODE: Destination = Destination::Node(NodeId(1));

#[tokio::test(start_paused = true)]
async fn requests_go_out_in_order_without_waiting_for_answers() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let answers: Vec<_> = (0..50).map(|n| client.send(NODE, heartbeat(n))).collect();
    let mut broker = network.attempt().await.serve().await;
    let mut received = Vec::new();
    for expected in 0..50 {
        let request = broker.request().await.unwrap();
        assert_eq!(request.number(), expected);
        received.push(request);
    }
    for (number, request) in (100..).zip(&received) {
        broker.answer(request, heartbeat_answer(number)).await;
    }
    for (expected, answer) in (100..).zip(answers) {
        assert_eq!(number(answer).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_does_not_read_does_not_keep_answers_back() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let first = client.send(NODE, heartbeat(1));
    let mut broker = network.attempt().await.serve().await;
    let received = broker.request().await.unwrap();
    // More than the pipe holds: the client cannot write all of it.
    let mut large = heartbeat(2);
    large.member_id = "m".repeat(30_000);
    let more: Vec<_> = (0..20).map(|_| client.send(NODE, large.clone())).collect();
    tokio::task::yield_now().await;
    broker.answer(&received, heartbeat_answer(1)).await;
    assert_eq!(number(first).await, 1);
    for answer in more {
        broker.echo().await;
        assert_eq!(number(answer).await, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_larger_than_the_pipe_is_written_to_its_end() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let mut large = heartbeat(2);
    large.group_id = "g".repeat(30_000);
    large.member_id = "m".repeat(30_000);
    let answers: Vec<_> = (0..5).map(|_| client.send(NODE, large.clone())).collect();
    let mut broker = network.attempt().await.serve().await;
    let mut received = Vec::new();
    for _ in 0..5 {
        received.push(broker.request().await.unwrap());
    }
    for request in &received {
        broker.answer(request, heartbeat_answer(2)).await;
    }
    for answer in answers {
        assert_eq!(number(answer).await, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn several_answers_in_one_read_and_one_answer_in_many_reads() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let answers: Vec<_> = (0..3).map(|n| client.send(NODE, heartbeat(n))).collect();
    let mut broker = network.attempt().await.serve().await;
    let mut bytes = Vec::new();
    for number in 0..3 {
        let received = broker.request().await.unwrap();
        bytes.extend_from_slice(&frame(&received, heartbeat_answer(number)));
    }
    let (together, apart) = bytes.split_at(bytes.len() / 2);
    broker.write(together).await;
    for byte in apart {
        tokio::task::yield_now().await;
        broker.write(&[*byte]).await;
    }
    for (expected, answer) in (0..).zip(answers) {
        assert_eq!(number(answer).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_out_of_order_ends_the_connection() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let first = client.send(NODE, heartbeat(1));
    let second = client.send(NODE, heartbeat(2));
    let mut broker = network.attempt().await.serve().await;
    broker.request().await.unwrap();
    let received = broker.request().await.unwrap();
    broker.answer(&received, heartbeat_answer(2)).await;
    let first = failure(first).await;
    assert_eq!(first.kind, FailureKind::Undecodable);
    assert!(first.detail.contains("correlation id"), "{first}");
    assert_eq!(failure(second).await.kind, FailureKind::Disconnected);
    broker.hung_up().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_read_fails_alone() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let first = client.send(NODE, heartbeat(1));
    let second = client.send(NODE, heartbeat(2));
    let mut broker = network.attempt().await.serve().await;
    let received = broker.request().await.unwrap();
    let mut bytes = frame(&received, heartbeat_answer(1));
    // The body ends a byte early; the length says so too.
    bytes.truncate(bytes.len() - 1);
    let length = u32::try_from(bytes.len() - 4).unwrap();
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    broker.write(&bytes).await;
    broker.echo().await;
    let first = failure(first).await;
    assert_eq!(first.kind, FailureKind::Undecodable);
    assert!(first.detail.contains("Heartbeat"), "{first}");
    assert_eq!(number(second).await, 2);
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_request_leaves_the_others_alone() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let abandoned = client.send(NODE, heartbeat(1));
    let kept = client.send(NODE, heartbeat(2));
    let mut broker = network.attempt().await.serve().await;
    let received = broker.request().await.unwrap();
    abandoned.abort();
    assert!(abandoned.await.unwrap_err().is_cancelled());
    broker.answer(&received, heartbeat_answer(1)).await;
    broker.echo().await;
    assert_eq!(number(kept).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_abandoned_before_it_is_sent_is_not_sent() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let abandoned = client.send(NODE, heartbeat(1));
    let kept = client.send(NODE, heartbeat(2));
    let attempt = network.attempt().await;
    abandoned.abort();
    assert!(abandoned.await.unwrap_err().is_cancelled());
    let mut broker = attempt.serve().await;
    assert_eq!(broker.request().await.unwrap().number(), 2);
    drop(kept);
}
