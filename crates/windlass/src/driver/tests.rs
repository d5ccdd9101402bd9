//! A broker that loses what it is asked, and a driver that comes late.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use windlass_core::{ConsumerCore, Intent, Progress, Reply};
use windlass_model::{BrokerEndpoint, Cluster, NodeId, TopicName, TopicPartition};
use windlass_protocol::ApiKey;
use windlass_protocol::messages::find_coordinator::{Coordinator, FindCoordinatorResponse};
use windlass_protocol::messages::offset_fetch::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
};
use windlass_transport::{Broker, BrokerRequest, BrokerResponse, EventSender};

use super::Driver;
use crate::command::Commands;
use crate::{Config, RebalanceHandle};

/// Never answers by itself, and tells what it was asked.
struct Mute {
    asked: mpsc::UnboundedSender<(BrokerRequest, EventSender)>,
}

impl Broker for Mute {
    fn ask(&mut self, request: BrokerRequest, events: EventSender) {
        drop(self.asked.send((request, events)));
    }

    fn on_cluster(&mut self, _: &Cluster) {}
    fn on_broker(&mut self, _: NodeId, _: &BrokerEndpoint) {}
    fn close(&mut self) {}
}

/// A driver with a broker that does not answer.
struct Scene {
    commands: Commands,
    heard: mpsc::UnboundedReceiver<(BrokerRequest, EventSender)>,
}

impl Scene {
    fn new(config: &Config) -> Self {
        let now = tokio::time::Instant::now().into_std();
        let core = ConsumerCore::new(Arc::new(config.core_config()), false, 7, now);
        let (sender, receiver) = mpsc::unbounded_channel();
        let commands = Commands::new(sender, config.default_api_timeout);
        let (asked, heard) = mpsc::unbounded_channel();
        let handle = RebalanceHandle::new(commands.downgrade());
        let attention = Arc::new(AtomicU64::new(0));
        let broker = Box::new(Mute { asked });
        let driver = Driver::new(core, broker, None, handle, receiver, attention);
        tokio::spawn(driver.run());
        Self { commands, heard }
    }

    /// The next request to this API; those to others get lost.
    async fn asked(&mut self, api: ApiKey, lost: &mut Vec<EventSender>) -> (Instant, EventSender) {
        loop {
            let (request, events) = self.heard.recv().await.expect("the driver has ended");
            if request.request.api_key() == api {
                return (request.deadline, events);
            }
            lost.push(events);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_gets_lost_times_out() {
    let config = Config {
        group_id: Some("group".to_owned()),
        request_timeout: Duration::from_millis(50),
        ..Config::default()
    };
    let mut scene = Scene::new(&config);
    let subscribe = Intent::Subscribe([TopicName::new("orders")].into());
    let timeout = config.default_api_timeout;
    drop(scene.commands.send(subscribe, Progress::default(), timeout));
    // The same is asked again, which it is only when its loss was noticed.
    let mut lost = Vec::new();
    let (first, events) = scene.asked(ApiKey::Metadata, &mut lost).await;
    lost.push(events);
    let (second, _) = scene.asked(ApiKey::Metadata, &mut lost).await;
    assert!(second > first + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn what_has_come_is_looked_at_before_it_is_too_late() {
    // Whether the application or the broker is heard first is up to chance.
    for _ in 0..32 {
        come_late().await;
    }
}

async fn come_late() {
    let config = Config {
        group_id: Some("group".to_owned()),
        request_timeout: Duration::from_secs(600),
        default_api_timeout: Duration::from_secs(60),
        ..Config::default()
    };
    let mut scene = Scene::new(&config);
    let partition = TopicPartition::new("orders", 0);
    let asked = Intent::Committed([partition].into());
    let timeout = config.default_api_timeout;
    let (_, answer) = scene.commands.send(asked, Progress::default(), timeout);
    let mut lost = Vec::new();
    let (_, events) = scene.asked(ApiKey::FindCoordinator, &mut lost).await;
    let coordinator = Coordinator {
        key: "group".to_owned(),
        node_id: 1,
        host: "broker-1".to_owned(),
        port: 9092,
        ..Coordinator::default()
    };
    let found = FindCoordinatorResponse {
        coordinators: vec![coordinator],
        ..FindCoordinatorResponse::default()
    };
    events.answer(Ok(BrokerResponse::Message(found.into())));
    let (_, events) = scene.asked(ApiKey::OffsetFetch, &mut lost).await;
    // The answer comes in time, and the driver does not get to look at it before the time is over.
    let told = OffsetFetchResponsePartitions {
        committed_offset: 5,
        ..OffsetFetchResponsePartitions::default()
    };
    let topic = OffsetFetchResponseTopics {
        name: "orders".to_owned(),
        partitions: vec![told],
        ..OffsetFetchResponseTopics::default()
    };
    let group = OffsetFetchResponseGroup {
        group_id: "group".to_owned(),
        topics: vec![topic],
        ..OffsetFetchResponseGroup::default()
    };
    let told = OffsetFetchResponse {
        groups: vec![group],
        ..OffsetFetchResponse::default()
    };
    events.answer(Ok(BrokerResponse::Message(told.into())));
    let assignment = Intent::Assignment;
    let other = (scene.commands).send(assignment, Progress::default(), timeout);
    tokio::time::advance(Duration::from_secs(61)).await;
    drop(other);
    let outcome = answer.await.expect("an answer");
    assert!(matches!(outcome, Ok(Reply::Offsets(_))), "{outcome:?}");
}
