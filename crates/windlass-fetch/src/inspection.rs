//! What can be seen of the machine from outside.

use windlass_model::TopicPartition;

use crate::in_flight::InFlight;
use crate::{FetchMachine, IsolationLevel, Position, Standing, Tally};

impl FetchMachine {
    /// The partitions that are assigned.
    pub fn assigned(&self) -> impl Iterator<Item = &TopicPartition> {
        self.partitions.keys()
    }

    /// Whether the partition is assigned.
    #[must_use]
    pub fn is_assigned(&self, topic_partition: &TopicPartition) -> bool {
        self.partitions.contains_key(topic_partition)
    }

    /// Whether the partition is held: assigned, and neither fetched nor handed over for now.
    #[must_use]
    pub fn is_held(&self, topic_partition: &TopicPartition) -> bool {
        let state = self.partitions.get(topic_partition);
        state.is_some_and(|state| state.held)
    }

    /// The partitions that are paused.
    pub fn paused(&self) -> impl Iterator<Item = &TopicPartition> {
        self.partitions
            .iter()
            .filter(|(_, state)| state.paused)
            .map(|(topic_partition, _)| topic_partition)
    }

    /// What stands between the partition and its records; `None` if it is not assigned.
    #[must_use]
    pub fn standing(&self, topic_partition: &TopicPartition) -> Option<Standing> {
        Some(self.partitions.get(topic_partition)?.standing())
    }

    /// What will be handed over next of the partition, if that is known.
    #[must_use]
    pub fn position(&self, topic_partition: &TopicPartition) -> Option<Position> {
        self.partitions.get(topic_partition)?.position()
    }

    /// How many records the partition is behind, as the broker said last.
    #[must_use]
    pub fn lag(&self, topic_partition: &TopicPartition) -> Option<i64> {
        let state = self.partitions.get(topic_partition)?;
        let end = match self.config.isolation_level {
            IsolationLevel::ReadUncommitted => state.high_watermark,
            IsolationLevel::ReadCommitted => state.last_stable_offset,
        };
        Some((end? - state.position()?.offset).max(0))
    }

    /// The bytes that wait to be handed over.
    #[must_use]
    pub const fn buffered_bytes(&self) -> usize {
        self.budget.buffered()
    }

    /// Fetches that are under way: at most one to each broker.
    #[must_use]
    pub fn fetches_in_flight(&self) -> usize {
        self.in_flight
            .values()
            .filter(|in_flight| matches!(in_flight, InFlight::Fetch(_)))
            .count()
    }

    /// What was counted so far.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.tally
    }
}
