//! What the application has in its hands.

use std::collections::{BTreeMap, BTreeSet};

use windlass_model::{OffsetAndMetadata, TopicPartition};

use crate::{OperationId, Progress};

/// Records the application was handed and has not come back from. A commit by timer must stop
/// before them; a revocation waits until there are none.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    out: BTreeMap<TopicPartition, Out>,
    /// The last hand-out, by the name of the poll that brought it.
    last: Option<OperationId>,
    /// The last offset the group is known to hold for a partition.
    committed: BTreeMap<TopicPartition, i64>,
    /// Why partitions were lost while records of them were out.
    lost_what_is_out: Option<String>,
}

/// Records of a partition that are out.
#[derive(Debug)]
struct Out {
    /// Where it stood before them, or before those that the application is not done with.
    before: OffsetAndMetadata,
    /// Whether they still follow from the position, so that what has not been given out one by one
    /// may be.
    current: bool,
    /// Whether what was not given of them was taken back: the application is through with them as soon
    /// as it is back from what it was given.
    taken_back: bool,
}

impl Ledger {
    /// Records of the partition go out; it stood at `before`.
    pub(crate) fn hand_out(
        &mut self,
        operation: OperationId,
        topic_partition: &TopicPartition,
        before: OffsetAndMetadata,
    ) {
        self.last = Some(operation);
        let out = Out {
            before,
            current: true,
            taken_back: false,
        };
        let out = self.out.entry(topic_partition.clone()).or_insert(out);
        out.current = true;
        out.taken_back = false;
    }

    /// The application came back from everything up to this poll.
    pub(crate) fn come_back(&mut self, operation: OperationId) {
        if self.last.is_some_and(|last| last <= operation) {
            self.out.clear();
            self.lost_what_is_out = None;
        }
    }

    /// The application has finished what lies below these offsets, but not what lies above. It may
    /// have committed ahead of that: a mark is never taken back.
    pub(crate) fn advance(&mut self, progress: &BTreeMap<TopicPartition, OffsetAndMetadata>) {
        for (topic_partition, offset) in progress {
            self.raise(topic_partition, offset);
        }
    }

    fn raise(&mut self, topic_partition: &TopicPartition, offset: &OffsetAndMetadata) {
        if let Some(out) = self.out.get_mut(topic_partition)
            && out.before.offset < offset.offset
        {
            out.before = offset.clone();
        }
    }

    /// Where the application stands in the partition, if that lies before the end of what it was
    /// handed: after what it was given of it.
    pub(crate) fn given_position(
        &self,
        topic_partition: &TopicPartition,
        progress: &Progress,
    ) -> Option<OffsetAndMetadata> {
        if self.last <= progress.given {
            return None;
        }
        let out = self.out.get(topic_partition).filter(|out| out.current)?;
        let partial = progress.partial.get(topic_partition);
        Some(partial.unwrap_or(&out.before).clone())
    }

    /// The partitions of which something is out.
    pub(crate) fn all_out(&self) -> BTreeSet<TopicPartition> {
        self.out.keys().cloned().collect()
    }

    /// What was not given of the partition is no longer the application's to give out; with what it
    /// was given it may still be at work.
    pub(crate) fn take_back(&mut self, topic_partition: &TopicPartition) {
        if let Some(out) = self.out.get_mut(topic_partition) {
            out.current = false;
            out.taken_back = true;
        }
    }

    /// The application is back from all that it was given.
    pub(crate) fn come_back_from_given(&mut self) {
        self.out.retain(|_, out| !out.taken_back);
    }

    /// What is out of the partition ends at this offset.
    pub(crate) fn stop_at(&mut self, topic_partition: &TopicPartition, offset: i64) {
        self.move_away(topic_partition, Some(&OffsetAndMetadata::new(offset)));
    }

    /// The application came back from all that it was given of the partition.
    pub(crate) fn come_back_from(&mut self, topic_partition: &TopicPartition) {
        self.out.remove(topic_partition);
    }

    /// Where the partition stood before what is out, if anything of it is.
    pub(crate) fn before_out(
        &self,
        topic_partition: &TopicPartition,
    ) -> Option<&OffsetAndMetadata> {
        self.out.get(topic_partition).map(|out| &out.before)
    }

    /// Whether what is out of the partition may be given out to the end.
    pub(crate) fn is_current(&self, topic_partition: &TopicPartition) -> bool {
        self.out.get(topic_partition).is_some_and(|out| out.current)
    }

    /// The position moved, to this offset where it is known: the application may still work on what
    /// is out, but what follows is something else.
    pub(crate) fn move_away(
        &mut self,
        topic_partition: &TopicPartition,
        to: Option<&OffsetAndMetadata>,
    ) {
        if let Some(out) = self.out.get_mut(topic_partition) {
            out.current = false;
            if let Some(to) = to.filter(|to| to.offset < out.before.offset) {
                out.before = to.clone();
            }
        }
    }

    /// Whether anything of these partitions is out.
    pub(crate) fn any_out(&self, partitions: &BTreeSet<TopicPartition>) -> bool {
        self.out.keys().any(|out| partitions.contains(out))
    }

    /// Whether the group is known to hold this offset already.
    pub(crate) fn is_committed(&self, topic_partition: &TopicPartition, offset: i64) -> bool {
        self.committed.get(topic_partition) == Some(&offset)
    }

    /// The group holds this offset now.
    pub(crate) fn note_committed(
        &mut self,
        topic_partition: &TopicPartition,
        offset: &OffsetAndMetadata,
    ) {
        self.committed
            .insert(topic_partition.clone(), offset.offset);
        self.raise(topic_partition, offset);
    }

    /// The partitions were taken away without a word: what is out of them can never be committed.
    pub(crate) fn lose(&mut self, partitions: &BTreeSet<TopicPartition>, reason: &str) {
        if self.any_out(partitions) {
            self.lost_what_is_out = Some(reason.to_owned());
        }
    }

    /// Why partitions were lost of which the application still works on records.
    pub(crate) fn lost_what_is_out(&self) -> Option<&str> {
        self.lost_what_is_out.as_deref()
    }

    /// The partitions are gone.
    pub(crate) fn forget(&mut self, partitions: &BTreeSet<TopicPartition>) {
        self.out
            .retain(|partition, _| !partitions.contains(partition));
        self.committed
            .retain(|partition, _| !partitions.contains(partition));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders() -> TopicPartition {
        TopicPartition::new("orders", 0)
    }

    #[test]
    fn what_is_out_keeps_its_first_position_until_the_application_returns() {
        let mut ledger = Ledger::default();
        ledger.hand_out(OperationId(1), &orders(), OffsetAndMetadata::new(10));
        ledger.hand_out(OperationId(2), &orders(), OffsetAndMetadata::new(20));
        ledger.come_back(OperationId(1));
        assert_eq!(ledger.before_out(&orders()).unwrap().offset, 10);
        ledger.come_back(OperationId(2));
        assert_eq!(ledger.before_out(&orders()), None);
    }

    #[test]
    fn progress_moves_the_mark_without_clearing_it() {
        let mut ledger = Ledger::default();
        ledger.hand_out(OperationId(1), &orders(), OffsetAndMetadata::new(10));
        ledger.advance(&BTreeMap::from([(orders(), OffsetAndMetadata::new(13))]));
        assert_eq!(ledger.before_out(&orders()).unwrap().offset, 13);
        assert!(ledger.any_out(&BTreeSet::from([orders()])));
    }

    #[test]
    fn what_was_taken_back_is_done_with_when_the_application_is_back_from_the_rest() {
        let mut ledger = Ledger::default();
        ledger.hand_out(OperationId(1), &orders(), OffsetAndMetadata::new(10));
        ledger.take_back(&orders());
        let progress = Progress::default();
        assert_eq!(ledger.given_position(&orders(), &progress), None);
        assert_eq!(ledger.before_out(&orders()).unwrap().offset, 10);
        ledger.come_back_from_given();
        assert_eq!(ledger.before_out(&orders()), None);
    }

    #[test]
    fn what_is_handed_out_again_is_not_done_with_because_some_was_taken_back() {
        let mut ledger = Ledger::default();
        ledger.hand_out(OperationId(1), &orders(), OffsetAndMetadata::new(10));
        ledger.take_back(&orders());
        ledger.hand_out(OperationId(2), &orders(), OffsetAndMetadata::new(12));
        ledger.come_back_from_given();
        assert_eq!(ledger.before_out(&orders()).unwrap().offset, 10);
    }

    #[test]
    fn what_was_lost_while_it_was_out_is_remembered_until_the_application_returns() {
        let mut ledger = Ledger::default();
        let partitions = BTreeSet::from([orders()]);
        ledger.lose(&partitions, "a test");
        assert_eq!(ledger.lost_what_is_out(), None, "nothing was out");
        ledger.hand_out(OperationId(1), &orders(), OffsetAndMetadata::new(10));
        ledger.lose(&partitions, "a test");
        ledger.forget(&partitions);
        ledger.come_back(OperationId(0));
        assert_eq!(ledger.lost_what_is_out(), Some("a test"));
        ledger.come_back(OperationId(1));
        assert_eq!(ledger.lost_what_is_out(), None);
    }
}
