//! Membership of a Kafka consumer group as a sans-IO state machine.
//!
//! This crate promises *not* to open sockets, read clocks, spawn threads, await anything, draw
//! random numbers or iterate hash maps. A [`GroupMachine`] is a value: the same inputs at the same
//! times give the same outputs, on every machine and in every run.
//!
//! It covers the classic group protocol from the member's side: finding the coordinator, joining
//! (KIP-394), leading or following, syncing, heartbeats, eager and cooperative rebalancing
//! (KIP-429), static membership (KIP-345, KIP-814), leaving, eviction of applications that do not
//! poll, and committing and fetching offsets (KIP-447).
//!
//! # How it is driven
//!
//! ```text
//!   subscribe  commit  leave …      on_response  on_failure  on_cluster
//!   on_callback_done                on_assignment_computed   handle_timeout
//!                    \                 /
//!                     [ GroupMachine ]
//!                    /        |       \
//!       poll_request    poll_event    poll_timeout
//! ```
//!
//! **One input, then drain every output, then the next input.** A debug assertion checks it. Every
//! request must be answered once, by `on_response` or, at its deadline at the latest, by
//! `on_failure`. Callbacks of the application are never awaited inside: the machine emits
//! [`GroupEvent::Revoke`], [`GroupEvent::Lost`] or [`GroupEvent::Assigned`] with a token, and takes
//! the token back as one more input. Only the newest token counts.
//!
//! ```
//! # use std::collections::BTreeSet;
//! # use std::time::Instant;
//! use windlass_group::{GroupConfig, GroupMachine, GroupState};
//!
//! let assignors = vec![windlass_assignor::by_name("range").unwrap()];
//! let config = GroupConfig::new("analytics", assignors);
//! let now = Instant::now();
//! let mut machine = GroupMachine::new(config, 42, now);
//!
//! machine.subscribe(BTreeSet::from(["user-events".into()]), now);
//! while let Some(event) = machine.poll_event() {
//!     println!("{}", event.reason()); // subscribed to `user-events`
//! }
//! while let Some(outgoing) = machine.poll_request() {
//!     println!("{}: {:?}", outgoing.destination, outgoing.request); // any broker: FindCoordinator
//! }
//! assert_eq!(machine.state(), GroupState::Unjoined);
//! ```
//!
//! # What holds at all times
//!
//! - States follow each other only as [`GroupState::allowed_predecessors`] says.
//! - At most one JoinGroup is waited for.
//! - Answers are compared with who the member was when it asked; what is late is dropped and
//!   counted ([`GroupCounters`]).
//! - Offsets are committed only for partitions that are owned, under the generation that holds, in
//!   the order in which the commits were made.
//! - Losing the coordinator never loses the membership.

#![warn(clippy::wildcard_enum_match_arm)]

mod answer;
mod classic;
mod commit;
mod commit_request;
mod commit_verdict;
mod config;
mod coordinator;
mod counters;
mod error;
mod event;
mod finding;
mod identity;
mod incarnation;
mod intent;
mod machine;
mod offset_fetch;
mod outputs;
mod ownership;
mod timer;
mod words;

pub use classic::AssignmentJob;
pub use classic::GroupState;
pub use config::GroupConfig;
pub use counters::GroupCounters;
pub use error::{CommitError, GroupError, OffsetFetchError};
pub use event::{
    AssignmentToken, CallbackToken, CommitId, GroupEvent, OffsetFetchId, OffsetFetchResults,
};
pub use intent::{CommitMode, LeaveMode};
pub use machine::GroupMachine;
pub use offset_fetch::Answering;
