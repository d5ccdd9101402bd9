//! The log of one partition: batches in order, and what is known of them.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use windlass_protocol::records::{BatchError, ControlRecordType, RecordBatch, RecordBatchBuilder};

use crate::appended::Appended;
use crate::producer_history::ProducerHistory;

/// A transaction that was aborted, and where its records lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AbortedSpan {
    pub(crate) producer_id: i64,
    pub(crate) first_offset: i64,
    pub(crate) last_offset: i64,
}

/// Some batches of a log, and where they end.
#[derive(Clone, Debug)]
pub(crate) struct ReadBatches {
    pub(crate) bytes: Bytes,
    pub(crate) next_offset: i64,
}

/// A log.
#[derive(Debug, Default)]
pub(crate) struct PartitionLog {
    batches: BTreeMap<i64, RecordBatch>,
    start: i64,
    end: i64,
    /// The first offset of each leader epoch.
    epochs: BTreeMap<i32, i64>,
    producers: BTreeMap<i64, ProducerHistory>,
    /// Open transactions: producer id to first offset.
    open: BTreeMap<i64, i64>,
    aborted: Vec<AbortedSpan>,
}

impl PartitionLog {
    pub(crate) const fn start(&self) -> i64 {
        self.start
    }

    /// One beyond the last offset. Copies never differ, so it is the high watermark as well.
    pub(crate) const fn end(&self) -> i64 {
        self.end
    }

    /// One beyond the last offset before which every transaction is decided.
    pub(crate) fn last_stable(&self) -> i64 {
        self.open.values().copied().min().unwrap_or(self.end)
    }

    /// A new leadership begins here. One under which nothing was written leaves no trace.
    pub(crate) fn begin_epoch(&mut self, epoch: i32) {
        self.epochs.retain(|_, start| *start < self.end);
        self.epochs.insert(epoch, self.end);
    }

    /// The largest epoch that is not above `epoch`, and where it ends; nothing for an epoch that has
    /// not begun. What lies before every known epoch ends where the first of them begins.
    pub(crate) fn end_of_epoch(&self, epoch: i32) -> Option<(i32, i64)> {
        let (latest, _) = self.epochs.last_key_value()?;
        if epoch < 0 || epoch > *latest {
            return None;
        }
        if epoch == *latest {
            return Some((epoch, self.end));
        }
        let found = self.epochs.range(..=epoch).next_back();
        let (_, end) = self.epochs.range(epoch + 1..).next()?;
        Some((found.map_or(epoch, |(found, _)| *found), *end))
    }

    /// The epoch in which the record at `offset` was, or will be, written.
    pub(crate) fn epoch_at(&self, offset: i64) -> i32 {
        let begun = |(_, start): &(&i32, &i64)| **start <= offset;
        let found = self.epochs.iter().rev().find(begun);
        found.map_or(-1, |(epoch, _)| *epoch)
    }

    /// Appends what a producer sent.
    pub(crate) fn append(
        &mut self,
        batch: &RecordBatch,
        leader_epoch: i32,
    ) -> Result<Appended, BatchError> {
        let header = batch.header();
        if header.producer_id >= 0
            && let Some(known) = self.producers.get(&header.producer_id)
            && let Some(verdict) = known.check(header)
        {
            return Ok(verdict);
        }
        let base_offset = self.end;
        let batch = batch.rebased(base_offset, leader_epoch)?;
        let header = *batch.header();
        if header.producer_id >= 0 {
            self.producers
                .entry(header.producer_id)
                .or_default()
                .appended(&header, base_offset);
            if header.is_transactional {
                self.open.entry(header.producer_id).or_insert(base_offset);
            }
        }
        self.end = batch.next_offset();
        self.batches.insert(base_offset, batch);
        Ok(Appended::At(base_offset))
    }

    /// Writes the marker that ends a producer's transaction, if it has one open here.
    pub(crate) fn end_transaction(
        &mut self,
        producer_id: i64,
        producer_epoch: i16,
        commit: bool,
        leader_epoch: i32,
        timestamp: i64,
    ) -> Result<(), BatchError> {
        // Whoever is of an older epoch than the marker is fenced here from now on.
        self.producers
            .entry(producer_id)
            .or_default()
            .begin_epoch(producer_epoch);
        let Some(first_offset) = self.open.remove(&producer_id) else {
            return Ok(());
        };
        let kind = if commit {
            ControlRecordType::Commit
        } else {
            ControlRecordType::Abort
        };
        let marker = RecordBatchBuilder::end_of_transaction(
            kind,
            producer_id,
            producer_epoch,
            0,
            self.end,
            timestamp,
        )?
        .rebased(self.end, leader_epoch)?;
        if !commit {
            self.aborted.push(AbortedSpan {
                producer_id,
                first_offset,
                last_offset: self.end,
            });
        }
        let base_offset = self.end;
        self.end = marker.next_offset();
        self.batches.insert(base_offset, marker);
        Ok(())
    }

    /// Batches from the one that holds `offset`, below `until`, of at most `max_bytes` together; the
    /// first one comes whatever its size if `at_least_one`.
    pub(crate) fn read(
        &self,
        offset: i64,
        until: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> ReadBatches {
        let mut out = BytesMut::new();
        let mut next_offset = offset;
        for batch in self.batches_from(offset) {
            if batch.base_offset() >= until {
                break;
            }
            let fits = out.len() + batch.bytes().len() <= max_bytes;
            if !fits {
                if out.is_empty() && at_least_one {
                    return ReadBatches {
                        bytes: batch.bytes().clone(),
                        next_offset: batch.next_offset(),
                    };
                }
                break;
            }
            out.extend_from_slice(batch.bytes());
            next_offset = batch.next_offset();
        }
        ReadBatches {
            bytes: out.freeze(),
            next_offset,
        }
    }

    /// How many bytes a fetch from `offset` could return, counted up to `enough`.
    pub(crate) fn bytes_from(&self, offset: i64, until: i64, enough: usize) -> usize {
        let mut bytes = 0;
        for batch in self.batches_from(offset) {
            if batch.base_offset() >= until || bytes >= enough {
                break;
            }
            bytes += batch.bytes().len();
        }
        bytes
    }

    /// The batches from the one that holds `offset`.
    pub(crate) fn batches_from(&self, offset: i64) -> impl Iterator<Item = &RecordBatch> {
        let first = self.batches.range(..=offset).next_back();
        let first = first
            .filter(|(_, batch)| batch.next_offset() > offset)
            .map_or(offset, |(base, _)| *base);
        self.batches.range(first..).map(|(_, batch)| batch)
    }

    /// The aborted transactions with records between the two offsets.
    pub(crate) fn aborted_between(&self, from: i64, until: i64) -> Vec<AbortedSpan> {
        let reaches = |span: &&AbortedSpan| span.last_offset >= from && span.first_offset < until;
        self.aborted.iter().filter(reaches).copied().collect()
    }

    /// The first record whose timestamp is at least this: offset and timestamp.
    pub(crate) fn at_or_after(&self, timestamp: i64) -> Option<(i64, i64)> {
        self.batches
            .values()
            .filter(|batch| batch.header().max_timestamp >= timestamp && !batch.header().is_control)
            .find_map(|batch| first_at_or_after(batch, timestamp, self.start))
    }

    /// The youngest record: offset and timestamp.
    pub(crate) fn youngest(&self) -> Option<(i64, i64)> {
        let newest = self
            .batches
            .values()
            .map(|batch| batch.header().max_timestamp)
            .max()?;
        self.at_or_after(newest)
    }

    /// Forgets what lies below `offset`.
    pub(crate) fn delete_before(&mut self, offset: i64) {
        self.start = offset.clamp(self.start, self.end);
        let start = self.start;
        self.batches.retain(|_, batch| batch.next_offset() > start);
    }
}

/// What a batch may grow to when it has to be looked into.
const LARGEST_BATCH: usize = 128 * 1024 * 1024;

fn first_at_or_after(batch: &RecordBatch, timestamp: i64, start: i64) -> Option<(i64, i64)> {
    let decoded = batch.decompressed(LARGEST_BATCH).ok()?;
    decoded
        .records()
        .filter_map(Result::ok)
        .find(|record| record.timestamp >= timestamp && record.offset >= start)
        .map(|record| (record.offset, record.timestamp))
}
