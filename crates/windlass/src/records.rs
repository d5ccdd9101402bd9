//! What `poll` hands out: batches, and the records in them as borrowed views.

use std::fmt;
use std::sync::OnceLock;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc::UnboundedSender;
use windlass_fetch::TakenRecords;
use windlass_model::TopicPartition;
use windlass_protocol::records::{BatchError, DecodedBatch, Headers, Record as RecordView};

use crate::ConsumerError;

/// The records one `poll` handed out, grouped by partition.
///
/// They are counted references to the batches they came in: nothing is copied, nothing borrows from
/// the consumer, and polling again, committing or seeking while holding them is fine. Compressed
/// batches are decompressed when they are first walked, in the task that walks them.
#[derive(Debug, Default)]
pub struct Records {
    partitions: Vec<PartitionRecords>,
}

impl Records {
    pub(crate) fn new(
        taken: impl IntoIterator<Item = TakenRecords>,
        unreadable: &Unreadable,
    ) -> Self {
        let mut partitions: Vec<PartitionRecords> = Vec::new();
        for taken in taken {
            let known = partitions
                .iter_mut()
                .find(|partition| partition.topic_partition == taken.topic_partition);
            match known {
                Some(partition) => partition.batches.push(Batch::new(taken, Some(unreadable))),
                None => partitions.push(PartitionRecords {
                    topic_partition: taken.topic_partition.clone(),
                    batches: vec![Batch::new(taken, Some(unreadable))],
                }),
            }
        }
        Self { partitions }
    }

    /// Whether nothing came in time.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    /// How many records there are. Where a compacted batch has gaps this walks it.
    #[must_use]
    pub fn count(&self) -> usize {
        self.partitions.iter().map(PartitionRecords::count).sum()
    }

    /// The records of each partition, in order.
    pub fn by_partition(&self) -> impl Iterator<Item = (&TopicPartition, &PartitionRecords)> {
        self.partitions
            .iter()
            .map(|records| (&records.topic_partition, records))
    }

    /// Every record; those of one partition are in order.
    pub fn iter(&self) -> impl Iterator<Item = Result<Record<'_>, ConsumerError>> {
        self.partitions.iter().flat_map(PartitionRecords::iter)
    }
}

/// The records of one partition that one `poll` handed out.
#[derive(Debug)]
pub struct PartitionRecords {
    topic_partition: TopicPartition,
    batches: Vec<Batch>,
}

impl PartitionRecords {
    /// The partition.
    #[must_use]
    pub const fn topic_partition(&self) -> &TopicPartition {
        &self.topic_partition
    }

    /// How many records there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.batches
            .iter()
            .map(|batch| batch.iter(&self.topic_partition).count())
            .sum()
    }

    /// The offset to commit once all of these are done with: that of the next record after them.
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.batches
            .last()
            .map_or(0, |batch| batch.taken.position_after.offset)
    }

    /// The records in order. A record that cannot be read is an error that names its place, and the
    /// last item: the partition stands still there until the application seeks.
    #[must_use]
    pub fn iter(&self) -> PartitionRecordsIter<'_> {
        PartitionRecordsIter {
            records: self,
            next_batch: 0,
            current: None,
        }
    }
}

impl<'a> IntoIterator for &'a PartitionRecords {
    type Item = Result<Record<'a>, ConsumerError>;
    type IntoIter = PartitionRecordsIter<'a>;

    fn into_iter(self) -> PartitionRecordsIter<'a> {
        self.iter()
    }
}

/// A walk over [`PartitionRecords`].
#[derive(Debug)]
pub struct PartitionRecordsIter<'a> {
    records: &'a PartitionRecords,
    next_batch: usize,
    current: Option<BatchIter<'a>>,
}

impl<'a> Iterator for PartitionRecordsIter<'a> {
    type Item = Result<Record<'a>, ConsumerError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(current) = &mut self.current {
                // Not through an iterator of results: see `next_record` of the codec.
                if let Some(record) = current.next_record() {
                    return Some(Ok(record));
                }
                if let Some(error) = current.failure() {
                    // What follows is not for the application before it has decided.
                    self.next_batch = self.records.batches.len();
                    return Some(Err(error));
                }
            }
            let batch = self.records.batches.get(self.next_batch)?;
            self.next_batch += 1;
            self.current = Some(batch.iter(&self.records.topic_partition));
        }
    }
}

/// One record, borrowed from the batch it came in.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    topic_partition: &'a TopicPartition,
    body: &'a Bytes,
    view: RecordView<'a>,
}

impl<'a> Record<'a> {
    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &'a str {
        self.topic_partition.topic.as_str()
    }

    /// The index of the partition.
    #[must_use]
    pub const fn partition(&self) -> i32 {
        self.topic_partition.partition
    }

    /// The partition.
    #[must_use]
    pub const fn topic_partition(&self) -> &'a TopicPartition {
        self.topic_partition
    }

    /// The offset in the partition.
    #[inline]
    #[must_use]
    pub const fn offset(&self) -> i64 {
        self.view.offset
    }

    /// Milliseconds since the Unix epoch: when the record was made, or when the broker appended it,
    /// as the topic's `message.timestamp.type` says; −1 if it has no timestamp.
    #[inline]
    #[must_use]
    pub const fn timestamp(&self) -> i64 {
        self.view.timestamp
    }

    /// The key; `None` for null.
    #[inline]
    #[must_use]
    pub const fn key(&self) -> Option<&'a [u8]> {
        self.view.key
    }

    /// The value; `None` for null, which in a compacted topic deletes the key.
    #[inline]
    #[must_use]
    pub const fn value(&self) -> Option<&'a [u8]> {
        self.view.value
    }

    /// The headers, in order, duplicates and nulls kept; parsed when walked.
    #[inline]
    #[must_use]
    pub const fn headers(&self) -> &Headers<'a> {
        &self.view.headers
    }

    /// The record as a value of its own, free to go to other tasks. What is small is copied, so that
    /// who keeps it keeps nothing else; where key, value and headers come to more than 1 KiB they are
    /// counted references, and keep the memory of the whole batch, or of the segment it came in.
    ///
    /// # Errors
    ///
    /// [`ConsumerError::Corrupt`] when the headers cannot be read, or are more than 100,000.
    pub fn to_owned(&self) -> Result<OwnedRecord, ConsumerError> {
        let corrupt =
            |error: &dyn fmt::Display| corrupt(self.topic_partition, self.view.offset, error);
        let mut headers = Vec::new();
        for header in self.view.headers.iter() {
            if headers.len() == MOST_HEADERS {
                return Err(corrupt(&"it has more than 100,000 headers"));
            }
            let header = header.map_err(|error| corrupt(&error))?;
            headers.push((header.key, header.value));
        }
        let (key, value) = (self.view.key, self.view.value);
        let held = headers.iter().map(|(name, of)| (Some(*name), *of));
        let held = held
            .chain([(key, value)])
            .flat_map(|(one, other)| [one, other]);
        let bytes = held.flatten().map(<[u8]>::len).sum();
        let mut keep = Keep::new(self.body, bytes);
        Ok(OwnedRecord {
            topic_partition: self.topic_partition.clone(),
            offset: self.view.offset,
            timestamp: self.view.timestamp,
            key: key.map(|key| keep.bytes(key)),
            value: value.map(|value| keep.bytes(value)),
            headers: headers
                .into_iter()
                .map(|(name, value)| (keep.bytes(name), value.map(|value| keep.bytes(value))))
                .collect(),
        })
    }
}

/// So many headers of a record are made values of their own; each takes up some 64 bytes, however short.
const MOST_HEADERS: usize = 100_000;

/// Records up to this size, in bytes, are copied: a copy costs less than the segment that they would keep.
const COPIED_BYTES: usize = 1024;

/// Makes values of their own of pieces of a batch.
enum Keep<'a> {
    /// As copies, all of one allocation.
    Copied(BytesMut),
    /// As references.
    Shared(&'a Bytes),
}

impl<'a> Keep<'a> {
    fn new(body: &'a Bytes, bytes: usize) -> Self {
        match bytes {
            0..=COPIED_BYTES => Self::Copied(BytesMut::with_capacity(bytes)),
            _ => Self::Shared(body),
        }
    }

    fn bytes(&mut self, piece: &[u8]) -> Bytes {
        match self {
            Self::Copied(copy) => {
                copy.extend_from_slice(piece);
                copy.split().freeze()
            }
            Self::Shared(body) => body.slice_ref(piece),
        }
    }
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("topic_partition", self.topic_partition)
            .field("record", &self.view)
            .finish_non_exhaustive()
    }
}

/// A record that owns what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedRecord {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// The offset in the partition.
    pub offset: i64,
    /// Milliseconds since the Unix epoch, −1 if the record has no timestamp.
    pub timestamp: i64,
    /// The key; `None` for null.
    pub key: Option<Bytes>,
    /// The value; `None` for null.
    pub value: Option<Bytes>,
    /// The headers, in order, duplicates and nulls kept.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
}

/// A batch, or the part of one that was handed out.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) taken: TakenRecords,
    decoded: OnceLock<Result<DecodedBatch, BatchError>>,
    unreadable: Option<Unreadable>,
}

/// Where the offset goes at which a partition turned out to be unreadable, so that no commit passes it.
pub(crate) type Unreadable = UnboundedSender<(TopicPartition, i64)>;

impl Batch {
    pub(crate) fn new(taken: TakenRecords, unreadable: Option<&Unreadable>) -> Self {
        Self {
            taken,
            decoded: OnceLock::new(),
            unreadable: unreadable.cloned(),
        }
    }

    pub(crate) fn iter<'a>(&'a self, topic_partition: &'a TopicPartition) -> BatchIter<'a> {
        let decoded = self.decoded.get_or_init(|| self.taken.decode());
        let walk = match decoded {
            Ok(batch) => Ok(Walk {
                body: batch.body(),
                records: self.taken.records(batch),
            }),
            Err(error) => Err(error),
        };
        BatchIter {
            topic_partition,
            taken: &self.taken,
            unreadable: self.unreadable.as_ref(),
            from: self.taken.from_offset,
            walk: Some(walk),
        }
    }
}

/// A walk over what was handed out of a batch.
#[derive(Debug)]
pub(crate) struct BatchIter<'a> {
    topic_partition: &'a TopicPartition,
    taken: &'a TakenRecords,
    unreadable: Option<&'a Unreadable>,
    /// The offset after the last record.
    from: i64,
    /// The batch, or why it cannot be read; none when everything was said.
    walk: Option<Result<Walk<'a>, &'a BatchError>>,
}

#[derive(Debug)]
struct Walk<'a> {
    body: &'a Bytes,
    records: windlass_protocol::records::Records<'a>,
}

impl<'a> BatchIter<'a> {
    /// The next record; none at the end, and none in place of one that cannot be read.
    #[inline(always)]
    fn next_record(&mut self) -> Option<Record<'a>> {
        let Some(Ok(walk)) = &mut self.walk else {
            return None;
        };
        let view = walk.records.next_record()?;
        self.from = view.offset + 1;
        Some(Record {
            topic_partition: self.topic_partition,
            body: walk.body,
            view,
        })
    }

    /// Why there was no record, unless the batch is over; told once.
    #[inline(always)]
    fn failure(&mut self) -> Option<ConsumerError> {
        let error = match self.walk.take()? {
            Ok(mut walk) => match walk.records.failure() {
                Some(error) => error,
                None => {
                    self.taken.walked(&walk.records);
                    return None;
                }
            },
            Err(error) => *error,
        };
        if let Some(unreadable) = self.unreadable {
            // A consumer that is gone commits nothing.
            drop(unreadable.send((self.topic_partition.clone(), self.from)));
        }
        Some(corrupt(self.topic_partition, self.from, &error))
    }
}

impl<'a> Iterator for BatchIter<'a> {
    type Item = Result<Record<'a>, ConsumerError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_record() {
            Some(record) => Some(Ok(record)),
            None => self.failure().map(Err),
        }
    }
}

#[cold]
fn corrupt(
    topic_partition: &TopicPartition,
    offset: i64,
    error: &dyn fmt::Display,
) -> ConsumerError {
    ConsumerError::Corrupt {
        topic_partition: topic_partition.clone(),
        offset,
        detail: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use windlass_protocol::records::RecordBatchBuilder;

    use super::*;

    /// The only record of a batch with a value of so many bytes and so many headers.
    fn only_record(value: usize, headers: usize) -> (Result<OwnedRecord, ConsumerError>, Bytes) {
        let mut builder = RecordBatchBuilder::new();
        let all: Vec<(&[u8], Option<&[u8]>)> = vec![(b"", None); headers];
        builder
            .append(0, Some(b"key"), Some(&vec![b'v'; value]), &all)
            .unwrap();
        let decoded = builder.build().unwrap().decompressed(usize::MAX).unwrap();
        let partition = TopicPartition::new("t", 0);
        let record = Record {
            topic_partition: &partition,
            body: decoded.body(),
            view: decoded.records().next().unwrap().unwrap(),
        };
        (record.to_owned(), decoded.body().clone())
    }

    #[test]
    fn a_small_record_keeps_nothing_but_itself() {
        for (size, is_copied) in [(1021, true), (1022, false)] {
            let (record, body) = only_record(size, 0);
            let record = record.unwrap();
            assert_eq!(record.key.unwrap(), "key");
            let value = record.value.unwrap();
            assert_eq!(value.len(), size);
            assert_eq!(!body.as_ptr_range().contains(&value.as_ptr()), is_copied);
        }
    }

    #[test]
    fn more_headers_than_anybody_needs_are_refused() {
        assert_eq!(only_record(1, 100_000).0.unwrap().headers.len(), 100_000);
        let refused = only_record(1, 100_001).0.unwrap_err();
        assert!(refused.to_string().contains("100,000 headers"), "{refused}");
    }
}
