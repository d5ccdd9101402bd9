//! A machine with a clock, and all that came out of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use windlass_fetch::{
    FetchConfig, FetchError, FetchEvent, FetchMachine, OffsetReset, Standing, StartPosition,
};
use windlass_machine::{FailureKind, OutgoingRequest, RequestFailure};
use windlass_model::{
    BrokerEndpoint, Cluster, LeaderEpoch, NodeId, Partition, Topic, TopicId, TopicPartition,
};

/// The topic of all scenes.
pub(crate) const TOPIC: &str = "orders";
pub(crate) const TOPIC_ID: TopicId = TopicId::new([7; 16]);

pub(crate) fn partition(index: i32) -> TopicPartition {
    TopicPartition::new(TOPIC, index)
}

pub(crate) fn set(indexes: &[i32]) -> BTreeSet<TopicPartition> {
    indexes.iter().map(|index| partition(*index)).collect()
}

pub(crate) fn epoch(number: i32) -> Option<LeaderEpoch> {
    LeaderEpoch::from_wire(number)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test needs one instant to count from"
)]
pub(crate) fn start_of_time() -> Instant {
    Instant::now()
}

/// A machine, driven by the rule: every input is followed by draining all outputs.
pub(crate) struct Scene {
    pub(crate) machine: FetchMachine,
    pub(crate) now: Instant,
    pub(crate) requests: Vec<OutgoingRequest>,
    pub(crate) events: Vec<FetchEvent>,
    pub(crate) cluster: Cluster,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with({
            let mut config = FetchConfig::default();
            config.offset_reset = OffsetReset::Earliest;
            config
        })
    }

    /// Three brokers, and a topic without partitions.
    pub(crate) fn with(config: FetchConfig) -> Self {
        let now = start_of_time();
        let mut cluster = Cluster::default();
        for node in 1..=3 {
            let endpoint = BrokerEndpoint::new(format!("broker-{node}"), 9092);
            cluster.brokers.insert(NodeId(node), endpoint);
        }
        let topic = Topic {
            id: TOPIC_ID,
            ..Topic::default()
        };
        cluster.topics.insert(TOPIC.into(), topic);
        Self {
            machine: FetchMachine::new(config, 1, now),
            now,
            requests: Vec::new(),
            events: Vec::new(),
            cluster,
        }
    }

    /// Three partitions at offset 0: the first two on broker 1, the third on broker 2.
    pub(crate) fn fetching(config: FetchConfig) -> Self {
        let mut scene = Self::with(config);
        scene.leaders(&[(1, 5), (1, 5), (2, 5)]);
        scene.assign(&[(0, at(0)), (1, at(0)), (2, at(0))]);
        scene
    }

    /// One input, and everything that comes out of it.
    pub(crate) fn input<T>(&mut self, input: impl FnOnce(&mut FetchMachine, Instant) -> T) -> T {
        let answer = input(&mut self.machine, self.now);
        while let Some(request) = self.machine.poll_request() {
            self.requests.push(request);
        }
        while let Some(event) = self.machine.poll_event() {
            self.events.push(event);
        }
        answer
    }

    /// Metadata: leader and epoch of each partition; a negative leader is none.
    pub(crate) fn leaders(&mut self, leaders: &[(i32, i32)]) {
        let partitions = leaders.iter().map(|(leader, epoch)| Partition {
            leader: (*leader >= 0).then_some(NodeId(*leader)),
            leader_epoch: LeaderEpoch::from_wire(*epoch),
            ..Partition::default()
        });
        self.cluster.topics.get_mut(TOPIC).unwrap().partitions = partitions.collect();
        self.tell_cluster();
    }

    pub(crate) fn tell_cluster(&mut self) {
        let cluster = Arc::new(self.cluster.clone());
        self.input(|machine, now| machine.on_cluster(&cluster, now));
    }

    pub(crate) fn assign(&mut self, starts: &[(i32, StartPosition)]) {
        let starts: BTreeMap<_, _> = starts
            .iter()
            .map(|(index, start)| (partition(*index), *start))
            .collect();
        self.input(|machine, now| machine.assign(starts, now));
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// Jumps to the next deadline; none within ten minutes is a mistake of the test's.
    pub(crate) fn wake(&mut self) -> Duration {
        let wakeup = self.machine.poll_timeout().expect("a deadline");
        assert!(wakeup.at > self.now, "overdue: {}", wakeup.reason);
        let waited = wakeup.at - self.now;
        assert!(waited < Duration::from_secs(600));
        self.now = wakeup.at;
        self.input(FetchMachine::handle_timeout);
        waited
    }

    pub(crate) fn fail_request(&mut self, request: &OutgoingRequest, kind: FailureKind) {
        let failure = RequestFailure::new(kind, "it went wrong");
        self.input(|machine, now| machine.on_failure(request.id, &failure, now));
    }

    /// Takes, and tells what was handed out: partition, first and last offset of each part.
    pub(crate) fn take(&mut self, most: usize) -> Vec<(i32, Vec<i64>)> {
        let taken = self.input(|machine, now| machine.take(most, now));
        taken
            .iter()
            .map(|part| {
                let decoded = part.decode().expect("a sound batch");
                let mut walk = part.records(&decoded);
                let offsets = walk
                    .by_ref()
                    .map(|record| record.expect("a sound record").offset)
                    .collect();
                part.walked(&walk);
                (part.topic_partition.partition, offsets)
            })
            .collect()
    }

    pub(crate) fn position(&self, index: i32) -> Option<i64> {
        let position = self.machine.position(&partition(index))?;
        Some(position.offset)
    }

    pub(crate) fn standing(&self, index: i32) -> Standing {
        self.machine.standing(&partition(index)).expect("assigned")
    }

    /// The errors told since the last time.
    pub(crate) fn failures(&mut self) -> Vec<(i32, FetchError)> {
        let events = std::mem::take(&mut self.events);
        events
            .into_iter()
            .filter_map(|event| match event {
                FetchEvent::PartitionFailed {
                    topic_partition,
                    error,
                } => Some((topic_partition.partition, error)),
                _ => None,
            })
            .collect()
    }

    /// Whether newer metadata was asked for since the last time.
    pub(crate) fn wants_metadata(&mut self) -> bool {
        let events = std::mem::take(&mut self.events);
        events
            .iter()
            .any(|event| matches!(event, FetchEvent::MetadataNeeded { .. }))
    }

    /// The resets told since the last time: partition, from, to.
    pub(crate) fn moves(&mut self) -> Vec<(i32, Option<i64>, i64)> {
        let events = std::mem::take(&mut self.events);
        events
            .into_iter()
            .filter_map(|event| match event {
                FetchEvent::PositionReset {
                    topic_partition,
                    from,
                    to,
                    reason,
                } => {
                    assert!(!reason.is_empty());
                    Some((topic_partition.partition, from, to))
                }
                _ => None,
            })
            .collect()
    }
}

/// A start at an offset without an epoch.
pub(crate) const fn at(offset: i64) -> StartPosition {
    StartPosition::At {
        offset,
        leader_epoch: None,
    }
}

/// A start at an offset with the epoch of the record before it.
pub(crate) fn at_epoch(offset: i64, number: i32) -> StartPosition {
    StartPosition::At {
        offset,
        leader_epoch: epoch(number),
    }
}
