//! The classic group protocol: a member that joins, syncs and heartbeats, and a leader among them.
//!
//! Nothing outside of this room knows its states. The machine hands it intents, answers, time, and what
//! commits have found out about the membership.

mod assignment_job;
mod heartbeat;
mod inquiry;
mod join;
mod leadership;
mod leave;
mod member;
mod membership;
mod pacing;
mod partition_watch;
mod state;
mod turn;
mod verdict;

pub use self::assignment_job::AssignmentJob;
pub(crate) use self::membership::{CommitGate, Hands, Membership};
pub(crate) use self::state::Departure;
pub use self::state::GroupState;
