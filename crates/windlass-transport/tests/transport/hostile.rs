//! Brokers that break the protocol, and servers that never spoke it.

use windlass_machine::{Destination, FailureKind};
use windlass_model::NodeId;
use windlass_transport::TransportOptions;

use crate::scripted_broker::{
    Network, Running, client, client_with, failure, frame, heartbeat, heartbeat_answer, number,
};

const NODE: Destination = Destination::Node(NodeId(1));

#[tokio::test(start_paused = true)]
async fn a_server_of_another_protocol_is_named() {
    for (words, sign) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "HTTP"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "TLS"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "SSH"),
        (b"\xff\xff\xff\xff", "-1 bytes"),
        (b"\0\0\0\0", "0 bytes"),
    ] {
        let (mut client, mut network) = client(0);
        client.know(&[1]);
        let answer = client.send(NODE, heartbeat(1));
        let mut broker = network.attempt().await.accept();
        broker.write(words).await;
        let failure = failure(answer).await;
        assert_eq!(failure.kind, FailureKind::Undecodable);
        assert!(failure.detail.contains("does not speak Kafka"), "{failure}");
        assert!(failure.detail.contains(sign), "{failure}");
        assert!(failure.detail.contains("node-1:9092"), "{failure}");
    }
}

/// Answers the first of two requests with these bytes, and says how both ended.
async fn answer_with(
    network: &mut Network,
    answers: [Running; 2],
    bytes: &[u8],
) -> [windlass_machine::RequestFailure; 2] {
    let mut broker = network.attempt().await.serve().await;
    broker.request().await.unwrap();
    broker.write(bytes).await;
    let [first, second] = answers;
    let failures = [failure(first).await, failure(second).await];
    broker.hung_up().await;
    failures
}

#[tokio::test(start_paused = true)]
async fn a_response_above_the_limit_is_refused_by_its_length() {
    let mut options = TransportOptions::default();
    options.max_response_bytes = 10_000;
    let (mut client, mut network) = client_with(0, options);
    client.know(&[1]);
    let answers = [1, 2].map(|number| client.send(NODE, heartbeat(number)));
    let [first, second] = answer_with(&mut network, answers, &10_001_i32.to_be_bytes()).await;
    assert_eq!(first.kind, FailureKind::Undecodable);
    assert!(first.detail.contains("10001 bytes"), "{first}");
    assert!(first.detail.contains("max_response_bytes"), "{first}");
    assert_eq!(second.kind, FailureKind::Disconnected);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_record_may_not_be_as_long_as_records() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let answers = [1, 2].map(|number| client.send(NODE, heartbeat(number)));
    let length = 16 * 1024 * 1024 + 1_i32;
    let [first, _] = answer_with(&mut network, answers, &length.to_be_bytes()).await;
    assert_eq!(first.kind, FailureKind::Undecodable);
    assert!(first.detail.contains("max_message_bytes"), "{first}");
}

#[tokio::test(start_paused = true)]
async fn what_a_broker_does_not_read_is_not_written_without_end() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let mut large = heartbeat(0);
    large.member_id = "m".repeat(30_000);
    let answers: Vec<Running> = (0..200).map(|_| client.send(NODE, large.clone())).collect();
    // It is there, and reads nothing.
    let broker = network.attempt().await.serve().await;
    let mut unwritten = 0;
    for answer in answers {
        let failure = failure(answer).await;
        unwritten += usize::from(failure.detail.contains("does not read"));
    }
    assert!(unwritten > 100, "{unwritten} of 200 were held back");
    drop(broker);
}

#[tokio::test(start_paused = true)]
async fn a_negative_length_ends_the_connection() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let answers = [1, 2].map(|number| client.send(NODE, heartbeat(number)));
    let [first, second] = answer_with(&mut network, answers, &(-5_i32).to_be_bytes()).await;
    assert_eq!(first.kind, FailureKind::Undecodable);
    assert_eq!(second.kind, FailureKind::Disconnected);
}

#[tokio::test(start_paused = true)]
async fn a_response_nobody_asked_for_ends_the_connection() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let answer = client.send(NODE, heartbeat(1));
    let mut broker = network.attempt().await.serve().await;
    let received = broker.request().await.unwrap();
    let answer_twice = [
        frame(&received, heartbeat_answer(1)),
        frame(&received, heartbeat_answer(1)),
    ];
    broker.write(&answer_twice.concat()).await;
    assert_eq!(number(answer).await, 1);
    broker.hung_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_large_response_is_gathered_as_it_comes() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let answer = client.send(
        NODE,
        windlass_protocol::messages::MetadataRequest::default(),
    );
    let mut broker = network.attempt().await.serve().await;
    let received = broker.request().await.unwrap();
    let response = windlass_protocol::messages::MetadataResponse {
        cluster_id: Some("c".repeat(30_000)),
        topics: (0..100)
            .map(
                |number| windlass_protocol::messages::metadata::MetadataResponseTopic {
                    name: Some(format!("{number}-{}", "t".repeat(10_000))),
                    ..Default::default()
                },
            )
            .collect(),
        ..Default::default()
    };
    broker.answer(&received, response.clone()).await;
    let answered = answer.await.unwrap().unwrap();
    assert_eq!(
        answered,
        windlass_transport::BrokerResponse::Message(response.into())
    );
}
