//! A partition of a topic, and lists of them by topic.

use std::fmt;

use crate::TopicName;

/// One partition of one topic. `partition` is the index, the pair is the identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic.
    pub topic: TopicName,
    /// The index of the partition inside the topic, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// Names a partition.
    #[must_use]
    pub fn new(topic: impl Into<TopicName>, partition: i32) -> Self {
        Self {
            topic: topic.into(),
            partition,
        }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// Some partitions of one topic, as the wire groups them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartitionList {
    /// The topic.
    pub topic: TopicName,
    /// Partition indexes; what order they stand in, and whether one may stand twice, is up to who
    /// made the list.
    pub partitions: Vec<i32>,
}

/// Partitions grouped by topic: the form in which assignments and claims travel. It costs one entry
/// a topic and four bytes a partition, where a list of pairs would cost a name a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartitions {
    /// One entry for each run of partitions of a topic.
    pub topics: Vec<TopicPartitionList>,
}

impl TopicPartitions {
    /// No partitions.
    #[must_use]
    pub const fn new() -> Self {
        Self { topics: Vec::new() }
    }

    /// How many partitions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.topics.iter().map(|list| list.partitions.len()).sum()
    }

    /// Whether there is no partition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.topics.iter().all(|list| list.partitions.is_empty())
    }

    /// Appends a partition; runs of one topic share an entry.
    pub fn push(&mut self, topic: &TopicName, partition: i32) {
        match self.topics.last_mut() {
            Some(list) if list.topic == *topic => list.partitions.push(partition),
            _ => self.topics.push(TopicPartitionList {
                topic: topic.clone(),
                partitions: vec![partition],
            }),
        }
    }

    /// Every partition as a pair, in the order of the list.
    pub fn iter(&self) -> impl Iterator<Item = TopicPartition> + '_ {
        self.topics.iter().flat_map(|list| {
            list.partitions
                .iter()
                .map(|partition| TopicPartition::new(&list.topic, *partition))
        })
    }
}

impl<'a> FromIterator<&'a TopicPartition> for TopicPartitions {
    fn from_iter<I: IntoIterator<Item = &'a TopicPartition>>(partitions: I) -> Self {
        let mut grouped = Self::new();
        for topic_partition in partitions {
            grouped.push(&topic_partition.topic, topic_partition.partition);
        }
        grouped
    }
}

impl FromIterator<TopicPartition> for TopicPartitions {
    fn from_iter<I: IntoIterator<Item = TopicPartition>>(partitions: I) -> Self {
        let mut grouped = Self::new();
        for topic_partition in partitions {
            grouped.push(&topic_partition.topic, topic_partition.partition);
        }
        grouped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_a_topic_share_an_entry() {
        let pairs = [
            TopicPartition::new("a", 0),
            TopicPartition::new("a", 1),
            TopicPartition::new("b", 0),
        ];
        let grouped: TopicPartitions = pairs.iter().collect();
        assert_eq!(grouped.topics.len(), 2);
        assert_eq!(grouped.len(), 3);
        assert_eq!(grouped.iter().collect::<Vec<_>>(), pairs);
    }
}
