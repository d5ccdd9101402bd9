//! The user data that Kafka's sticky strategies exchange, big-endian as all of Kafka's wire.
//!
//! Sticky, version 0: an array (32-bit count) of topics, each a string (16-bit length) and an array
//! of 32-bit partition indexes. Version 1 appends the generation, 32 bits. Neither carries its
//! version: what remains after the array tells. Cooperative-sticky: the generation alone, 32 bits.

use std::collections::BTreeMap;

use windlass_model::{Generation, TopicName, TopicPartitionList, TopicPartitions};

/// What the user data of one member says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StickyUserData {
    pub(crate) owned: TopicPartitions,
    pub(crate) generation: Option<Generation>,
}

/// Writes version 1, as Kafka's `StickyAssignor` does; each topic once, in order.
/// Topics whose name is too long for the wire are left out: no broker has any.
pub(crate) fn write_sticky(owned: &TopicPartitions, generation: Option<Generation>) -> Vec<u8> {
    let mut lists: BTreeMap<&TopicName, Vec<i32>> = BTreeMap::new();
    for list in &owned.topics {
        if i16::try_from(list.topic.as_str().len()).is_ok() {
            let partitions = lists.entry(&list.topic).or_default();
            partitions.extend(&list.partitions);
        }
    }
    let mut data = Vec::with_capacity(8 + owned.len() * 4);
    data.extend(count(lists.len()).to_be_bytes());
    for (topic, partitions) in lists {
        let name = topic.as_str();
        data.extend(i16::try_from(name.len()).unwrap_or(i16::MAX).to_be_bytes());
        data.extend(name.as_bytes());
        data.extend(count(partitions.len()).to_be_bytes());
        for partition in partitions {
            data.extend(partition.to_be_bytes());
        }
    }
    data.extend(Generation::to_wire(generation).to_be_bytes());
    data
}

fn count(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

/// Reads version 1 or 0; `None` where it is neither. Bytes after version 1 are ignored, as Kafka
/// ignores them.
pub(crate) fn read_sticky(data: &[u8]) -> Option<StickyUserData> {
    let mut rest = data;
    let mut topics = Vec::new();
    for _ in 0..read_count(&mut rest)? {
        let length = u16::from_be_bytes(*take(&mut rest)?);
        let length = usize::try_from(i16::from_be_bytes(length.to_be_bytes())).ok()?;
        let (name, after) = rest.split_at_checked(length)?;
        rest = after;
        let name = std::str::from_utf8(name).ok()?;
        let count = read_count(&mut rest)?;
        // Nothing is allocated beyond the bytes that are really there.
        let (list, after) = rest.split_at_checked(count.checked_mul(4)?)?;
        rest = after;
        let partitions = list.as_chunks().0.iter().copied().map(i32::from_be_bytes);
        topics.push(TopicPartitionList {
            topic: name.into(),
            partitions: partitions.collect(),
        });
    }
    let generation = take(&mut rest).map(|bytes| i32::from_be_bytes(*bytes));
    Some(StickyUserData {
        owned: TopicPartitions { topics },
        generation: generation.and_then(Generation::from_wire),
    })
}

/// Writes what Kafka's `CooperativeStickyAssignor` writes.
pub(crate) fn write_generation(generation: Option<Generation>) -> Vec<u8> {
    Generation::to_wire(generation).to_be_bytes().to_vec()
}

/// Reads a generation; the outer `None` means that there are bytes but too few of them.
pub(crate) fn read_generation(data: &[u8]) -> Option<Option<Generation>> {
    if data.is_empty() {
        return Some(None);
    }
    let mut rest = data;
    let bytes = take(&mut rest)?;
    Some(Generation::from_wire(i32::from_be_bytes(*bytes)))
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(bytes)
}

fn read_count(rest: &mut &[u8]) -> Option<usize> {
    usize::try_from(i32::from_be_bytes(*take(rest)?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One topic "t" with partitions 1 and 258, generation 7, by the layout in the module's doc.
    const VERSION_1: &[u8] = &[
        0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 1, 2, 0, 0, 0, 7,
    ];

    fn owned() -> TopicPartitions {
        let mut owned = TopicPartitions::new();
        owned.push(&"t".into(), 1);
        owned.push(&"t".into(), 258);
        owned
    }

    #[test]
    fn version_1_is_written_and_read() {
        let generation = Generation::from_wire(7);
        assert_eq!(write_sticky(&owned(), generation), VERSION_1);
        let read = read_sticky(VERSION_1).unwrap();
        assert_eq!(read.owned, owned());
        assert_eq!(read.generation, generation);
    }

    #[test]
    fn version_0_has_no_generation() {
        let read = read_sticky(&VERSION_1[..VERSION_1.len() - 4]).unwrap();
        assert_eq!(read.owned, owned());
        assert_eq!(read.generation, None);
    }

    #[test]
    fn runs_of_one_topic_are_written_as_one() {
        let mut scattered = TopicPartitions::new();
        for (topic, partition) in [("t", 1), ("u", 0), ("t", 258)] {
            scattered.push(&topic.into(), partition);
        }
        let read = read_sticky(&write_sticky(&scattered, None)).unwrap();
        assert_eq!(read.owned.topics.len(), 2);
        assert_eq!(read.owned.topics[0].partitions, [1, 258]);
    }

    #[test]
    fn garbage_is_refused_without_allocating_for_it() {
        assert_eq!(read_sticky(&[]), None);
        assert_eq!(read_sticky(&[0xff; 4]), None);
        assert_eq!(read_sticky(&[0x7f, 0xff, 0xff, 0xff]), None);
        for cut in 0..VERSION_1.len() - 4 {
            assert_eq!(read_sticky(&VERSION_1[..cut]), None, "cut at {cut}");
        }
        let huge_list = [0, 0, 0, 1, 0, 1, b't', 0x7f, 0xff, 0xff, 0xff];
        assert_eq!(read_sticky(&huge_list), None);
    }

    #[test]
    fn a_generation_alone_is_four_bytes() {
        assert_eq!(write_generation(Generation::from_wire(258)), [0, 0, 1, 2]);
        assert_eq!(write_generation(None), [0xff; 4]);
        assert_eq!(
            read_generation(&[0, 0, 1, 2]),
            Some(Generation::from_wire(258))
        );
        assert_eq!(read_generation(&[0xff; 4]), Some(None));
        assert_eq!(read_generation(&[]), Some(None));
        assert_eq!(read_generation(&[0, 0]), None);
    }
}
