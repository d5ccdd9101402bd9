//! A Kafka broker in memory: for tests, demonstrations and simulations.
//!
//! This crate promises *not* to know windlass's consumer: any Kafka client can use it, and foreign
//! ones check it. The [`ClusterCore`] promises *not* to read a clock, open a socket or take a random
//! number: time, requests and a seed go in, responses come out. Around it, [`EmbeddedCluster`] puts
//! TCP listeners and a task.
//!
//! One core is a whole cluster. Every partition has a copy on every node, and the copies never
//! differ; a node that is killed loses its connections, its leaderships and the groups it coordinates,
//! and nothing else. What the next coordinator of a group knows is what the former one wrote down, as
//! in Kafka: a rebalance that was under way begins anew.
//!
//! What it does not do, and does not announce: fetch sessions and fetches from followers, offsets
//! committed within a transaction, the group protocol of KIP-848, the transactions of KIP-890,
//! authorization, quotas.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use windlass_broker::EmbeddedCluster;
//!
//! let cluster = EmbeddedCluster::builder().nodes(3).topic("user-events", 6).start().await?;
//! println!("bootstrap.servers={}", cluster.bootstrap_servers());
//! cluster.kill_node(2).await;
//! # Ok(())
//! # }
//! ```

mod api;
mod appended;
mod cluster;
mod config;
mod connection;
mod coordinators;
#[cfg(feature = "listener")]
mod embedded;
mod fault;
mod group;
mod inspection;
mod node;
mod partition_log;
mod producer_history;
mod topic;
mod transaction;

pub use cluster::ClusterCore;
pub use config::ClusterConfig;
pub use connection::{ConnectionId, Inbound, Outbound};
#[cfg(feature = "listener")]
pub use embedded::{EmbeddedCluster, EmbeddedClusterBuilder, StartError};
pub use group::GroupState;
pub use inspection::{GroupView, MemberView};
