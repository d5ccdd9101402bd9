//! The core behind sockets and pipes: one task owns it, one task serves each connection.

mod builder;
mod command;
mod serve;
mod stream;

use std::time::{Duration, Instant};

use tokio::io::DuplexStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use windlass_protocol::{ApiKey, ErrorCode};

pub use self::builder::{EmbeddedClusterBuilder, StartError};
use self::command::{Command, Peer};
use crate::ClusterCore;

/// A cluster in this process that any Kafka client can use.
///
/// Dropping it ends it.
#[derive(Debug)]
pub struct EmbeddedCluster {
    commands: mpsc::UnboundedSender<Command>,
    addresses: Vec<(i32, String)>,
    max_request_bytes: usize,
    tasks: JoinSet<()>,
}

impl EmbeddedCluster {
    /// Begins a cluster of one node on a free port, without topics.
    #[must_use]
    pub fn builder() -> EmbeddedClusterBuilder {
        EmbeddedClusterBuilder::new()
    }

    /// What goes into `bootstrap.servers`: the addresses of all nodes, separated by commas.
    #[must_use]
    pub fn bootstrap_servers(&self) -> String {
        let addresses: Vec<&str> = self
            .addresses
            .iter()
            .map(|(_, address)| address.as_str())
            .collect();
        addresses.join(",")
    }

    /// The address of one node.
    #[must_use]
    pub fn address(&self, node: i32) -> Option<&str> {
        self.addresses
            .iter()
            .find(|(id, _)| *id == node)
            .map(|(_, address)| address.as_str())
    }

    /// A connection to a node without a socket.
    #[must_use]
    pub fn connect(&self, node: i32) -> DuplexStream {
        const PIPE_BYTES: usize = 256 * 1024;
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let peer = Peer {
            node,
            host: "in-process".to_owned(),
            max_request_bytes: self.max_request_bytes,
        };
        stream::spawn(ours, peer, self.commands.clone());
        theirs
    }

    /// Makes a topic, unless it is there.
    pub async fn create_topic(&self, name: &str, partitions: i32) {
        let name = name.to_owned();
        self.with_core(move |core, _| core.create_topic(&name, partitions))
            .await;
    }

    /// Gives a topic more partitions.
    pub async fn add_partitions(&self, name: &str, partitions: i32) {
        let name = name.to_owned();
        self.with_core(move |core, _| core.add_partitions(&name, partitions))
            .await;
    }

    /// Kills a node: [`ClusterCore::kill_node`].
    pub async fn kill_node(&self, node: i32) {
        self.with_core(move |core, now| core.kill_node(node, now))
            .await;
    }

    /// Starts a node again: [`ClusterCore::restart_node`].
    pub async fn restart_node(&self, node: i32) {
        self.with_core(move |core, now| core.restart_node(node, now))
            .await;
    }

    /// Makes another node lead a partition.
    pub async fn move_leader(&self, topic: &str, partition: i32, node: i32) {
        let topic = topic.to_owned();
        self.with_core(move |core, now| core.move_leader(&topic, partition, node, now))
            .await;
    }

    /// Makes another node coordinate a group.
    pub async fn move_coordinator(&self, group: &str, node: i32) {
        let group = group.to_owned();
        self.with_core(move |core, now| core.move_coordinator(&group, node, now))
            .await;
    }

    /// Answers the next requests of this API with an error.
    pub async fn inject_error(&self, api: ApiKey, times: u32, code: ErrorCode) {
        self.with_core(move |core, _| core.inject_error(api, times, code))
            .await;
    }

    /// Holds every response of this API back for so long; zero ends it.
    pub async fn delay(&self, api: ApiKey, delay: Duration) {
        self.with_core(move |core, _| core.delay(api, delay)).await;
    }

    /// Breaks every connection to a node, which goes on living.
    pub async fn drop_connections(&self, node: i32) {
        self.with_core(move |core, now| core.drop_connections(node, now))
            .await;
    }

    /// Does something with the core, between two requests: to look into it, or to break something.
    /// Answers `None` once the cluster has ended.
    pub async fn with_core<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut ClusterCore, Instant) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, receiver) = oneshot::channel();
        let act = Box::new(move |core: &mut ClusterCore, now: Instant| {
            // Whoever asked may have gone; the deed is done all the same.
            drop(answer.send(act(core, now)));
        });
        self.commands.send(Command::Act(act)).ok()?;
        receiver.await.ok()
    }

    /// Ends the cluster: every connection breaks.
    pub async fn shutdown(mut self) {
        self.tasks.shutdown().await;
    }
}
