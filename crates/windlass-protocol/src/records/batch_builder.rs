//! Writing a record batch.

use super::varint::{put_varint, put_varlong, varlong_length};
use super::{
    BatchError, BatchHeader, Compression, ControlRecord, ControlRecordType, RecordBatch,
    TimestampType,
};

/// Builds a record batch of magic 2: set what the header says, append records, [`build`].
///
/// [`build`]: RecordBatchBuilder::build
#[derive(Clone, Debug)]
#[must_use]
pub struct RecordBatchBuilder {
    header: BatchHeader,
    /// The delta that the next appended record gets.
    next_delta: i32,
    body: Vec<u8>,
}

impl Default for RecordBatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl RecordBatchBuilder {
    /// An empty batch at offset 0: uncompressed, with create times, of no idempotent producer.
    pub fn new() -> Self {
        Self {
            header: BatchHeader {
                base_offset: 0,
                batch_length: 0,
                partition_leader_epoch: -1,
                crc: 0,
                compression: Compression::None,
                timestamp_type: TimestampType::CreateTime,
                is_transactional: false,
                is_control: false,
                has_delete_horizon: false,
                last_offset_delta: 0,
                base_timestamp: -1,
                max_timestamp: -1,
                producer_id: -1,
                producer_epoch: -1,
                base_sequence: -1,
                record_count: 0,
            },
            next_delta: 0,
            body: Vec::new(),
        }
    }

    /// The offset of the first record.
    pub fn base_offset(mut self, offset: i64) -> Self {
        self.header.base_offset = offset;
        self
    }

    /// The epoch of the leader that appends the batch; a producer leaves −1.
    pub fn partition_leader_epoch(mut self, epoch: i32) -> Self {
        self.header.partition_leader_epoch = epoch;
        self
    }

    /// How to compress the records.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.header.compression = compression;
        self
    }

    /// Marks the batch as stamped by the broker at this time: milliseconds since 1970.
    pub fn log_append_time(mut self, timestamp: i64) -> Self {
        self.header.timestamp_type = TimestampType::LogAppendTime;
        self.header.max_timestamp = timestamp;
        self
    }

    /// The idempotent or transactional producer: its id, its epoch, and the sequence number of the
    /// first record.
    pub fn producer(mut self, id: i64, epoch: i16, base_sequence: i32) -> Self {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    /// Makes the batch part of its producer's transaction.
    pub fn transactional(mut self) -> Self {
        self.header.is_transactional = true;
        self
    }

    /// Makes the batch a control batch.
    pub fn control(mut self) -> Self {
        self.header.is_control = true;
        self
    }

    /// Sets the delete horizon (KIP-534): milliseconds since 1970. To be called before the first
    /// record, because record timestamps are then written relative to it.
    pub fn delete_horizon(mut self, timestamp: i64) -> Self {
        self.header.has_delete_horizon = true;
        self.header.base_timestamp = timestamp;
        self
    }

    /// Lets the batch end at this offset delta, if no record has a greater one: what compaction
    /// leaves behind when it removes the last records of a batch.
    pub fn last_offset_delta(mut self, delta: i32) -> Self {
        self.header.last_offset_delta = self.header.last_offset_delta.max(delta);
        self
    }

    /// Appends a record at the next offset. `timestamp` is in milliseconds since 1970; headers are
    /// pairs of key and nullable value.
    ///
    /// # Errors
    ///
    /// [`BatchError::TooLarge`] when the record does not fit a batch.
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&[u8], Option<&[u8]>)],
    ) -> Result<(), BatchError> {
        self.append_at(self.next_delta, timestamp, key, value, headers)
    }

    /// Appends a record at an offset delta of its own, as a compacted batch has them. A delta must
    /// be greater than the one before.
    ///
    /// # Errors
    ///
    /// [`BatchError::InvalidOffset`] for a delta that does not increase, [`BatchError::TooLarge`]
    /// when the record does not fit a batch.
    pub fn append_at(
        &mut self,
        offset_delta: i32,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&[u8], Option<&[u8]>)],
    ) -> Result<(), BatchError> {
        let following = offset_delta.checked_add(1);
        let (Some(following), true) = (following, offset_delta >= self.next_delta) else {
            return Err(BatchError::InvalidOffset {
                base_offset: self.header.base_offset,
                last_offset_delta: offset_delta,
            });
        };
        if self.header.record_count == 0 && !self.header.has_delete_horizon {
            self.header.base_timestamp = timestamp;
        }
        let timestamp_delta = timestamp.wrapping_sub(self.header.base_timestamp);
        let length = record_length(timestamp_delta, offset_delta, key, value, headers);
        put_varint(&mut self.body, length_on_wire(length)?);
        self.body.push(0);
        put_varlong(&mut self.body, timestamp_delta);
        put_varint(&mut self.body, offset_delta);
        put_nullable(&mut self.body, key)?;
        put_nullable(&mut self.body, value)?;
        put_varint(&mut self.body, length_on_wire(headers.len())?);
        for (key, value) in headers {
            put_nullable(&mut self.body, Some(key))?;
            put_nullable(&mut self.body, *value)?;
        }
        self.next_delta = following;
        self.header.record_count += 1;
        self.header.last_offset_delta = self.header.last_offset_delta.max(offset_delta);
        if self.header.timestamp_type == TimestampType::CreateTime {
            self.header.max_timestamp = self.header.max_timestamp.max(timestamp);
        }
        Ok(())
    }

    /// How many records were appended.
    #[must_use]
    pub fn record_count(&self) -> i32 {
        self.header.record_count
    }

    /// Bytes of the batch so far, before compression.
    #[must_use]
    pub fn uncompressed_length(&self) -> usize {
        BatchHeader::LENGTH + self.body.len()
    }

    /// Compresses the records and puts the header before them.
    ///
    /// # Errors
    ///
    /// [`BatchError::CodecNotBuilt`], [`BatchError::TooLarge`], [`BatchError::InvalidOffset`] when
    /// the offsets leave their range.
    pub fn build(self) -> Result<RecordBatch, BatchError> {
        match self.header.compression {
            Compression::None => RecordBatch::assemble(self.header, &self.body),
            codec => RecordBatch::assemble(self.header, &codec.compress(&self.body)?),
        }
    }

    /// The control batch that ends a transaction: [`ControlRecordType::Commit`] or
    /// [`ControlRecordType::Abort`]. `timestamp` is in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// [`BatchError::InvalidOffset`] for a base offset out of range.
    pub fn end_of_transaction(
        record_type: ControlRecordType,
        producer_id: i64,
        producer_epoch: i16,
        coordinator_epoch: i32,
        base_offset: i64,
        timestamp: i64,
    ) -> Result<RecordBatch, BatchError> {
        let (key, value) = ControlRecord::to_key_and_value(record_type, coordinator_epoch);
        let mut batch = Self::new()
            .base_offset(base_offset)
            .producer(producer_id, producer_epoch, -1)
            .transactional()
            .control();
        batch.append(timestamp, Some(&key), Some(&value), &[])?;
        batch.build()
    }
}

fn length_on_wire(length: usize) -> Result<i32, BatchError> {
    i32::try_from(length).map_err(|_| BatchError::TooLarge {
        limit: usize::try_from(i32::MAX).unwrap_or(usize::MAX),
        declared: u64::try_from(length).ok(),
    })
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) -> Result<(), BatchError> {
    match bytes {
        Some(bytes) => {
            put_varint(out, length_on_wire(bytes.len())?);
            out.extend_from_slice(bytes);
        }
        None => put_varint(out, -1),
    }
    Ok(())
}

/// Bytes of a record after its length field.
fn record_length(
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[(&[u8], Option<&[u8]>)],
) -> usize {
    let nullable = |bytes: Option<&[u8]>| match bytes {
        Some(bytes) => count_length(bytes.len()) + bytes.len(),
        None => 1,
    };
    let headers_length: usize = headers
        .iter()
        .map(|(key, value)| nullable(Some(key)) + nullable(*value))
        .sum();
    1 + varlong_length(timestamp_delta)
        + varlong_length(i64::from(offset_delta))
        + nullable(key)
        + nullable(value)
        + count_length(headers.len())
        + headers_length
}

fn count_length(count: usize) -> usize {
    varlong_length(i64::try_from(count).unwrap_or(i64::MAX))
}
