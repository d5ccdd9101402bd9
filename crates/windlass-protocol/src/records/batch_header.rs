//! The 61 bytes before the records of a batch.

use nom::Parser;
use nom::number::complete::{be_i8, be_i16, be_i32, be_i64, be_u32};

use super::{BatchError, Compression};

/// Bit of the attributes: the timestamps were set by the broker.
const LOG_APPEND_TIME: i16 = 0x08;
/// Bit of the attributes: the batch is part of a transaction.
const TRANSACTIONAL: i16 = 0x10;
/// Bit of the attributes: the batch holds a control record.
const CONTROL: i16 = 0x20;
/// Bit of the attributes: the base timestamp is a delete horizon.
const DELETE_HORIZON: i16 = 0x40;

/// Who set the timestamps of a batch (`message.timestamp.type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampType {
    /// Each record has the time its producer gave it.
    #[default]
    CreateTime,
    /// All records have the time at which the broker appended the batch.
    LogAppendTime,
}

/// The header of a record batch of magic 2, as far as it can be checked without the records:
/// offsets are in range, the number of records fits them, the compression exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The offset of the first record (or of the first that there once was, after compaction).
    pub base_offset: i64,
    /// Bytes after the length field; the whole batch has 12 more.
    pub batch_length: i32,
    /// The epoch of the leader that appended the batch, −1 if unknown. Not covered by the CRC.
    pub partition_leader_epoch: i32,
    /// CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// How the records are compressed.
    pub compression: Compression,
    /// Who set the timestamps.
    pub timestamp_type: TimestampType,
    /// Whether the batch belongs to a transaction of `producer_id`.
    pub is_transactional: bool,
    /// Whether the batch holds a control record, which no application is given.
    pub is_control: bool,
    /// Whether `base_timestamp` is the time from which on the cleaner may drop the batch's
    /// tombstones or marker (KIP-534). Record timestamps are still relative to it.
    pub has_delete_horizon: bool,
    /// The offset of the last record minus `base_offset`; 0 or greater, kept by compaction.
    pub last_offset_delta: i32,
    /// What record timestamps are relative to: milliseconds since 1970.
    pub base_timestamp: i64,
    /// The greatest timestamp of the batch: milliseconds since 1970, −1 if there is none.
    pub max_timestamp: i64,
    /// The id of the idempotent or transactional producer, −1 for none.
    pub producer_id: i64,
    /// The epoch of the producer, −1 for none.
    pub producer_epoch: i16,
    /// The sequence number of the first record, −1 for none.
    pub base_sequence: i32,
    /// How many records the batch holds; 0 after compaction removed all of them.
    pub record_count: i32,
}

impl BatchHeader {
    /// Bytes of the header, from the base offset up to the records.
    pub const LENGTH: usize = 61;

    /// Bytes before those that `batch_length` counts.
    pub(crate) const PREFIX: usize = 12;

    /// The `batch_length` of a batch without records.
    const SMALLEST_LENGTH: i32 = 49;

    /// Where the four bytes of the CRC stand.
    pub(crate) const CRC_AT: usize = 17;

    /// Where the bytes begin that the CRC covers.
    pub(crate) const CHECKED_FROM: usize = 21;

    /// Reads and checks the header at the front of `bytes`; what follows it is not looked at, and
    /// the CRC is not verified.
    ///
    /// # Errors
    ///
    /// Any of the header's own faults: cut short, another magic, an impossible length, offsets out
    /// of range, an impossible record count, an unknown compression.
    pub fn peek(bytes: &[u8]) -> Result<Self, BatchError> {
        let truncated = BatchError::Truncated {
            needed: Self::LENGTH,
            available: bytes.len(),
        };
        let (rest, (base_offset, batch_length, partition_leader_epoch, magic)) =
            parsed((be_i64, be_i32, be_i32, be_i8), bytes).ok_or(truncated)?;
        if magic != 2 {
            return Err(BatchError::UnsupportedMagic { magic });
        }
        if batch_length < Self::SMALLEST_LENGTH {
            return Err(BatchError::InvalidLength {
                length: batch_length,
            });
        }
        let (rest, (crc, attributes, last_offset_delta)) =
            parsed((be_u32, be_i16, be_i32), rest).ok_or(truncated)?;
        let (rest, (base_timestamp, max_timestamp)) =
            parsed((be_i64, be_i64), rest).ok_or(truncated)?;
        let (_, (producer_id, producer_epoch, base_sequence, record_count)) =
            parsed((be_i64, be_i16, be_i32, be_i32), rest).ok_or(truncated)?;
        let header = Self {
            base_offset,
            batch_length,
            partition_leader_epoch,
            crc,
            compression: Compression::from_attributes(attributes)?,
            timestamp_type: if attributes & LOG_APPEND_TIME == 0 {
                TimestampType::CreateTime
            } else {
                TimestampType::LogAppendTime
            },
            is_transactional: attributes & TRANSACTIONAL != 0,
            is_control: attributes & CONTROL != 0,
            has_delete_horizon: attributes & DELETE_HORIZON != 0,
            last_offset_delta,
            base_timestamp,
            max_timestamp,
            producer_id,
            producer_epoch,
            base_sequence,
            record_count,
        };
        header.check()?;
        Ok(header)
    }

    fn check(&self) -> Result<(), BatchError> {
        // One beyond the last offset is the next position, so that must exist too.
        let next = i64::from(self.last_offset_delta)
            .checked_add(1)
            .and_then(|records| self.base_offset.checked_add(records));
        if self.base_offset < 0 || self.last_offset_delta < 0 || next.is_none() {
            return Err(BatchError::InvalidOffset {
                base_offset: self.base_offset,
                last_offset_delta: self.last_offset_delta,
            });
        }
        if self.record_count < 0 || self.record_count.saturating_sub(1) > self.last_offset_delta {
            return Err(BatchError::InvalidRecordCount {
                record_count: self.record_count,
                last_offset_delta: self.last_offset_delta,
            });
        }
        Ok(())
    }

    /// Bytes of the whole batch, header included.
    #[must_use]
    pub fn total_length(&self) -> usize {
        Self::PREFIX + usize::try_from(self.batch_length).unwrap_or_default()
    }

    /// The offset of the last record (or of the last that there once was, after compaction).
    #[must_use]
    pub fn last_offset(&self) -> i64 {
        self.base_offset
            .saturating_add(i64::from(self.last_offset_delta))
    }

    /// The position after this batch: one beyond its last offset, however few records are left.
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// Whether every offset from the first to the last has its record, as in a batch that was never
    /// compacted: then the record of an offset is found by counting.
    #[must_use]
    pub fn is_dense(&self) -> bool {
        self.record_count.checked_sub(1) == Some(self.last_offset_delta)
    }

    /// When the cleaner may drop the batch's tombstones or marker: milliseconds since 1970.
    #[must_use]
    pub fn delete_horizon(&self) -> Option<i64> {
        self.has_delete_horizon.then_some(self.base_timestamp)
    }

    /// The attributes as the wire has them.
    pub(crate) fn attributes(&self) -> i16 {
        let flag = |set: bool, bit: i16| if set { bit } else { 0 };
        i16::from(self.compression.to_wire())
            | flag(
                self.timestamp_type == TimestampType::LogAppendTime,
                LOG_APPEND_TIME,
            )
            | flag(self.is_transactional, TRANSACTIONAL)
            | flag(self.is_control, CONTROL)
            | flag(self.has_delete_horizon, DELETE_HORIZON)
    }
}

/// Runs a parser that can only fail for want of bytes.
fn parsed<'a, P>(mut parser: P, input: &'a [u8]) -> Option<(&'a [u8], P::Output)>
where
    P: Parser<&'a [u8], Error = ()>,
{
    parser.parse(input).ok()
}
