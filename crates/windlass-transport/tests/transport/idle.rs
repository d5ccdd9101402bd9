//! Connections that nobody has a use for, and joins that nobody waits for any more.

use std::time::Duration;

use tokio::time::{Instant, timeout};
use windlass_machine::{Destination, FailureKind};
use windlass_model::NodeId;
use windlass_protocol::RequestKind;
use windlass_protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use crate::scripted_broker::{
    Client, PATIENCE, broker_request, client, failure, heartbeat, number,
};

const NODE: Destination = Destination::Node(NodeId(1));
const JOINING: Destination = Destination::Joining(NodeId(1));
const MINUTE: Duration = Duration::from_secs(60);

/// How long a connection lives on that nobody uses.
async fn lifetime(destination: Destination) -> Duration {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let answer = client.send(destination, heartbeat(1));
    let mut broker = network.attempt().await.serve().await;
    broker.echo().await;
    assert_eq!(number(answer).await, 1);
    let begin = Instant::now();
    broker.hung_up().await;
    let lived = begin.elapsed();
    // It is made anew as soon as somebody wants it, without a pause.
    let begin = Instant::now();
    let answer = client.send(destination, heartbeat(2));
    network.attempt().await.serve().await.echo().await;
    assert_eq!(number(answer).await, 2);
    assert!(begin.elapsed() < Duration::from_millis(10));
    lived
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_before_anybody_forgets_it() {
    let lived = lifetime(NODE).await;
    assert!(lived >= 8 * MINUTE && lived < 10 * MINUTE, "{lived:?}");
}

#[tokio::test(start_paused = true)]
async fn the_connection_for_joining_does_not_sleep_from_one_rebalance_to_the_next() {
    let lived = lifetime(JOINING).await;
    assert!(lived <= MINUTE, "{lived:?}");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_an_answer_is_not_idle() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let answer = client.send_within(JOINING, heartbeat(1), 20 * MINUTE);
    let mut broker = network.attempt().await.serve().await;
    let received = broker.request().await.unwrap();
    let quiet = timeout(15 * MINUTE, broker.request()).await;
    assert!(quiet.is_err(), "the join is still parked");
    let response = crate::scripted_broker::heartbeat_answer(1);
    broker.answer(&received, response).await;
    assert_eq!(number(answer).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_join_does_not_wait_behind_one_that_was_given_up() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let mut join = || {
        let request = broker_request(JOINING, JoinGroupRequest::default(), 5 * MINUTE);
        client.ask(request)
    };
    let given_up = join();
    let mut parked = network.attempt().await.serve().await;
    parked.request().await.unwrap();
    let begin = Instant::now();
    let second = join();
    failure(given_up).await;
    let mut broker = network.attempt().await.serve().await;
    let received = broker.request().await.unwrap();
    broker.answer(&received, JoinGroupResponse::default()).await;
    second.await.unwrap().unwrap();
    assert!(begin.elapsed() < PATIENCE / 10, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn of_joins_that_both_wait_only_the_newer_is_sent() {
    let (mut client, mut network) = client(0);
    client.know(&[1]);
    let join = |client: &mut Client, member: &str| {
        let join = JoinGroupRequest {
            member_id: member.to_owned(),
            ..JoinGroupRequest::default()
        };
        client.ask(broker_request(JOINING, join, 5 * MINUTE))
    };
    let older = join(&mut client, "older");
    let newer = join(&mut client, "newer");
    let mut broker = network.attempt().await.serve().await;
    let received = broker.request().await.unwrap();
    let RequestKind::JoinGroup(asked) = &received.request else {
        panic!("no join: {received:?}");
    };
    assert_eq!(asked.member_id, "newer");
    assert_eq!(failure(older).await.kind, FailureKind::Disconnected);
    broker.answer(&received, JoinGroupResponse::default()).await;
    assert!(newer.await.unwrap().is_ok());
}
