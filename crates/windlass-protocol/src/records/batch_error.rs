//! What can be wrong with a record batch.

use std::fmt;

use super::Compression;

/// Why a record batch, or a record in it, could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchError {
    /// The bytes end before what they announce.
    Truncated {
        /// How many bytes are needed.
        needed: usize,
        /// How many there are.
        available: usize,
    },
    /// The batch is of a message format this crate does not read: 0 and 1 are those from before
    /// Kafka 0.11, which brokers no longer store since Kafka 4.0.
    UnsupportedMagic {
        /// The magic byte found.
        magic: i8,
    },
    /// The length field of the batch cannot be that of a batch.
    InvalidLength {
        /// The length found.
        length: i32,
    },
    /// More bytes were given than the one batch that was asked for.
    TrailingBytes {
        /// How many bytes follow.
        extra: usize,
    },
    /// The stored CRC-32C is not that of the bytes.
    ChecksumMismatch {
        /// The checksum that the batch states.
        stored: u32,
        /// The checksum of its bytes.
        computed: u32,
    },
    /// A negative offset or offset delta, or offsets beyond the 64-bit range.
    InvalidOffset {
        /// The base offset found.
        base_offset: i64,
        /// The last offset delta found.
        last_offset_delta: i32,
    },
    /// A negative number of records, or more than the offsets have room for.
    InvalidRecordCount {
        /// The count found.
        record_count: i32,
        /// The last offset delta found.
        last_offset_delta: i32,
    },
    /// The attributes name a compression that Kafka does not define.
    UnknownCompression {
        /// The number found, 5 to 7.
        codec: u8,
    },
    /// The batch is compressed with a codec that this build leaves out.
    CodecNotBuilt {
        /// The codec; [`Compression::name`] is also the name of the cargo feature that adds it.
        codec: Compression,
    },
    /// The compressed bytes are not what their codec writes.
    CorruptCompression {
        /// The codec.
        codec: Compression,
        /// What is wrong with them.
        reason: &'static str,
    },
    /// The batch unpacks to more bytes than allowed, or its records do not fit a batch.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
        /// The size that the compressed data declares, where it declares one.
        declared: Option<u64>,
    },
    /// A record inside the batch is malformed; nothing after it can be read.
    MalformedRecord {
        /// Which record, counted from 0.
        index: u32,
        /// Where it begins: bytes from the start of the (decompressed) records.
        position: usize,
        /// What is wrong with it.
        fault: RecordFault,
    },
    /// All announced records were read, and bytes are left over.
    UnreadBytes {
        /// How many records were announced.
        record_count: i32,
        /// How many bytes are left.
        extra: usize,
    },
    /// A header of a record is malformed.
    MalformedHeader {
        /// Which header of the record, counted from 0.
        index: u32,
    },
    /// A control batch whose record does not have the form of a control record.
    MalformedControlRecord,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordFault {
    /// The batch ends although more records were announced.
    Missing,
    /// The record's length is negative or not a varint.
    Length,
    /// The record's length reaches past the end of the batch.
    Overrun,
    /// The attributes are missing.
    Attributes,
    /// The timestamp delta is not a varint.
    TimestampDelta,
    /// The offset delta is not a varint, not above the one before, or beyond the batch's last.
    OffsetDelta,
    /// The key's length is not a varint, below −1, or past the end of the record.
    Key,
    /// The value's length is not a varint, below −1, or past the end of the record.
    Value,
    /// The number of headers is missing.
    HeaderCount,
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, available } => {
                write!(
                    f,
                    "record batch cut short: {needed} bytes needed, {available} there"
                )
            }
            Self::UnsupportedMagic { magic } => {
                write!(f, "message format {magic} is not supported, only format 2")
            }
            Self::InvalidLength { length } => write!(f, "record batch states length {length}"),
            Self::TrailingBytes { extra } => write!(f, "{extra} bytes after the record batch"),
            Self::ChecksumMismatch { stored, computed } => {
                write!(
                    f,
                    "record batch states CRC {stored:08x} but its bytes have {computed:08x}"
                )
            }
            Self::InvalidOffset {
                base_offset,
                last_offset_delta,
            } => {
                write!(
                    f,
                    "base offset {base_offset} with last offset delta {last_offset_delta}"
                )
            }
            Self::InvalidRecordCount {
                record_count,
                last_offset_delta,
            } => {
                write!(
                    f,
                    "{record_count} records with last offset delta {last_offset_delta}"
                )
            }
            _ => self.describe_records(f),
        }
    }
}

impl BatchError {
    /// The faults of what comes after the header.
    fn describe_records(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCompression { codec } => write!(f, "unknown compression {codec}"),
            Self::CodecNotBuilt { codec } => {
                write!(
                    f,
                    "{codec} batch, but the cargo feature `{codec}` is not enabled"
                )
            }
            Self::CorruptCompression { codec, reason } => write!(f, "corrupt {codec}: {reason}"),
            Self::TooLarge {
                limit,
                declared: Some(declared),
            } => {
                write!(f, "records of {declared} bytes exceed the limit of {limit}")
            }
            Self::TooLarge {
                limit,
                declared: None,
            } => {
                write!(f, "records exceed the limit of {limit} bytes")
            }
            Self::MalformedRecord {
                index,
                position,
                fault,
            } => {
                write!(
                    f,
                    "record {index} at byte {position} of the batch's records: {fault}"
                )
            }
            Self::UnreadBytes {
                record_count,
                extra,
            } => {
                write!(
                    f,
                    "{extra} bytes left after the {record_count} records announced"
                )
            }
            Self::MalformedHeader { index } => write!(f, "malformed record header {index}"),
            Self::MalformedControlRecord => f.write_str("malformed control record"),
            header_fault => fmt::Debug::fmt(header_fault, f),
        }
    }
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing, though announced",
            Self::Length => "invalid length",
            Self::Overrun => "reaches past the end of the batch",
            Self::Attributes => "no attributes",
            Self::TimestampDelta => "invalid timestamp delta",
            Self::OffsetDelta => "offset delta invalid, not increasing or beyond the batch's last",
            Self::Key => "invalid key length",
            Self::Value => "invalid value length",
            Self::HeaderCount => "no header count",
        })
    }
}

impl std::error::Error for BatchError {}
