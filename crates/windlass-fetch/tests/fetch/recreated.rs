//! Topics that are deleted and created anew: another id is another log. And clusters whose epochs begin
//! anew without an id that says so.

use std::time::Duration;

use windlass_fetch::{FetchConfig, FetchError, FetchEvent, OffsetReset, Standing};
use windlass_machine::OutgoingRequest;
use windlass_model::{OffsetAndMetadata, TopicId};
use windlass_protocol::{ErrorCode, RequestKind};

use crate::answer::{Part, node, wanted};
use crate::batches::dense;
use crate::scene::{Scene, TOPIC, at, partition};

/// A partition that has read up to offset 5 of a log, with more in the queue, and its next fetch.
fn reading(offset_reset: OffsetReset) -> (Scene, OutgoingRequest) {
    let mut scene = Scene::with({
        let mut config = FetchConfig::default();
        config.offset_reset = offset_reset;
        config
    });
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (fetch, _) = scene.fetch();
    let part = Part::of(0).batch(dense(0, 5)).batch(dense(5, 9));
    scene.respond(&fetch, vec![part]);
    assert_eq!(scene.take(5), [(0, vec![0, 1, 2, 3, 4])]);
    let (next, _) = scene.fetch();
    (scene, next)
}

/// The topic is deleted, and created anew with the same leader.
fn create_anew(scene: &mut Scene) {
    scene.cluster.topics.get_mut(TOPIC).unwrap().id = TopicId::new([8; 16]);
    scene.leaders(&[(1, 5)]);
}

fn recreations(scene: &Scene) -> usize {
    let recreated = |event: &&FetchEvent| matches!(event, FetchEvent::TopicRecreated { .. });
    scene.events.iter().filter(recreated).count()
}

#[test]
fn a_new_log_is_read_from_its_start_whatever_the_policy() {
    for policy in [OffsetReset::Earliest, OffsetReset::Latest] {
        let (mut scene, old) = reading(policy);
        create_anew(&mut scene);
        assert_eq!(recreations(&scene), 1);
        assert_eq!(scene.machine.buffered_bytes(), 0, "it is of the old log");
        assert_eq!(scene.position(0), None);
        let (asked, request) = scene.list_offsets();
        assert_eq!(request.topics[0].partitions[0].timestamp, -2);
        scene.listed(&asked, &[(0, ErrorCode::NONE, 0)]);
        assert_eq!(scene.moves(), [(0, Some(5), 0)]);
        scene.respond(&old, vec![Part::of(0).batch(dense(9, 12))]);
        assert_eq!(scene.take(100), []);
        assert_eq!(wanted(&scene.fetch().1), [(0, 0)]);
        // The next picture shows the same topic.
        scene.tell_cluster();
        assert_eq!(recreations(&scene), 0);
    }
}

#[test]
fn without_a_policy_a_new_log_is_an_error() {
    let (mut scene, old) = reading(OffsetReset::None);
    create_anew(&mut scene);
    assert_eq!(recreations(&scene), 1);
    assert_eq!(scene.failures(), [(0, FetchError::NoOffset)]);
    assert_eq!(
        scene.position(0),
        None,
        "that of the old log counts no more"
    );
    scene.pass(Duration::from_millis(500));
    scene.respond(&old, vec![Part::of(0)]);
    assert!(scene.requests.is_empty());
    scene.input(|machine, now| machine.seek(&partition(0), 2, None, now));
    assert_eq!(wanted(&scene.fetch().1), [(0, 2)]);
}

#[test]
fn a_reset_to_the_end_of_the_old_log_is_one_to_the_start_of_the_new() {
    let mut scene = Scene::with({
        let mut config = FetchConfig::default();
        config.offset_reset = OffsetReset::Latest;
        config
    });
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, windlass_fetch::StartPosition::Awaiting)]);
    scene.input(|machine, now| machine.set_committed(&partition(0), None, now));
    let (old, _) = scene.list_offsets();
    create_anew(&mut scene);
    scene.listed(&old, &[(0, ErrorCode::NONE, 1000)]);
    assert_eq!(scene.position(0), None, "the answer is of the old log");
    let (new, request) = scene.list_offsets();
    assert_eq!(request.topics[0].partitions[0].timestamp, -2);
    scene.listed(&new, &[(0, ErrorCode::NONE, 0)]);
    assert_eq!(scene.position(0), Some(0));
}

#[test]
fn a_partition_that_awaits_its_committed_offset_still_does() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, windlass_fetch::StartPosition::Awaiting)]);
    create_anew(&mut scene);
    assert_eq!(scene.standing(0), Standing::Awaiting);
    let committed = Some(OffsetAndMetadata::new(3));
    scene.input(|machine, now| machine.set_committed(&partition(0), committed, now));
    assert_eq!(wanted(&scene.fetch().1), [(0, 3)]);
}

#[test]
fn a_picture_that_lacks_the_topic_takes_nothing_away() {
    let (mut scene, next) = reading(OffsetReset::Earliest);
    let whole = scene.cluster.clone();
    scene.cluster.topics.remove(TOPIC);
    scene.tell_cluster();
    assert!(scene.wants_metadata());
    assert_eq!(scene.take(100), [(0, vec![5, 6, 7, 8])]);
    // An older picture still does not lead back.
    scene.cluster = whole;
    scene.leaders(&[(3, 4)]);
    scene.pass(Duration::from_millis(500));
    scene.respond(&next, vec![Part::of(0).batch(dense(9, 10))]);
    assert_eq!(node(&scene.fetch().0), 1);
}

#[test]
fn a_smaller_epoch_that_everybody_repeats_is_believed_where_topics_have_no_ids() {
    let mut scene = Scene::new();
    scene.cluster.topics.get_mut(TOPIC).unwrap().id = TopicId::ZERO;
    scene.leaders(&[(1, 12)]);
    scene.assign(&[(0, at(4))]);
    let mut pictures = 0;
    loop {
        let (asked, request) = scene.fetch();
        if request.topics[0].partitions[0].current_leader_epoch == 0 {
            break;
        }
        let unknown = ErrorCode::UNKNOWN_LEADER_EPOCH;
        scene.respond(&asked, vec![Part::of(0).by_name().error(unknown)]);
        assert!(scene.wants_metadata());
        scene.leaders(&[(1, 0)]);
        pictures += 1;
        assert!(pictures < 10, "stuck with an epoch that nobody has");
        while scene.requests.is_empty() {
            scene.wake();
        }
        if let RequestKind::OffsetForLeaderEpoch(_) = scene.requests[0].request {
            let (asked, _) = scene.epoch_question();
            scene.ends(&asked, &[(0, ErrorCode::NONE, 0, 9)]);
        }
    }
    assert!(pictures > 1, "one picture may be of yesterday");
}

#[test]
fn a_smaller_epoch_of_the_same_topic_is_never_believed() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 12)]);
    scene.assign(&[(0, at(0))]);
    for _ in 0..20 {
        scene.leaders(&[(2, 3)]);
    }
    let (fetch, request) = scene.fetch();
    assert_eq!(node(&fetch), 1);
    assert_eq!(request.topics[0].partitions[0].current_leader_epoch, 12);
    assert!(scene.requests.is_empty());
}

#[test]
fn an_end_that_the_leader_does_not_name_is_told_and_asked_for_again() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, windlass_fetch::StartPosition::Awaiting)]);
    scene.input(|machine, now| machine.set_committed(&partition(0), None, now));
    let (asked, _) = scene.list_offsets();
    scene.listed(&asked, &[(0, ErrorCode::NONE, -1)]);
    assert_eq!(scene.failures(), [(0, FetchError::NoSuchEnd)]);
    scene.wake();
    let (asked, _) = scene.list_offsets();
    scene.listed(&asked, &[(0, ErrorCode::NONE, 7)]);
    assert_eq!(scene.position(0), Some(7));
}
