//! Fetch: the long poll, the limits, the errors.

use windlass_protocol::ErrorCode;
use windlass_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};

use crate::records::{fetch_request, values, write};
use crate::world::World;

fn offsets(found: &[(i64, String)]) -> Vec<i64> {
    found.iter().map(|(offset, _)| *offset).collect()
}

#[test]
fn a_fetch_with_nothing_to_tell_waits_its_time() {
    let mut world = World::new(1);
    let client = world.client(1);
    let ticket = world.send(client, 12, fetch_request(0));
    world.pass_ms(499);
    assert!(world.answer(&ticket).is_none());
    world.pass_ms(1);
    let answer = world.expect(&ticket);
    assert!(values(&answer).is_empty());
    let partition = &answer.responses[0].partitions[0];
    assert_eq!(partition.error_code, ErrorCode::NONE);
    assert_eq!(partition.high_watermark, 0);
    assert_eq!(answer.session_id, 0);
}

#[test]
fn a_fetch_that_waits_is_answered_by_the_first_record() {
    let mut world = World::new(1);
    let (reader, writer) = (world.client(1), world.client(1));
    let ticket = world.send(reader, 12, fetch_request(0));
    world.pass_ms(100);
    write(&mut world, writer, &["a"]);
    assert_eq!(values(&world.expect(&ticket)), [(0, "a".to_owned())]);
}

#[test]
fn a_fetch_waits_for_as_many_bytes_as_it_asked_for() {
    let mut world = World::new(1);
    let (reader, writer) = (world.client(1), world.client(1));
    let mut request = fetch_request(0);
    request.min_bytes = 100;
    let ticket = world.send(reader, 12, request);
    write(&mut world, writer, &["a"]);
    assert!(world.answer(&ticket).is_none(), "a batch of one byte is 69");
    write(&mut world, writer, &["b"]);
    assert_eq!(offsets(&values(&world.expect(&ticket))), [0, 1]);
}

#[test]
fn batches_come_whole_even_if_the_offset_is_within() {
    let mut world = World::new(1);
    let client = world.client(1);
    write(&mut world, client, &["a", "b", "c"]);
    write(&mut world, client, &["d"]);
    let answer = world.ask(client, 12, fetch_request(2));
    assert_eq!(offsets(&values(&answer)), [0, 1, 2, 3]);
}

#[test]
fn the_first_batch_comes_whatever_its_size_and_the_others_do_not() {
    let mut world = World::new(1);
    let client = world.client(1);
    let long = "x".repeat(500);
    write(&mut world, client, &[&long]);
    write(&mut world, client, &["b"]);
    for limit in [1, 100, 620] {
        let mut request = fetch_request(0);
        request.topics[0].partitions[0].partition_max_bytes = limit;
        let answer = world.ask(client, 12, request);
        assert_eq!(offsets(&values(&answer)), [0], "partition limit {limit}");
        let mut request = fetch_request(0);
        request.max_bytes = limit;
        let answer = world.ask(client, 12, request);
        assert_eq!(offsets(&values(&answer)), [0], "limit {limit}");
    }
    let answer = world.ask(client, 12, fetch_request(0));
    assert_eq!(offsets(&values(&answer)), [0, 1]);
}

#[test]
fn only_the_first_partition_with_records_may_break_the_limit() {
    let mut world = World::new(1);
    let client = world.client(1);
    for partition in [1, 2] {
        let records = crate::records::batch(&["x"]).bytes().clone();
        world.ask(
            client,
            9,
            crate::records::produce_request(partition, records),
        );
    }
    let mut request = fetch_request(0);
    request.max_bytes = 10;
    let wish = request.topics[0].partitions[0].clone();
    for partition in [1, 2] {
        let mut wish = wish.clone();
        wish.partition = partition;
        request.topics[0].partitions.push(wish);
    }
    let answer = world.ask(client, 12, request);
    let sizes: Vec<usize> = answer.responses[0]
        .partitions
        .iter()
        .map(|it| it.records.as_ref().map_or(0, bytes::Bytes::len))
        .collect();
    assert_eq!(sizes, [0, 69, 0]);
}

#[test]
fn offsets_outside_the_log_are_refused_at_once() {
    let mut world = World::new(1);
    let client = world.client(1);
    write(&mut world, client, &["a", "b"]);
    world.act(|core, _| core.delete_records_before("events", 0, 1));
    for (offset, code) in [
        (0, ErrorCode::OFFSET_OUT_OF_RANGE),
        (3, ErrorCode::OFFSET_OUT_OF_RANGE),
        (1, ErrorCode::NONE),
    ] {
        let answer = world.ask(client, 12, fetch_request(offset));
        assert_eq!(answer.responses[0].partitions[0].error_code, code);
    }
}

#[test]
fn epochs_are_compared_before_leaders() {
    let mut world = World::new(3);
    world.act(|core, now| core.move_leader("events", 0, 2, now));
    for (node, epoch, code) in [
        (1, -1, ErrorCode::NOT_LEADER_OR_FOLLOWER),
        (1, 0, ErrorCode::FENCED_LEADER_EPOCH),
        (1, 1, ErrorCode::NOT_LEADER_OR_FOLLOWER),
        (2, 0, ErrorCode::FENCED_LEADER_EPOCH),
        (2, 2, ErrorCode::UNKNOWN_LEADER_EPOCH),
    ] {
        let client = world.client(node);
        let mut request = fetch_request(0);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        let answer = world.ask(client, 12, request);
        let partition = &answer.responses[0].partitions[0];
        assert_eq!(partition.error_code, code, "node {node}, epoch {epoch}");
        assert_eq!(partition.high_watermark, -1);
        if code != ErrorCode::UNKNOWN_LEADER_EPOCH {
            assert_eq!(partition.current_leader.leader_id, 2);
            assert_eq!(partition.current_leader.leader_epoch, 1);
        }
    }
}

#[test]
fn the_newest_version_says_where_the_leader_listens() {
    let mut world = World::new(3);
    let id = crate::metadata::topic_id(&mut world, "events");
    let client = world.client(2);
    let mut request = fetch_request(0);
    request.topics[0].topic.clear();
    request.topics[0].topic_id = id;
    let answer = world.ask(client, 16, request);
    assert_eq!(
        answer.responses[0].partitions[0].error_code,
        ErrorCode::NOT_LEADER_OR_FOLLOWER
    );
    assert_eq!(answer.node_endpoints[0].node_id, 1);
    assert_eq!(answer.node_endpoints[0].host, "node-1");
}

#[test]
fn a_fetch_that_waits_is_answered_when_its_leader_changes() {
    let mut world = World::new(3);
    let client = world.client(1);
    let ticket = world.send(client, 12, fetch_request(0));
    world.act(|core, now| core.move_leader("events", 0, 2, now));
    let answer = world.expect(&ticket);
    assert_eq!(
        answer.responses[0].partitions[0].error_code,
        ErrorCode::NOT_LEADER_OR_FOLLOWER
    );
}

#[test]
fn a_fetch_that_waits_is_answered_when_its_topic_goes() {
    let mut world = World::new(1);
    let id = crate::metadata::topic_id(&mut world, "events");
    let (by_name, by_id) = (world.client(1), world.client(1));
    let first = world.send(by_name, 12, fetch_request(0));
    let mut request = fetch_request(0);
    request.topics[0].topic.clear();
    request.topics[0].topic_id = id;
    let second = world.send(by_id, 13, request);
    let admin = world.client(1);
    let delete = DeleteTopicsRequest {
        topics: vec![DeleteTopicState {
            name: None,
            topic_id: id,
        }],
        ..DeleteTopicsRequest::default()
    };
    world.ask(admin, 6, delete);
    let code = |answer: windlass_protocol::messages::fetch::FetchResponse| {
        answer.responses[0].partitions[0].error_code
    };
    assert_eq!(
        code(world.expect(&first)),
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    );
    assert_eq!(code(world.expect(&second)), ErrorCode::UNKNOWN_TOPIC_ID);
}

#[test]
fn a_fetch_session_is_never_begun() {
    let mut world = World::new(1);
    let client = world.client(1);
    let mut request = fetch_request(0);
    request.session_id = 5;
    request.session_epoch = 1;
    let answer = world.ask(client, 12, request);
    assert_eq!(answer.error_code, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
}

#[test]
fn requests_of_one_connection_are_answered_in_order() {
    let mut world = World::new(1);
    let (client, writer) = (world.client(1), world.client(1));
    let waits = world.send(client, 12, fetch_request(0));
    let next = world.send(client, 12, fetch_request(9));
    assert!(
        world.answer(&next).is_none(),
        "it has an error, and its turn to wait for"
    );
    write(&mut world, writer, &["a"]);
    assert!(world.in_order(&waits, &next));
}

#[test]
fn a_fetch_of_somebody_who_has_gone_is_forgotten() {
    let mut world = World::new(1);
    let client = world.client(1);
    let ticket = world.send(client, 12, fetch_request(0));
    world.disconnect(client);
    assert!(world.core.poll_timeout().is_none());
    world.pass_ms(1_000);
    assert!(world.answer(&ticket).is_none());
}

#[test]
fn a_consumer_is_sent_to_the_follower_in_its_own_rack_and_reads_there() {
    let mut world = World::with(|config| {
        config.nodes = 3;
        config.reads_from_followers = true;
    });
    let leader = world.act(|core, _| core.leader("events", 0)).unwrap().0;
    let follower = leader % 3 + 1;
    let (at_leader, near) = (world.client(leader), world.client(follower));
    write(&mut world, at_leader, &["a"]);
    let mut request = fetch_request(0);
    request.rack_id = format!("rack-{follower}");
    let answer = world.ask(at_leader, 12, request.clone());
    let told = &answer.responses[0].partitions[0];
    assert_eq!(told.preferred_read_replica, follower);
    assert!(values(&answer).is_empty());
    let answer = world.ask(near, 12, request.clone());
    assert_eq!(offsets(&values(&answer)), [0]);
    let told = &answer.responses[0].partitions[0];
    assert_eq!(told.preferred_read_replica, -1);
    // Who does not say where it stands reads from the leader, and so does who stands nowhere near.
    for rack in ["", "rack-9"] {
        request.rack_id = rack.to_owned();
        let answer = world.ask(at_leader, 12, request.clone());
        assert_eq!(offsets(&values(&answer)), [0]);
    }
    world.act(|core, now| core.kill_node(follower, now));
    request.rack_id = format!("rack-{follower}");
    let answer = world.ask(at_leader, 12, request);
    assert_eq!(offsets(&values(&answer)), [0]);
}
