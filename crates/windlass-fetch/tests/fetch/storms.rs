//! Brokers that answer at once, whatever they are asked, are not asked all the time.

use std::time::Duration;

use windlass_fetch::FetchConfig;
use windlass_machine::FailureKind;
use windlass_protocol::ErrorCode;
use windlass_protocol::fetch_response::FetchPart;

use crate::answer::{Part, is_quiet};
use crate::batches::dense;
use crate::scene::{Scene, at, partition};

/// How many fetches ten seconds see of one partition at offset 10, when each is answered at once.
fn fetches_in_ten_seconds(config: FetchConfig, answer: impl Fn(&mut Scene)) -> u32 {
    let mut scene = Scene::with(config);
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(10))]);
    let end = scene.now + Duration::from_secs(10);
    let mut count = 0;
    while scene.now < end {
        if scene.requests.is_empty() {
            scene.wake();
            continue;
        }
        count += 1;
        assert!(count < 2000, "a storm");
        answer(&mut scene);
    }
    count
}

fn respond(scene: &mut Scene, part: Part) {
    let (fetch, _) = scene.fetch();
    scene.respond(&fetch, vec![part]);
}

#[test]
fn errors_are_followed_by_pauses() {
    let codes = [
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
        ErrorCode::FENCED_LEADER_EPOCH,
        ErrorCode::UNKNOWN_LEADER_EPOCH,
        ErrorCode::REPLICA_NOT_AVAILABLE,
        ErrorCode::KAFKA_STORAGE_ERROR,
        ErrorCode::OFFSET_NOT_AVAILABLE,
        ErrorCode::UNKNOWN_TOPIC_ID,
        ErrorCode::INCONSISTENT_TOPIC_ID,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        ErrorCode::CORRUPT_MESSAGE,
        ErrorCode::UNKNOWN_SERVER_ERROR,
    ];
    for code in codes {
        let count = fetches_in_ten_seconds(FetchConfig::default(), |scene| {
            respond(scene, Part::of(0).error(code));
        });
        assert!((5..30).contains(&count), "{}: {count}", code.name());
    }
}

#[test]
fn an_empty_answer_that_comes_too_soon_is_followed_by_a_pause() {
    let count = fetches_in_ten_seconds(FetchConfig::default(), |scene| {
        respond(scene, Part::of(0));
    });
    assert!((15..40).contains(&count), "{count}");
    let impatient = {
        let mut config = FetchConfig::default();
        config.max_wait = Duration::ZERO;
        config
    };
    let count = fetches_in_ten_seconds(impatient, |scene| respond(scene, Part::of(0)));
    assert!((500..1500).contains(&count), "{count}");
}

#[test]
fn batches_from_before_the_position_are_no_progress() {
    let count = fetches_in_ten_seconds(FetchConfig::default(), |scene| {
        respond(scene, Part::of(0).batch(dense(5, 10)));
        assert_eq!(scene.machine.buffered_bytes(), 0);
    });
    assert!((15..40).contains(&count), "{count}");
}

#[test]
fn answers_to_nothing_that_was_asked_are_followed_by_pauses() {
    let nothing: [fn() -> Vec<Part>; 3] = [
        Vec::new,
        || vec![Part::of(7).batch(dense(10, 20))],
        || vec![Part::of(0).of_topic(windlass_model::TopicId::new([1; 16]))],
    ];
    for parts in nothing {
        let count = fetches_in_ten_seconds(FetchConfig::default(), |scene| {
            let (fetch, _) = scene.fetch();
            scene.respond(&fetch, parts());
        });
        assert!((5..30).contains(&count), "{count}");
    }
}

#[test]
fn failures_and_errors_of_the_whole_answer_are_followed_by_pauses() {
    for kind in [
        FailureKind::Disconnected,
        FailureKind::TimedOut,
        FailureKind::Undecodable,
        FailureKind::UnsupportedVersion,
        FailureKind::AuthenticationFailed,
        FailureKind::Closed,
    ] {
        let count = fetches_in_ten_seconds(FetchConfig::default(), |scene| {
            let (fetch, _) = scene.fetch();
            scene.fail_request(&fetch, kind);
        });
        assert!((5..30).contains(&count), "{kind:?}: {count}");
    }
    let count = fetches_in_ten_seconds(FetchConfig::default(), |scene| {
        let (fetch, _) = scene.fetch();
        let head = FetchPart::Head {
            throttle_time_ms: 0,
            error_code: ErrorCode::FETCH_SESSION_ID_NOT_FOUND,
            session_id: 0,
        };
        scene.input(|machine, now| machine.on_fetch_part(fetch.id, head, now));
        scene.finish(&fetch);
        assert!(scene.wants_metadata());
    });
    assert!((5..30).contains(&count), "{count}");
}

#[test]
fn a_broker_that_waits_as_it_should_is_asked_again_at_once() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(10))]);
    for _ in 0..5 {
        let (fetch, request) = scene.fetch();
        assert_eq!(request.max_wait_ms, 500);
        scene.pass(Duration::from_millis(500));
        scene.respond(&fetch, vec![Part::of(0)]);
    }
    for round in 0..5 {
        let (fetch, _) = scene.fetch();
        let offset = 10 + round;
        scene.respond(&fetch, vec![Part::of(0).batch(dense(offset, offset + 1))]);
    }
    assert!(!scene.requests.is_empty());
}

#[test]
fn a_seek_does_not_wait_for_a_broker_that_does_not() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(10))]);
    for _ in 0..5 {
        while scene.requests.is_empty() {
            scene.wake();
        }
        respond(&mut scene, Part::of(0));
    }
    assert!(is_quiet(&scene));
    scene.input(|machine, now| machine.seek(&partition(0), 3, None, now));
    assert!(!scene.requests.is_empty());
}

#[test]
fn a_batch_that_does_not_fit_is_asked_for_with_more_room() {
    let config = {
        let mut config = FetchConfig::default();
        config.max_bytes = 4096;
        config.max_partition_bytes = 1024;
        config
    };
    let mut scene = Scene::with(config);
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(10))]);
    let mut sizes = Vec::new();
    for _ in 0..4 {
        let (fetch, request) = scene.fetch();
        let room = request.topics[0].partitions[0].max_bytes();
        assert!(request.max_bytes >= room);
        sizes.push(room);
        scene.respond(
            &fetch,
            vec![Part::of(0).cut(usize::try_from(room).unwrap())],
        );
    }
    assert_eq!(sizes, [1024, 2048, 4096, 8192]);
    let (fetch, _) = scene.fetch();
    scene.respond(&fetch, vec![Part::of(0).batch(dense(10, 12)).cut(100)]);
    let (_, request) = scene.fetch();
    assert_eq!(request.topics[0].partitions[0].max_bytes(), 1024);
}

#[test]
fn a_batch_that_never_comes_whole_is_told_of_once() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(10))]);
    let mut told = Vec::new();
    for _ in 0..30 {
        while scene.requests.is_empty() {
            scene.wake();
        }
        respond(&mut scene, Part::of(0).cut(500));
        told.extend(scene.failures());
    }
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].1.to_string().contains("offset 10"));
}

trait Room {
    fn max_bytes(&self) -> i32;
}

impl Room for windlass_protocol::messages::fetch::FetchPartition {
    fn max_bytes(&self) -> i32 {
        self.partition_max_bytes
    }
}

#[test]
fn an_answer_about_what_was_not_asked_for_is_no_reason_to_ask_again_at_once() {
    let count = fetches_in_ten_seconds(FetchConfig::default(), |scene| {
        respond(scene, Part::of(7).batch(dense(10, 12)));
    });
    assert!((5..60).contains(&count), "{count}");
}
