//! The contract that the sans-IO machines of windlass share.
//!
//! This crate promises *not* to do anything: it reads no clock, opens no socket, spawns nothing and
//! knows no group and no offset. It holds the few values that go into and come out of every machine,
//! so that one driver can serve them all:
//!
//! - an [`OutgoingRequest`] is what a machine wants sent, and a [`RequestFailure`] is what it is told
//!   when no answer came;
//! - a [`Wakeup`] is when a machine wants to be called again, and why; [`Timers`] is where it keeps
//!   its deadlines;
//! - [`Backoff`] and [`SplitMix64`] are how it waits longer after each failure without a random
//!   source of its own.
//!
//! The rule of use: **one input, drain every output, then the next input.**

mod backoff;
mod request;
mod split_mix;
mod timer;

pub use backoff::Backoff;
pub use request::{
    Destination, FailureKind, OutgoingRequest, RequestFailure, RequestId, RequestIds, RequestOwner,
};
pub use split_mix::SplitMix64;
pub use timer::{Timers, Wakeup};
