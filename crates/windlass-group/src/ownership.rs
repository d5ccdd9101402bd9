//! Which partitions are ours, and since when.

use std::collections::{BTreeMap, BTreeSet};

use windlass_model::{TopicPartition, TopicPartitions};

/// When a partition became ours: a partition that was taken away and came back has another tenure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tenure(u64);

/// The partitions this member owns, each with its tenure, so that a commit made for one tenure can
/// never count for another.
#[derive(Debug, Default)]
pub(crate) struct Ownership {
    partitions: BTreeMap<TopicPartition, Tenure>,
    installs: u64,
    changes: u64,
}

impl Ownership {
    /// A number that changes whenever something is added or goes.
    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// The tenure of the partition, if it is owned.
    pub(crate) fn tenure(&self, topic_partition: &TopicPartition) -> Option<Tenure> {
        self.partitions.get(topic_partition).copied()
    }

    /// All that is owned.
    pub(crate) fn set(&self) -> BTreeSet<TopicPartition> {
        self.partitions.keys().cloned().collect()
    }

    /// What is owned and fulfils the condition.
    pub(crate) fn subset(
        &self,
        wanted: impl Fn(&TopicPartition) -> bool,
    ) -> BTreeSet<TopicPartition> {
        self.partitions
            .keys()
            .filter(|one| wanted(one))
            .cloned()
            .collect()
    }

    /// All that is owned, as the wire groups it.
    pub(crate) fn grouped(&self) -> TopicPartitions {
        self.partitions.keys().collect()
    }

    /// Adds what is not owned yet; says what that was.
    pub(crate) fn install(
        &mut self,
        assigned: &BTreeSet<TopicPartition>,
    ) -> BTreeSet<TopicPartition> {
        self.installs += 1;
        self.changes += 1;
        let tenure = Tenure(self.installs);
        let mut added = BTreeSet::new();
        for topic_partition in assigned {
            if !self.partitions.contains_key(topic_partition) {
                self.partitions.insert(topic_partition.clone(), tenure);
                added.insert(topic_partition.clone());
            }
        }
        added
    }

    /// These are not ours any more.
    pub(crate) fn remove(&mut self, partitions: &BTreeSet<TopicPartition>) {
        self.changes += 1;
        self.partitions.retain(|one, _| !partitions.contains(one));
    }

    /// Nothing is ours any more; says what was.
    pub(crate) fn take_all(&mut self) -> BTreeSet<TopicPartition> {
        self.changes += 1;
        std::mem::take(&mut self.partitions).into_keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_that_comes_back_has_another_tenure() {
        let orders = TopicPartition::new("orders", 0);
        let kept = TopicPartition::new("orders", 1);
        let both = BTreeSet::from([orders.clone(), kept.clone()]);
        let mut ownership = Ownership::default();
        assert_eq!(ownership.install(&both), both);
        let (first, stayed) = (ownership.tenure(&orders), ownership.tenure(&kept));
        ownership.remove(&BTreeSet::from([orders.clone()]));
        assert_eq!(ownership.tenure(&orders), None);
        assert_eq!(ownership.install(&both), BTreeSet::from([orders.clone()]));
        assert_ne!(ownership.tenure(&orders), first);
        assert_eq!(ownership.tenure(&kept), stayed);
    }
}
