//! Where reading stands, where it goes on, and where it could.

use std::collections::{BTreeMap, BTreeSet};

use windlass_core::{Intent, OffsetAndTimestamp, OffsetQuery, Reply, SeekTo};
use windlass_model::{OffsetAndMetadata, TopicPartition};

use super::Consumer;
use crate::command::position_of;
use crate::{ConsumerError, OffsetReset};

impl Consumer {
    /// The offset of the next record that will be handed out of the partition.
    ///
    /// # Errors
    ///
    /// [`ConsumerError::NotAssigned`]; [`ConsumerError::TimedOut`] while it is being looked up.
    pub async fn position(&mut self, partition: &TopicPartition) -> Result<i64, ConsumerError> {
        position_of(self.call(Intent::Position(partition.clone())).await)
    }

    /// Makes `offset` the next one to be handed out of the partition.
    ///
    /// # Errors
    ///
    /// [`ConsumerError::NotAssigned`].
    pub async fn seek(
        &mut self,
        partition: &TopicPartition,
        offset: impl Into<OffsetAndMetadata>,
    ) -> Result<(), ConsumerError> {
        self.seek_to(partition, SeekTo::Offset(offset.into())).await
    }

    /// Goes back to the oldest records of these partitions.
    ///
    /// # Errors
    ///
    /// [`ConsumerError::NotAssigned`].
    pub async fn seek_to_beginning(
        &mut self,
        partitions: &[TopicPartition],
    ) -> Result<(), ConsumerError> {
        self.seek_all(partitions, OffsetReset::Earliest).await
    }

    /// Goes on behind the newest records of these partitions.
    ///
    /// # Errors
    ///
    /// [`ConsumerError::NotAssigned`].
    pub async fn seek_to_end(
        &mut self,
        partitions: &[TopicPartition],
    ) -> Result<(), ConsumerError> {
        self.seek_all(partitions, OffsetReset::Latest).await
    }

    /// Hands out and fetches nothing of these partitions until they are resumed; what has been
    /// fetched is kept. A partition that goes to another member comes back without its pause.
    ///
    /// # Errors
    ///
    /// [`ConsumerError::NotAssigned`].
    pub async fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), ConsumerError> {
        let partitions: BTreeSet<_> = partitions.iter().cloned().collect();
        let progress = self.progress();
        let returned = self.application.give_back(&partitions);
        let pause = Intent::Pause {
            partitions,
            returned,
        };
        let paused = self.commands.call(pause, progress);
        paused.await.map(drop)
    }

    /// Ends the pause of these partitions.
    ///
    /// # Errors
    ///
    /// [`ConsumerError::NotAssigned`].
    pub async fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), ConsumerError> {
        self.call(Intent::Resume(partitions.iter().cloned().collect()))
            .await
            .map(drop)
    }

    /// The offsets of the oldest records of these partitions.
    ///
    /// # Errors
    ///
    /// [`ConsumerError::TimedOut`]; what a broker refused.
    pub async fn beginning_offsets(
        &mut self,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> Result<BTreeMap<TopicPartition, i64>, ConsumerError> {
        self.list(partitions, OffsetQuery::Beginning).await
    }

    /// The offsets behind the newest records of these partitions; under `read_committed`, behind the
    /// newest that may be read.
    ///
    /// # Errors
    ///
    /// [`ConsumerError::TimedOut`]; what a broker refused.
    pub async fn end_offsets(
        &mut self,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> Result<BTreeMap<TopicPartition, i64>, ConsumerError> {
        self.list(partitions, OffsetQuery::End).await
    }

    /// For each partition the first record whose timestamp is at least the given one (milliseconds
    /// since the Unix epoch); `None` where no record is that young.
    ///
    /// # Errors
    ///
    /// [`ConsumerError::TimedOut`]; what a broker refused.
    pub async fn offsets_for_times(
        &mut self,
        timestamps: impl IntoIterator<Item = (TopicPartition, i64)>,
    ) -> Result<BTreeMap<TopicPartition, Option<OffsetAndTimestamp>>, ConsumerError> {
        let queries = timestamps
            .into_iter()
            .map(|(partition, timestamp)| (partition, OffsetQuery::AtOrAfter(timestamp)))
            .collect();
        self.look_up(queries).await
    }

    async fn list(
        &mut self,
        partitions: impl IntoIterator<Item = TopicPartition>,
        query: OffsetQuery,
    ) -> Result<BTreeMap<TopicPartition, i64>, ConsumerError> {
        let queries = partitions
            .into_iter()
            .map(|partition| (partition, query))
            .collect();
        let found = self.look_up(queries).await?;
        Ok(found
            .into_iter()
            .filter_map(|(partition, offset)| Some((partition, offset?.offset)))
            .collect())
    }

    async fn look_up(
        &mut self,
        queries: BTreeMap<TopicPartition, OffsetQuery>,
    ) -> Result<BTreeMap<TopicPartition, Option<OffsetAndTimestamp>>, ConsumerError> {
        match self.call(Intent::ListOffsets(queries)).await? {
            Reply::Listed(offsets) => Ok(offsets),
            _ => Err(ConsumerError::Closed),
        }
    }

    async fn seek_all(
        &mut self,
        partitions: &[TopicPartition],
        reset: OffsetReset,
    ) -> Result<(), ConsumerError> {
        for partition in partitions {
            self.seek_to(partition, SeekTo::Reset(reset)).await?;
        }
        Ok(())
    }

    async fn seek_to(
        &mut self,
        partition: &TopicPartition,
        to: SeekTo,
    ) -> Result<(), ConsumerError> {
        let progress = self.progress();
        // Before the question, since that is carried out even if nobody waits for its answer.
        let moved = BTreeSet::from([partition.clone()]);
        self.application.drop_partitions(&moved);
        let intent = Intent::Seek(partition.clone(), to);
        self.commands.call(intent, progress).await.map(drop)
    }
}
