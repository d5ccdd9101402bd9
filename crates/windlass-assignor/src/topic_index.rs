//! The topics of a cluster as small numbers, and every partition as one.

use windlass_model::{Cluster, Topic, TopicName};

use crate::AssignError;

/// Stands for "no topic", "no member", "no owner" in arrays of numbers.
pub(crate) const NONE: u32 = u32::MAX;

/// A length as a number of the arrays. [`TopicIndex::new`] has refused what would not fit.
pub(crate) fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(NONE)
}

/// The topics that have partitions, by name, numbered from 0; their partitions numbered through, so
/// that one number names a topic and a partition.
#[derive(Debug)]
pub(crate) struct TopicIndex<'a> {
    topics: Vec<(&'a TopicName, &'a Topic)>,
    /// One more entry than topics: where each topic's partitions begin.
    first: Vec<u32>,
    /// Open addressing by hash of the name; a power of two, at most half full.
    slots: Vec<u32>,
}

impl<'a> TopicIndex<'a> {
    /// Numbers the topics. O(topics).
    pub(crate) fn new(cluster: &'a Cluster) -> Result<Self, AssignError> {
        let topics: Vec<(&TopicName, &Topic)> = cluster
            .topics
            .iter()
            .filter(|(_, topic)| !topic.partitions.is_empty())
            .collect();
        let mut first = Vec::with_capacity(topics.len() + 1);
        let mut next = 0_u32;
        first.push(next);
        for (_, topic) in &topics {
            next = u32::try_from(topic.partitions.len())
                .ok()
                .and_then(|count| next.checked_add(count))
                .filter(|total| i32::try_from(*total).is_ok())
                .ok_or(AssignError::TooLarge)?;
            first.push(next);
        }
        let mut index = Self {
            slots: vec![NONE; (topics.len() * 2).next_power_of_two().max(2)],
            topics,
            first,
        };
        for topic in 0..index.len() {
            let slot = index.free_slot(index.name(topic));
            index.slots[slot] = topic;
        }
        Ok(index)
    }

    /// How many topics there are.
    pub(crate) fn len(&self) -> u32 {
        number(self.topics.len())
    }

    /// How many partitions there are in all.
    pub(crate) fn partition_total(&self) -> u32 {
        self.first[self.topics.len()]
    }

    /// The topic's name.
    pub(crate) fn name(&self, topic: u32) -> &'a TopicName {
        self.topics[topic as usize].0
    }

    /// The topic's entry in the cluster.
    pub(crate) fn topic(&self, topic: u32) -> &'a Topic {
        self.topics[topic as usize].1
    }

    /// The numbers of the topic's partitions.
    pub(crate) fn partitions(&self, topic: u32) -> std::ops::Range<u32> {
        self.first[topic as usize]..self.first[topic as usize + 1]
    }

    /// The number of the topic. `guess` is looked at first: lists of topics tend to be in order, so
    /// "the one after the last" is mostly right and spares the hash.
    pub(crate) fn find(&self, name: &TopicName, guess: u32) -> Option<u32> {
        if let Some((guessed, _)) = self.topics.get(guess as usize)
            && same_name(guessed, name)
        {
            return Some(guess);
        }
        let mask = self.slots.len() - 1;
        let mut slot = hash(name) & mask;
        loop {
            let topic = self.slots[slot];
            if topic == NONE {
                return None;
            }
            if same_name(self.name(topic), name) {
                return Some(topic);
            }
            slot = (slot + 1) & mask;
        }
    }

    fn free_slot(&self, name: &TopicName) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = hash(name) & mask;
        while self.slots[slot] != NONE {
            slot = (slot + 1) & mask;
        }
        slot
    }
}

/// Equality that does not read the text when both names are one allocation, as interned names are.
pub(crate) fn same_name(left: &TopicName, right: &TopicName) -> bool {
    std::ptr::eq(left.as_str(), right.as_str()) || left == right
}

/// Multiply and rotate over eight bytes a step: the same in every run, unlike the standard hasher.
fn hash(name: &TopicName) -> usize {
    let bytes = name.as_str().as_bytes();
    let mut state = bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        state =
            (state.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    usize::try_from((state ^ (state >> 32)) & 0xffff_ffff).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use windlass_model::Partition;

    use super::*;

    #[test]
    fn topics_without_partitions_do_not_exist() {
        let mut cluster = Cluster::default();
        for (name, count) in [("a", 2), ("b", 0), ("c", 3)] {
            cluster.topics.insert(
                name.into(),
                Topic {
                    partitions: vec![Partition::default(); count],
                    ..Topic::default()
                },
            );
        }
        let index = TopicIndex::new(&cluster).unwrap();
        assert_eq!(index.len(), 2);
        assert_eq!(index.partition_total(), 5);
        assert_eq!(index.find(&"c".into(), 0), Some(1));
        assert_eq!(index.find(&"b".into(), 0), None);
        assert_eq!(index.partitions(1), 2..5);
    }
}
