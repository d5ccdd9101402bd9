//! Connections against a broker that the test plays by hand, over pipes in memory and in virtual
//! time.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on panics, in its helpers too"
)]

mod addresses;
mod bootstrap;
mod deadlines;
mod fetch_stream;
mod hostile;
mod idle;
mod lifecycle;
mod negotiation;
mod pipelining;
mod reconnect;
mod scripted_broker;
mod starved;
mod tcp;
mod throttle;
