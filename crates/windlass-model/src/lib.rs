//! The nouns of a Kafka consumer.
//!
//! This crate promises *not* to know bytes, time, threads or async: it holds plain values that every
//! other layer agrees on, and nothing else. It has no dependencies.
//!
//! ```
//! use windlass_model::{Cluster, TopicPartition};
//!
//! let orders = TopicPartition::new("orders", 3);
//! assert_eq!(orders.to_string(), "orders-3");
//! assert!(Cluster::default().leader(&orders).is_none());
//! ```

mod broker;
mod cluster;
mod group;
mod name;
mod offset;
mod topic_partition;

pub use broker::{BrokerEndpoint, NodeId};
pub use cluster::{Cluster, Partition, Topic};
pub use group::{Generation, GroupId, GroupInstanceId, MemberId};
pub use name::{TopicId, TopicName};
pub use offset::{LeaderEpoch, OffsetAndMetadata};
pub use topic_partition::{TopicPartition, TopicPartitionList, TopicPartitions};
