//! What ten thousand partitions cost: how many requests they need, and how long the longest turn of the
//! driver is. The times are printed and not judged: run it in release, with `--nocapture`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use windlass_core::{ConsumerCore, CoreConfig, Effect, Intent, OperationId, Progress};
use windlass_group::GroupConfig;
use windlass_machine::{OutgoingRequest, RequestId};
use windlass_model::TopicPartition;
use windlass_protocol::messages::fetch::FetchRequest;
use windlass_protocol::messages::metadata::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use windlass_protocol::{ErrorCode, RequestKind, ResponseKind};

use crate::cluster::{committed, coordinator};

const PARTITIONS: i32 = 10_000;
const BROKERS: i32 = 3;

/// A core, and how long its turns took.
struct Scene {
    core: ConsumerCore,
    now: Instant,
    turns: Vec<(Duration, &'static str)>,
    waiting: Vec<OutgoingRequest>,
    fetches: Vec<(RequestId, FetchRequest)>,
}

impl Scene {
    fn new() -> Self {
        let mut config = CoreConfig::default();
        config.group = Some(GroupConfig::new("g", Vec::new()));
        let now = Instant::now();
        Self {
            core: ConsumerCore::new(Arc::new(config), false, 1, now),
            now,
            turns: Vec::new(),
            waiting: Vec::new(),
            fetches: Vec::new(),
        }
    }

    /// One input, measured, and all that came out of it.
    fn turn(&mut self, what: &'static str, input: impl FnOnce(&mut ConsumerCore, Instant)) {
        let begin = Instant::now();
        input(&mut self.core, self.now);
        self.turns.push((begin.elapsed(), what));
        while let Some(effect) = self.core.poll_effect() {
            let Effect::Send(outgoing) = effect else {
                continue;
            };
            match outgoing.request {
                RequestKind::Fetch(fetch) => self.fetches.push((outgoing.id, fetch)),
                _ => self.waiting.push(outgoing),
            }
        }
    }

    /// Answers all that is asked, until nothing but fetches is.
    fn answer(&mut self) {
        while let Some(outgoing) = self.waiting.pop() {
            let id = outgoing.id;
            let (what, response): (_, ResponseKind) = match outgoing.request {
                RequestKind::Metadata(_) => ("Metadata", metadata().into()),
                RequestKind::FindCoordinator(_) => ("FindCoordinator", coordinator().into()),
                RequestKind::OffsetFetch(asked) => {
                    let told = committed(&asked, |_| (Some(7), ErrorCode::NONE));
                    ("OffsetFetch", told.into())
                }
                other => panic!("{} was not expected", other.api_key().name()),
            };
            self.turn(what, |core, now| core.on_response(id, response, now));
        }
    }
}

fn metadata() -> MetadataResponse {
    let brokers = (1..=BROKERS).map(|node_id| MetadataResponseBroker {
        node_id,
        host: format!("broker-{node_id}"),
        port: 9092,
        ..MetadataResponseBroker::default()
    });
    let partitions = (0..PARTITIONS).map(|partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: 1 + partition_index % BROKERS,
        leader_epoch: 5,
        ..MetadataResponsePartition::default()
    });
    MetadataResponse {
        brokers: brokers.collect(),
        topics: vec![MetadataResponseTopic {
            name: Some("events".to_owned()),
            topic_id: windlass_model::TopicId::new([7; 16]),
            partitions: partitions.collect(),
            ..MetadataResponseTopic::default()
        }],
        ..MetadataResponse::default()
    }
}

#[test]
fn ten_thousand_partitions_are_fetched_by_one_request_to_each_broker() {
    let mut scene = Scene::new();
    let all: BTreeSet<_> = (0..PARTITIONS)
        .map(|index| TopicPartition::new("events", index))
        .collect();
    scene.turn("Assign", |core, now| {
        let deadline = now + Duration::from_secs(60);
        let assign = Intent::Assign(all.clone());
        core.submit(OperationId(1), assign, &Progress::default(), deadline, now);
    });
    scene.answer();
    let mut asked = BTreeMap::new();
    for (_, fetch) in &scene.fetches {
        for partition in fetch.topics.iter().flat_map(|topic| &topic.partitions) {
            *asked.entry(partition.partition).or_insert(0) += 1;
            assert_eq!(partition.fetch_offset, 7);
        }
    }
    assert_eq!(scene.fetches.len(), 3, "one to each broker, and no more");
    assert_eq!(asked.len(), 10_000);
    assert!(asked.values().all(|times| *times == 1));
    scene.turn("Poll", |core, now| {
        let deadline = now + Duration::from_secs(60);
        let poll = Intent::Poll { max_records: 500 };
        core.submit(OperationId(2), poll, &Progress::default(), deadline, now);
    });
    scene.now += Duration::from_secs(6);
    scene.turn("timers", ConsumerCore::handle_timeout);
    let (longest, what) = scene.turns.iter().max().copied().unwrap();
    println!("10,000 partitions assigned: longest driver turn {longest:?} ({what})");
    for (time, what) in &scene.turns {
        println!("  {what}: {time:?}");
    }
}
