//! Requests that any broker may answer find one that does.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::sleep;
use windlass_machine::{Destination, FailureKind};
use windlass_model::{BrokerEndpoint, NodeId};
use windlass_transport::Broker;

use crate::scripted_broker::{client, failure, heartbeat, number};

#[tokio::test(start_paused = true)]
async fn every_address_is_tried_before_anybody_is_told() {
    let (mut client, mut network) = client(3);
    let answer = client.send(Destination::Any, heartbeat(1));
    let mut tried = BTreeSet::new();
    for _ in 0..2 {
        let attempt = network.attempt().await;
        tried.insert(attempt.endpoint.to_string());
        attempt.refuse();
    }
    let attempt = network.attempt().await;
    tried.insert(attempt.endpoint.to_string());
    let mut broker = attempt.serve().await;
    broker.echo().await;
    assert_eq!(number(answer).await, 1);
    assert_eq!(tried.len(), 3, "{tried:?}");
}

#[tokio::test(start_paused = true)]
async fn when_none_answers_every_address_is_named() {
    let (mut client, mut network) = client(3);
    let answer = client.send(Destination::Any, heartbeat(1));
    for _ in 0..3 {
        network.attempt().await.refuse();
    }
    let failure = failure(answer).await;
    assert_eq!(failure.kind, FailureKind::Disconnected);
    for address in ["boot-1:9092", "boot-2:9092", "boot-3:9092"] {
        assert!(failure.detail.contains(address), "{failure}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_broken_connection_another_address_has_its_turn() {
    let (mut client, mut network) = client(2);
    let mut places = Vec::new();
    for _ in 0..4 {
        let answer = client.send(Destination::Any, heartbeat(1));
        let attempt = network.attempt().await;
        places.push(attempt.endpoint.to_string());
        let mut broker = attempt.serve().await;
        broker.request().await.unwrap();
        drop(broker);
        assert_eq!(failure(answer).await.kind, FailureKind::Disconnected);
    }
    assert_eq!(places[0], places[2]);
    assert_eq!(places[1], places[3]);
    assert_ne!(places[0], places[1]);
}

#[tokio::test(start_paused = true)]
async fn known_brokers_come_before_bootstrap_addresses() {
    let (mut client, mut network) = client(1);
    client.know(&[1, 2]);
    let answer = client.send(Destination::Any, heartbeat(1));
    let mut tried = Vec::new();
    for _ in 0..3 {
        let attempt = network.attempt().await;
        tried.push(attempt.endpoint.host.clone());
        attempt.refuse();
    }
    assert_eq!(failure(answer).await.kind, FailureKind::Disconnected);
    let (known, bootstrap) = tried.split_at(2);
    assert_eq!(
        known.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        BTreeSet::from(["node-1", "node-2"])
    );
    assert_eq!(bootstrap, ["boot-1"]);
}

#[tokio::test(start_paused = true)]
async fn a_bootstrap_address_that_is_a_known_broker_is_tried_once() {
    let (mut client, mut network) = client(1);
    let endpoint = BrokerEndpoint::new("boot-1", 9092);
    client.connections.on_broker(NodeId(1), &endpoint);
    let answer = client.send(Destination::Any, heartbeat(1));
    network.attempt().await.refuse();
    failure(answer).await;
    sleep(Duration::from_secs(10)).await;
    assert!(network.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn brokers_learnt_later_are_tried_too() {
    let (mut client, mut network) = client(1);
    let answer = client.send(Destination::Any, heartbeat(1));
    let mut broker = network.attempt().await.serve().await;
    broker.echo().await;
    number(answer).await;
    client.know(&[5]);
    drop(broker);
    sleep(Duration::from_secs(1)).await;
    let _answer = client.send(Destination::Any, heartbeat(1));
    let first = network.attempt().await;
    let first_host = first.endpoint.host.clone();
    first.refuse();
    let second = network.attempt().await;
    let hosts = BTreeSet::from([first_host, second.endpoint.host.clone()]);
    assert_eq!(
        hosts,
        BTreeSet::from(["boot-1".to_owned(), "node-5".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn without_any_address_it_says_so() {
    let (mut client, _network) = client(0);
    let failure = failure(client.send(Destination::Any, heartbeat(1))).await;
    assert_eq!(failure.kind, FailureKind::Disconnected);
    assert!(failure.detail.contains("no bootstrap address"), "{failure}");
}
