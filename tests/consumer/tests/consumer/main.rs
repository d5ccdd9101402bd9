//! The whole consumer in memory.

#![expect(
    clippy::unwrap_used,
    reason = "what cannot be done fails the test that asks for it"
)]

mod abandoned;
mod assignors;
mod bounds;
mod closing;
mod commits;
mod given;
mod in_hand;
mod positions;
mod reading;
mod rebalances;
mod unreadable;
