//! What the leader watches after it has assigned.

use std::collections::{BTreeMap, BTreeSet};

use windlass_model::{TopicName, TopicPartition};

use crate::classic::member::ClusterPicture;
use crate::words::counted;

/// How many partitions each topic had when the group's assignment was made: when that changes, the
/// leader calls for a rebalance. Racks are not watched: they vanish for a moment whenever a broker
/// restarts, and every such moment would cost a rebalance.
#[derive(Clone, Debug)]
pub(crate) struct PartitionWatch {
    /// 0 for a topic that was not there, `None` for one that no picture has told about yet.
    counts: BTreeMap<TopicName, Option<usize>>,
    /// The pictures in which a topic was first missing. A broker that restarts may forget a topic
    /// for a moment, so one picture without it proves nothing.
    missing_since: BTreeMap<TopicName, u64>,
    /// The picture that was looked at last: with many topics a second look would cost something.
    seen: Option<u64>,
    /// Whether the assignment was made before this member came back, and is all its own.
    adopts_all: bool,
    /// What the assignment leaves without an owner.
    leftover: Leftover,
}

/// What an assignment leaves without an owner. In a cooperative group that is what one member has to
/// give up before another can be given it, and the one that gives up calls for the second round. It may
/// be gone before it does, and a static member that comes back is given what it had without a rebalance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leftover {
    /// So many partitions.
    Count(usize),
    /// Somebody made the assignment before this member came back.
    Unknown,
}

impl PartitionWatch {
    /// The assignment was made from this picture.
    pub(crate) fn new(topics: &BTreeSet<TopicName>, picture: &ClusterPicture) -> Self {
        Self::from_counts(topics, |topic| Some(picture.partition_count(topic)))
    }

    /// The assignment was made before this member came back. If it is `alone`, what it was made from
    /// is what it is assigned; else the first picture that tells about a topic is taken for it.
    pub(crate) fn adopt(topics: &BTreeSet<TopicName>, alone: bool) -> Self {
        Self {
            adopts_all: alone,
            leftover: if alone {
                Leftover::Count(0)
            } else {
                Leftover::Unknown
            },
            ..Self::from_counts(topics, |_| None)
        }
    }

    /// This is what the member was assigned.
    pub(crate) fn assigned(&mut self, partitions: &BTreeSet<TopicPartition>) {
        if self.adopts_all {
            for (topic, count) in &mut self.counts {
                let of_topic = partitions.iter().filter(|one| one.topic == *topic);
                *count = Some(of_topic.count());
            }
        }
    }

    fn from_counts(
        topics: &BTreeSet<TopicName>,
        count: impl Fn(&TopicName) -> Option<usize>,
    ) -> Self {
        let counts = topics.iter().map(|topic| (topic.clone(), count(topic)));
        Self {
            counts: counts.collect(),
            missing_since: BTreeMap::new(),
            seen: None,
            adopts_all: false,
            leftover: Leftover::Count(0),
        }
    }

    /// The assignment gives so many partitions to somebody.
    pub(crate) fn gives(&mut self, assigned: usize) {
        let all: usize = self.counts.values().flatten().sum();
        self.leftover = Leftover::Count(all.saturating_sub(assigned));
    }

    /// So many partitions of each topic have an owner: where there are more by now, the assignment was
    /// made before they were, or leaves some without one.
    pub(crate) fn adopt_counts(&mut self, assigned: &BTreeMap<TopicName, usize>) {
        for (topic, count) in &mut self.counts {
            *count = Some(assigned.get(topic).copied().unwrap_or(0));
        }
        self.leftover = Leftover::Count(0);
        self.seen = None;
    }

    pub(crate) const fn leftover(&self) -> &Leftover {
        &self.leftover
    }

    /// What has changed, if anything has, in words.
    pub(crate) fn change(&mut self, picture: &ClusterPicture) -> Option<String> {
        if self.seen == Some(picture.version) {
            return None;
        }
        self.seen = Some(picture.version);
        for (topic, count) in &mut self.counts {
            let now = picture.partition_count(topic);
            let Some(before) = *count else {
                if picture.tells_about(topic) {
                    *count = Some(now);
                }
                continue;
            };
            if now == 0 && before > 0 {
                let since = *self
                    .missing_since
                    .entry(topic.clone())
                    .or_insert(picture.version);
                if picture.version > since {
                    return Some(format!("topic `{topic}` is gone"));
                }
                continue;
            }
            self.missing_since.remove(topic);
            if now != before {
                return Some(match before {
                    0 => format!(
                        "topic `{topic}` appeared with {}",
                        counted(now, "partition")
                    ),
                    _ => format!("partition count of `{topic}` went {before} → {now}"),
                });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use windlass_model::{Cluster, Partition, Topic};

    fn show(picture: &mut ClusterPicture, count: usize) {
        let mut cluster = Cluster::default();
        if count > 0 {
            let partitions = vec![Partition::default(); count];
            let topic = Topic {
                partitions,
                ..Topic::default()
            };
            cluster.topics.insert("orders".into(), topic);
        }
        picture.install(&Arc::new(cluster));
    }

    fn watch(count: usize) -> (PartitionWatch, ClusterPicture) {
        let mut picture = ClusterPicture::default();
        show(&mut picture, count);
        let topics = BTreeSet::from(["orders".into()]);
        (PartitionWatch::new(&topics, &picture), picture)
    }

    #[test]
    fn growth_is_told_in_numbers() {
        let (mut watch, mut picture) = watch(6);
        assert_eq!(watch.change(&picture), None);
        show(&mut picture, 8);
        let told = watch.change(&picture).unwrap();
        assert_eq!(told, "partition count of `orders` went 6 → 8");
    }

    #[test]
    fn a_topic_missing_once_is_not_gone_yet() {
        let (mut watch, mut picture) = watch(6);
        show(&mut picture, 0);
        assert_eq!(watch.change(&picture), None);
        assert_eq!(
            watch.change(&picture),
            None,
            "the same picture says nothing new"
        );
        show(&mut picture, 6);
        assert_eq!(watch.change(&picture), None);
        show(&mut picture, 0);
        assert_eq!(watch.change(&picture), None);
        show(&mut picture, 0);
        assert_eq!(watch.change(&picture).unwrap(), "topic `orders` is gone");
    }

    #[test]
    fn a_topic_that_was_not_there_may_appear() {
        let (mut watch, mut picture) = watch(0);
        show(&mut picture, 0);
        assert_eq!(watch.change(&picture), None);
        show(&mut picture, 3);
        let told = watch.change(&picture).unwrap();
        assert_eq!(told, "topic `orders` appeared with 3 partitions");
    }
}
