//! A broker that loses what it is asked.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use windlass_core::{ConsumerCore, Intent, Progress};
use windlass_model::{BrokerEndpoint, Cluster, NodeId, TopicName};
use windlass_protocol::ApiKey;
use windlass_transport::{Broker, BrokerRequest, EventSender};

use super::Driver;
use crate::command::Commands;
use crate::{Config, RebalanceHandle};

/// Never answers, and tells what it was asked.
struct Mute {
    asked: mpsc::UnboundedSender<(ApiKey, Instant)>,
    lost: Vec<EventSender>,
}

impl Broker for Mute {
    fn ask(&mut self, request: BrokerRequest, events: EventSender) {
        let asked = (request.request.api_key(), request.deadline);
        self.asked.send(asked).unwrap_or_default();
        self.lost.push(events);
    }

    fn on_cluster(&mut self, _: &Cluster) {}
    fn on_broker(&mut self, _: NodeId, _: &BrokerEndpoint) {}
    fn close(&mut self) {}
}

#[tokio::test]
async fn a_request_that_gets_lost_times_out() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config {
        group_id: Some("group".to_owned()),
        request_timeout: Duration::from_millis(50),
        ..Config::default()
    };
    let core = ConsumerCore::new(Arc::new(config.core_config()), false, 7, Instant::now());
    let (sender, receiver) = mpsc::unbounded_channel();
    let commands = Commands::new(sender, config.default_api_timeout);
    let (asked, mut heard) = mpsc::unbounded_channel();
    let lost = Vec::new();
    let handle = RebalanceHandle::new(commands.downgrade());
    let broker = Box::new(Mute { asked, lost });
    let attention = Arc::new(AtomicU64::new(0));
    let driver = Driver::new(core, broker, None, handle, receiver, attention);
    let driver = tokio::spawn(driver.run());
    drop(commands.send(
        Intent::Subscribe([TopicName::new("orders")].into()),
        Progress::default(),
        config.default_api_timeout,
    ));
    // The same is asked again, which it is only when its loss was noticed.
    let mut metadata = Vec::new();
    while metadata.len() < 2 {
        let next = tokio::time::timeout(Duration::from_secs(10), heard.recv()).await?;
        let (api, deadline) = next.ok_or("the driver has ended")?;
        if api == ApiKey::Metadata {
            metadata.push(deadline);
        }
    }
    assert!(metadata[1] > metadata[0] + Duration::from_secs(1));
    driver.abort();
    Ok(())
}
