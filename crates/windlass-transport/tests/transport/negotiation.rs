//! How both sides agree upon versions.

use windlass_machine::{Destination, FailureKind};
use windlass_protocol::messages::api_versions::ApiVersion;
use windlass_protocol::messages::metadata::{MetadataResponsePartition, MetadataResponseTopic};
use windlass_protocol::messages::{ApiVersionsResponse, MetadataRequest, MetadataResponse};
use windlass_protocol::{ApiKey, ErrorCode, ResponseKind};
use windlass_transport::BrokerResponse;

use crate::scripted_broker::{
    Client, Network, PATIENCE, ScriptedBroker, api_versions, broker_request, client, failure,
    frame, heartbeat, heartbeat_answer, number,
};

const NEWEST: i16 = 4;

#[tokio::test(start_paused = true)]
async fn the_newest_common_version_is_spoken() {
    let (mut client, mut network) = client(1);
    let answer = client.send(Destination::Any, heartbeat(5));
    let mut broker = network.attempt().await.accept();
    broker.negotiate_only(&[(ApiKey::Heartbeat, 0, 2)]).await;
    let received = broker.request().await.unwrap();
    assert_eq!(received.header.api_version, 2);
    broker.answer(&received, heartbeat_answer(5)).await;
    assert_eq!(number(answer).await, 5);
}

#[tokio::test(start_paused = true)]
async fn a_request_can_limit_its_own_version() {
    let (mut client, mut network) = client(1);
    let mut request = broker_request(Destination::Any, MetadataRequest::default(), PATIENCE);
    request.max_version = Some(9);
    let _answer = client.ask(request);
    let mut broker = network.attempt().await.serve().await;
    assert_eq!(broker.request().await.unwrap().header.api_version, 9);
}

#[tokio::test(start_paused = true)]
async fn leader_epochs_that_lag_behind_are_not_believed() {
    for (newest, believed) in [(8, -1), (9, 5)] {
        let (mut client, mut network) = client(1);
        let answer = client.send(Destination::Any, MetadataRequest::default());
        let mut broker = network.attempt().await.accept();
        let limits = [(ApiKey::Metadata, 0, newest)];
        broker.negotiate_only(&limits).await;
        let received = broker.request().await.unwrap();
        let partition = MetadataResponsePartition {
            leader_epoch: 5,
            ..MetadataResponsePartition::default()
        };
        let topic = MetadataResponseTopic {
            name: Some("t".to_owned()),
            partitions: vec![partition],
            ..MetadataResponseTopic::default()
        };
        let response = MetadataResponse {
            topics: vec![topic],
            ..MetadataResponse::default()
        };
        broker.answer(&received, response).await;
        let Ok(BrokerResponse::Message(ResponseKind::Metadata(told))) = answer.await.unwrap()
        else {
            panic!("no metadata");
        };
        assert_eq!(told.topics[0].partitions[0].leader_epoch, believed);
    }
}

#[tokio::test(start_paused = true)]
async fn the_program_names_itself() {
    let (mut client, mut network) = client(1);
    let _answer = client.send(Destination::Any, heartbeat(1));
    let mut broker = network.attempt().await.accept();
    let received = broker.request().await.unwrap();
    assert_eq!(received.header.api_version, NEWEST);
    let windlass_protocol::RequestKind::ApiVersions(question) = received.request else {
        panic!("{received:?}");
    };
    assert_eq!(question.client_software_name, "windlass");
    assert!(!question.client_software_version.is_empty());
}

/// An answer in version 0 to a question in a version the broker does not know.
fn unsupported(api_keys: Vec<ApiVersion>) -> ApiVersionsResponse {
    ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        api_keys,
        ..ApiVersionsResponse::default()
    }
}

async fn refuse_newest(broker: &mut ScriptedBroker, api_keys: Vec<ApiVersion>) {
    let mut received = broker.request().await.unwrap();
    assert_eq!(received.header.api_version, NEWEST);
    received.header.api_version = 0;
    let refusal = frame(&received, unsupported(api_keys));
    broker.write(&refusal).await;
}

async fn one_heartbeat(client: &mut Client, network: &mut Network, question: i16) {
    let answer = client.send(Destination::Any, heartbeat(3));
    let mut broker = network.attempt().await.accept();
    refuse_newest(&mut broker, question_entry(question)).await;
    let received = broker.request().await.unwrap();
    assert_eq!(received.api(), ApiKey::ApiVersions);
    assert_eq!(received.header.api_version, question.max(0));
    broker.answer(&received, api_versions(&[])).await;
    broker.echo().await;
    assert_eq!(number(answer).await, 3);
}

/// The entry for ApiVersions itself up to this version, or none where it is negative.
fn question_entry(max_version: i16) -> Vec<ApiVersion> {
    if max_version < 0 {
        return Vec::new();
    }
    vec![ApiVersion {
        api_key: ApiKey::ApiVersions.to_wire(),
        min_version: 0,
        max_version,
    }]
}

#[tokio::test(start_paused = true)]
async fn an_unsupported_question_is_asked_again_in_the_version_the_broker_names() {
    for question in [2, 3, 0] {
        let (mut client, mut network) = client(1);
        one_heartbeat(&mut client, &mut network, question).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_unsupported_question_without_a_hint_is_asked_again_in_version_0() {
    let (mut client, mut network) = client(1);
    one_heartbeat(&mut client, &mut network, -1).await;
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_hangs_up_is_asked_again_in_version_0() {
    let (mut client, mut network) = client(1);
    let answer = client.send(Destination::Any, heartbeat(9));
    let mut broker = network.attempt().await.accept();
    broker.request().await.unwrap();
    drop(broker);
    let mut broker = network.attempt().await.accept();
    let received = broker.request().await.unwrap();
    assert_eq!(received.header.api_version, 0);
    broker.answer(&received, api_versions(&[])).await;
    broker.echo().await;
    assert_eq!(number(answer).await, 9);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_always_hangs_up_is_explained() {
    let (mut client, mut network) = client(1);
    let answer = client.send(Destination::Any, heartbeat(9));
    for _ in 0..2 {
        let mut broker = network.attempt().await.accept();
        broker.request().await.unwrap();
    }
    let failure = failure(answer).await;
    assert_eq!(failure.kind, FailureKind::Disconnected);
    assert!(failure.detail.contains("TLS or SASL"), "{failure}");
    assert!(failure.detail.contains("boot-1:9092"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_in_every_version_is_reported() {
    let (mut client, mut network) = client(1);
    let answer = client.send(Destination::Any, heartbeat(9));
    let mut broker = network.attempt().await.accept();
    refuse_newest(&mut broker, Vec::new()).await;
    let received = broker.request().await.unwrap();
    broker.answer(&received, unsupported(Vec::new())).await;
    let failure = failure(answer).await;
    assert_eq!(failure.kind, FailureKind::Undecodable);
    assert!(failure.detail.contains("UNSUPPORTED_VERSION"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn an_api_the_broker_does_not_speak_fails_alone() {
    let (mut client, mut network) = client(1);
    let too_old = client.send(Destination::Any, MetadataRequest::default());
    let fine = client.send(Destination::Any, heartbeat(2));
    let mut broker = network.attempt().await.accept();
    broker.negotiate_only(&[(ApiKey::Metadata, 90, 99)]).await;
    broker.echo().await;
    assert_eq!(number(fine).await, 2);
    let failure = failure(too_old).await;
    assert_eq!(failure.kind, FailureKind::UnsupportedVersion);
    assert!(failure.detail.contains("Metadata"), "{failure}");
    assert!(failure.detail.contains("90 to 99"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn every_connection_negotiates_for_itself() {
    let (mut client, mut network) = client(1);
    client.know(&[1, 2]);
    let mut versions = Vec::new();
    for (node, newest) in [(1, 0), (2, 3)] {
        let node = Destination::Node(windlass_model::NodeId(node));
        let answer = client.send(node, heartbeat(1));
        let mut broker = network.attempt().await.accept();
        broker
            .negotiate_only(&[(ApiKey::Heartbeat, 0, newest)])
            .await;
        let received = broker.request().await.unwrap();
        versions.push(received.header.api_version);
        let response: ResponseKind = heartbeat_answer(1).into();
        broker.answer(&received, response).await;
        assert_eq!(number(answer).await, 1);
    }
    assert_eq!(versions, [0, 3]);
}
