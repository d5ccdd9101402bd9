//! Who is asked: leaders that change, leaders that are missing, topics by name and by id.

use std::time::Duration;

use windlass_fetch::FetchEvent;
use windlass_machine::FailureKind;
use windlass_model::{NodeId, TopicId};
use windlass_protocol::ErrorCode;
use windlass_protocol::fetch_response::{FetchPart, NodeEndpoint};

use crate::answer::{Part, is_quiet, node, wanted};
use crate::batches::{dense, of_epoch};
use crate::scene::{Scene, TOPIC, TOPIC_ID, at, partition, set};

#[test]
fn each_broker_has_one_fetch_and_none_waits_for_another() {
    let mut scene = Scene::fetching(windlass_fetch::FetchConfig::default());
    // Assigned all at once: one fetch to each leader.
    let (first, request) = scene.fetch();
    assert_eq!((node(&first), wanted(&request).len()), (1, 2));
    let (second, _) = scene.fetch();
    assert_eq!(node(&second), 2);
    scene.respond(&second, vec![Part::of(2).batch(dense(0, 3))]);
    let (third, request) = scene.fetch();
    assert_eq!((node(&third), wanted(&request)), (2, vec![(2, 3)]));
    assert_eq!(scene.machine.fetches_in_flight(), 2);
    assert!(scene.requests.is_empty());
}

#[test]
fn a_partition_without_a_leader_waits_for_metadata() {
    let mut scene = Scene::new();
    scene.leaders(&[(-1, 5)]);
    scene.events.clear();
    scene.assign(&[(0, at(0))]);
    assert!(scene.wants_metadata());
    assert!(is_quiet(&scene));
    // It is the one who fetches metadata who takes his time; each picture without a leader is not
    // good enough.
    scene.tell_cluster();
    assert!(scene.wants_metadata());
    scene.leaders(&[(2, 6)]);
    assert!(!scene.wants_metadata());
    assert_eq!(node(&scene.fetch().0), 2);
}

#[test]
fn what_the_former_leader_still_sends_does_not_count() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (old, _) = scene.fetch();
    scene.send_parts(&old, vec![Part::of(0).batch(dense(0, 3))]);
    scene.leaders(&[(2, 6)]);
    let (asked, _) = scene.epoch_question();
    assert_eq!(node(&asked), 2);
    scene.send_parts(&old, vec![Part::of(0).batch(dense(3, 6))]);
    // Nothing is handed out before the new leader has said that it has it.
    assert_eq!(scene.take(100), []);
    scene.ends(&asked, &[(0, ErrorCode::NONE, 5, 3)]);
    let (new, request) = scene.fetch();
    assert_eq!((node(&new), wanted(&request)), (2, vec![(0, 3)]));
    assert_eq!(request.topics[0].partitions[0].current_leader_epoch, 6);
    assert_eq!(scene.take(100), [(0, vec![0, 1, 2])]);
    scene.finish(&old);
    scene.respond(&new, vec![Part::of(0).batch(of_epoch(3, 5, 6))]);
    assert_eq!(scene.take(100), [(0, vec![3, 4])]);
}

#[test]
fn an_outdated_picture_does_not_lead_back() {
    let mut scene = Scene::new();
    scene.leaders(&[(2, 6)]);
    scene.assign(&[(0, at(0))]);
    let (fetch, _) = scene.fetch();
    scene.leaders(&[(1, 5)]);
    assert!(scene.requests.is_empty());
    scene.respond(&fetch, vec![Part::of(0).batch(of_epoch(0, 3, 6))]);
    assert_eq!(scene.take(100), [(0, vec![0, 1, 2])]);
    assert_eq!(node(&scene.fetch().0), 2);
}

#[test]
fn an_outdated_picture_does_not_end_the_search_for_a_leader() {
    let mut scene = Scene::new();
    scene.leaders(&[(-1, 6)]);
    scene.assign(&[(0, at(0))]);
    scene.events.clear();
    scene.leaders(&[(1, 5)]);
    assert!(is_quiet(&scene));
    assert!(scene.wants_metadata());
}

#[test]
fn a_broker_that_does_not_lead_may_say_who_does() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (fetch, _) = scene.fetch();
    let moved = Part::of(0)
        .error(ErrorCode::NOT_LEADER_OR_FOLLOWER)
        .led_by(3, 6);
    scene.send_parts(&fetch, vec![moved]);
    let end = FetchPart::End {
        node_endpoints: vec![NodeEndpoint {
            node_id: 3,
            host: "elsewhere".to_owned(),
            port: 9093,
            rack: None,
        }],
    };
    scene.input(|machine, now| machine.on_fetch_part(fetch.id, end, now));
    assert!(
        scene.events.iter().any(
            |event| matches!(event, FetchEvent::BrokerFound { node, .. } if *node == NodeId(3))
        )
    );
    scene.input(|machine, now| machine.on_fetch_done(fetch.id, now));
    // At once, without waiting for metadata; and metadata of before does not lead back.
    assert_eq!(node(&scene.fetch().0), 3);
    scene.tell_cluster();
    assert!(scene.requests.is_empty());
}

#[test]
fn what_a_broker_says_of_the_past_does_not_count() {
    for told in [4, 5, -1] {
        let mut scene = Scene::new();
        scene.leaders(&[(1, 5)]);
        scene.assign(&[(0, at(0))]);
        let (fetch, _) = scene.fetch();
        let code = ErrorCode::NOT_LEADER_OR_FOLLOWER;
        scene.respond(&fetch, vec![Part::of(0).error(code).led_by(3, told)]);
        assert!(scene.wants_metadata());
        assert!(is_quiet(&scene));
        scene.wake();
        assert_eq!(node(&scene.fetch().0), 1);
    }
}

#[test]
fn brokers_that_send_us_round_and_round_do_so_slowly() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let begin = scene.now;
    for round in 0..10 {
        while scene.requests.is_empty() {
            scene.wake();
        }
        let (fetch, _) = scene.fetch();
        let other = 3 - node(&fetch);
        let moved = Part::of(0)
            .error(ErrorCode::NOT_LEADER_OR_FOLLOWER)
            .led_by(other, 6 + round);
        scene.respond(&fetch, vec![moved]);
    }
    assert!(scene.now - begin > Duration::from_secs(3));
}

#[test]
fn a_leader_that_goes_and_comes_back_is_asked_again() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (old, _) = scene.fetch();
    scene.leaders(&[(-1, 5)]);
    scene.fail_request(&old, FailureKind::Disconnected);
    scene.pass(Duration::from_secs(5));
    scene.leaders(&[(1, 6)]);
    assert_eq!(wanted(&scene.fetch().1), [(0, 0)]);
}

#[test]
fn topics_without_an_id_are_asked_for_by_name() {
    let mut scene = Scene::new();
    scene.cluster.topics.get_mut(TOPIC).unwrap().id = TopicId::ZERO;
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (fetch, request) = scene.fetch();
    assert_eq!(fetch.max_version, Some(12));
    assert_eq!(request.topics[0].topic, TOPIC);
    scene.respond(&fetch, vec![Part::of(0).by_name().batch(dense(0, 2))]);
    assert_eq!(scene.take(100), [(0, vec![0, 1])]);
}

#[test]
fn topics_with_ids_may_still_be_answered_by_name() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (fetch, request) = scene.fetch();
    assert_eq!(fetch.max_version, None);
    assert_eq!(request.topics[0].topic_id, TOPIC_ID);
    assert_eq!(request.topics[0].topic, TOPIC);
    scene.respond(&fetch, vec![Part::of(0).by_name().batch(dense(0, 2))]);
    assert_eq!(scene.take(100), [(0, vec![0, 1])]);
}

#[test]
fn what_is_sent_of_the_deleted_topic_does_not_count() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (old, _) = scene.fetch();
    let anew = TopicId::new([8; 16]);
    scene.cluster.topics.get_mut(TOPIC).unwrap().id = anew;
    // Epochs of a new topic begin anew as well.
    scene.leaders(&[(1, 0)]);
    scene.respond(&old, vec![Part::of(0).batch(dense(0, 2))]);
    assert_eq!(scene.take(100), []);
    let (asked, _) = scene.list_offsets();
    scene.listed(&asked, &[(0, ErrorCode::NONE, 0)]);
    let (new, request) = scene.fetch();
    assert_eq!(request.topics[0].topic_id, anew);
    assert_eq!(request.topics[0].partitions[0].current_leader_epoch, 0);
    scene.respond(
        &new,
        vec![Part::of(0).of_topic(anew).batch(of_epoch(0, 1, 0))],
    );
    assert_eq!(scene.take(100), [(0, vec![0])]);
}

#[test]
fn partitions_that_were_not_asked_for_are_ignored() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5), (1, 5)]);
    scene.assign(&[(0, at(0)), (1, at(0))]);
    scene.input(|machine, now| machine.pause(&set(&[1]), now));
    let (fetch, _) = scene.fetch();
    scene.pass(Duration::from_millis(500));
    scene.respond(&fetch, vec![Part::of(0), Part::of(1)]);
    let (fetch, request) = scene.fetch();
    assert_eq!(wanted(&request), [(0, 0)]);
    let foreign = Part::of(0).of_topic(TopicId::new([9; 16]));
    let parts = vec![
        Part::of(1).batch(dense(0, 3)),
        foreign.batch(dense(0, 3)),
        Part::of(0).batch(dense(0, 1)),
    ];
    scene.respond(&fetch, parts);
    scene.input(|machine, now| machine.resume(&set(&[1]), now));
    assert_eq!(scene.take(100), [(0, vec![0])]);
    assert!(scene.machine.is_assigned(&partition(1)));
}

#[test]
fn a_leader_whose_address_got_lost_is_asked_nothing() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (fetch, _) = scene.fetch();
    let moved = Part::of(0)
        .error(ErrorCode::NOT_LEADER_OR_FOLLOWER)
        .led_by(9, 6);
    scene.send_parts(&fetch, vec![moved]);
    // The end, which says where broker 9 is, does not come.
    scene.fail_request(&fetch, FailureKind::Disconnected);
    assert!(scene.wants_metadata());
    while scene.requests.is_empty() {
        scene.wake();
    }
    let (again, _) = scene.fetch();
    assert_eq!(node(&again), 1);
}
