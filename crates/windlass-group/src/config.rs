//! What a member of a group is told before it starts.

use std::sync::Arc;
use std::time::Duration;

use windlass_assignor::{Assignor, RebalanceProtocol};
use windlass_model::{GroupId, GroupInstanceId};

/// The settings of a [`GroupMachine`](crate::GroupMachine); Kafka's property names stand in
/// brackets. Mirrors Kafka's `GroupRebalanceConfig`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GroupConfig {
    /// The group (`group.id`).
    pub group_id: GroupId,
    /// The lasting identity of a static member (`group.instance.id`, KIP-345); `None` makes the
    /// member a dynamic one.
    pub group_instance_id: Option<GroupInstanceId>,
    /// The rack this member stands in (`client.rack`), told to the group's leader (KIP-881).
    pub client_rack: Option<String>,
    /// How long the coordinator waits for a heartbeat before it expels the member
    /// (`session.timeout.ms`).
    pub session_timeout: Duration,
    /// The pause between heartbeats (`heartbeat.interval.ms`): at most a third of the session
    /// timeout is wise.
    pub heartbeat_interval: Duration,
    /// How long a member may take to give up its partitions and join again, and how long the
    /// application may stay away from polling (`max.poll.interval.ms`).
    pub rebalance_timeout: Duration,
    /// How long to wait for an answer (`request.timeout.ms`).
    pub request_timeout: Duration,
    /// The first pause after a failure (`retry.backoff.ms`).
    pub retry_backoff: Duration,
    /// The longest pause after repeated failures (`retry.backoff.max.ms`).
    pub retry_backoff_max: Duration,
    /// Whether an offset fetch waits for transactions that are about to commit offsets (KIP-447).
    pub require_stable: bool,
    /// The assignment strategies this member can work with, the preferred one first
    /// (`partition.assignment.strategy`).
    pub assignors: Vec<Arc<dyn Assignor>>,
}

impl GroupConfig {
    /// A dynamic member of the group with Kafka's default times.
    #[must_use]
    pub fn new(group_id: impl Into<GroupId>, assignors: Vec<Arc<dyn Assignor>>) -> Self {
        Self {
            group_id: group_id.into(),
            group_instance_id: None,
            client_rack: None,
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            rebalance_timeout: Duration::from_secs(300),
            request_timeout: Duration::from_secs(30),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            require_stable: true,
            assignors,
        }
    }

    /// The highest rebalance protocol that every listed strategy supports (KIP-429): one eager
    /// strategy in the list makes the member an eager one.
    #[must_use]
    pub fn rebalance_protocol(&self) -> RebalanceProtocol {
        let cooperative = !self.assignors.is_empty()
            && self.assignors.iter().all(|assignor| {
                assignor
                    .supported_protocols()
                    .contains(&RebalanceProtocol::Cooperative)
            });
        if cooperative {
            RebalanceProtocol::Cooperative
        } else {
            RebalanceProtocol::Eager
        }
    }

    /// The strategy of that name, if this member listed it.
    pub(crate) fn assignor(&self, name: &str) -> Option<Arc<dyn Assignor>> {
        let found = self.assignors.iter().find(|one| one.name() == name)?;
        Some(Arc::clone(found))
    }

    /// How long a JoinGroup may go unanswered: the coordinator holds it back until every member has
    /// joined, and a member has the rebalance timeout for that.
    pub(crate) fn join_timeout(&self) -> Duration {
        const GRACE: Duration = Duration::from_secs(5);
        self.request_timeout.max(self.rebalance_timeout + GRACE)
    }

    pub(crate) const fn is_static(&self) -> bool {
        self.group_instance_id.is_some()
    }

    pub(crate) fn instance_id_text(&self) -> Option<String> {
        let id = self.group_instance_id.as_ref()?;
        Some(id.as_str().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_assignor::by_name;

    fn config(names: &[&str]) -> GroupConfig {
        GroupConfig::new(
            "g",
            names.iter().map(|name| by_name(name).unwrap()).collect(),
        )
    }

    #[test]
    fn one_eager_strategy_makes_the_member_eager() {
        use RebalanceProtocol::{Cooperative, Eager};
        assert_eq!(
            config(&["cooperative-sticky"]).rebalance_protocol(),
            Cooperative
        );
        assert_eq!(
            config(&["range", "cooperative-sticky"]).rebalance_protocol(),
            Eager
        );
        assert_eq!(config(&["range"]).rebalance_protocol(), Eager);
        assert_eq!(config(&[]).rebalance_protocol(), Eager);
    }

    #[test]
    fn a_join_may_take_as_long_as_a_rebalance() {
        let mut config = config(&["range"]);
        assert_eq!(config.join_timeout(), Duration::from_secs(305));
        config.rebalance_timeout = Duration::from_secs(1);
        assert_eq!(config.join_timeout(), Duration::from_secs(30));
    }
}
