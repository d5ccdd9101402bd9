//! A Kafka consumer without its IO.
//!
//! This crate promises *not* to read a clock, open a socket, spawn a thread, await anything or take a
//! lock. A [`ConsumerCore`] composes the group machine, the fetch machine and the metadata with the
//! bookkeeping of what the application was handed and came back from: a driver gives it intents,
//! answers and the time, and carries out the requests and effects that come out. The tokio driver of
//! the `windlass` crate is one such driver, the simulator is another.
//!
//! The rule of use is that of every machine: one input, drain every output, then the next input.

mod application;
mod auto_commit;
mod closing;
mod config;
mod core;
mod error;
mod errors;
mod fetch_events;
mod group_events;
mod handover;
mod ledger;
mod metadata;
mod offsets;
mod operation;
mod poll;
mod positions;
mod rebalance;
mod routing;

pub use self::application::{Application, CutRecord, NextStep};
pub use self::config::CoreConfig;
pub use self::core::ConsumerCore;
pub use self::error::{Advice, ConsumerError};
pub use self::operation::{
    CallbackId, CommitWhat, Effect, Intent, OffsetAndTimestamp, OffsetQuery, OperationId, Progress,
    RebalanceKind, RebalanceNotice, Reply, SeekTo,
};
