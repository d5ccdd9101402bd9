//! The log of one partition, with a memory of all that was ever truncated from it.

use windlass_protocol::ErrorCode;
use windlass_protocol::records::{ControlRecordType, RecordBatch, RecordBatchBuilder};

/// A batch of the log. What it holds is in `offsets`; it ends before `next`.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) base: i64,
    pub(crate) next: i64,
    pub(crate) epoch: i32,
    pub(crate) offsets: Vec<i64>,
    pub(crate) batch: RecordBatch,
}

/// What kind of batch to append.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Dense(i64),
    /// Every third record is left, and none at the end.
    Sparse(i64),
    Empty(i64),
    Marker,
}

#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) leader: i32,
    pub(crate) epoch: i32,
    pub(crate) start: i64,
    pub(crate) end: i64,
    entries: Vec<Entry>,
    /// Where each leader epoch begins.
    epochs: Vec<(i32, i64)>,
    /// The log as it was before each truncation and each deletion.
    former: Vec<Vec<Entry>>,
}

impl Log {
    pub(crate) fn new(leader: i32) -> Self {
        Self {
            leader,
            epoch: 0,
            start: 0,
            end: 0,
            entries: Vec::new(),
            epochs: vec![(0, 0)],
            former: Vec::new(),
        }
    }

    pub(crate) fn append(&mut self, shape: Shape) {
        let base = self.end;
        let (length, offsets): (i64, Vec<i64>) = match shape {
            Shape::Dense(length) => (length, (base..base + length).collect()),
            Shape::Sparse(length) => (
                length + 2,
                (base..base + length)
                    .filter(|offset| offset % 3 == 0)
                    .collect(),
            ),
            Shape::Empty(length) => (length, Vec::new()),
            Shape::Marker => (1, Vec::new()),
        };
        let next = base + length;
        let delta = |offset: i64| i32::try_from(offset - base).unwrap();
        let mut builder = RecordBatchBuilder::new()
            .base_offset(base)
            .partition_leader_epoch(self.epoch)
            .last_offset_delta(delta(next - 1));
        for offset in &offsets {
            let value = format!("{}/{offset}", self.epoch);
            builder
                .append_at(delta(*offset), 0, None, Some(value.as_bytes()), &[])
                .unwrap();
        }
        let batch = match shape {
            Shape::Marker => {
                let kind = ControlRecordType::Commit;
                RecordBatchBuilder::end_of_transaction(kind, 1, 0, 0, base, 0)
                    .unwrap()
                    .rebased(base, self.epoch)
                    .unwrap()
            }
            Shape::Dense(_) | Shape::Sparse(_) | Shape::Empty(_) => builder.build().unwrap(),
        };
        self.entries.push(Entry {
            base,
            next,
            epoch: self.epoch,
            offsets,
            batch,
        });
        self.end = next;
    }

    /// Another leader, that has everything.
    pub(crate) fn lead(&mut self, node: i32) {
        self.leader = node;
        self.epoch += 1;
        self.epochs.push((self.epoch, self.end));
    }

    /// Another leader, that lacks the last batches.
    pub(crate) fn truncate(&mut self, batches: usize, node: i32) {
        self.former.push(self.entries.clone());
        let keep = self.entries.len().saturating_sub(batches);
        self.entries.truncate(keep);
        self.end = self.entries.last().map_or(self.start, |entry| entry.next);
        let end = self.end;
        self.epochs.retain(|(_, start)| *start < end);
        self.lead(node);
    }

    /// Old records are deleted.
    pub(crate) fn delete_before(&mut self, batches: usize) {
        self.former.push(self.entries.clone());
        let gone = batches.min(self.entries.len());
        self.entries.drain(..gone);
        self.start = self.entries.first().map_or(self.end, |entry| entry.base);
    }

    /// What a leader answers to OffsetForLeaderEpoch: an epoch and its end.
    pub(crate) fn end_of_epoch(&self, asked: i32) -> (i32, i64) {
        if asked > self.epoch {
            return (-1, -1);
        }
        let index = self.epochs.partition_point(|(epoch, _)| *epoch <= asked);
        let end = self.epochs.get(index).map_or(self.end, |(_, start)| *start);
        match index
            .checked_sub(1)
            .and_then(|index| self.epochs.get(index))
        {
            Some((epoch, _)) => (*epoch, end),
            None => (asked, end),
        }
    }

    /// The epoch of the record before an offset, where the log knows it.
    pub(crate) fn epoch_before(&self, offset: i64) -> Option<i32> {
        let entry = self.entries.iter().find(|entry| entry.next >= offset)?;
        (entry.base < offset).then_some(entry.epoch)
    }

    /// What stands in the way of reading from here, as a broker sees it.
    pub(crate) fn refusal(&self, node: i32, epoch: i32, offset: i64) -> Option<ErrorCode> {
        if node != self.leader {
            Some(ErrorCode::NOT_LEADER_OR_FOLLOWER)
        } else if epoch < self.epoch {
            Some(ErrorCode::FENCED_LEADER_EPOCH)
        } else if epoch > self.epoch {
            Some(ErrorCode::UNKNOWN_LEADER_EPOCH)
        } else if offset < self.start || offset > self.end {
            Some(ErrorCode::OFFSET_OUT_OF_RANGE)
        } else {
            None
        }
    }

    /// The batches from an offset on that fit; the first one in any case, where that is granted.
    pub(crate) fn read(&self, offset: i64, room: usize, grant_first: bool) -> Vec<RecordBatch> {
        let mut left = room;
        let mut batches = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.next > offset) {
            let size = entry.batch.bytes().len();
            if size > left && !(grant_first && batches.is_empty()) {
                break;
            }
            left = left.saturating_sub(size);
            batches.push(entry.batch.clone());
        }
        batches
    }

    /// Whether there is a record at this offset, of this epoch.
    pub(crate) fn has(&self, offset: i64, epoch: i32) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.epoch == epoch && entry.offsets.contains(&offset))
    }

    /// Whether this is the log, or was it at some time, for all who look at these offsets only:
    /// between `from` and `until` it held exactly these records.
    pub(crate) fn held(&self, from: i64, until: i64, records: &[i64], epoch: Option<i32>) -> bool {
        let versions = self.former.iter().chain([&self.entries]);
        versions.into_iter().any(|entries| {
            let found = entries.iter().flat_map(|entry| {
                let offsets = entry.offsets.iter().copied();
                offsets.map(|offset| (offset, entry.epoch))
            });
            let found = found.filter(|(offset, _)| (from..until).contains(offset));
            let found: Vec<(i64, i32)> = found.collect();
            found.iter().map(|(offset, _)| offset).eq(records)
                && found
                    .iter()
                    .all(|(_, of)| epoch.is_none_or(|epoch| epoch == *of))
        })
    }
}
