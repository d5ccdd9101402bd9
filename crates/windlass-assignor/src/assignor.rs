//! The seam: what a strategy is to the group that uses it.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use windlass_model::{Cluster, Generation, TopicName, TopicPartitions};

use crate::{
    AssignError, Assignment, CooperativeStickyAssignor, Members, RangeAssignor, RoundRobinAssignor,
    StickyAssignor,
};

/// How members let go of partitions in a rebalance (KIP-429). The greater of two is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RebalanceProtocol {
    /// Everybody gives up everything before joining.
    Eager,
    /// Everybody keeps what it owns while joining, and gives up only what moves.
    Cooperative,
}

/// A strategy that divides partitions among the members of a classic group: Kafka's
/// `ConsumerPartitionAssignor`.
///
/// Only the leader's [`assign`](Self::assign) runs; every member's
/// [`subscription_user_data`](Self::subscription_user_data) does. A strategy holds no state between
/// rebalances: what a member owns, and since when, is handed in.
pub trait Assignor: Send + Sync + Debug {
    /// The name on the wire. Members agree on a strategy by it, so two strategies that compute
    /// different plans must not share one.
    fn name(&self) -> &str;

    /// The rebalance protocols under which the strategy's plans are safe, in any order. A strategy
    /// that may hand a partition to its next owner while the present one still has it must not name
    /// [`RebalanceProtocol::Cooperative`].
    fn supported_protocols(&self) -> &[RebalanceProtocol] {
        &[RebalanceProtocol::Eager]
    }

    /// What this member adds to its subscription for whoever will lead: `owned` is the assignment it
    /// had last, `generation` the one it got it in, `topics` what it subscribes to. `None` sends
    /// nothing.
    fn subscription_user_data(
        &self,
        owned: &TopicPartitions,
        generation: Option<Generation>,
        topics: &BTreeSet<TopicName>,
    ) -> Option<Vec<u8>> {
        let _ = (owned, generation, topics);
        None
    }

    /// Divides the partitions of the subscribed topics among the members. Topics that are not in
    /// `cluster` are left out. The plan must not depend on anything but the arguments.
    ///
    /// # Errors
    ///
    /// [`AssignError::Strategy`] for a reason of the strategy's own; the strategies of this crate
    /// fail only on clusters too large to number ([`AssignError::TooLarge`]).
    fn assign(&self, cluster: &Cluster, members: &Members) -> Result<Assignment, AssignError>;

    /// [`assign`](Self::assign), and [`Assignment::validate`] on the result: what a leader calls, so
    /// that a mistaken plan never leaves it.
    ///
    /// # Errors
    ///
    /// Those of both.
    fn assign_validated(
        &self,
        cluster: &Cluster,
        members: &Members,
    ) -> Result<Assignment, AssignError> {
        let assignment = self.assign(cluster, members)?;
        assignment.validate(cluster, members)?;
        Ok(assignment)
    }
}

/// The strategy of that name: Kafka's names (`range`, `roundrobin`, `sticky`, `cooperative-sticky`)
/// and the names of the Java classes, with or without their package.
#[must_use]
pub fn by_name(name: &str) -> Option<Arc<dyn Assignor>> {
    let class = name
        .strip_prefix("org.apache.kafka.clients.consumer.")
        .unwrap_or(name);
    match class {
        "range" | "RangeAssignor" => Some(Arc::new(RangeAssignor::new())),
        "roundrobin" | "RoundRobinAssignor" => Some(Arc::new(RoundRobinAssignor::new())),
        "sticky" | "StickyAssignor" => Some(Arc::new(StickyAssignor::new())),
        "cooperative-sticky" | "CooperativeStickyAssignor" => {
            Some(Arc::new(CooperativeStickyAssignor::new()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kafka_name_finds_its_strategy() {
        for (class, name) in [
            ("RangeAssignor", "range"),
            ("RoundRobinAssignor", "roundrobin"),
            ("StickyAssignor", "sticky"),
            ("CooperativeStickyAssignor", "cooperative-sticky"),
        ] {
            let full = format!("org.apache.kafka.clients.consumer.{class}");
            for spelling in [class, name, &full] {
                assert_eq!(by_name(spelling).unwrap().name(), name);
            }
        }
        assert!(by_name("Range").is_none());
        assert!(by_name("org.apache.kafka.clients.consumer.").is_none());
    }

    #[test]
    fn only_cooperative_sticky_is_cooperative() {
        for name in ["range", "roundrobin", "sticky", "cooperative-sticky"] {
            let cooperative = by_name(name)
                .unwrap()
                .supported_protocols()
                .contains(&RebalanceProtocol::Cooperative);
            assert_eq!(cooperative, name == "cooperative-sticky");
        }
    }
}
