//! The reader: one small step at a time over whatever has arrived.

use bytes::{Buf, Bytes, BytesMut};
use windlass_model::{TopicId, TopicName};

use super::front::{Front, Stop};
use super::part::{AbortedTransaction, FetchPart, FetchedPartition, NodeEndpoint, PartitionEnd};
use super::provisional::{DecodeError, DecodeErrorKind, ErrorCode};
use super::tag::{PartitionTag, node_endpoints};
use crate::records::{BatchError, BatchHeader, RecordBatch};

/// Bytes of a batch up to and with its magic byte, in every format.
const UP_TO_MAGIC: usize = 17;
/// The least that the length of a batch can be: CRC, magic, attributes and two lengths of format 0.
const SMALLEST_BATCH: i32 = 14;

/// How a Fetch response is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchReaderOptions {
    /// Whether the checksum of every batch is verified (`check.crcs`).
    pub check_crcs: bool,
}

impl Default for FetchReaderOptions {
    fn default() -> Self {
        Self { check_crcs: true }
    }
}

/// How far a reader got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadProgress {
    /// Everything complete was taken from the buffer; at least so many more bytes must be appended
    /// to what was left in it before anything else is.
    Need(usize),
    /// The whole body was read.
    Done,
}

/// Cuts the body of a Fetch response into parts while it arrives.
///
/// Give [`advance`] a buffer whenever bytes were appended to it. It takes what is complete off the
/// front (batches without a copy: they share the buffer's memory) and leaves the rest, which must
/// stay at the front of the next call's buffer. However the bytes are divided, the parts are the
/// same, and each byte is looked at a bounded number of times.
///
/// [`advance`]: FetchResponseReader::advance
#[derive(Debug)]
pub struct FetchResponseReader {
    version: i16,
    options: FetchReaderOptions,
    /// Bytes of the body not yet consumed.
    left: usize,
    /// Bytes of the body consumed.
    consumed: usize,
    /// Bytes to be dropped before the next step.
    skip: usize,
    state: State,
    topics_left: usize,
    partitions_left: usize,
    topic: TopicName,
    topic_id: TopicId,
    partition_end: PartitionEnd,
    node_endpoints: Vec<NodeEndpoint>,
}

#[derive(Debug)]
enum State {
    Head,
    Topic,
    Partition,
    /// Boxed: it is large, and most responses never rest in this state.
    AbortedTransactions(Box<FetchedPartition>, usize),
    /// The preferred replica and the length of the records.
    Records(Box<FetchedPartition>),
    /// So many bytes of records are left.
    Batches(usize),
    Tags(Tagged, Option<u32>),
    Done,
}

/// What a section of tagged fields belongs to.
#[derive(Clone, Copy, Debug)]
enum Tagged {
    Partition,
    Topic,
    Response,
}

impl FetchResponseReader {
    /// A reader of one body: what follows the response header, `body_length` bytes in all. Versions
    /// 4 to 18 are read; the caller has negotiated one of them.
    #[must_use]
    pub fn new(version: i16, body_length: usize, options: FetchReaderOptions) -> Self {
        Self {
            version,
            options,
            left: body_length,
            consumed: 0,
            skip: 0,
            state: State::Head,
            topics_left: 0,
            partitions_left: 0,
            topic: TopicName::default(),
            topic_id: TopicId::ZERO,
            partition_end: PartitionEnd::default(),
            node_endpoints: Vec::new(),
        }
    }

    /// Bytes of the body that were not consumed yet.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.left
    }

    /// Takes off the front of `buffer` everything that is complete, and gives it to `emit`. Bytes
    /// beyond the body are never touched.
    ///
    /// # Errors
    ///
    /// When the response is malformed outside its batches. The reader cannot go on then: each later
    /// call fails in the same way.
    pub fn advance(
        &mut self,
        buffer: &mut BytesMut,
        emit: &mut dyn FnMut(FetchPart),
    ) -> Result<ReadProgress, DecodeError> {
        loop {
            if self.skip > 0 {
                let dropped = self.skip.min(buffer.len());
                self.consume(buffer, dropped);
                self.skip -= dropped;
                if self.skip > 0 {
                    return Ok(ReadProgress::Need(self.skip));
                }
            }
            if matches!(self.state, State::Done) {
                return Ok(ReadProgress::Done);
            }
            match self.step(buffer, emit) {
                Ok(()) => {}
                Err(Stop::Need(bytes)) => return Ok(ReadProgress::Need(bytes)),
                Err(Stop::Fault(error)) => return Err(error),
            }
        }
    }

    /// Reads one complete thing and consumes it, or consumes nothing.
    fn step(&mut self, buffer: &mut BytesMut, emit: &mut dyn FnMut(FetchPart)) -> Result<(), Stop> {
        match self.state {
            State::Head => self.read_head(buffer, emit),
            State::Topic => self.read_topic(buffer, emit),
            State::Partition => self.read_partition(buffer),
            State::AbortedTransactions(..) => self.read_aborted_transaction(buffer),
            State::Records(_) => self.read_records_length(buffer, emit),
            State::Batches(left) => self.read_batch(left, buffer, emit),
            State::Tags(tagged, left) => self.read_tags(tagged, left, buffer, emit),
            State::Done => Ok(()),
        }
    }

    fn is_flexible(&self) -> bool {
        self.version >= 12
    }

    fn front<'a>(&self, buffer: &'a BytesMut) -> Front<'a> {
        Front::new(buffer, self.left, self.consumed)
    }

    fn consume(&mut self, buffer: &mut BytesMut, bytes: usize) {
        buffer.advance(bytes);
        self.left -= bytes;
        self.consumed += bytes;
    }

    fn read_head(
        &mut self,
        buffer: &mut BytesMut,
        emit: &mut dyn FnMut(FetchPart),
    ) -> Result<(), Stop> {
        let mut front = self.front(buffer);
        let throttle_time_ms = front.i32("throttle_time_ms")?;
        let (error_code, session_id) = if self.version >= 7 {
            (front.i16("error_code")?, front.i32("session_id")?)
        } else {
            (0, 0)
        };
        let smallest = match self.version {
            ..12 => 6,
            12 => 3,
            _ => 18,
        };
        let topics = self.array(&mut front, smallest, "responses")?;
        let used = front.used();
        self.topics_left = topics;
        self.consume(buffer, used);
        self.state = State::Topic;
        emit(FetchPart::Head {
            throttle_time_ms,
            error_code: ErrorCode(error_code),
            session_id,
        });
        Ok(())
    }

    /// The length of an array that may not be null.
    fn array(
        &self,
        front: &mut Front<'_>,
        smallest: usize,
        field: &'static str,
    ) -> Result<usize, Stop> {
        match front.count(self.is_flexible(), smallest, field)? {
            Some(count) => Ok(count),
            None => Err(front.fault(DecodeErrorKind::UnexpectedNull, field)),
        }
    }

    fn read_topic(
        &mut self,
        buffer: &mut BytesMut,
        emit: &mut dyn FnMut(FetchPart),
    ) -> Result<(), Stop> {
        let Some(topics_left) = self.topics_left.checked_sub(1) else {
            if self.is_flexible() {
                self.state = State::Tags(Tagged::Response, None);
                return Ok(());
            }
            return self.end(buffer, emit);
        };
        let mut front = self.front(buffer);
        let (topic, topic_id) = if self.version >= 13 {
            (TopicName::default(), front.topic_id("topic_id")?)
        } else {
            match front.text(self.is_flexible(), "topic")? {
                Some(topic) => (TopicName::new(topic), TopicId::ZERO),
                None => return Err(front.fault(DecodeErrorKind::UnexpectedNull, "topic")),
            }
        };
        let smallest = match self.version {
            ..5 => 30,
            5..11 => 38,
            11 => 42,
            _ => 37,
        };
        let partitions = self.array(&mut front, smallest, "partitions")?;
        let used = front.used();
        self.consume(buffer, used);
        (self.topic, self.topic_id) = (topic, topic_id);
        self.topics_left = topics_left;
        self.partitions_left = partitions;
        self.state = State::Partition;
        Ok(())
    }

    fn read_partition(&mut self, buffer: &mut BytesMut) -> Result<(), Stop> {
        let Some(partitions_left) = self.partitions_left.checked_sub(1) else {
            self.state = if self.is_flexible() {
                State::Tags(Tagged::Topic, None)
            } else {
                State::Topic
            };
            return Ok(());
        };
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
        self.partitions_left = partitions_left;
        self.partition_end = PartitionEnd::default();
        self.state = State::AbortedTransactions(partition, aborted);
        Ok(())
    }

    fn read_aborted_transaction(&mut self, buffer: &mut BytesMut) -> Result<(), Stop> {
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

    fn read_records_length(
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

    fn read_batch(
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
        self.left -= total;
        self.consumed += total;
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

    fn read_tags(
        &mut self,
        tagged: Tagged,
        left: Option<u32>,
        buffer: &mut BytesMut,
        emit: &mut dyn FnMut(FetchPart),
    ) -> Result<(), Stop> {
        let mut front = self.front(buffer);
        let left = match left {
            Some(0) => return self.end_tags(tagged, buffer, emit),
            Some(left) => {
                let tag = front.unsigned_varint("tag")?;
                let length = front.tag_length()?;
                let known = match tagged {
                    Tagged::Partition => self.read_partition_tag(tag, length, &mut front)?,
                    Tagged::Response => self.read_response_tag(tag, length, &mut front)?,
                    Tagged::Topic => false,
                };
                if !known {
                    self.skip = length;
                }
                left - 1
            }
            None => front.tag_count()?,
        };
        let used = front.used();
        self.consume(buffer, used);
        self.state = State::Tags(tagged, Some(left));
        Ok(())
    }

    fn read_partition_tag(
        &mut self,
        tag: u32,
        length: usize,
        front: &mut Front<'_>,
    ) -> Result<bool, Stop> {
        match PartitionTag::read(tag, length, front)? {
            Some(PartitionTag::DivergingEpoch(epoch)) => {
                self.partition_end.diverging_epoch = Some(epoch);
            }
            Some(PartitionTag::CurrentLeader(leader)) => {
                self.partition_end.current_leader = Some(leader);
            }
            Some(PartitionTag::SnapshotId(snapshot)) => {
                self.partition_end.snapshot_id = Some(snapshot);
            }
            None => return Ok(false),
        }
        Ok(true)
    }

    fn read_response_tag(
        &mut self,
        tag: u32,
        length: usize,
        front: &mut Front<'_>,
    ) -> Result<bool, Stop> {
        if tag != 0 || self.version < 16 {
            return Ok(false);
        }
        self.node_endpoints = node_endpoints(length, front)?;
        Ok(true)
    }

    fn end_tags(
        &mut self,
        tagged: Tagged,
        buffer: &BytesMut,
        emit: &mut dyn FnMut(FetchPart),
    ) -> Result<(), Stop> {
        match tagged {
            Tagged::Partition => self.end_partition(emit),
            Tagged::Topic => self.state = State::Topic,
            Tagged::Response => return self.end(buffer, emit),
        }
        Ok(())
    }

    fn end_partition(&mut self, emit: &mut dyn FnMut(FetchPart)) {
        self.state = State::Partition;
        emit(FetchPart::PartitionEnd(self.partition_end));
    }

    fn end(&mut self, buffer: &BytesMut, emit: &mut dyn FnMut(FetchPart)) -> Result<(), Stop> {
        if self.left > 0 {
            return Err(self
                .front(buffer)
                .fault(DecodeErrorKind::TrailingBytes, "response"));
        }
        self.state = State::Done;
        emit(FetchPart::End {
            node_endpoints: std::mem::take(&mut self.node_endpoints),
        });
        Ok(())
    }
}
