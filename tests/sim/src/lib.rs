//! The consumer against the embedded broker, on a simulated network, in virtual time.
//!
//! One seed makes one run: the options, the faults, every latency follow from it. The real sans-IO
//! core of the consumer and the real core of the broker take part; sockets, timers and the
//! application are simulated. Every event is held against the invariants of [`checker`].
//!
//! A run has three phases. In the first nothing is wrong, and members come and go as they please. In
//! the second they crash and stall, nodes die and come back, connections break. In the third
//! everything is well again, and within a bound everything that was acknowledged has to have been
//! processed.

mod census;
pub mod checker;
mod fault;
pub mod history;
mod member;
mod network;
mod options;
mod run;
mod silence;
mod troubles;
mod upgrade;
mod world;

pub use census::Census;
pub use checker::Violation;
pub use options::{Commits, Options};
pub use run::{Failure, Report, run};
pub use silence::Waits;
pub use upgrade::{Course, Strategies};
