//! What was fetched of a partition and not handed out yet.

use std::collections::VecDeque;

use windlass_model::LeaderEpoch;
use windlass_protocol::records::{DecodedBatch, RecordBatch};

use crate::{Position, TakenRecords};

/// A part of the log, in its place.
#[derive(Clone, Debug)]
enum Item {
    /// Records to hand out.
    Batch {
        batch: RecordBatch,
        /// Present once the batch had to be looked into.
        decoded: Option<DecodedBatch>,
    },
    /// Nothing to hand out: a control batch, an aborted one, or one that was compacted away.
    Nothing { after: Position },
}

/// The batches of one partition between its position and its next fetch, in order.
#[derive(Clone, Debug)]
pub(crate) struct PartitionQueue {
    items: VecDeque<Item>,
    bytes: usize,
    /// What is handed out next.
    position: Position,
    /// What is fetched next.
    next_fetch: Position,
}

impl PartitionQueue {
    /// Empty, and standing here.
    pub(crate) const fn new(position: Position) -> Self {
        Self {
            items: VecDeque::new(),
            bytes: 0,
            position,
            next_fetch: position,
        }
    }

    pub(crate) const fn position(&self) -> Position {
        self.position
    }

    pub(crate) const fn next_fetch(&self) -> Position {
        self.next_fetch
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Appends a batch that holds records to hand out. Answers whether it was of use: what lies
    /// before the next fetch, or goes backwards, is not.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> bool {
        if batch.next_offset() <= self.next_fetch.offset {
            return false;
        }
        let after = position_after(&batch);
        if batch.header().record_count == 0 {
            self.push_nothing(after);
            return true;
        }
        self.bytes += batch.bytes().len();
        self.next_fetch = after;
        self.items.push_back(Item::Batch {
            batch,
            decoded: None,
        });
        true
    }

    /// Appends a batch that holds nothing to hand out: only the position goes past it.
    pub(crate) fn push_skipped(&mut self, batch: &RecordBatch) -> bool {
        if batch.next_offset() <= self.next_fetch.offset {
            return false;
        }
        self.push_nothing(position_after(batch));
        true
    }

    fn push_nothing(&mut self, after: Position) {
        self.next_fetch = after;
        if self.items.is_empty() {
            self.position = after;
        } else {
            self.items.push_back(Item::Nothing { after });
        }
    }

    /// Throws away what lies at or behind `offset`; the log there is not what it was.
    pub(crate) fn truncate(&mut self, offset: i64) {
        while let Some(last) = self.items.back() {
            let begin = match last {
                Item::Batch { batch, .. } => batch.base_offset(),
                Item::Nothing { after } => after.offset - 1,
            };
            if begin < offset {
                break;
            }
            if let Some(Item::Batch { batch, .. }) = self.items.pop_back() {
                self.bytes -= batch.bytes().len();
            }
        }
        let offset = offset.max(self.position.offset);
        self.next_fetch = Position {
            offset,
            leader_epoch: self.position.leader_epoch,
        };
    }

    /// Takes out the next batch, or the part of it that holds at most `limit` records.
    pub(crate) fn take(&mut self, limit: usize) -> Option<(Cut, usize)> {
        if limit == 0 {
            return None;
        }
        let Item::Batch { batch, mut decoded } = self.items.pop_front()? else {
            return None;
        };
        let before = self.position;
        let whole = position_after(&batch);
        let (count, until) = portion(&batch, &mut decoded, before.offset, limit);
        let cut = Cut {
            batch: batch.clone(),
            decoded: decoded.clone(),
            before,
            after: if until >= whole.offset {
                whole
            } else {
                Position {
                    offset: until,
                    ..whole
                }
            },
        };
        self.position = cut.after;
        if until >= whole.offset {
            self.bytes -= batch.bytes().len();
            self.pass_nothing();
        } else {
            self.items.push_front(Item::Batch { batch, decoded });
        }
        Some((cut, count))
    }

    /// Goes past what holds nothing to hand out.
    fn pass_nothing(&mut self) {
        while let Some(Item::Nothing { after }) = self.items.front() {
            self.position = *after;
            self.items.pop_front();
        }
    }
}

/// A batch or a part of one, cut off the front of a queue.
#[derive(Debug)]
pub(crate) struct Cut {
    batch: RecordBatch,
    decoded: Option<DecodedBatch>,
    before: Position,
    after: Position,
}

impl Cut {
    pub(crate) fn into_taken(
        self,
        topic_partition: windlass_model::TopicPartition,
    ) -> TakenRecords {
        TakenRecords {
            topic_partition,
            batch: self.batch,
            decoded: self.decoded,
            from_offset: self.before.offset,
            until_offset: self.after.offset,
            position_before: self.before.into(),
            position_after: self.after.into(),
        }
    }
}

fn position_after(batch: &RecordBatch) -> Position {
    Position {
        offset: batch.next_offset(),
        leader_epoch: LeaderEpoch::from_wire(batch.header().partition_leader_epoch),
    }
}

/// What a batch may grow to when it has to be looked into.
const LARGEST_BATCH: usize = 256 * 1024 * 1024;

/// How many records from `from` on are at most `limit`, and the offset behind them.
fn portion(
    batch: &RecordBatch,
    decoded: &mut Option<DecodedBatch>,
    from: i64,
    limit: usize,
) -> (usize, i64) {
    let end = batch.next_offset();
    let header = batch.header();
    let all = usize::try_from(header.record_count).unwrap_or(usize::MAX);
    if header.is_dense() {
        let left = usize::try_from(end - from.max(batch.base_offset())).unwrap_or(usize::MAX);
        if left <= limit {
            return (left, end);
        }
        let limit_offset = i64::try_from(limit).unwrap_or(i64::MAX);
        return (
            limit,
            from.max(batch.base_offset()).saturating_add(limit_offset),
        );
    }
    if all <= limit {
        return (all, end);
    }
    // A compacted batch has gaps: only a look inside says where to cut.
    if decoded.is_none() {
        *decoded = batch.decompressed(LARGEST_BATCH).ok();
    }
    let Some(open) = decoded else {
        // The one who walks it will find out, and say so.
        return (all, end);
    };
    let mut count = 0;
    for record in open.records_from(from) {
        match record {
            Ok(record) if count == limit => return (count, record.offset),
            Ok(_) => count += 1,
            Err(_) => break,
        }
    }
    (count, end)
}
