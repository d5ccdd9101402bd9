//! Topics and their partitions.

use std::collections::BTreeMap;

use windlass_machine::SplitMix64;
use windlass_model::{NodeId, TopicId};

use crate::node::Nodes;
use crate::partition_log::PartitionLog;

/// A partition: who leads it, and its log.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) leader: Option<NodeId>,
    pub(crate) leader_epoch: i32,
    pub(crate) log: PartitionLog,
}

impl Partition {
    fn new(leader: Option<NodeId>) -> Self {
        let mut log = PartitionLog::default();
        log.begin_epoch(0);
        Self {
            leader,
            leader_epoch: 0,
            log,
        }
    }

    /// Another node leads from now on.
    pub(crate) fn lead(&mut self, leader: Option<NodeId>) {
        if self.leader == leader {
            return;
        }
        self.leader = leader;
        if leader.is_some() {
            self.leader_epoch += 1;
            self.log.begin_epoch(self.leader_epoch);
        }
    }
}

/// A topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) id: TopicId,
    pub(crate) partitions: Vec<Partition>,
}

impl Topic {
    pub(crate) fn partition(&self, index: i32) -> Option<&Partition> {
        self.partitions.get(usize::try_from(index).ok()?)
    }

    pub(crate) fn partition_mut(&mut self, index: i32) -> Option<&mut Partition> {
        self.partitions.get_mut(usize::try_from(index).ok()?)
    }
}

/// All topics, by name.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    pub(crate) by_name: BTreeMap<String, Topic>,
}

impl Topics {
    /// Makes a topic; its leaders go round the living nodes.
    pub(crate) fn create(
        &mut self,
        name: &str,
        partitions: i32,
        nodes: &Nodes,
        random: &mut SplitMix64,
    ) -> TopicId {
        let mut bytes = [0; 16];
        let (high, low) = bytes.split_at_mut(8);
        high.copy_from_slice(&random.next_u64().to_be_bytes());
        low.copy_from_slice(&random.next_u64().to_be_bytes());
        let id = TopicId::new(bytes);
        let mut topic = Topic {
            id,
            partitions: Vec::new(),
        };
        grow(&mut topic, partitions, nodes);
        self.by_name.insert(name.to_owned(), topic);
        id
    }

    /// Gives a topic more partitions.
    pub(crate) fn grow(&mut self, name: &str, partitions: i32, nodes: &Nodes) {
        if let Some(topic) = self.by_name.get_mut(name) {
            grow(topic, partitions, nodes);
        }
    }

    /// The topic of that name or, without a name, of that id.
    pub(crate) fn find(&self, name: &str, id: TopicId) -> Option<(&str, &Topic)> {
        if name.is_empty() {
            let (name, topic) = self
                .by_name
                .iter()
                .find(|(_, topic)| topic.id == id && !id.is_zero())?;
            return Some((name, topic));
        }
        let (name, topic) = self.by_name.get_key_value(name)?;
        Some((name, topic))
    }

    pub(crate) fn partition_mut(&mut self, topic: &str, index: i32) -> Option<&mut Partition> {
        self.by_name.get_mut(topic)?.partition_mut(index)
    }

    pub(crate) fn all_partitions(&mut self) -> impl Iterator<Item = (usize, &mut Partition)> {
        self.by_name
            .values_mut()
            .flat_map(|topic| topic.partitions.iter_mut().enumerate())
    }
}

fn grow(topic: &mut Topic, partitions: i32, nodes: &Nodes) {
    let wanted = usize::try_from(partitions).unwrap_or(0);
    while topic.partitions.len() < wanted {
        let leader = nodes.pick(topic.partitions.len());
        topic.partitions.push(Partition::new(leader));
    }
}
