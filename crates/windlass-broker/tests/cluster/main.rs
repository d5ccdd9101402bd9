//! The core of the cluster, driven request by request in virtual time.
//!
//! Every request and every response passes through its wire form, so that a test sees what a client
//! of that version sees.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests are tests: what cannot be is a failure"
)]

mod admin;
mod admission;
mod commits;
mod coordinator_moves;
mod determinism;
mod epochs;
mod faults;
mod fetching;
mod forming;
mod idempotence;
mod leaving;
mod member;
mod metadata;
mod produce;
mod rebalances;
mod records;

mod sessions;
mod static_members;
mod transactions;
mod versions;
mod world;
