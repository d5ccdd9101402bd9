//! Questions of the application's for offsets.

use std::collections::BTreeMap;
use std::time::Duration;

use windlass_fetch::{FetchEvent, FoundOffset, ListOffsetsId, LookupError, OffsetLookup};
use windlass_machine::FailureKind;
use windlass_model::TopicPartition;
use windlass_protocol::ErrorCode;

use crate::answer::{is_quiet, node};
use crate::scene::{Scene, partition};

type Results = BTreeMap<TopicPartition, Result<Option<FoundOffset>, LookupError>>;

const OK: ErrorCode = ErrorCode::NONE;

fn ask(scene: &mut Scene, queries: &[(i32, OffsetLookup)]) -> ListOffsetsId {
    let queries = queries
        .iter()
        .map(|(index, lookup)| (partition(*index), *lookup))
        .collect();
    let deadline = scene.now + Duration::from_secs(10);
    scene.input(|machine, now| machine.list_offsets(queries, deadline, now))
}

fn results(scene: &mut Scene, id: ListOffsetsId) -> Option<Results> {
    let mut events = std::mem::take(&mut scene.events).into_iter();
    events.find_map(|event| match event {
        FetchEvent::OffsetsListed { id: of, results } if of == id => Some(results),
        _ => None,
    })
}

fn offset(results: &Results, index: i32) -> Option<i64> {
    let found = results[&partition(index)].as_ref().expect("an offset");
    found.map(|found| found.offset)
}

#[test]
fn every_leader_is_asked_about_its_partitions() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5), (2, 5), (1, 5)]);
    let queries = [
        (0, OffsetLookup::Earliest),
        (1, OffsetLookup::Latest),
        (2, OffsetLookup::AtOrAfter(1234)),
    ];
    let id = ask(&mut scene, &queries);
    let (first, request) = scene.list_offsets();
    let timestamps: Vec<i64> = request.topics[0]
        .partitions
        .iter()
        .map(|partition| partition.timestamp)
        .collect();
    assert_eq!((node(&first), timestamps), (1, vec![-2, 1234]));
    let (second, _) = scene.list_offsets();
    assert_eq!(node(&second), 2);
    scene.listed(&first, &[(0, OK, 3), (2, OK, -1)]);
    assert_eq!(results(&mut scene, id), None);
    scene.listed(&second, &[(1, OK, 9)]);
    let results = results(&mut scene, id).expect("all told");
    assert_eq!(offset(&results, 0), Some(3));
    assert_eq!(offset(&results, 1), Some(9));
    assert_eq!(offset(&results, 2), None);
    assert!(scene.machine.poll_timeout().is_none());
}

#[test]
fn errors_that_pass_are_asked_about_again_and_others_are_told() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5), (1, 5)]);
    let queries = [(0, OffsetLookup::Latest), (1, OffsetLookup::Latest)];
    let id = ask(&mut scene, &queries);
    let (asked, _) = scene.list_offsets();
    let refused = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    let moved = ErrorCode::NOT_LEADER_OR_FOLLOWER;
    scene.listed(&asked, &[(0, refused, -1), (1, moved, -1)]);
    assert!(is_quiet(&scene));
    assert!(scene.wants_metadata());
    scene.leaders(&[(1, 5), (3, 6)]);
    scene.wake();
    let (asked, request) = scene.list_offsets();
    assert_eq!((node(&asked), request.topics[0].partitions.len()), (3, 1));
    scene.fail_request(&asked, FailureKind::Disconnected);
    scene.wake();
    let (asked, _) = scene.list_offsets();
    scene.listed(&asked, &[(1, OK, 9)]);
    let results = results(&mut scene, id).expect("all told");
    let error = LookupError::Refused { code: refused };
    assert_eq!(results[&partition(0)], Err(error));
    assert_eq!(offset(&results, 1), Some(9));
}

#[test]
fn the_deadline_ends_it_and_a_late_answer_is_counted() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5), (-1, 5)]);
    let queries = [(0, OffsetLookup::Latest), (1, OffsetLookup::Latest)];
    let begin = scene.now;
    let id = ask(&mut scene, &queries);
    assert!(scene.wants_metadata());
    let (asked, _) = scene.list_offsets();
    let results = loop {
        scene.wake();
        if let Some(results) = results(&mut scene, id) {
            break results;
        }
    };
    assert_eq!(scene.now - begin, Duration::from_secs(10));
    for index in [0, 1] {
        let result = &results[&partition(index)];
        assert!(
            matches!(result, Err(LookupError::TimedOut { .. })),
            "{result:?}"
        );
    }
    scene.listed(&asked, &[(0, OK, 9)]);
    assert_eq!(scene.machine.tally().late_answers, 1);
}

#[test]
fn a_question_about_nothing_is_answered_at_once() {
    let mut scene = Scene::new();
    let id = ask(&mut scene, &[]);
    assert_eq!(results(&mut scene, id), Some(BTreeMap::new()));
}

#[test]
fn a_broker_that_refuses_us_ends_it() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    let id = ask(&mut scene, &[(0, OffsetLookup::Latest)]);
    let (asked, _) = scene.list_offsets();
    scene.fail_request(&asked, FailureKind::AuthenticationFailed);
    let results = results(&mut scene, id).expect("all told");
    let result = &results[&partition(0)];
    assert!(matches!(result, Err(LookupError::Unreachable { .. })));
}
