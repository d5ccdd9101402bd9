//! A cluster in memory, and consumers that reach it over pipes.
//!
//! Tests run on tokio's paused clock: hours pass in no time, and a wait that nothing ends shows as a
//! timeout at once instead of a test that hangs.

mod producer;
mod scene;
mod told;

/// The consumer that the README shows compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod readme {}

pub use scene::{Scene, take, text};
pub use told::{Listener, Told};
