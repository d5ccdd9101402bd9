//! The steps of the reader inside a partition: what comes before its records, and its batches.

use bytes::{Bytes, BytesMut};

use super::front::Stop;
use super::part::{FetchPart, FetchedPartition};
use super::reader::{FetchResponseReader, State, Tagged};
use crate::ErrorCode;
use crate::messages::fetch::AbortedTransaction;
use crate::records::{BatchError, BatchHeader, RecordBatch};

/// Bytes of a batch up to and with its magic byte, in every format.
const UP_TO_MAGIC: usize = 17;
/// The least that the length of a batch can be: CRC, magic, attributes and two lengths of format 0.
const SMALLEST_BATCH: i32 = 14;

impl FetchResponseReader {
    pub(super) fn read_partition(&mut self, buffer: &mut BytesMut) -> Result<(), Stop> {
        if self.partitions.is_done() {
            if self.is_flexible() {
                self.state = State::Tags(Tagged::Topic, None);
            } else {
                self.end_topic();
            }
            return Ok(());
        }
        let mut front = self.front(buffer);
        let partition = Box::new(FetchedPartition {
            topic: self.topic.clone(),
            topic_id: self.topic_id,
            partition: front.i32("partition_index")?,
            error_code: ErrorCode(front.i16("error_code")?),
            high_watermark: front.i64("high_watermark")?,
            last_stable_offset: front.i64("last_stable_offset")?,
            log_start_offset: if self.version >= 5 {
                front.i64("log_start_offset")?
            } else {
                -1
            },
            aborted_transactions: Vec::new(),
            preferred_read_replica: -1,
        });
        let aborted = front
            .count(self.is_flexible(), 16, "aborted_transactions")?
            .unwrap_or(0);
        let used = front.used();
        self.consume(buffer, used);
        self.state = State::AbortedTransactions(partition, aborted);
        Ok(())
    }

    pub(super) fn read_aborted_transaction(&mut self, buffer: &mut BytesMut) -> Result<(), Stop> {
        let mut front = self.front(buffer);
        let State::AbortedTransactions(partition, left) = &mut self.state else {
            return Ok(());
        };
        let Some(still_left) = left.checked_sub(1) else {
            if let State::AbortedTransactions(partition, _) =
                std::mem::replace(&mut self.state, State::Done)
            {
                self.state = State::Records(partition);
            }
            return Ok(());
        };
        let transaction = AbortedTransaction {
            producer_id: front.i64("producer_id")?,
            first_offset: front.i64("first_offset")?,
        };
        if self.version >= 12 {
            front.skip_tags("aborted_transactions")?;
        }
        let used = front.used();
        partition.aborted_transactions.push(transaction);
        *left = still_left;
        self.consume(buffer, used);
        Ok(())
    }

    pub(super) fn read_records_length(
        &mut self,
        buffer: &mut BytesMut,
        emit: &mut dyn FnMut(FetchPart),
    ) -> Result<(), Stop> {
        let mut front = self.front(buffer);
        let preferred_read_replica = if self.version >= 11 {
            front.i32("preferred_read_replica")?
        } else {
            -1
        };
        // Null is as good as empty: brokers write either where there is nothing to read.
        let length = front.count(self.is_flexible(), 1, "records")?.unwrap_or(0);
        let used = front.used();
        self.consume(buffer, used);
        let state = std::mem::replace(&mut self.state, State::Batches(length));
        if let State::Records(mut partition) = state {
            partition.preferred_read_replica = preferred_read_replica;
            emit(FetchPart::Partition(*partition));
        }
        Ok(())
    }

    pub(super) fn read_batch(
        &mut self,
        left: usize,
        buffer: &mut BytesMut,
        emit: &mut dyn FnMut(FetchPart),
    ) -> Result<(), Stop> {
        if left == 0 {
            if self.is_flexible() {
                self.state = State::Tags(Tagged::Partition, None);
            } else {
                self.end_partition(emit);
            }
            return Ok(());
        }
        if left < UP_TO_MAGIC {
            self.drop_tail(left);
            return Ok(());
        }
        if buffer.len() < BatchHeader::PREFIX {
            return Err(Stop::Need(BatchHeader::PREFIX - buffer.len()));
        }
        let mut front = self.front(buffer);
        let base_offset = front.i64("records")?;
        let length = front.i32("records")?;
        if length < SMALLEST_BATCH {
            // Without a credible length, where the next batch begins is anybody's guess.
            self.skip = left;
            self.state = State::Batches(0);
            emit(FetchPart::CorruptBatch {
                base_offset,
                last_offset: None,
                error: BatchError::InvalidLength { length },
            });
            return Ok(());
        }
        let total = usize::try_from(length)
            .unwrap_or_default()
            .saturating_add(BatchHeader::PREFIX);
        if total > left {
            self.drop_tail(left);
            return Ok(());
        }
        if buffer.len() < total {
            return Err(Stop::Need(total - buffer.len()));
        }
        self.state = State::Batches(left - total);
        let bytes = buffer.split_to(total).freeze();
        self.count_consumed(total);
        emit(self.checked_batch(base_offset, bytes));
        Ok(())
    }

    fn checked_batch(&self, base_offset: i64, bytes: Bytes) -> FetchPart {
        let (last_offset, error) = match BatchHeader::peek(&bytes) {
            Ok(header) => {
                let batch = RecordBatch::from_parts(header, bytes);
                let verified = if self.options.check_crcs {
                    batch.verify_checksum()
                } else {
                    Ok(())
                };
                match verified {
                    Ok(()) => return FetchPart::Batch(batch),
                    Err(error) => (Some(header.last_offset()), error),
                }
            }
            Err(error) => (None, error),
        };
        FetchPart::CorruptBatch {
            base_offset,
            last_offset,
            error,
        }
    }

    fn drop_tail(&mut self, bytes: usize) {
        self.skip = bytes;
        self.partition_end.dropped_tail = bytes;
        self.state = State::Batches(0);
    }
}
