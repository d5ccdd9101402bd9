//! A record batch: its header parsed, its records as the bytes they came in.

use bytes::{BufMut, Bytes, BytesMut};

use super::{BatchError, BatchHeader, Compression, ControlRecord, Records, TimestampType};

/// A record batch as it travels: parsed header and the bytes of the whole batch, which are shared
/// and not copied on clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordBatch {
    header: BatchHeader,
    bytes: Bytes,
}

impl RecordBatch {
    /// Takes bytes that are exactly one batch. The header is checked, the CRC is not: see
    /// [`RecordBatch::verify_checksum`].
    ///
    /// # Errors
    ///
    /// Every fault of the header, [`BatchError::Truncated`] and [`BatchError::TrailingBytes`].
    pub fn parse(bytes: Bytes) -> Result<Self, BatchError> {
        let header = BatchHeader::peek(&bytes)?;
        let (needed, available) = (header.total_length(), bytes.len());
        if needed > available {
            return Err(BatchError::Truncated { needed, available });
        }
        if needed < available {
            return Err(BatchError::TrailingBytes {
                extra: available - needed,
            });
        }
        Ok(Self { header, bytes })
    }

    /// A batch whose header was read from these very bytes, which are no longer than it.
    pub(crate) fn from_parts(header: BatchHeader, bytes: Bytes) -> Self {
        Self { header, bytes }
    }

    /// Splits the next batch off the front of a run of batches, as the `records` field of Produce
    /// has them; `None` when no bytes are left.
    ///
    /// # Errors
    ///
    /// Every fault of the header, and [`BatchError::Truncated`]; `batches` is left as it was.
    pub fn split_from(batches: &mut Bytes) -> Result<Option<Self>, BatchError> {
        if batches.is_empty() {
            return Ok(None);
        }
        let header = BatchHeader::peek(batches)?;
        let (needed, available) = (header.total_length(), batches.len());
        if needed > available {
            return Err(BatchError::Truncated { needed, available });
        }
        let bytes = batches.split_to(needed);
        Ok(Some(Self { header, bytes }))
    }

    /// Compares the stored CRC-32C with that of the bytes.
    ///
    /// # Errors
    ///
    /// [`BatchError::ChecksumMismatch`].
    pub fn verify_checksum(&self) -> Result<(), BatchError> {
        let computed = checksum(&self.bytes);
        if computed == self.header.crc {
            Ok(())
        } else {
            Err(BatchError::ChecksumMismatch {
                stored: self.header.crc,
                computed,
            })
        }
    }

    /// The parsed header.
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The bytes of the whole batch, header included.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The offset of the first record.
    #[must_use]
    pub fn base_offset(&self) -> i64 {
        self.header.base_offset
    }

    /// The offset of the last record; see [`BatchHeader::last_offset`].
    #[must_use]
    pub fn last_offset(&self) -> i64 {
        self.header.last_offset()
    }

    /// The position after this batch; see [`BatchHeader::next_offset`].
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.header.next_offset()
    }

    /// The batch with its records unpacked. Uncompressed batches cost nothing: the bytes are
    /// shared. Others unpack into one new buffer of at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`BatchError::TooLarge`], [`BatchError::CodecNotBuilt`], [`BatchError::CorruptCompression`].
    pub fn decompressed(&self, limit: usize) -> Result<DecodedBatch, BatchError> {
        let body = self.bytes.slice(BatchHeader::LENGTH..);
        let body = match self.header.compression {
            Compression::None => body,
            codec => Bytes::from(codec.decompress(&body, limit)?),
        };
        Ok(DecodedBatch {
            header: self.header,
            body,
        })
    }

    /// A copy of the batch at other offsets, as a leader appends what a producer sent. The CRC does
    /// not cover what changes.
    ///
    /// # Errors
    ///
    /// [`BatchError::InvalidOffset`] when the offsets would leave their range.
    pub fn rebased(
        &self,
        base_offset: i64,
        partition_leader_epoch: i32,
    ) -> Result<Self, BatchError> {
        self.rewritten(BatchHeader {
            base_offset,
            partition_leader_epoch,
            ..self.header
        })
    }

    /// A copy of the batch whose records all have the time of their appending, in milliseconds
    /// since 1970, as a leader does where `message.timestamp.type` is `LogAppendTime`.
    ///
    /// # Errors
    ///
    /// None but those of a header that was invalid before.
    pub fn with_log_append_time(&self, timestamp: i64) -> Result<Self, BatchError> {
        self.rewritten(BatchHeader {
            timestamp_type: TimestampType::LogAppendTime,
            max_timestamp: timestamp,
            ..self.header
        })
    }

    fn rewritten(&self, header: BatchHeader) -> Result<Self, BatchError> {
        let body = self.bytes.slice(BatchHeader::LENGTH..);
        Self::assemble(header, &body)
    }

    /// Lays a batch out: header, then the (compressed) records. Length and CRC are computed here,
    /// whatever `header` has for them.
    pub(super) fn assemble(mut header: BatchHeader, body: &[u8]) -> Result<Self, BatchError> {
        let total = BatchHeader::LENGTH.saturating_add(body.len());
        header.batch_length =
            i32::try_from(total - BatchHeader::PREFIX).map_err(|_| BatchError::TooLarge {
                limit: usize::try_from(i32::MAX).unwrap_or(usize::MAX),
                declared: None,
            })?;
        let mut batch = BytesMut::with_capacity(total);
        batch.put_i64(header.base_offset);
        batch.put_i32(header.batch_length);
        batch.put_i32(header.partition_leader_epoch);
        batch.put_i8(2);
        batch.put_u32(0);
        batch.put_i16(header.attributes());
        batch.put_i32(header.last_offset_delta);
        batch.put_i64(header.base_timestamp);
        batch.put_i64(header.max_timestamp);
        batch.put_i64(header.producer_id);
        batch.put_i16(header.producer_epoch);
        batch.put_i32(header.base_sequence);
        batch.put_i32(header.record_count);
        batch.put_slice(body);
        let crc = checksum(&batch);
        if let Some(field) = batch.get_mut(BatchHeader::CRC_AT..BatchHeader::CHECKED_FROM) {
            field.copy_from_slice(&crc.to_be_bytes());
        }
        Self::parse(batch.freeze())
    }
}

/// CRC-32C of what the CRC of a batch covers: all from the attributes on.
pub(crate) fn checksum(batch: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(batch.get(BatchHeader::CHECKED_FROM..).unwrap_or_default())
}

/// A record batch whose records are unpacked and can be walked: `Send`, `'static`, cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedBatch {
    header: BatchHeader,
    body: Bytes,
}

impl DecodedBatch {
    /// The header the batch came with.
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The uncompressed records. Slices of keys and values can be kept alive through it
    /// ([`Bytes::slice_ref`]).
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Walks the records.
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        Records::new(&self.header, &self.body)
    }

    /// Walks the records from `offset` on; a batch often begins before the offset that was asked
    /// for.
    #[must_use]
    pub fn records_from(&self, offset: i64) -> Records<'_> {
        self.records().starting_at(offset)
    }

    /// Reads the record of a control batch.
    ///
    /// # Errors
    ///
    /// [`BatchError::MalformedControlRecord`] when there is no record, or its key is too short or
    /// of a negative version; and every fault of a record.
    pub fn control_record(&self) -> Result<ControlRecord, BatchError> {
        let record = self
            .records()
            .next()
            .unwrap_or(Err(BatchError::MalformedControlRecord))?;
        ControlRecord::parse(&record)
    }
}

impl<'a> IntoIterator for &'a DecodedBatch {
    type Item = <Records<'a> as Iterator>::Item;
    type IntoIter = Records<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.records()
    }
}
