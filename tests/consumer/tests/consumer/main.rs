//! The whole consumer in memory.

#![expect(
    clippy::unwrap_used,
    reason = "what cannot be done fails the test that asks for it"
)]

mod assignors;
mod closing;
mod commits;
mod positions;
mod reading;
mod rebalances;
