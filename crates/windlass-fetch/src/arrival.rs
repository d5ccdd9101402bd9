//! What arrives of a partition: batches, sound or corrupt, and the end.

use std::time::Instant;

use windlass_machine::RequestId;
use windlass_model::TopicPartition;
use windlass_protocol::fetch_response::PartitionEnd;
use windlass_protocol::records::{BatchError, BatchHeader, ControlRecordType, RecordBatch};

use crate::in_flight::InFlight;
use crate::{FetchError, FetchEvent, FetchMachine, IsolationLevel};

/// What a control batch may grow to when it is looked into.
const LARGEST_CONTROL_BATCH: usize = 1024 * 1024;

/// So many times a follower with a corrupt batch is left for its leader, in the hope that the leader
/// has it whole.
const FOLLOWER_FAULTS: u32 = 3;

impl FetchMachine {
    pub(crate) fn on_batch(&mut self, id: RequestId, batch: RecordBatch, now: Instant) {
        let Some(topic_partition) = self.arriving(id) else {
            self.tally.stale_parts += 1;
            return;
        };
        let is_first = !self.has_batches(id);
        self.note_batch(id);
        let read_committed = self.config.isolation_level == IsolationLevel::ReadCommitted;
        // Who reads all does not care whose transaction was aborted.
        let ends = match read_committed.then(|| control_kind(&batch)).transpose() {
            Ok(kind) => kind.flatten(),
            Err(error) => {
                let (base, last) = (batch.header().base_offset, batch.next_offset() - 1);
                self.on_corrupt_batch(id, base, Some(last), &error, now);
                return;
            }
        };
        let Some(state) = self.partitions.get_mut(&topic_partition) else {
            return;
        };
        let Some(InFlight::Fetch(fetch)) = self.in_flight.get_mut(&id) else {
            return;
        };
        if read_committed
            && let Some(stable) = beyond_stable(fetch.last_stable_offset, batch.header())
        {
            let next = state.queue.next_fetch().offset;
            if is_first {
                let error = FetchError::Undecided {
                    offset: next,
                    last_stable_offset: stable,
                };
                self.tell(&topic_partition, error);
            }
            return;
        }
        let before = (state.queue.bytes(), state.queue.next_fetch());
        if batch.header().is_control {
            if let Some(kind) = ends {
                fetch.aborted.end(batch.header(), kind);
            }
            state.queue.push_skipped(&batch);
        } else if read_committed && fetch.aborted.covers(batch.header()) {
            self.tally.aborted_batches += 1;
            state.queue.push_skipped(&batch);
        } else {
            state.queue.push(batch);
        }
        if state.queue.next_fetch() == before.1 {
            // It lies before what was asked for, and would be sent again and again.
            return;
        }
        state.fetch_bytes = None;
        state.follower_faults = 0;
        state.told = None;
        let grown = state.queue.bytes() - before.0;
        if grown > 0 {
            if !self.ready && state.may_hand_out() {
                self.ready = true;
                self.events.push_back(FetchEvent::RecordsReady);
            }
            self.budget.arrived(id, grown);
            self.loaded.insert(topic_partition);
        }
        self.note_progress(id);
    }

    pub(crate) fn on_corrupt_batch(
        &mut self,
        id: RequestId,
        base_offset: i64,
        last_offset: Option<i64>,
        error: &BatchError,
        now: Instant,
    ) {
        let Some(topic_partition) = self.arriving(id) else {
            self.tally.stale_parts += 1;
            return;
        };
        // What follows it must not be handed out before the application has decided.
        self.set_arriving(id, None);
        self.note_progress(id);
        let from_follower = self.leave_follower(id, &topic_partition);
        let Some(state) = self.partitions.get_mut(&topic_partition) else {
            return;
        };
        if from_follower && state.follower_faults < FOLLOWER_FAULTS {
            state.follower_faults += 1;
            state.back_off(&mut self.random, now);
            return;
        }
        let next = last_offset
            .map(|last| format!("; the next batch begins at {}", last.saturating_add(1)));
        let failure = FetchError::Corrupt {
            offset: base_offset.max(state.queue.next_fetch().offset),
            detail: format!("{error}{}", next.unwrap_or_default()),
        };
        if state.queue.is_empty() {
            self.fail(&topic_partition, failure);
        } else {
            // The sound batches before it are handed out first.
            state.failure_ahead = Some(failure);
        }
    }

    pub(crate) fn on_partition_end(&mut self, id: RequestId, end: &PartitionEnd, now: Instant) {
        if let Some(leader) = &end.current_leader {
            self.on_leader_hint(id, leader);
        }
        if end.dropped_tail > 0
            && let Some(topic_partition) = self.arriving(id)
            && !self.has_batches(id)
        {
            self.ask_for_more(id, &topic_partition, end.dropped_tail, now);
        }
        self.set_arriving(id, None);
    }

    /// Not even one batch fitted into what was asked for: ask for twice as much. Kafka itself sends
    /// the first batch whole, but not everything that speaks its protocol does.
    fn ask_for_more(
        &mut self,
        id: RequestId,
        topic_partition: &TopicPartition,
        sent: usize,
        now: Instant,
    ) {
        let least = self.config.max_partition_bytes;
        let Some(state) = self.partitions.get_mut(topic_partition) else {
            return;
        };
        let asked = state.fetch_bytes.unwrap_or(least);
        if asked == i32::MAX {
            let error = FetchError::BatchTooLarge {
                offset: state.queue.next_fetch().offset,
                asked,
            };
            state.back_off(&mut self.random, now);
            self.tell(topic_partition, error);
            return;
        }
        let sent = i32::try_from(sent).unwrap_or(i32::MAX);
        state.fetch_bytes = Some(asked.max(sent).max(1).saturating_mul(2));
        self.note_progress(id);
    }

    /// The partition whose part is arriving, if it still counts.
    pub(crate) fn arriving(&self, id: RequestId) -> Option<TopicPartition> {
        let Some(InFlight::Fetch(fetch)) = self.in_flight.get(&id) else {
            return None;
        };
        let current = fetch.current.clone()?;
        self.still_counts(id, &current).then_some(current)
    }

    pub(crate) fn set_arriving(&mut self, id: RequestId, current: Option<TopicPartition>) {
        if let Some(InFlight::Fetch(fetch)) = self.in_flight.get_mut(&id) {
            fetch.current = current;
            fetch.has_batches = false;
        }
    }

    fn note_batch(&mut self, id: RequestId) {
        if let Some(InFlight::Fetch(fetch)) = self.in_flight.get_mut(&id) {
            fetch.has_batches = true;
        }
    }

    fn has_batches(&self, id: RequestId) -> bool {
        matches!(self.in_flight.get(&id), Some(InFlight::Fetch(fetch)) if fetch.has_batches)
    }

    pub(crate) fn note_progress(&mut self, id: RequestId) {
        if let Some(InFlight::Fetch(fetch)) = self.in_flight.get_mut(&id) {
            fetch.progressed = true;
        }
    }
}

/// Up to where transactions are decided, if the batch lies behind that; a broker should not have sent it.
fn beyond_stable(stable: Option<i64>, header: &BatchHeader) -> Option<i64> {
    stable.filter(|stable| header.base_offset >= *stable)
}

/// What a control batch says, if it is one and was not compacted away.
fn control_kind(batch: &RecordBatch) -> Result<Option<ControlRecordType>, BatchError> {
    if !batch.header().is_control || batch.header().record_count == 0 {
        return Ok(None);
    }
    let decoded = batch.decompressed(LARGEST_CONTROL_BATCH)?;
    Ok(Some(decoded.control_record()?.record_type))
}
