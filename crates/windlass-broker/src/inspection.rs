//! Looking into a cluster: for tests, checkers and boards.

use std::collections::BTreeMap;

use windlass_model::{NodeId, TopicPartition};
use windlass_protocol::records::RecordBatch;

use crate::{ClusterCore, GroupState};

/// A group as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupView {
    /// Its state.
    pub state: GroupState,
    /// How many rebalances it has completed.
    pub generation: i32,
    /// The strategy that was agreed on, if any.
    pub protocol: Option<String>,
    /// The member that assigns.
    pub leader: Option<String>,
    /// Its members.
    pub members: Vec<MemberView>,
}

/// A member as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// Its id.
    pub id: String,
    /// Its static identity, if it has one.
    pub instance_id: Option<String>,
    /// What it calls itself.
    pub client_id: String,
    /// What it was assigned, as the leader wrote it.
    pub assignment: bytes::Bytes,
}

impl ClusterCore {
    /// The partitions of all topics.
    #[must_use]
    pub fn partitions(&self) -> Vec<TopicPartition> {
        let all = self.topics.by_name.iter();
        all.flat_map(|(name, topic)| {
            (0..)
                .zip(&topic.partitions)
                .map(|(index, _)| TopicPartition::new(name.as_str(), index))
        })
        .collect()
    }

    /// One beyond the last offset of a partition.
    #[must_use]
    pub fn high_watermark(&self, topic: &str, partition: i32) -> Option<i64> {
        Some(
            self.topics
                .by_name
                .get(topic)?
                .partition(partition)?
                .log
                .end(),
        )
    }

    /// Who leads a partition.
    #[must_use]
    pub fn leader(&self, topic: &str, partition: i32) -> Option<NodeId> {
        self.topics.by_name.get(topic)?.partition(partition)?.leader
    }

    /// The batches of a partition.
    pub fn batches(&self, topic: &str, partition: i32) -> impl Iterator<Item = &RecordBatch> {
        let found = self
            .topics
            .by_name
            .get(topic)
            .and_then(|topic| topic.partition(partition));
        found
            .into_iter()
            .flat_map(|partition| partition.log.batches_from(partition.log.start()))
    }

    /// Whether a node lives.
    #[must_use]
    pub fn is_alive(&self, node: i32) -> bool {
        self.nodes.is_alive(NodeId(node))
    }

    /// The node that coordinates a group.
    #[must_use]
    pub fn coordinator_of_group(&self, group: &str) -> Option<NodeId> {
        self.coordinators.of(group)
    }

    /// A group, if anybody ever joined or committed.
    #[must_use]
    pub fn group(&self, id: &str) -> Option<GroupView> {
        let group = self.groups.find(id)?;
        Some(GroupView {
            state: group.state,
            generation: group.generation,
            protocol: group.protocol_name.clone(),
            leader: group.leader.clone(),
            members: group
                .members
                .values()
                .map(|member| MemberView {
                    id: member.id.clone(),
                    instance_id: member.instance_id.clone(),
                    client_id: member.client_id.clone(),
                    assignment: member.assignment.clone(),
                })
                .collect(),
        })
    }

    /// What a group has committed.
    #[must_use]
    pub fn committed(&self, group: &str) -> BTreeMap<TopicPartition, i64> {
        self.groups
            .offsets(group)
            .map(|((topic, partition), offset)| {
                (
                    TopicPartition::new(topic.as_str(), *partition),
                    offset.offset,
                )
            })
            .collect()
    }
}
