//! Record batches to send.

use windlass_protocol::records::{Compression, ControlRecordType, RecordBatch, RecordBatchBuilder};

/// The leader epoch of batches unless said otherwise.
pub(crate) const EPOCH: i32 = 5;

/// A batch with a record at every offset from `from` to below `until`.
pub(crate) fn dense(from: i64, until: i64) -> RecordBatch {
    of_epoch(from, until, EPOCH)
}

pub(crate) fn of_epoch(from: i64, until: i64, epoch: i32) -> RecordBatch {
    let offsets: Vec<i64> = (from..until).collect();
    build(
        &offsets,
        until,
        RecordBatchBuilder::new().partition_leader_epoch(epoch),
    )
}

/// A compacted batch: records at these offsets only, the last one before `until`.
pub(crate) fn sparse(base: i64, offsets: &[i64], until: i64) -> RecordBatch {
    let builder = RecordBatchBuilder::new().partition_leader_epoch(EPOCH);
    build_from(base, offsets, until, builder)
}

pub(crate) fn compressed(from: i64, until: i64) -> RecordBatch {
    let offsets: Vec<i64> = (from..until).collect();
    let builder = RecordBatchBuilder::new()
        .partition_leader_epoch(EPOCH)
        .compression(Compression::Lz4);
    build(&offsets, until, builder)
}

/// A dense batch of one record whose value has so many bytes.
pub(crate) fn large(offset: i64, bytes: usize) -> RecordBatch {
    let mut builder = RecordBatchBuilder::new()
        .base_offset(offset)
        .partition_leader_epoch(EPOCH);
    builder
        .append(0, None, Some(&vec![b'x'; bytes]), &[])
        .unwrap();
    builder.build().unwrap()
}

/// A dense batch of a transaction.
pub(crate) fn transactional(producer: i64, from: i64, until: i64) -> RecordBatch {
    let offsets: Vec<i64> = (from..until).collect();
    let builder = RecordBatchBuilder::new()
        .partition_leader_epoch(EPOCH)
        .producer(producer, 0, 0)
        .transactional();
    build(&offsets, until, builder)
}

/// A dense batch of an idempotent producer, in no transaction.
pub(crate) fn idempotent(producer: i64, from: i64, until: i64) -> RecordBatch {
    let offsets: Vec<i64> = (from..until).collect();
    let builder = RecordBatchBuilder::new()
        .partition_leader_epoch(EPOCH)
        .producer(producer, 0, 0);
    build(&offsets, until, builder)
}

pub(crate) fn marker(kind: ControlRecordType, producer: i64, offset: i64) -> RecordBatch {
    RecordBatchBuilder::end_of_transaction(kind, producer, 0, 0, offset, 0).unwrap()
}

fn build(offsets: &[i64], until: i64, builder: RecordBatchBuilder) -> RecordBatch {
    let base = offsets.first().copied().unwrap_or(until - 1);
    build_from(base, offsets, until, builder)
}

fn build_from(base: i64, offsets: &[i64], until: i64, builder: RecordBatchBuilder) -> RecordBatch {
    let delta = |offset: i64| i32::try_from(offset - base).unwrap();
    let mut builder = builder
        .base_offset(base)
        .last_offset_delta(delta(until - 1));
    for offset in offsets {
        let value = offset.to_string();
        builder
            .append_at(delta(*offset), 0, None, Some(value.as_bytes()), &[])
            .unwrap();
    }
    builder.build().unwrap()
}
