//! The core by hand: one member, and a cluster that answers what a test lets it.

#![cfg(test)]
#![expect(
    clippy::disallowed_methods,
    reason = "a test needs one instant to count from, and measures"
)]

mod cluster;
mod committed;
mod cost;
mod order;
mod scene;
