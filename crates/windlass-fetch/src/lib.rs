//! Positions, offset resets and fetching of a Kafka consumer.
//!
//! This crate promises *not* to read a clock, open a socket, spawn a thread or take a lock: a
//! [`FetchMachine`] is told what happened and when, and says what it wants sent. It does not know
//! groups: partitions are assigned to it by whoever knows.
//!
//! For each partition it knows where the consumer stands, and keeps a queue of batches that were
//! fetched ahead. Two positions are apart: the *position* is what is handed out next, the *next
//! fetch* is what follows the queue.
//!
//! ```text
//!            set_committed              answer of the leader
//!  awaiting ───────────────► resetting ─────────────────────► fetching ◄──► validating
//!      │ set_committed(offset)                                  ▲   (leader epoch changed, KIP-320)
//!      └────────────────────────────────────────────────────────┘
//! ```
//!
//! The rule of use is that of every machine: one input, drain every output, then the next input.

#![warn(clippy::wildcard_enum_match_arm)]

mod aborted;
mod arrival;
mod budget;
mod config;
mod event;
mod fetch_request;
mod fetch_response;
mod hand_out;
mod in_flight;
mod inspection;
mod intent;
mod leader;
mod lookup;
mod machine;
mod partition;
mod position;
mod queue;
mod reset;
mod shared_batch;
mod source;
mod standing;
mod tally;
mod validation;

pub use self::config::{FetchConfig, IsolationLevel, OffsetLookup, OffsetReset, StartPosition};
pub use self::event::{FetchError, FetchEvent, FoundOffset, ListOffsetsId, LookupError};
pub use self::hand_out::TakenRecords;
pub use self::machine::FetchMachine;
pub use self::position::Position;
pub use self::standing::Standing;
pub use self::tally::Tally;
