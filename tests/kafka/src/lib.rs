//! What tests against a real Kafka are made of: clusters, consumers in processes of their own, and a
//! judge of what they say they do.
//!
//! This crate promises *not* to know how a consumer works: it starts programs, sends them signals
//! and reads the events they print, windlass's as well as those of Kafka's own consumer.

#![expect(
    clippy::expect_used,
    reason = "what cannot be done fails the test that asks for it"
)]

pub mod cluster;
pub mod event;
pub mod judge;
pub mod log;
pub mod member;
pub mod produce;
pub mod programs;
pub mod ranges;
pub mod silence;
