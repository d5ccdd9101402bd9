//! Building an embedded cluster.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::EmbeddedCluster;
use super::serve::{accept, run};
use crate::{ClusterConfig, ClusterCore};

/// Why an embedded cluster did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A node cannot listen where it should.
    #[error("node {node} cannot listen on {address}: {source}")]
    Listen {
        /// The node.
        node: i32,
        /// Where it should listen.
        address: SocketAddr,
        /// What stands in the way.
        source: io::Error,
    },
    /// There is no port behind the last one for another node.
    #[error("there is no port left for node {node}")]
    NoPort {
        /// The node.
        node: i32,
    },
}

/// Gathers what an [`EmbeddedCluster`] shall be like.
#[derive(Clone, Debug)]
pub struct EmbeddedClusterBuilder {
    config: ClusterConfig,
    listen: SocketAddr,
    topics: Vec<(String, i32)>,
    seed: u64,
}

impl EmbeddedClusterBuilder {
    pub(super) fn new() -> Self {
        Self {
            config: ClusterConfig::default(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            topics: Vec::new(),
            seed: 0,
        }
    }

    /// How many nodes there are; their ids begin at 1.
    #[must_use]
    pub const fn nodes(mut self, nodes: i32) -> Self {
        self.config.nodes = nodes;
        self
    }

    /// A topic to begin with.
    #[must_use]
    pub fn topic(mut self, name: &str, partitions: i32) -> Self {
        self.topics.push((name.to_owned(), partitions));
        self
    }

    /// Where the first node listens; the others take the ports behind it. Port 0, the default, takes
    /// free ports.
    #[must_use]
    pub const fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Creates topics when they are first asked for, with so many partitions.
    #[must_use]
    pub const fn auto_create_topics(mut self, partitions: i32) -> Self {
        self.config.auto_create_partitions = Some(partitions);
        self
    }

    /// How long the first join of an empty group waits for others; not at all by default.
    #[must_use]
    pub const fn initial_rebalance_delay(mut self, delay: Duration) -> Self {
        self.config.initial_rebalance_delay = delay;
        self
    }

    /// Decides ids and nothing else.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Binds the listeners and spawns the tasks.
    ///
    /// # Errors
    ///
    /// [`StartError`], naming the node and the address.
    pub async fn start(self) -> Result<EmbeddedCluster, StartError> {
        let (commands, receiver) = mpsc::unbounded_channel();
        let now = tokio::time::Instant::now().into_std();
        let max_request_bytes = self.config.max_request_bytes;
        let mut core = ClusterCore::new(self.config.clone(), self.seed, now);
        let mut tasks = JoinSet::new();
        let mut addresses = Vec::new();
        for node in 1..=self.config.nodes {
            let address = self.address_of(node)?;
            let listen = |source| StartError::Listen {
                node,
                address,
                source,
            };
            let listener = TcpListener::bind(address).await.map_err(listen)?;
            let bound = listener.local_addr().map_err(listen)?;
            core.set_endpoint(node, &bound.ip().to_string(), bound.port());
            addresses.push((node, bound.to_string()));
            tasks.spawn(accept(listener, node, max_request_bytes, commands.clone()));
        }
        for (name, partitions) in &self.topics {
            core.create_topic(name, *partitions);
        }
        tasks.spawn(run(core, receiver));
        Ok(EmbeddedCluster {
            commands,
            addresses,
            max_request_bytes,
            tasks,
        })
    }

    fn address_of(&self, node: i32) -> Result<SocketAddr, StartError> {
        let mut address = self.listen;
        if address.port() != 0 {
            let port = i32::from(address.port()) + node - 1;
            address.set_port(u16::try_from(port).map_err(|_| StartError::NoPort { node })?);
        }
        Ok(address)
    }
}
