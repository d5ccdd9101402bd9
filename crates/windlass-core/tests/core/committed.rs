//! Where reading begins, as the group tells it, or does not.

use std::collections::BTreeSet;
use std::time::Duration;

use windlass_core::Intent;
use windlass_model::TopicPartition;
use windlass_protocol::messages::offset_fetch::OffsetFetchResponse;
use windlass_protocol::{ErrorCode, RequestKind};

use crate::cluster::{committed, partition};
use crate::scene::Scene;

/// Answers all but OffsetFetch, which `told` answers the how many-th time; until a Fetch is sent.
fn until_fetch(
    scene: &mut Scene,
    mut told: impl FnMut(usize, &windlass_protocol::messages::OffsetFetchRequest) -> OffsetFetchResponse,
) -> Vec<(i32, i64)> {
    let mut times = 0;
    for _ in 0..500 {
        let Some(outgoing) = scene.open.front().cloned() else {
            scene.pass(Duration::from_millis(100));
            continue;
        };
        match &outgoing.request {
            RequestKind::Fetch(fetch) => {
                let partitions = fetch.topics.iter().flat_map(|topic| &topic.partitions);
                return partitions
                    .map(|one| (one.partition, one.fetch_offset))
                    .collect();
            }
            RequestKind::OffsetFetch(asked) => {
                scene.open.pop_front();
                let response = told(times, asked);
                times += 1;
                scene.respond(&outgoing, response.into());
            }
            _ => scene.answer(0),
        }
    }
    panic!("nothing was fetched after {times} answers");
}

fn assigned(indexes: &[i32]) -> Scene {
    let mut scene = Scene::new("range", false);
    let partitions: BTreeSet<TopicPartition> = indexes.iter().copied().map(partition).collect();
    scene.ask(Intent::Assign(partitions));
    scene
}

#[test]
fn only_an_offset_that_is_told_is_believed() {
    let codes = [
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::UNSTABLE_OFFSET_COMMIT,
        ErrorCode::UNKNOWN_SERVER_ERROR,
        ErrorCode(999),
    ];
    let groups = [
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode::NOT_COORDINATOR,
        ErrorCode::UNKNOWN_SERVER_ERROR,
        ErrorCode(999),
    ];
    let mut scene = assigned(&[0]);
    let fetched = until_fetch(&mut scene, |times, asked| {
        let mut response = committed(asked, |_| (Some(5), ErrorCode::NONE));
        let answered = &mut response.groups[0];
        match times {
            0..4 => response = committed(asked, |_| (None, codes[times])),
            4..8 => {
                answered.error_code = groups[times - 4];
                answered.topics.clear();
            }
            8 => answered.topics[0].partitions.clear(),
            9 => answered.topics.clear(),
            10 => response.groups.clear(),
            _ => {}
        }
        response
    });
    assert_eq!(fetched, [(0, 5)]);
    let resets = |one: &RequestKind| matches!(one, RequestKind::ListOffsets(_));
    assert!(!scene.sent.iter().any(resets), "taken for no offset");
}

#[test]
fn a_transaction_that_nobody_ends_holds_up_its_own_partitions_only() {
    let mut scene = assigned(&[0, 1]);
    let unstable = |index| match index {
        0 => (None, ErrorCode::UNSTABLE_OFFSET_COMMIT),
        _ => (Some(7), ErrorCode::NONE),
    };
    let begin = scene.now;
    let fetched = until_fetch(&mut scene, |_, asked| committed(asked, unstable));
    assert_eq!(fetched, [(1, 7)]);
    assert!(scene.now - begin < Duration::from_millis(100));
    let ends = begin + Duration::from_secs(60);
    let mut asked_for = 0;
    while scene.now < ends {
        let Some(outgoing) = scene.open.front().cloned() else {
            scene.pass(Duration::from_millis(100));
            continue;
        };
        if let RequestKind::OffsetFetch(asked) = &outgoing.request {
            asked_for += 1;
            scene.open.pop_front();
            let response = committed(asked, unstable);
            scene.respond(&outgoing, response.into());
        } else {
            scene.answer(0);
        }
    }
    assert!((30..200).contains(&asked_for), "{asked_for} questions");
    assert_eq!(scene.core.fetch().position(&partition(0)), None);
    scene.cluster.stored.insert(partition(0), 3);
    scene.calm_down(20);
    let position = scene.core.fetch().position(&partition(0)).unwrap();
    assert_eq!(position.offset, 3);
}
