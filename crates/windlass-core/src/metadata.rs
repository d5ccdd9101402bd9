//! When to ask for the cluster's metadata, and what the answer says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use windlass_machine::{
    Backoff, Destination, OutgoingRequest, RequestFailure, RequestId, RequestIds, RequestOwner,
    SplitMix64, Timers, Wakeup,
};
use windlass_model::{
    BrokerEndpoint, Cluster, LeaderEpoch, NodeId, Partition, Topic, TopicId, TopicName,
};
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseTopic,
};

use crate::{ConsumerError, CoreConfig};

/// What the metadata has to say to the rest of the core.
#[derive(Debug)]
pub(crate) enum MetadataEvent {
    /// There is a newer picture of the cluster.
    Updated(Arc<Cluster>),
    /// A topic cannot be read, and asking again will not help.
    TopicFailed(ConsumerError),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Refresh,
    Retry,
}

/// The metadata of the topics somebody is interested in: asked for at the start, when it grows old,
/// and when somebody found it wrong. At most one question is under way.
#[derive(Debug)]
pub(crate) struct Metadata {
    config: Arc<CoreConfig>,
    random: SplitMix64,
    backoff: Backoff,
    timers: Timers<Timer>,
    interests: BTreeMap<Interest, BTreeSet<TopicName>>,
    cluster: Arc<Cluster>,
    in_flight: Option<RequestId>,
    asked_topics: BTreeSet<TopicName>,
    /// Somebody needs newer metadata than the question under way will bring.
    wanted: bool,
    last_answer: Option<Instant>,
    reported: BTreeSet<TopicName>,
    ids: RequestIds,
    requests: Vec<OutgoingRequest>,
    events: Vec<MetadataEvent>,
}

/// Who is interested in a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Interest {
    /// The application, by subscribing or by assigning.
    Application,
    /// The group, which the leader assigns for.
    Group,
    /// A question about offsets.
    Question,
}

impl Metadata {
    pub(crate) fn new(config: Arc<CoreConfig>, seed: u64) -> Self {
        let backoff = Backoff::new(config.retry_backoff, config.retry_backoff_max);
        Self {
            config,
            random: SplitMix64::new(seed),
            backoff,
            timers: Timers::new(),
            interests: BTreeMap::new(),
            cluster: Arc::new(Cluster::default()),
            in_flight: None,
            asked_topics: BTreeSet::new(),
            wanted: false,
            last_answer: None,
            reported: BTreeSet::new(),
            ids: RequestIds::new(RequestOwner::Metadata),
            requests: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Replaces what `who` is interested in. New topics are asked for at once.
    pub(crate) fn set_interest(
        &mut self,
        who: Interest,
        topics: BTreeSet<TopicName>,
        now: Instant,
    ) {
        let news = topics
            .iter()
            .any(|topic| !self.asked_topics.contains(topic));
        self.interests.insert(who, topics);
        if news && self.in_flight.is_none() {
            self.ask(now);
        }
    }

    /// Somebody found the metadata wrong: ask again, at once or after the running backoff.
    pub(crate) fn request_refresh(&mut self, now: Instant) {
        self.ask_soon(now);
    }

    pub(crate) fn on_response(&mut self, id: RequestId, response: MetadataResponse, now: Instant) {
        if self.in_flight != Some(id) {
            return;
        }
        self.in_flight = None;
        self.last_answer = Some(now);
        if self.install(response) {
            self.retry_later(now);
        } else {
            self.backoff.reset();
            self.timers.clear(Timer::Retry);
            self.timers
                .set(Timer::Refresh, now + self.config.metadata_max_age);
        }
        let wanted = std::mem::take(&mut self.wanted);
        if !self.topics_of_interest().is_subset(&self.asked_topics) {
            self.ask(now);
        } else if wanted {
            self.ask_soon(now);
        }
    }

    pub(crate) fn on_failure(&mut self, id: RequestId, failure: &RequestFailure, now: Instant) {
        if self.in_flight == Some(id) {
            self.in_flight = None;
            tracing::debug!(reason = %failure, "metadata request failed");
            self.retry_later(now);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let mut due = false;
        while self.timers.expire(now).is_some() {
            due = true;
        }
        if due && self.in_flight.is_none() {
            self.ask(now);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Wakeup> {
        let (at, timer) = self.timers.next()?;
        let reason = match timer {
            Timer::Refresh => "metadata grows old",
            Timer::Retry => "metadata is asked for again",
        };
        Some(Wakeup { at, reason })
    }

    pub(crate) fn take_requests(&mut self) -> Vec<OutgoingRequest> {
        std::mem::take(&mut self.requests)
    }

    pub(crate) fn take_events(&mut self) -> Vec<MetadataEvent> {
        std::mem::take(&mut self.events)
    }

    fn topics_of_interest(&self) -> BTreeSet<TopicName> {
        self.interests.values().flatten().cloned().collect()
    }

    fn ask_soon(&mut self, now: Instant) {
        if self.in_flight.is_some() {
            self.wanted = true;
            return;
        }
        // A crowd of complaints must not outrun the backoff, nor ask again what was just answered.
        if self.timers.deadline(Timer::Retry).is_some() {
            return;
        }
        match self.last_answer.map(|at| at + self.config.retry_backoff) {
            Some(earliest) if earliest > now => self.timers.set(Timer::Retry, earliest),
            _ => self.ask(now),
        }
    }

    fn retry_later(&mut self, now: Instant) {
        let wait = self.backoff.next(&mut self.random);
        self.timers.set(Timer::Retry, now + wait);
    }

    fn ask(&mut self, now: Instant) {
        self.timers.clear(Timer::Retry);
        self.asked_topics = self.topics_of_interest();
        let topics = self
            .asked_topics
            .iter()
            .map(|topic| MetadataRequestTopic {
                name: Some(topic.as_str().to_owned()),
                ..MetadataRequestTopic::default()
            })
            .collect();
        let id = self.ids.next();
        self.in_flight = Some(id);
        self.requests.push(OutgoingRequest {
            id,
            destination: Destination::Any,
            request: MetadataRequest {
                topics: Some(topics),
                allow_auto_topic_creation: self.config.allow_auto_create_topics,
                ..MetadataRequest::default()
            }
            .into(),
            max_version: None,
            deadline: now + self.config.request_timeout,
        });
    }

    /// Puts the answer in place of what was known; says whether something in it is not settled yet.
    fn install(&mut self, response: MetadataResponse) -> bool {
        let mut incomplete = false;
        let mut cluster = Cluster {
            cluster_id: response.cluster_id,
            controller: (response.controller_id >= 0).then_some(NodeId(response.controller_id)),
            ..Cluster::default()
        };
        for broker in response.brokers {
            let Ok(port) = u16::try_from(broker.port) else {
                continue;
            };
            cluster.brokers.insert(
                NodeId(broker.node_id),
                BrokerEndpoint {
                    host: broker.host,
                    port,
                    rack: broker.rack,
                },
            );
        }
        for topic in response.topics {
            incomplete |= self.install_topic(&mut cluster, topic);
        }
        if cluster.brokers.is_empty() {
            return true;
        }
        if *self.cluster != cluster {
            self.cluster = Arc::new(cluster);
        }
        self.events
            .push(MetadataEvent::Updated(Arc::clone(&self.cluster)));
        incomplete
    }

    fn install_topic(&mut self, cluster: &mut Cluster, topic: MetadataResponseTopic) -> bool {
        let Some(name) = topic.name.as_deref().map(TopicName::new) else {
            return false;
        };
        // A broker may list topics nobody asked for; keeping them would cost memory for nothing.
        if !self.asked_topics.contains(&name) {
            return false;
        }
        match topic.error_code {
            ErrorCode::NONE => {}
            ErrorCode::TOPIC_AUTHORIZATION_FAILED => {
                self.report_once(
                    &name,
                    ConsumerError::TopicAuthorization {
                        topic: name.clone(),
                    },
                );
                return true;
            }
            ErrorCode::INVALID_TOPIC_EXCEPTION => {
                self.report_once(
                    &name,
                    ConsumerError::InvalidTopic {
                        topic: name.clone(),
                    },
                );
                return true;
            }
            code => {
                tracing::debug!(topic = %name, error = code.name(), "the topic has no metadata yet");
                // A topic that is only out of reach for a moment is still there: the group must not
                // take it for deleted.
                if code != ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
                    && let Some(known) = self.cluster.topics.get(&name)
                {
                    cluster.topics.insert(name, known.clone());
                }
                return true;
            }
        }
        self.reported.remove(&name);
        let mut leaderless = false;
        let mut partitions = BTreeMap::new();
        for partition in topic.partitions {
            let leader = (partition.leader_id >= 0).then_some(NodeId(partition.leader_id));
            leaderless |= leader.is_none();
            let nodes = |ids: Vec<i32>| ids.into_iter().map(NodeId).collect::<Vec<_>>();
            partitions.insert(
                partition.partition_index,
                Partition {
                    leader,
                    leader_epoch: LeaderEpoch::from_wire(partition.leader_epoch),
                    replicas: nodes(partition.replica_nodes),
                    in_sync_replicas: nodes(partition.isr_nodes),
                    offline_replicas: nodes(partition.offline_replicas),
                },
            );
        }
        let holes = self.fill_holes(&name, topic.topic_id, &mut partitions);
        // Only an unbroken run from 0 makes sense; what is beyond a gap cannot be named by place.
        let partitions = (0..)
            .map_while(|index: i32| partitions.remove(&index))
            .collect();
        cluster.topics.insert(
            name,
            Topic {
                id: topic.topic_id,
                internal: topic.is_internal,
                partitions,
            },
        );
        leaderless || holes
    }

    /// Partitions of a living topic never go: what an answer leaves out of it is as it was. Says whether
    /// anything was left out, so that it is asked for again.
    fn fill_holes(
        &self,
        name: &TopicName,
        id: TopicId,
        partitions: &mut BTreeMap<i32, Partition>,
    ) -> bool {
        let Some(known) = self.cluster.topics.get(name).filter(|known| known.id == id) else {
            return false;
        };
        let mut holes = false;
        for (index, partition) in (0..).zip(&known.partitions) {
            partitions.entry(index).or_insert_with(|| {
                holes = true;
                partition.clone()
            });
        }
        if holes {
            tracing::warn!(topic = %name, "a metadata answer leaves out partitions that exist");
        }
        holes
    }

    fn report_once(&mut self, topic: &TopicName, error: ConsumerError) {
        if self.reported.insert(topic.clone()) {
            self.events.push(MetadataEvent::TopicFailed(error));
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test needs one instant to count from"
)]
mod tests {
    use std::time::Duration;

    use windlass_protocol::messages::metadata::{
        MetadataResponseBroker, MetadataResponsePartition,
    };

    use super::*;

    const ORDERS: TopicId = TopicId::new([7; 16]);

    /// A picture with these partitions of `orders`.
    fn picture(id: TopicId, partitions: &[i32]) -> MetadataResponse {
        let partitions = partitions.iter().map(|index| MetadataResponsePartition {
            partition_index: *index,
            leader_id: 1,
            leader_epoch: 5,
            ..MetadataResponsePartition::default()
        });
        MetadataResponse {
            brokers: vec![MetadataResponseBroker {
                node_id: 1,
                host: "broker-1".to_owned(),
                port: 9092,
                ..MetadataResponseBroker::default()
            }],
            topics: vec![MetadataResponseTopic {
                name: Some("orders".to_owned()),
                topic_id: id,
                partitions: partitions.collect(),
                ..MetadataResponseTopic::default()
            }],
            ..MetadataResponse::default()
        }
    }

    fn interested(now: Instant) -> Metadata {
        let mut metadata = Metadata::new(Arc::new(CoreConfig::default()), 1);
        let topics = BTreeSet::from(["orders".into()]);
        metadata.set_interest(Interest::Application, topics, now);
        metadata
    }

    /// Answers the question under way; says how many partitions there are then.
    fn show(metadata: &mut Metadata, response: MetadataResponse, now: Instant) -> usize {
        let id = metadata.take_requests().pop().unwrap().id;
        metadata.on_response(id, response, now);
        metadata.take_events();
        metadata.cluster.partition_count("orders").unwrap_or(0)
    }

    #[test]
    fn what_one_answer_leaves_out_of_a_living_topic_is_still_there_and_asked_for_soon() {
        for left_out in [0, 3, 11] {
            let mut now = Instant::now();
            let mut metadata = interested(now);
            let all: Vec<i32> = (0..12).collect();
            assert_eq!(show(&mut metadata, picture(ORDERS, &all), now), 12);
            now += Duration::from_secs(300);
            metadata.handle_timeout(now);
            let some: Vec<i32> = (0..12).filter(|index| *index != left_out).collect();
            assert_eq!(show(&mut metadata, picture(ORDERS, &some), now), 12);
            let again = metadata.poll_timeout().unwrap();
            assert!(again.at <= now + Duration::from_secs(1), "{again:?}");
            now = again.at;
            metadata.handle_timeout(now);
            assert_eq!(show(&mut metadata, picture(ORDERS, &all), now), 12);
            assert!(metadata.poll_timeout().unwrap().at >= now + Duration::from_secs(200));
        }
    }

    #[test]
    fn another_topic_of_the_same_name_has_the_partitions_that_it_has() {
        let mut now = Instant::now();
        let mut metadata = interested(now);
        assert_eq!(show(&mut metadata, picture(ORDERS, &[0, 1, 2]), now), 3);
        now += Duration::from_secs(300);
        metadata.handle_timeout(now);
        let anew = TopicId::new([8; 16]);
        assert_eq!(show(&mut metadata, picture(anew, &[0]), now), 1);
    }

    #[test]
    fn interest_that_ends_while_a_question_is_under_way_asks_for_nothing_more() {
        let now = Instant::now();
        let mut metadata = interested(now);
        let question = BTreeSet::from(["missing".into()]);
        let id = metadata.take_requests().pop().unwrap().id;
        metadata.on_response(id, picture(ORDERS, &[0]), now);
        metadata.set_interest(Interest::Question, question, now);
        metadata.set_interest(Interest::Question, BTreeSet::new(), now);
        assert_eq!(show(&mut metadata, picture(ORDERS, &[0]), now), 1);
        assert!(metadata.take_requests().is_empty());
        let next = metadata.poll_timeout().unwrap();
        assert!(next.at > now + Duration::from_secs(200), "{next:?}");
    }
}
