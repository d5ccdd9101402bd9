//! What was fetched of a partition and not handed out yet.

use std::collections::VecDeque;

use windlass_model::{LeaderEpoch, TopicPartition};
use windlass_protocol::records::{Compression, RecordBatch};

use crate::shared_batch::{Inside, SharedBatch};
use crate::{Position, TakenRecords};

/// A part of the log, in its place.
#[derive(Clone, Debug)]
enum Item {
    /// Records to hand out.
    Batch {
        batch: RecordBatch,
        /// The share of the next part, once there was one before it.
        begun: Option<SharedBatch>,
    },
    /// Nothing to hand out: a control batch, an aborted one, or one that was compacted away.
    Nothing { after: Position },
}

impl Item {
    fn after(&self) -> Position {
        match self {
            Self::Batch { batch, .. } => position_after(batch),
            Self::Nothing { after } => *after,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Batch { batch, .. } => batch.bytes().len(),
            Self::Nothing { .. } => 0,
        }
    }
}

/// The batches of one partition between its position and its next fetch, in order.
#[derive(Clone, Debug)]
pub(crate) struct PartitionQueue {
    /// The first of them, if there is one, holds records.
    items: VecDeque<Item>,
    bytes: usize,
    /// What is handed out next.
    position: Position,
    /// The end of what was handed out last.
    handed_out: Option<Position>,
}

impl PartitionQueue {
    /// Empty, and standing here.
    pub(crate) const fn new(position: Position) -> Self {
        Self {
            items: VecDeque::new(),
            bytes: 0,
            position,
            handed_out: None,
        }
    }

    pub(crate) const fn position(&self) -> Position {
        self.position
    }

    /// What follows all that was fetched.
    pub(crate) fn next_fetch(&self) -> Position {
        self.items.back().map_or(self.position, Item::after)
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether the next batch has been unpacked for a part of it, and stays so until all of it goes.
    pub(crate) fn holds_unpacked(&self) -> bool {
        matches!(
            self.items.front(),
            Some(Item::Batch { batch, begun: Some(_) })
                if batch.header().compression != Compression::None
        )
    }

    /// Nobody will take anything for a while: what was unpacked need not wait.
    pub(crate) fn pack(&mut self) {
        if let Some(Item::Batch {
            begun: Some(shared),
            ..
        }) = self.items.front_mut()
        {
            shared.pack();
        }
    }

    /// Appends a batch that holds records to hand out. Does nothing with one that lies before the
    /// next fetch: a broker that goes backwards is not followed.
    pub(crate) fn push(&mut self, batch: RecordBatch) {
        if batch.header().record_count == 0 {
            self.push_skipped(&batch);
        } else if batch.next_offset() > self.next_fetch().offset {
            self.bytes += batch.bytes().len();
            self.items.push_back(Item::Batch { batch, begun: None });
        }
    }

    /// Appends a batch that holds nothing to hand out: only the position goes past it.
    pub(crate) fn push_skipped(&mut self, batch: &RecordBatch) {
        let after = position_after(batch);
        if after.offset <= self.next_fetch().offset {
            return;
        }
        match self.items.back_mut() {
            None => self.position = after,
            // One after the other they take up no more room than the first.
            Some(Item::Nothing { after: before }) => *before = after,
            Some(Item::Batch { .. }) => self.items.push_back(Item::Nothing { after }),
        }
    }

    /// Throws away what the log of the leader cannot have: it has nothing at or behind `end`, and
    /// nothing of an epoch later than `epoch`. Answers whether there was any.
    pub(crate) fn truncate(&mut self, end: i64, epoch: Option<LeaderEpoch>) -> bool {
        let before = self.items.len();
        while let Some(last) = self.items.back()
            && (last.after().offset > end || last.after().leader_epoch > epoch)
        {
            self.bytes -= last.bytes();
            self.items.pop_back();
        }
        self.items.len() < before
    }

    /// Throws everything away; the position stays.
    pub(crate) fn clear(&mut self) {
        self.items.clear();
        self.bytes = 0;
    }

    /// Takes out the next batch, or the part of it that holds at most `limit` records. Nothing comes
    /// where the batch would have to be unpacked for that and the allowance is used up.
    pub(crate) fn take(&mut self, limit: usize, allowance: &mut usize) -> Option<Cut> {
        if limit == 0 {
            return None;
        }
        let Some(Item::Batch { batch, begun }) = self.items.front_mut() else {
            return None;
        };
        let whole = position_after(batch);
        let (count, until) = portion(batch, begun, self.position.offset, limit, allowance)?;
        let ends = until >= whole.offset;
        let mut shared = begun.take();
        if !ends {
            *begun = Some(shared.get_or_insert_default().next());
        }
        let mut cut = Cut {
            batch: batch.clone(),
            shared,
            count,
            until,
            before: self.position,
            after: Position {
                offset: if ends { whole.offset } else { until },
                ..whole
            },
        };
        self.position = cut.after;
        if ends {
            self.bytes -= cut.batch.bytes().len();
            self.items.pop_front();
            self.pass_nothing();
            cut.after = self.position;
        }
        if cut.count > 0 {
            self.handed_out = Some(cut.after);
        }
        Some(cut)
    }

    /// Takes back what was handed out from `position` on: all of it, in its order. Whether that is
    /// so, as far as the queue can tell; nothing happens where it is not.
    pub(crate) fn give_back(&mut self, position: Position, parts: Vec<TakenRecords>) -> bool {
        let ends = parts.last().map(|last| last.position_after.offset);
        if ends.is_none() || ends != self.handed_out.map(|end| end.offset) {
            return false;
        }
        for part in parts.into_iter().rev() {
            self.put_before(part);
        }
        self.position = position;
        self.handed_out = None;
        true
    }

    fn put_before(&mut self, part: TakenRecords) {
        let before = Position {
            offset: part.position_before.offset,
            leader_epoch: part.position_before.leader_epoch,
        };
        let share = part.shared.as_ref().map(SharedBatch::again);
        match self.items.front_mut() {
            // The rest of the same batch is still here.
            Some(Item::Batch { batch, begun })
                if batch.header().base_offset == part.batch.header().base_offset =>
            {
                *begun = share;
            }
            Some(Item::Batch { .. } | Item::Nothing { .. }) | None => {
                if position_after(&part.batch).offset < self.position.offset {
                    let after = self.position;
                    self.items.push_front(Item::Nothing { after });
                }
                self.bytes += part.batch.bytes().len();
                self.items.push_front(Item::Batch {
                    batch: part.batch,
                    begun: share,
                });
            }
        }
        self.position = before;
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
    shared: Option<SharedBatch>,
    /// How many records are in it, or may be.
    pub(crate) count: usize,
    until: i64,
    before: Position,
    after: Position,
}

impl Cut {
    pub(crate) fn into_taken(self, topic_partition: TopicPartition) -> TakenRecords {
        TakenRecords {
            topic_partition,
            batch: self.batch,
            from_offset: self.before.offset,
            until_offset: self.until,
            position_before: self.before.into(),
            position_after: self.after.into(),
            shared: self.shared,
        }
    }
}

fn position_after(batch: &RecordBatch) -> Position {
    Position {
        offset: batch.next_offset(),
        leader_epoch: LeaderEpoch::from_wire(batch.header().partition_leader_epoch),
    }
}

/// How many records from `from` on are at most `limit`, and the offset behind them. A batch that
/// cannot be read is left whole to the one who walks it, and who will find out.
fn portion(
    batch: &RecordBatch,
    begun: &mut Option<SharedBatch>,
    from: i64,
    limit: usize,
    allowance: &mut usize,
) -> Option<(usize, i64)> {
    let header = batch.header();
    let end = batch.next_offset();
    let begin = from.max(header.base_offset);
    if header.is_dense() {
        let left = usize::try_from(end - begin).unwrap_or(usize::MAX);
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        return Some(if left <= limit {
            (left, end)
        } else {
            (limit, begin.saturating_add(most))
        });
    }
    // Compaction has left gaps: unless all of it goes, only a look inside says where to cut.
    let all = usize::try_from(header.record_count).unwrap_or(usize::MAX);
    if all <= limit && begin == header.base_offset {
        return Some((all, end));
    }
    let shared = begun.get_or_insert_default();
    let decoded = match shared.look_inside(batch, allowance) {
        Inside::Open(decoded) => decoded,
        Inside::Closed => return Some((all.min(limit), end)),
        Inside::Later => return None,
    };
    let mut walk = shared.records(decoded).starting_at(begin);
    let mut count = 0;
    loop {
        let here = walk.bookmark();
        match walk.next() {
            Some(Ok(record)) if count == limit => {
                shared.ends_at(here);
                return Some((count, record.offset));
            }
            Some(Ok(_)) => count += 1,
            Some(Err(_)) => return Some((count.max(1), end)),
            None => return Some((count, end)),
        }
    }
}

#[cfg(test)]
mod tests;
