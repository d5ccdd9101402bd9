//! An immutable picture of the cluster, as the metadata told it last.

use std::collections::BTreeMap;

use crate::{BrokerEndpoint, LeaderEpoch, NodeId, TopicId, TopicName, TopicPartition};

/// What is known of the cluster: a value, replaced as a whole by the next metadata answer.
/// Mirrors Kafka's `Cluster`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// The id of the cluster, where the broker tells one.
    pub cluster_id: Option<String>,
    /// The node that answers for the controller, where known.
    pub controller: Option<NodeId>,
    /// The brokers that are alive.
    pub brokers: BTreeMap<NodeId, BrokerEndpoint>,
    /// The topics that exist, among those asked for.
    pub topics: BTreeMap<TopicName, Topic>,
}

/// A topic of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topic {
    /// The id, [`TopicId::ZERO`] where the broker does not know ids.
    pub id: TopicId,
    /// Whether Kafka made the topic for its own use.
    pub internal: bool,
    /// The partitions; the place in the list is the partition's index.
    pub partitions: Vec<Partition>,
}

/// A partition of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partition {
    /// The node that leads, if any does.
    pub leader: Option<NodeId>,
    /// The epoch of that leadership, where the broker tells one.
    pub leader_epoch: Option<LeaderEpoch>,
    /// The nodes that hold a copy.
    pub replicas: Vec<NodeId>,
    /// The nodes whose copy is in step.
    pub in_sync_replicas: Vec<NodeId>,
    /// The nodes whose copy is not reachable.
    pub offline_replicas: Vec<NodeId>,
}

impl Cluster {
    /// The partition's entry, if the partition exists.
    #[must_use]
    pub fn partition(&self, topic_partition: &TopicPartition) -> Option<&Partition> {
        let index = usize::try_from(topic_partition.partition).ok()?;
        self.topics
            .get(&topic_partition.topic)?
            .partitions
            .get(index)
    }

    /// The node that leads the partition, if the partition exists and has a leader.
    #[must_use]
    pub fn leader(&self, topic_partition: &TopicPartition) -> Option<NodeId> {
        self.partition(topic_partition)?.leader
    }

    /// How many partitions the topic has, if it exists.
    #[must_use]
    pub fn partition_count(&self, topic: &str) -> Option<usize> {
        Some(self.topics.get(topic)?.partitions.len())
    }

    /// The name that goes with a topic id, if any known topic has it.
    #[must_use]
    pub fn topic_name(&self, id: TopicId) -> Option<&TopicName> {
        if id.is_zero() {
            return None;
        }
        self.topics
            .iter()
            .find(|(_, topic)| topic.id == id)
            .map(|(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookups_outside_the_cluster_find_nothing() {
        let mut cluster = Cluster::default();
        let orders = Topic {
            id: TopicId::new([7; 16]),
            internal: false,
            partitions: vec![Partition {
                leader: Some(NodeId(1)),
                ..Partition::default()
            }],
        };
        cluster.topics.insert("orders".into(), orders);
        assert_eq!(
            cluster.leader(&TopicPartition::new("orders", 0)),
            Some(NodeId(1))
        );
        assert_eq!(cluster.leader(&TopicPartition::new("orders", 1)), None);
        assert_eq!(cluster.leader(&TopicPartition::new("orders", -1)), None);
        assert_eq!(cluster.partition_count("orders"), Some(1));
        assert_eq!(
            cluster.topic_name(TopicId::new([7; 16])),
            Some(&"orders".into())
        );
        assert_eq!(cluster.topic_name(TopicId::ZERO), None);
    }
}
