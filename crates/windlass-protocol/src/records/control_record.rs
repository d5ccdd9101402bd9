//! Control records: what brokers write into a log between the records of applications.

use bytes::BufMut;
use nom::Parser;
use nom::number::complete::{be_i16, be_i32};

use super::{BatchError, Record};

/// What a control record says (mirrors Kafka's `ControlRecordType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlRecordType {
    /// The producer's transaction was aborted.
    Abort,
    /// The producer's transaction was committed.
    Commit,
    /// Another number: records of the metadata log, or of a later Kafka. To be passed over.
    Other(i16),
}

impl ControlRecordType {
    fn from_wire(number: i16) -> Self {
        match number {
            0 => Self::Abort,
            1 => Self::Commit,
            other => Self::Other(other),
        }
    }

    fn to_wire(self) -> i16 {
        match self {
            Self::Abort => 0,
            Self::Commit => 1,
            Self::Other(number) => number,
        }
    }
}

/// The one record of a control batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlRecord {
    /// What it says.
    pub record_type: ControlRecordType,
    /// For the end of a transaction: the epoch of the transaction coordinator that wrote it. `None`
    /// where the value cannot be read, which does not change what the marker means.
    pub coordinator_epoch: Option<i32>,
}

impl ControlRecord {
    /// Reads a control record. Later versions are read as the newest known, as Kafka promises.
    pub(super) fn parse(record: &Record<'_>) -> Result<Self, BatchError> {
        let key = record.key.unwrap_or_default();
        let mut version_and_type = (be_i16::<_, ()>, be_i16);
        let number = match version_and_type.parse(key) {
            Ok((_, (version, number))) if version >= 0 => number,
            _ => return Err(BatchError::MalformedControlRecord),
        };
        let mut version_and_epoch = (be_i16::<_, ()>, be_i32);
        let coordinator_epoch = match version_and_epoch.parse(record.value.unwrap_or_default()) {
            Ok((_, (version, epoch))) if version >= 0 => Some(epoch),
            _ => None,
        };
        let record_type = ControlRecordType::from_wire(number);
        Ok(Self {
            record_type,
            coordinator_epoch: match record_type {
                ControlRecordType::Abort | ControlRecordType::Commit => coordinator_epoch,
                ControlRecordType::Other(_) => None,
            },
        })
    }

    /// The key and value that brokers write for the end of a transaction.
    pub(super) fn to_key_and_value(
        record_type: ControlRecordType,
        coordinator_epoch: i32,
    ) -> (Vec<u8>, Vec<u8>) {
        let mut key = Vec::with_capacity(4);
        key.put_i16(0);
        key.put_i16(record_type.to_wire());
        let mut value = Vec::with_capacity(6);
        value.put_i16(0);
        value.put_i32(coordinator_epoch);
        (key, value)
    }
}
