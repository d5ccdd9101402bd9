//! Names with several addresses, coordinators that nobody lists, addresses that lead nowhere.

use std::time::Duration;

use windlass_machine::{Destination, FailureKind};
use windlass_model::{BrokerEndpoint, NodeId};
use windlass_transport::{Broker, TransportOptions};

use crate::scripted_broker::{
    Client, Network, PATIENCE, client, client_with, failure, heartbeat, number,
};

const ONE: Destination = Destination::Node(NodeId(1));
const COORDINATOR: Destination = Destination::Coordinator(NodeId(2));

/// A client that knows node 1 at a name with two addresses.
fn twins() -> (Client, Network) {
    let mut options = TransportOptions::default();
    options.setup_timeout = Duration::from_secs(10);
    let (mut client, network) = client_with(0, options);
    let endpoint = BrokerEndpoint::new("twins", 9092);
    client.connections.on_broker(NodeId(1), &endpoint);
    (client, network)
}

#[tokio::test(start_paused = true)]
async fn an_address_that_accepts_and_says_nothing_does_not_hide_the_others() {
    let (mut client, mut network) = twins();
    let answer = client.send(ONE, heartbeat(1));
    let first = network.attempt().await;
    let address = first.address.unwrap();
    let _silent = first.accept();
    let second = network.attempt().await;
    assert_ne!(second.address.unwrap(), address);
    second.serve().await.echo().await;
    assert_eq!(number(answer).await, 1);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_hangs_up_does_not_hide_the_others() {
    let (mut client, mut network) = twins();
    let answer = client.send(ONE, heartbeat(1));
    let first = network.attempt().await;
    let address = first.address.unwrap();
    drop(first.accept());
    // It is asked once more, in the oldest version there is.
    let again = network.attempt().await;
    assert_eq!(again.address.unwrap(), address);
    drop(again.accept());
    let second = network.attempt().await;
    assert_ne!(second.address.unwrap(), address);
    second.serve().await.echo().await;
    assert_eq!(number(answer).await, 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_connects_again_begins_with_the_next_address() {
    let (mut client, mut network) = twins();
    let mut used = Vec::new();
    for round in 0..4 {
        let answer = client.send(ONE, heartbeat(round));
        let attempt = network.attempt().await;
        used.push(attempt.address.unwrap());
        let mut broker = attempt.serve().await;
        broker.echo().await;
        assert_eq!(i32::from(number(answer).await), round);
        drop(broker);
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    assert_ne!(used[0], used[1]);
    assert_eq!(used[..2], used[2..]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_names_every_address_and_who_named_the_broker() {
    let (mut client, mut network) = client(1);
    let endpoint = BrokerEndpoint::new("twins", 9092);
    client.connections.on_broker(NodeId(1), &endpoint);
    let answer = client.send(ONE, heartbeat(1));
    network.attempt().await.refuse();
    network.attempt().await.refuse();
    let failure = failure(answer).await;
    assert_eq!(failure.kind, FailureKind::Disconnected);
    let told = [
        "10.0.0.1",
        "10.0.0.2",
        "boot-1:9092",
        "advertised.listeners",
    ];
    for part in told {
        assert!(
            failure.detail.contains(part),
            "`{part}` is missing: {failure}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_will_not_pass_is_not_hidden_by_what_may() {
    let (mut client, mut network) = twins();
    let answer = client.send(ONE, heartbeat(1));
    let mut web = network.attempt().await.accept();
    web.write(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    network.attempt().await.refuse();
    let failure = failure(answer).await;
    assert_eq!(failure.kind, FailureKind::Undecodable, "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_the_metadata_does_not_list_is_still_the_coordinator() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let endpoint = BrokerEndpoint::new("node-2", 9092);
    client.connections.on_broker(NodeId(2), &endpoint);
    let answer = client.send(COORDINATOR, heartbeat(1));
    let mut broker = network.attempt().await.serve().await;
    broker.echo().await;
    assert_eq!(number(answer).await, 1);
    // Metadata from a broker that has just come up, or sees another part of the cluster.
    client.know(&[1]);
    client.know(&[1, 3]);
    let answer = client.send(COORDINATOR, heartbeat(2));
    broker.echo().await;
    assert_eq!(number(answer).await, 2);
    assert!(network.is_quiet(), "it is the same connection");
    // One that the metadata has somewhere else has moved.
    client.know(&[1, 2]);
    let answer = client.send(COORDINATOR, heartbeat(3));
    broker.echo().await;
    assert_eq!(number(answer).await, 3);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_leads_nowhere_is_not_believed() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    for nowhere in [
        BrokerEndpoint::new("", 9092),
        BrokerEndpoint::new("node-1", 0),
    ] {
        client.connections.on_broker(NodeId(1), &nowhere);
    }
    let answer = client.send_within(ONE, heartbeat(1), PATIENCE);
    let attempt = network.attempt().await;
    assert_eq!(attempt.endpoint, BrokerEndpoint::new("node-1", 9092));
    attempt.serve().await.echo().await;
    assert_eq!(number(answer).await, 1);
}
