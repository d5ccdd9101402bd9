//! Questions to a cluster that no consumer asks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use windlass::TopicPartition;
use windlass::machine::Destination;
use windlass::model::{BrokerEndpoint, NodeId};
use windlass::protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse,
};
use windlass::protocol::{ErrorCode, RequestKind, ResponseKind};
use windlass::transport::{
    Broker, BrokerRequest, BrokerResponse, Connections, TcpConnect, TransportOptions,
};

use crate::failure::Failure;

const PATIENCE: Duration = Duration::from_secs(10);

/// How long a topic that nobody may create is looked for: a broker may not have heard of it yet.
const LOOK: Duration = Duration::from_secs(2);

/// A client for single questions.
pub(crate) struct Admin {
    connections: Connections,
    bootstrap: String,
}

impl Admin {
    pub(crate) fn new(bootstrap: &str) -> Result<Self, Failure> {
        let mut options = TransportOptions::default();
        options.client_id = Some("windlass".to_owned());
        let mut config = windlass::Config::default();
        config.set_property("bootstrap.servers", bootstrap)?;
        let endpoints = config.bootstrap_endpoints()?;
        let connections = Connections::new(
            Arc::new(TcpConnect::default()),
            endpoints,
            options,
            u64::from(std::process::id()),
        );
        Ok(Self {
            connections,
            bootstrap: bootstrap.to_owned(),
        })
    }

    /// Asks one broker one thing.
    pub(crate) async fn ask(
        &mut self,
        destination: Destination,
        request: impl Into<RequestKind>,
    ) -> Result<ResponseKind, Failure> {
        self.ask_up_to(destination, request, None).await
    }

    /// As [`Admin::ask`], in no newer version than this.
    pub(crate) async fn ask_up_to(
        &mut self,
        destination: Destination,
        request: impl Into<RequestKind>,
        max_version: Option<i16>,
    ) -> Result<ResponseKind, Failure> {
        let request = BrokerRequest {
            destination,
            request: request.into(),
            max_version,
            deadline: Instant::now() + PATIENCE,
        };
        match self.connections.send(request).await {
            Ok(BrokerResponse::Message(response)) => Ok(response),
            Ok(BrokerResponse::FetchDone) => Err(Failure::new(
                "a broker answered with records nobody asked for",
            )),
            Err(failure) => Err(Failure::new(format!("{} ({failure})", self.unreachable()))),
        }
    }

    fn unreachable(&self) -> String {
        format!(
            "no answer from {}: is a broker running there?",
            self.bootstrap
        )
    }

    /// The metadata of some topics, or of the brokers alone. Makes the brokers reachable by id.
    /// A topic that does not exist may be made by a broker that is set up so, where `create` says so.
    pub(crate) async fn metadata(
        &mut self,
        topics: &[&str],
        create: bool,
    ) -> Result<MetadataResponse, Failure> {
        let topics = topics
            .iter()
            .map(|topic| MetadataRequestTopic {
                name: Some((*topic).to_owned()),
                ..Default::default()
            })
            .collect();
        let request = MetadataRequest {
            topics: Some(topics),
            allow_auto_topic_creation: create,
            ..Default::default()
        };
        let deadline = Instant::now() + if create { PATIENCE } else { LOOK };
        loop {
            let ResponseKind::Metadata(metadata) =
                self.ask(Destination::Any, request.clone()).await?
            else {
                return Err(Failure::new(
                    "a broker answered with something that is no metadata",
                ));
            };
            let settled = metadata.topics.iter().all(|topic| {
                topic.error_code.is_none()
                    && topic
                        .partitions
                        .iter()
                        .all(|partition| partition.leader_id >= 0)
            });
            let hopeless = metadata
                .topics
                .iter()
                .any(|topic| !topic.error_code.is_none() && !topic.error_code.is_retriable());
            if settled || hopeless || Instant::now() > deadline {
                for broker in &metadata.brokers {
                    let port = u16::try_from(broker.port).unwrap_or(0);
                    self.connections.on_broker(
                        NodeId(broker.node_id),
                        &BrokerEndpoint::new(broker.host.as_str(), port),
                    );
                }
                return Ok(metadata);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The partitions of a topic.
    pub(crate) async fn partitions(&mut self, topic: &str) -> Result<Vec<TopicPartition>, Failure> {
        Ok(self.leaders(topic, false).await?.into_keys().collect())
    }

    /// The partitions of a topic and who leads them; of a topic that does not exist yet, where it may
    /// be created.
    pub(crate) async fn leaders(
        &mut self,
        topic: &str,
        create: bool,
    ) -> Result<BTreeMap<TopicPartition, NodeId>, Failure> {
        let metadata = self.metadata(&[topic], create).await?;
        let found = metadata.topics.into_iter().next();
        let Some(found) =
            found.filter(|found| found.error_code.is_none() && !found.partitions.is_empty())
        else {
            return Err(Failure::new(format!(
                "topic {topic} does not exist at {}",
                self.bootstrap
            )));
        };
        Ok(found
            .partitions
            .into_iter()
            .map(|partition| {
                (
                    TopicPartition::new(topic, partition.partition_index),
                    NodeId(partition.leader_id),
                )
            })
            .collect())
    }
}

/// An error code as a failure.
pub(crate) fn check(what: &str, code: ErrorCode) -> Result<(), Failure> {
    if code.is_none() {
        return Ok(());
    }
    Err(Failure::new(format!("{what}: {}", code.name())))
}
