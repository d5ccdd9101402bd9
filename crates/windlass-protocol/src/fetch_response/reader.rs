//! The reader: one small step at a time over whatever has arrived.

use bytes::{Buf, BytesMut};
use windlass_model::{TopicId, TopicName};

use super::front::{Front, Stop};
use super::part::{FetchPart, FetchedPartition, PartitionEnd};
use super::tag::{PartitionTag, node_endpoints};
use crate::messages::fetch::NodeEndpoint;
use crate::{DecodeError, DecodeErrorKind, ErrorCode};

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
    pub(super) version: i16,
    pub(super) options: FetchReaderOptions,
    /// Bytes of the body not yet consumed.
    pub(super) left: usize,
    /// Bytes of the body consumed.
    consumed: usize,
    /// Bytes to be dropped before the next step.
    pub(super) skip: usize,
    pub(super) state: State,
    topics: Progress,
    pub(super) partitions: Progress,
    pub(super) topic: TopicName,
    pub(super) topic_id: TopicId,
    pub(super) partition_end: PartitionEnd,
    node_endpoints: Vec<NodeEndpoint>,
}

/// What is read next.
#[derive(Debug)]
pub(super) enum State {
    Head,
    Topic,
    Partition,
    /// So many aborted transactions are left. Boxed: it is large, and here only for a short time.
    AbortedTransactions(Box<FetchedPartition>, usize),
    /// The preferred replica and the length of the records.
    Records(Box<FetchedPartition>),
    /// So many bytes of records are left.
    Batches(usize),
    /// So many tagged fields are left; their number is not read yet while `None`.
    Tags(Tagged, Option<u32>),
    Done,
}

/// What a section of tagged fields belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tagged {
    Partition,
    Topic,
    Response,
}

/// How far the walk over an array is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// Elements read to their end: the index of the one that is being read.
    pub(super) index: usize,
    pub(super) count: usize,
}

impl Progress {
    fn over(count: usize) -> Self {
        Self { index: 0, count }
    }

    pub(super) fn is_done(self) -> bool {
        self.index == self.count
    }
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
            topics: Progress::default(),
            partitions: Progress::default(),
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
                Err(Stop::Fault(error)) => return Err(self.located(error)),
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

    /// Says in which topic and partition an error lies.
    fn located(&self, mut error: DecodeError) -> DecodeError {
        let in_partition = match self.state {
            State::Head | State::Done | State::Tags(Tagged::Response, _) => return error,
            State::Topic | State::Tags(Tagged::Topic, _) => false,
            _ => true,
        };
        if in_partition {
            error.field.enter_element(self.partitions.index);
            error.field.enter_field("partitions");
        }
        error.field.enter_element(self.topics.index);
        error.field.enter_field("responses");
        error
    }

    pub(super) fn is_flexible(&self) -> bool {
        self.version >= 12
    }

    pub(super) fn front<'a>(&self, buffer: &'a BytesMut) -> Front<'a> {
        Front::new(buffer, self.left, self.consumed)
    }

    /// Forgets bytes that were read.
    pub(super) fn consume(&mut self, buffer: &mut BytesMut, bytes: usize) {
        buffer.advance(bytes);
        self.count_consumed(bytes);
    }

    /// Notes that bytes of the body are gone from the buffer. Every caller has compared them with
    /// what is left.
    pub(super) fn count_consumed(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
        self.consumed = self.consumed.saturating_add(bytes);
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
        self.consume(buffer, used);
        self.topics = Progress::over(topics);
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
        if self.topics.is_done() {
            if self.is_flexible() {
                self.state = State::Tags(Tagged::Response, None);
            } else {
                self.end(emit);
            }
            return Ok(());
        }
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
        self.partitions = Progress::over(partitions);
        self.state = State::Partition;
        Ok(())
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
            Some(0) => {
                self.end_tags(tagged, emit);
                return Ok(());
            }
            Some(left) => {
                let tag = front.unsigned_varint("tags")?;
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

    fn end_tags(&mut self, tagged: Tagged, emit: &mut dyn FnMut(FetchPart)) {
        match tagged {
            Tagged::Partition => self.end_partition(emit),
            Tagged::Topic => self.end_topic(),
            Tagged::Response => self.end(emit),
        }
    }

    pub(super) fn end_partition(&mut self, emit: &mut dyn FnMut(FetchPart)) {
        self.partitions.index += 1;
        self.state = State::Partition;
        emit(FetchPart::PartitionEnd(std::mem::take(
            &mut self.partition_end,
        )));
    }

    pub(super) fn end_topic(&mut self) {
        self.topics.index += 1;
        self.state = State::Topic;
    }

    fn end(&mut self, emit: &mut dyn FnMut(FetchPart)) {
        // Bytes after the last field are let pass, as in every message.
        self.skip = self.left;
        self.state = State::Done;
        emit(FetchPart::End {
            node_endpoints: std::mem::take(&mut self.node_endpoints),
        });
    }
}
