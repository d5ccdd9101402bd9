//! Reading from followers (KIP-392).

use std::time::Duration;

use windlass_fetch::{FetchConfig, IsolationLevel, Standing};
use windlass_machine::FailureKind;
use windlass_protocol::ErrorCode;
use windlass_protocol::fetch_response::FetchPart;

use crate::answer::{Part, is_quiet, node, wanted};
use crate::batches::{dense, transactional};
use crate::scene::{Scene, at};

/// Sent to the follower 2 by the leader 1.
fn sent_away() -> Scene {
    let mut scene = Scene::with({
        let mut config = FetchConfig::default();
        config.client_rack = Some("here".to_owned());
        config
    });
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (fetch, request) = scene.fetch();
    assert_eq!(request.rack_id, "here");
    scene.respond(&fetch, vec![Part::of(0).rather_read_from(2)]);
    scene
}

/// The next fetch, after whatever pause.
fn next_node(scene: &mut Scene) -> i32 {
    while scene.requests.is_empty() {
        scene.wake();
    }
    node(&scene.requests[0])
}

#[test]
fn the_follower_is_read_from_at_once_until_the_lease_is_over() {
    let mut scene = sent_away();
    let mut offset = 0;
    for _ in 0..3 {
        let (fetch, _) = scene.fetch();
        assert_eq!(node(&fetch), 2);
        scene.respond(&fetch, vec![Part::of(0).batch(dense(offset, offset + 2))]);
        offset += 2;
    }
    let (fetch, _) = scene.fetch();
    scene.pass(Duration::from_secs(301));
    scene.respond(&fetch, vec![Part::of(0)]);
    assert_eq!(next_node(&mut scene), 1);
}

#[test]
fn out_of_range_on_a_follower_leads_to_the_leader_and_not_to_a_reset() {
    let mut scene = sent_away();
    let (fetch, _) = scene.fetch();
    scene.respond(
        &fetch,
        vec![Part::of(0).error(ErrorCode::OFFSET_OUT_OF_RANGE)],
    );
    assert_eq!(scene.standing(0), Standing::Fetching);
    assert!(is_quiet(&scene));
    assert_eq!(next_node(&mut scene), 1);
}

#[test]
fn a_follower_that_cannot_be_reached_is_left_for_the_leader() {
    let mut scene = sent_away();
    let (fetch, _) = scene.fetch();
    scene.fail_request(&fetch, FailureKind::Disconnected);
    assert_eq!(next_node(&mut scene), 1);
    // And if the leader insists, both wait.
    let (fetch, _) = scene.fetch();
    scene.respond(&fetch, vec![Part::of(0).rather_read_from(2)]);
    assert!(is_quiet(&scene));
    assert!(scene.wants_metadata());
    assert_eq!(next_node(&mut scene), 1);
}

#[test]
fn a_follower_that_nobody_knows_is_asked_about() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (fetch, _) = scene.fetch();
    scene.respond(&fetch, vec![Part::of(0).rather_read_from(9)]);
    assert!(scene.wants_metadata());
    assert!(is_quiet(&scene));
    assert_eq!(next_node(&mut scene), 1);
}

#[test]
fn nobody_is_sent_in_a_circle() {
    // A leader that names itself, and a follower that names another.
    for (first, second) in [(1, 1), (2, 3)] {
        let mut scene = Scene::new();
        scene.leaders(&[(1, 5)]);
        scene.assign(&[(0, at(0))]);
        let begin = scene.now;
        let mut count = 0;
        while scene.now - begin < Duration::from_secs(5) {
            if scene.requests.is_empty() {
                scene.wake();
                continue;
            }
            count += 1;
            assert!(count < 60, "a storm");
            let (fetch, _) = scene.fetch();
            assert_ne!(node(&fetch), 3);
            let named = if node(&fetch) == 1 { first } else { second };
            scene.respond(&fetch, vec![Part::of(0).rather_read_from(named)]);
        }
    }
}

#[test]
fn a_follower_that_always_fails_is_tried_less_and_less() {
    let mut scene = sent_away();
    let begin = scene.now;
    for _ in 0..8 {
        assert_eq!(next_node(&mut scene), 2);
        let (fetch, _) = scene.fetch();
        let code = ErrorCode::OFFSET_OUT_OF_RANGE;
        scene.respond(&fetch, vec![Part::of(0).error(code)]);
        assert_eq!(next_node(&mut scene), 1);
        let (fetch, _) = scene.fetch();
        scene.respond(&fetch, vec![Part::of(0).rather_read_from(2)]);
    }
    assert!(scene.now - begin > Duration::from_secs(4));
}

#[test]
fn a_new_leader_ends_the_lease() {
    let mut scene = sent_away();
    let (fetch, _) = scene.fetch();
    assert_eq!(node(&fetch), 2);
    scene.leaders(&[(3, 6)]);
    assert_eq!(node(&scene.fetch().0), 3);
}

#[test]
fn a_follower_over_whose_quota_this_client_is_is_not_left_for_the_leader() {
    let mut scene = sent_away();
    let (fetch, _) = scene.fetch();
    assert_eq!(node(&fetch), 2);
    // What a broker answers then: a time to wait, and not one partition.
    let head = FetchPart::Head {
        throttle_time_ms: 1000,
        error_code: ErrorCode::NONE,
        session_id: 0,
    };
    scene.input(|machine, now| machine.on_fetch_part(fetch.id, head, now));
    scene.finish(&fetch);
    assert_eq!(next_node(&mut scene), 2);
}

/// The lease of the follower has ended, and its fetch is under way still.
fn lease_over() -> (Scene, windlass_machine::OutgoingRequest) {
    let mut scene = Scene::with({
        let mut config = FetchConfig::default();
        config.client_rack = Some("here".to_owned());
        config.isolation_level = IsolationLevel::ReadCommitted;
        config.metadata_max_age = Duration::from_secs(10);
        config
    });
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(0))]);
    let (fetch, _) = scene.fetch();
    scene.respond(&fetch, vec![Part::of(0).rather_read_from(2)]);
    let (follower, request) = scene.fetch();
    assert_eq!((node(&follower), wanted(&request)), (2, vec![(0, 0)]));
    scene.pass(Duration::from_secs(11));
    scene.tell_cluster();
    (scene, follower)
}

#[test]
fn what_two_brokers_send_of_one_partition_does_not_mix() {
    let (mut scene, follower) = lease_over();
    let (leader, request) = scene.fetch();
    assert_eq!((node(&leader), wanted(&request)), (1, vec![(0, 0)]));
    // The follower knows of an aborted transaction, of which it has sent nothing yet when the leader's
    // shorter answer comes.
    let lists_it = || Part::of(0).aborted(&[(1, 5)]);
    let [first, second] = [dense(0, 5), transactional(1, 5, 7)];
    scene.send_parts(&follower, vec![lists_it().batch(first)]);
    scene.send_parts(&leader, vec![Part::of(0).batch(dense(0, 3))]);
    scene.send_parts(&follower, vec![Part::of(0).batch(second)]);
    assert_eq!(scene.take(100), [(0, vec![0, 1, 2])]);
    assert_eq!(scene.position(0), Some(3));
}

#[test]
fn the_aborted_list_of_a_response_outlives_nothing_but_that_response() {
    let (mut scene, follower) = lease_over();
    scene.finish(&follower);
    let (leader, _) = scene.fetch();
    let part = Part::of(0).aborted(&[(1, 0)]);
    scene.respond(&leader, vec![part.batch(transactional(1, 0, 2))]);
    assert_eq!(scene.take(100), []);
    let (next, request) = scene.fetch();
    assert_eq!(wanted(&request), [(0, 2)]);
    // The producer's next transaction was not aborted: nothing says so any more.
    scene.respond(&next, vec![Part::of(0).batch(transactional(1, 2, 4))]);
    assert_eq!(scene.take(100), [(0, vec![2, 3])]);
}
