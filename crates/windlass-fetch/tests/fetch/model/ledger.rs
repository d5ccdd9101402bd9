//! What each assigned partition must hand out next.

use std::collections::BTreeMap;

use windlass_fetch::{FetchEvent, FetchMachine, TakenRecords};
use windlass_model::TopicPartition;

use super::log::Log;

/// What is expected of a partition.
#[derive(Clone, Debug)]
struct Expected {
    /// Where it stands; none while that is being found out.
    cursor: Option<i64>,
    /// Whether something happened that may move its position: a truncation, a deletion, a seek to
    /// where nothing is.
    may_be_moved: bool,
    /// What was handed out since the application chose the position, and not taken back: offsets
    /// and epochs.
    handed_out: Vec<(i64, i32)>,
}

/// Holds the machine to its word: nothing skipped, nothing twice.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    partitions: BTreeMap<TopicPartition, Expected>,
}

impl Ledger {
    /// The partition begins anew.
    pub(crate) fn stands(&mut self, partition: &TopicPartition, cursor: Option<i64>, log: &Log) {
        let out = cursor.is_none_or(|cursor| cursor < log.start || cursor > log.end);
        let expected = Expected {
            cursor,
            may_be_moved: out,
            handed_out: Vec::new(),
        };
        self.partitions.insert(partition.clone(), expected);
    }

    pub(crate) fn gone(&mut self, partition: &TopicPartition) {
        self.partitions.remove(partition);
    }

    /// Something happened to its log.
    pub(crate) fn disturbed(&mut self, partition: &TopicPartition) {
        if let Some(expected) = self.partitions.get_mut(partition) {
            expected.may_be_moved = true;
        }
    }

    pub(crate) fn is_assigned(&self, partition: &TopicPartition) -> bool {
        self.partitions.contains_key(partition)
    }

    pub(crate) fn event(&mut self, event: &FetchEvent) {
        match event {
            FetchEvent::PositionReset {
                topic_partition,
                from,
                to,
                reason,
            } => {
                let expected = self.partitions.get_mut(topic_partition).expect("assigned");
                assert!(
                    expected.may_be_moved,
                    "{topic_partition} was moved from {from:?} to {to}: {reason}"
                );
                if expected.cursor.is_none() {
                    expected.may_be_moved = false;
                }
                expected.cursor = Some(*to);
                expected.handed_out.retain(|(offset, _)| offset < to);
            }
            FetchEvent::PartitionFailed {
                topic_partition,
                error,
            } => assert!(
                // What a broker refuses, and answers that cannot be read.
                matches!(
                    error,
                    windlass_fetch::FetchError::Refused { .. }
                        | windlass_fetch::FetchError::Unreachable { .. }
                ),
                "{topic_partition}: {error}"
            ),
            _ => {}
        }
    }

    /// What was handed out from here to `until` is given back: whether that is still how it stands.
    pub(crate) fn given_back(&mut self, partition: &TopicPartition, from: i64, until: i64) -> bool {
        let expected = self.partitions.get_mut(partition);
        let Some(expected) =
            expected.filter(|expected| expected.cursor == Some(until) && !expected.may_be_moved)
        else {
            return false;
        };
        expected.cursor = Some(from);
        expected.handed_out.retain(|(offset, _)| *offset < from);
        true
    }

    pub(crate) fn taken(&mut self, taken: &TakenRecords, logs: &[Log]) {
        let partition = &taken.topic_partition;
        let log = &logs[usize::try_from(partition.partition).unwrap()];
        let expected = self.partitions.get_mut(partition).expect("assigned");
        let cursor = expected.cursor.expect("a position");
        let before = taken.position_before.offset;
        assert!(
            before >= cursor,
            "{partition}: twice from {before} to {cursor}"
        );
        assert!(
            log.held(cursor, before, &[], None),
            "{partition}: skipped from {cursor} to {before}"
        );
        assert_eq!(taken.from_offset, before, "{partition}");
        let decoded = taken.decode().unwrap();
        let epoch = taken.batch.header().partition_leader_epoch;
        let mut offsets = Vec::new();
        for record in taken.records(&decoded) {
            let record = record.unwrap();
            let value = format!("{epoch}/{}", record.offset);
            assert_eq!(record.value, Some(value.as_bytes()));
            offsets.push(record.offset);
        }
        let records = offsets.iter().map(|offset| (*offset, epoch));
        expected.handed_out.extend(records);
        assert!(!offsets.is_empty(), "{partition}: nothing was handed out");
        let after = taken.position_after.offset;
        assert!(
            log.held(before, taken.until_offset, &offsets, Some(epoch)),
            "{partition}: {offsets:?} between {before} and {}",
            taken.until_offset
        );
        assert!(
            log.held(taken.until_offset, after, &[], None),
            "{partition}: skipped from {} to {after}",
            taken.until_offset
        );
        expected.cursor = Some(after);
    }

    /// Positions go by themselves only past what holds no records.
    pub(crate) fn check(&mut self, machine: &FetchMachine, logs: &[Log]) {
        for (partition, expected) in &mut self.partitions {
            let log = &logs[usize::try_from(partition.partition).unwrap()];
            let position = machine.position(partition).map(|position| position.offset);
            if let (Some(cursor), Some(position)) = (expected.cursor, position) {
                assert!(position >= cursor, "{partition}: back to {position}");
                assert!(
                    log.held(cursor, position, &[], None),
                    "{partition}: skipped from {cursor} to {position}"
                );
                expected.cursor = Some(position);
            }
        }
    }

    /// Whether what was handed out is what the log holds: what was truncated has been taken back.
    pub(crate) fn check_against(&self, logs: &[Log]) {
        for (partition, expected) in &self.partitions {
            let log = &logs[usize::try_from(partition.partition).unwrap()];
            for (offset, epoch) in &expected.handed_out {
                assert!(
                    *offset < log.start || log.has(*offset, *epoch),
                    "{partition}: {offset} of epoch {epoch} was truncated, and nobody was told"
                );
            }
        }
    }

    /// Whether everything was handed out.
    pub(crate) fn is_at_the_end(&self, logs: &[Log]) -> bool {
        self.partitions.iter().all(|(partition, expected)| {
            let log = &logs[usize::try_from(partition.partition).unwrap()];
            expected.cursor == Some(log.end)
        })
    }
}
