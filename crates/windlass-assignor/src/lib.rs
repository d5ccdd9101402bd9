//! Who gets which partition: Kafka's assignment strategies, and a trait for your own.
//!
//! This crate promises *not* to know bytes on a socket, the protocol, time, threads or async, and not
//! to depend on the order of a hash table: a plan is a function of the cluster and the members, the
//! same in every run. It never panics on what members claim.
//!
//! # The strategies
//!
//! | strategy | name | promises |
//! | --- | --- | --- |
//! | [`RangeAssignor`] | `range` | what Kafka's Java client computes, racks included |
//! | [`RoundRobinAssignor`] | `roundrobin` | what Kafka's Java client computes |
//! | [`StickyAssignor`] | `sticky` | best balance, then fewest moves, then most rack matches |
//! | [`CooperativeStickyAssignor`] | `cooperative-sticky` | the same, and nothing changes hands in one step |
//!
//! [`by_name`] finds them by Kafka's names and by Java's class names.
//!
//! ```
//! use windlass_assignor::{Assignor, Member, Members, StickyAssignor};
//! use windlass_model::{Cluster, Partition, Topic};
//!
//! let mut cluster = Cluster::default();
//! let orders = Topic { partitions: vec![Partition::default(); 6], ..Topic::default() };
//! cluster.topics.insert("orders".into(), orders);
//!
//! let members: Members = ["a", "b", "c", "d"]
//!     .map(|id| (id, Member::subscribed_to(["orders"])))
//!     .into_iter()
//!     .collect();
//! let plan = StickyAssignor::new().assign_validated(&cluster, &members)?;
//! let loads: Vec<usize> = plan.iter().map(|(_, partitions)| partitions.len()).collect();
//! assert_eq!(loads, [2, 2, 1, 1]);
//! # Ok::<(), windlass_assignor::AssignError>(())
//! ```

//!
//! [`Assignor`] is the trait for your own; its documentation has one that weighs partitions by lag.

mod assignment;
mod assignor;
mod claim_count;
mod cooperative_sticky;
mod error;
mod member;
mod racks;
mod range;
mod roster;
mod round_robin;
mod sticky;
mod topic_index;
mod user_data;

pub use assignment::{Assignment, MemberPartitions};
pub use assignor::{Assignor, RebalanceProtocol, by_name};
pub use claim_count::ClaimCount;
pub use cooperative_sticky::CooperativeStickyAssignor;
pub use error::AssignError;
pub use member::{Member, Members};
pub use range::RangeAssignor;
pub use round_robin::RoundRobinAssignor;
pub use sticky::StickyAssignor;
