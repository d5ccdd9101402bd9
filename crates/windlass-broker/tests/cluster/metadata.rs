//! Metadata and ApiVersions.

use windlass_model::TopicId;
use windlass_protocol::messages::api_versions::ApiVersionsRequest;
use windlass_protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse,
};
use windlass_protocol::{ApiKey, ErrorCode};

use crate::world::World;

fn of_topic(name: &str) -> MetadataRequest {
    MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            name: Some(name.to_owned()),
            ..MetadataRequestTopic::default()
        }]),
        allow_auto_topic_creation: true,
        ..MetadataRequest::default()
    }
}

fn ask(world: &mut World, request: MetadataRequest) -> MetadataResponse {
    let node = (1..=3).find(|node| world.core.is_alive(*node)).unwrap();
    let client = world.client(node);
    world.ask(client, 12, request)
}

pub(crate) fn topic_id(world: &mut World, topic: &str) -> TopicId {
    ask(world, of_topic(topic)).topics[0].topic_id
}

#[test]
fn leaders_go_round_the_nodes() {
    let mut world = World::new(3);
    let answer = ask(&mut world, of_topic("events"));
    let nodes: Vec<i32> = answer.brokers.iter().map(|broker| broker.node_id).collect();
    assert_eq!(nodes, [1, 2, 3]);
    let leaders: Vec<_> = answer.topics[0]
        .partitions
        .iter()
        .map(|it| (it.partition_index, it.leader_id, it.leader_epoch))
        .collect();
    assert_eq!(leaders, [(0, 1, 0), (1, 2, 0), (2, 3, 0)]);
    assert!(!answer.topics[0].topic_id.is_zero());
}

#[test]
fn a_dead_node_is_not_named_and_leads_nothing() {
    let mut world = World::new(3);
    world.act(|core, now| core.kill_node(2, now));
    let answer = ask(&mut world, of_topic("events"));
    assert_eq!(answer.brokers.len(), 2);
    let partition = &answer.topics[0].partitions[1];
    assert_ne!(partition.leader_id, 2);
    assert_eq!(partition.leader_epoch, 1);
    assert_eq!(partition.replica_nodes, [1, 2, 3]);
    assert_eq!(partition.isr_nodes, [1, 3]);
    assert_eq!(partition.offline_replicas, [2]);
    assert_eq!(answer.topics[0].partitions[0].leader_epoch, 0);
}

#[test]
fn all_topics_are_told_to_whoever_names_none() {
    let mut world = World::new(1);
    world.core.create_topic("other", 1);
    let client = world.client(1);
    for version in [0, 1, 12] {
        let request = MetadataRequest {
            topics: None,
            allow_auto_topic_creation: true,
            ..MetadataRequest::default()
        };
        let answer = world.ask(client, version, request);
        assert_eq!(answer.topics.len(), 2, "version {version}");
    }
}

#[test]
fn unknown_topics_are_refused() {
    let mut world = World::new(1);
    let answer = ask(&mut world, of_topic("nothing"));
    assert_eq!(
        answer.topics[0].error_code,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    );
    let answer = ask(&mut world, of_topic("no/name"));
    assert_eq!(
        answer.topics[0].error_code,
        ErrorCode::INVALID_TOPIC_EXCEPTION
    );
    let mut by_id = of_topic("");
    by_id.topics = Some(vec![MetadataRequestTopic {
        name: None,
        topic_id: TopicId::new([9; 16]),
    }]);
    let answer = ask(&mut world, by_id);
    assert_eq!(answer.topics[0].error_code, ErrorCode::UNKNOWN_TOPIC_ID);
}

#[test]
fn topics_are_made_when_they_are_asked_for_if_both_sides_want_that() {
    let mut world = World::with(|config| config.auto_create_partitions = Some(2));
    let mut careful = of_topic("fresh");
    careful.allow_auto_topic_creation = false;
    let answer = ask(&mut world, careful);
    assert_eq!(
        answer.topics[0].error_code,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    );
    let answer = ask(&mut world, of_topic("fresh"));
    assert_eq!(answer.topics[0].partitions.len(), 2);
}

#[test]
fn every_version_that_is_announced_is_in_the_codec() {
    let mut world = World::new(1);
    let client = world.client(1);
    let answer = world.ask(client, 4, ApiVersionsRequest::default());
    assert_eq!(answer.error_code, ErrorCode::NONE);
    let announced: Vec<_> = answer
        .api_keys
        .iter()
        .filter_map(|api| Some((ApiKey::from_wire(api.api_key)?, api)))
        .collect();
    assert!(announced.len() > 20);
    for (key, api) in announced {
        assert!(api.max_version <= key.versions().max, "{key}");
    }
    let keys: Vec<i16> = answer.api_keys.iter().map(|api| api.api_key).collect();
    assert!(!keys.contains(&ApiKey::ConsumerGroupHeartbeat.to_wire()));
}
