//! Which connections there are, and how they end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use windlass_machine::{Destination, FailureKind};
use windlass_model::{BrokerEndpoint, Cluster, NodeId};
use windlass_transport::{Broker, ByteStream, Connect, Connections, TransportOptions};

use crate::scripted_broker::{Client, client, failure, heartbeat, number};

const NODE: Destination = Destination::Node(NodeId(1));
const COORDINATOR: Destination = Destination::Coordinator(NodeId(1));

#[tokio::test(start_paused = true)]
async fn nothing_connects_before_it_is_asked() {
    let (mut client, mut network) = client(1);
    client.know(&[1, 2]);
    sleep(Duration::from_secs(60)).await;
    assert!(network.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_has_a_connection_of_its_own() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let fetch = client.send(NODE, heartbeat(1));
    let mut for_fetches = network.attempt().await.serve().await;
    let long_poll = for_fetches.request().await.unwrap();
    let beat = client.send(COORDINATOR, heartbeat(2));
    let mut for_group = network.attempt().await.serve().await;
    for_group.echo().await;
    assert_eq!(number(beat).await, 2, "not kept waiting by the long poll");
    for_fetches
        .answer(&long_poll, crate::scripted_broker::heartbeat_answer(1))
        .await;
    assert_eq!(number(fetch).await, 1);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_broker_fails_at_once_and_says_which_are_known() {
    let (mut client, mut network) = client(1);
    client.know(&[3, 4]);
    let failure = failure(client.send(NODE, heartbeat(1))).await;
    assert_eq!(failure.kind, FailureKind::Disconnected);
    assert!(failure.detail.contains("[3, 4]"), "{failure}");
    assert!(network.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_moved_is_connected_to_anew() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let old = client.send(NODE, heartbeat(1));
    let mut old_place = network.attempt().await.serve().await;
    let received = old_place.request().await.unwrap();

    let endpoint = BrokerEndpoint::new("elsewhere", 9092);
    client.connections.on_broker(NodeId(1), &endpoint);
    let new = client.send(NODE, heartbeat(2));
    let attempt = network.attempt().await;
    assert_eq!(attempt.endpoint, endpoint);
    let mut new_place = attempt.serve().await;
    new_place.echo().await;
    assert_eq!(number(new).await, 2);

    // The old connection answers what it was asked, and ends.
    old_place
        .answer(&received, crate::scripted_broker::heartbeat_answer(1))
        .await;
    assert_eq!(number(old).await, 1);
    old_place.hung_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_nobody_wants_any_more_is_not_made() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let answer = client.send_within(NODE, heartbeat(1), Duration::from_secs(1));
    let mut attempt = network.attempt().await;
    client.know(&[2]);
    assert_eq!(failure(answer).await.kind, FailureKind::TimedOut);
    let start = Instant::now();
    attempt.abandoned().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_new_rack_is_no_move() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let first = client.send(NODE, heartbeat(1));
    let mut broker = network.attempt().await.serve().await;
    broker.echo().await;
    number(first).await;
    let mut endpoint = BrokerEndpoint::new("node-1", 9092);
    endpoint.rack = Some("a".to_owned());
    client.connections.on_broker(NodeId(1), &endpoint);
    let second = client.send(NODE, heartbeat(2));
    broker.echo().await;
    assert_eq!(number(second).await, 2);
}

#[tokio::test(start_paused = true)]
async fn metadata_without_brokers_changes_nothing() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    client.connections.on_cluster(&Cluster::default());
    let answer = client.send(NODE, heartbeat(1));
    let mut broker = network.attempt().await.serve().await;
    broker.echo().await;
    assert_eq!(number(answer).await, 1);
}

#[tokio::test(start_paused = true)]
async fn closing_ends_everything_at_once() {
    let (mut client, mut network) = client(1);
    client.know(&[1]);
    let under_way = client.send(NODE, heartbeat(1));
    let mut broker = network.attempt().await.serve().await;
    broker.request().await.unwrap();
    let connecting = client.send(COORDINATOR, heartbeat(2));
    let _attempt = network.attempt().await;
    client.connections.close();
    for answer in [under_way, connecting] {
        assert_eq!(failure(answer).await.kind, FailureKind::Closed);
    }
    broker.hung_up().await;
    let later = client.send(Destination::Any, heartbeat(3));
    assert_eq!(failure(later).await.kind, FailureKind::Closed);
    assert!(network.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn dropping_ends_everything_too() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let answer = client.send(NODE, heartbeat(1));
    let mut broker = network.attempt().await.serve().await;
    broker.request().await.unwrap();
    drop(client);
    assert_eq!(failure(answer).await.kind, FailureKind::Closed);
    broker.hung_up().await;
}

/// A way to brokers with a mistake in it.
#[derive(Debug)]
struct Broken;

#[async_trait::async_trait]
impl Connect for Broken {
    async fn connect(
        &self,
        _: &BrokerEndpoint,
        _: Option<SocketAddr>,
    ) -> io::Result<Box<dyn ByteStream>> {
        panic!("a mistake");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_fails_inside_answers_and_is_made_anew() {
    let bootstrap = vec![BrokerEndpoint::new("boot-1", 9092)];
    let options = TransportOptions::default();
    let connections = Connections::new(Arc::new(Broken), bootstrap, options, 7);
    let mut client = Client { connections };
    for number in [1, 2] {
        let failure = failure(client.send(Destination::Any, heartbeat(number))).await;
        assert_eq!(failure.kind, FailureKind::Disconnected, "{failure}");
        assert!(failure.detail.contains("failed inside"), "{failure}");
    }
}
