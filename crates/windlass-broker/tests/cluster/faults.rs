//! Faults on demand: dead nodes, injected errors, delays, broken connections.

use std::time::Duration;

use windlass_protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use windlass_protocol::messages::heartbeat::HeartbeatRequest;
use windlass_protocol::{ApiKey, ErrorCode};

use crate::member::{GROUP, stable_group};
use crate::records::{batch, fetch_request, produce, produce_request, values, write};
use crate::world::World;

#[test]
fn a_dead_node_closes_what_it_had_and_answers_nothing() {
    let mut world = World::new(3);
    let client = world.client(1);
    let waits = world.send(client, 12, fetch_request(0));
    world.act(|core, now| core.kill_node(1, now));
    assert!(world.is_closed(client));
    assert!(!world.core.is_alive(1));
    world.pass_ms(1_000);
    assert!(world.answer(&waits).is_none());
    let late = world.client(1);
    let ticket = world.send(late, 12, fetch_request(0));
    assert!(world.is_closed(late));
    assert!(world.answer(&ticket).is_none());
}

#[test]
fn records_outlive_the_node_that_took_them() {
    let mut world = World::new(3);
    let client = world.client(1);
    write(&mut world, client, &["a"]);
    world.act(|core, now| core.kill_node(1, now));
    let leader = world.core.leader("events", 0).unwrap().0;
    assert_ne!(leader, 1);
    let client = world.client(leader);
    let answer = world.ask(client, 12, fetch_request(0));
    assert_eq!(values(&answer), [(0, "a".to_owned())]);
    world.act(|core, now| core.restart_node(1, now));
    assert_eq!(
        world.core.leader("events", 0).map(|node| node.0),
        Some(leader),
        "it takes back nothing"
    );
}

#[test]
fn a_produce_whose_answer_is_lost_has_happened() {
    let mut world = World::new(3);
    world.act(|core, _| core.delay(ApiKey::Produce, Duration::from_secs(1)));
    let client = world.client(1);
    let ticket = world.send(client, 9, produce_request(0, batch(&["a"]).bytes().clone()));
    world.pass_ms(500);
    world.act(|core, now| core.kill_node(1, now));
    world.pass_ms(5_000);
    assert!(world.answer(&ticket).is_none());
    assert_eq!(world.core.high_watermark("events", 0), Some(1));
}

#[test]
fn a_single_node_leads_again_what_nobody_could_lead() {
    let mut world = World::new(1);
    let client = world.client(1);
    write(&mut world, client, &["a"]);
    world.act(|core, now| core.kill_node(1, now));
    assert_eq!(world.core.leader("events", 0), None);
    world.act(|core, now| core.restart_node(1, now));
    let client = world.client(1);
    assert_eq!(write(&mut world, client, &["b"]), 1);
}

#[test]
fn injected_errors_are_as_many_as_were_asked_for() {
    let mut world = World::new(1);
    let client = world.client(1);
    world.act(|core, _| core.inject_error(ApiKey::Produce, 2, ErrorCode::NOT_ENOUGH_REPLICAS));
    for code in [
        ErrorCode::NOT_ENOUGH_REPLICAS,
        ErrorCode::NOT_ENOUGH_REPLICAS,
        ErrorCode::NONE,
    ] {
        let answer = produce(&mut world, client, &batch(&["a"]));
        assert_eq!(answer.error_code, code);
    }
    assert_eq!(world.core.high_watermark("events", 0), Some(1));
}

#[test]
fn an_injected_error_touches_its_api_alone() {
    let mut world = World::new(1);
    let members = stable_group(&mut world, 1);
    world.act(|core, _| core.inject_error(ApiKey::Heartbeat, 1, ErrorCode::NOT_COORDINATOR));
    let client = world.client(1);
    write(&mut world, client, &["a"]);
    assert_eq!(members[0].heartbeat(&mut world), ErrorCode::NOT_COORDINATOR);
    assert_eq!(members[0].heartbeat(&mut world), ErrorCode::NONE);
}

#[test]
fn an_injected_error_names_every_topic() {
    let mut world = World::new(1);
    let client = world.client(1);
    world.act(|core, _| core.inject_error(ApiKey::CreateTopics, 1, ErrorCode::NOT_CONTROLLER));
    let request = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: "fresh".to_owned(),
            ..CreatableTopic::default()
        }],
        ..CreateTopicsRequest::default()
    };
    let answer = world.ask(client, 7, request);
    assert_eq!(answer.topics[0].error_code, ErrorCode::NOT_CONTROLLER);
}

#[test]
fn a_delayed_response_holds_back_its_connection_and_no_other() {
    let mut world = World::new(1);
    world.act(|core, _| core.delay(ApiKey::Heartbeat, Duration::from_secs(2)));
    let (slow, other) = (world.client(1), world.client(1));
    let heartbeat = HeartbeatRequest {
        group_id: GROUP.to_owned(),
        ..HeartbeatRequest::default()
    };
    let first = world.send(slow, 4, heartbeat);
    let second = world.send(slow, 9, produce_request(0, batch(&["a"]).bytes().clone()));
    write(&mut world, other, &["b"]);
    world.pass_ms(1_999);
    assert!(world.answer(&first).is_none());
    world.pass_ms(1);
    assert!(world.in_order(&first, &second));
    assert_eq!(
        world.expect(&second).responses[0].partition_responses[0].base_offset,
        1
    );
    world.act(|core, _| core.delay(ApiKey::Heartbeat, Duration::ZERO));
    let heartbeat = HeartbeatRequest::default();
    world.ask(slow, 4, heartbeat);
}

#[test]
fn broken_connections_can_be_made_anew() {
    let mut world = World::new(1);
    let members = stable_group(&mut world, 1);
    world.act(|core, now| core.drop_connections(1, now));
    assert!(world.is_closed(members[0].client));
    let mut again = members[0].clone();
    again.reconnect(&mut world);
    assert_eq!(again.heartbeat(&mut world), ErrorCode::NONE);
}

#[test]
fn a_node_that_is_dead_leads_and_coordinates_nothing() {
    let mut world = World::new(3);
    world.act(|core, now| core.kill_node(2, now));
    let before = (
        world.core.leader("events", 0),
        world.core.coordinator_of_group(GROUP),
    );
    world.act(|core, now| core.move_leader("events", 0, 2, now));
    world.act(|core, now| core.move_coordinator(GROUP, 2, now));
    let after = (
        world.core.leader("events", 0),
        world.core.coordinator_of_group(GROUP),
    );
    assert_eq!(before, after);
}
