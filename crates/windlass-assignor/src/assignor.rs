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
///
/// # Bring your own
///
/// A strategy is one trait with two methods to write. This one gives each partition, the one with the
/// most lag first, to the subscriber with the least lag so far:
///
/// ```
/// use std::collections::BTreeMap;
/// use windlass_assignor::{AssignError, Assignment, Assignor, Member, Members};
/// use windlass_model::{Cluster, MemberId, Partition, Topic, TopicPartition, TopicPartitions};
///
/// #[derive(Debug)]
/// struct ByLag {
///     /// Records behind, measured by the application before it joins; absent means none.
///     lag: BTreeMap<TopicPartition, u64>,
/// }
///
/// impl Assignor for ByLag {
///     fn name(&self) -> &str {
///         "by-lag"
///     }
///
///     fn assign(&self, cluster: &Cluster, members: &Members) -> Result<Assignment, AssignError> {
///         let mut partitions: Vec<(u64, TopicPartition)> = Vec::new();
///         for (name, topic) in &cluster.topics {
///             for index in 0..i32::try_from(topic.partitions.len()).map_err(AssignError::strategy)? {
///                 let partition = TopicPartition::new(name, index);
///                 partitions.push((self.lag.get(&partition).copied().unwrap_or(0), partition));
///             }
///         }
///         partitions.sort_by(|left, right| right.0.cmp(&left.0).then_with(|| left.1.cmp(&right.1)));
///         let mut plan: BTreeMap<MemberId, (u64, TopicPartitions)> = BTreeMap::new();
///         for (id, _) in members {
///             plan.insert(id.clone(), Default::default());
///         }
///         for (lag, partition) in partitions {
///             let lightest = plan
///                 .iter_mut()
///                 .filter(|(id, _)| {
///                     let member = members.get(id.as_str());
///                     member.is_some_and(|member| member.subscribes_to(partition.topic.as_str()))
///                 })
///                 .min_by_key(|(_, (load, list))| (*load, list.len()));
///             if let Some((_, (load, list))) = lightest {
///                 *load += lag;
///                 list.push(&partition.topic, partition.partition);
///             }
///         }
///         Ok(plan.into_iter().map(|(id, (_, list))| (id, list)).collect())
///     }
/// }
///
/// let mut cluster = Cluster::default();
/// let clicks = Topic { partitions: vec![Partition::default(); 4], ..Topic::default() };
/// cluster.topics.insert("clicks".into(), clicks);
/// let members: Members = ["a", "b"]
///     .map(|id| (id, Member::subscribed_to(["clicks"])))
///     .into_iter()
///     .collect();
/// let lag = BTreeMap::from([(TopicPartition::new("clicks", 2), 1_000)]);
/// let plan = ByLag { lag }.assign_validated(&cluster, &members)?;
/// // One member is busy with the partition that lags, the other gets the rest.
/// assert_eq!(plan.get("a").map(|list| list.len()), Some(1));
/// assert_eq!(plan.get("b").map(|list| list.len()), Some(3));
/// # Ok::<(), AssignError>(())
/// ```
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
