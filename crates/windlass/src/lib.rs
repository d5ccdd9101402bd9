//! A pure-Rust Kafka consumer.
//!
//! This crate promises *not* to know the versions of the wire protocol, and *not* to hold a lock: it
//! is a thin facade over sans-IO machines, run by one background task.
//!
//! ```no_run
//! use std::time::Duration;
//! use windlass::{Consumer, OffsetReset};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut consumer = Consumer::builder()
//!     .bootstrap_servers("localhost:9092")
//!     .group_id("analytics-service")
//!     .auto_offset_reset(OffsetReset::Earliest)
//!     .enable_auto_commit(false)
//!     .subscribe(["user-events"])
//!     .build()?;
//!
//! loop {
//!     let records = consumer.poll(Duration::from_secs(1)).await?;
//!     for (partition, batch) in records.by_partition() {
//!         for record in batch {
//!             let record = record?;
//!             println!("{partition} {}: {:?}", record.offset(), record.value());
//!         }
//!     }
//!     consumer.commit().await?;
//! }
//! # }
//! ```

mod builder;
mod command;
mod config;
mod config_error;
mod consumer;
mod driver;
mod listener;
mod properties;
mod rebalance;
mod records;
mod stream;
mod typed;
mod wiring;

pub use async_trait::async_trait;
pub use windlass_assignor as assignor;
pub use windlass_core as core;
pub use windlass_core::{Advice, ConsumerError, OffsetAndTimestamp, RebalanceKind};
pub use windlass_fetch::{IsolationLevel, OffsetReset};
pub use windlass_machine as machine;
pub use windlass_model as model;
pub use windlass_model::{
    Generation, GroupId, GroupInstanceId, LeaderEpoch, MemberId, OffsetAndMetadata, TopicName,
    TopicPartition,
};
pub use windlass_protocol as protocol;
pub use windlass_transport as transport;

pub use crate::builder::ConsumerBuilder;
pub use crate::command::RebalanceHandle;
pub use crate::config::Config;
pub use crate::config_error::ConfigError;
pub use crate::consumer::{Consumer, PendingCommit};
pub use crate::listener::{ListenerError, RebalanceListener};
pub use crate::properties::{IgnoredProperty, PropertiesReport};
pub use crate::rebalance::Rebalance;
pub use crate::records::{OwnedRecord, PartitionRecords, PartitionRecordsIter, Record, Records};
pub use crate::stream::RecordStream;
#[cfg(feature = "json")]
pub use crate::typed::Json;
pub use crate::typed::{Deserializer, TypedConsumer, TypedRecord};
