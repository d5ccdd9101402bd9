//! Records as borrowed views, and the walk over a batch of them.

use super::record_header::Headers;
use super::varint::{nullable_bytes, varint, varlong};
use super::{BatchError, BatchHeader, RecordFault, TimestampType};

/// One record, borrowed from its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record<'a> {
    /// The offset in the partition.
    pub offset: i64,
    /// Milliseconds since 1970, −1 if the record has no timestamp.
    pub timestamp: i64,
    /// The key, `None` for null.
    pub key: Option<&'a [u8]>,
    /// The value, `None` for null (a tombstone in a compacted topic).
    pub value: Option<&'a [u8]>,
    /// The headers, in order, parsed when walked.
    pub headers: Headers<'a>,
}

/// A place between two records of a batch that one walk found, for another to begin there instead of
/// passing over everything before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bookmark {
    position: usize,
    remaining: u32,
    previous_delta: i32,
}

/// The walk over the records of a batch, in the order of their offsets.
///
/// A malformed record is an error and the last item, as nothing after it can be trusted; so are
/// bytes that are left after the last announced record. No record is ever skipped in silence.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    remaining: u32,
    previous_delta: i32,
    last_delta: i32,
    /// Records with a smaller delta are not handed out.
    from_delta: i32,
    /// The walk stops before records with a larger delta.
    until_delta: i32,
    base_offset: i64,
    /// Base timestamp, or the timestamp of all records.
    timestamp: i64,
    timestamp_type: TimestampType,
    record_count: i32,
    length: usize,
}

impl<'a> Records<'a> {
    pub(super) fn new(header: &BatchHeader, body: &'a [u8]) -> Self {
        Self {
            rest: body,
            remaining: u32::try_from(header.record_count).unwrap_or_default(),
            previous_delta: -1,
            last_delta: header.last_offset_delta,
            from_delta: 0,
            until_delta: header.last_offset_delta,
            base_offset: header.base_offset,
            timestamp: match header.timestamp_type {
                TimestampType::CreateTime => header.base_timestamp,
                TimestampType::LogAppendTime => header.max_timestamp,
            },
            timestamp_type: header.timestamp_type,
            record_count: header.record_count,
            length: body.len(),
        }
    }

    /// Leaves out the records before `offset`; they are passed over by their lengths.
    #[must_use]
    pub fn starting_at(mut self, offset: i64) -> Self {
        let delta = offset.saturating_sub(self.base_offset).max(0);
        self.from_delta = i32::try_from(delta).unwrap_or(i32::MAX);
        if delta > i64::from(self.last_delta) {
            // Not one record qualifies, whatever the bytes say.
            self.remaining = 0;
            self.rest = &[];
        }
        self
    }

    /// Stops before the first record at `offset` or behind it. What is wrong with records from there
    /// on is not told.
    #[must_use]
    pub fn ending_before(mut self, offset: i64) -> Self {
        let delta = offset.saturating_sub(self.base_offset).max(0) - 1;
        self.until_delta = i32::try_from(delta)
            .unwrap_or(i32::MAX)
            .min(self.last_delta);
        self
    }

    /// Begins where another walk of the same batch was. In another batch the bookmark leads to a
    /// malformed record, or to records that it does not have.
    #[must_use]
    pub fn resumed_at(mut self, bookmark: Bookmark) -> Self {
        self.rest = self.rest.get(bookmark.position..).unwrap_or_default();
        self.remaining = bookmark.remaining;
        self.previous_delta = bookmark.previous_delta;
        self
    }

    /// Where the walk is: before the record that comes next.
    #[must_use]
    pub const fn bookmark(&self) -> Bookmark {
        Bookmark {
            position: self.length.saturating_sub(self.rest.len()),
            remaining: self.remaining,
            previous_delta: self.previous_delta,
        }
    }

    /// The next record; none after the last, and none in place of one that cannot be read, of which
    /// [`failure`](Self::failure) tells. The iterator does the same and wraps each record in a
    /// `Result`, which costs a third of the walk: the record goes through memory in pieces that the
    /// next copy of it has to wait for.
    #[inline(always)]
    pub fn next_record(&mut self) -> Option<Record<'a>> {
        while self.remaining > 0 {
            let (offset_delta, record) = self.parse()?;
            self.remaining -= 1;
            if offset_delta >= self.from_delta {
                return Some(record);
            }
        }
        None
    }

    /// Why [`next_record`](Self::next_record) had no record, unless the batch was over. It is told
    /// once, and there are no more records after it.
    #[inline]
    pub fn failure(&mut self) -> Option<BatchError> {
        if self.remaining > 0 {
            (!self.stops_before_next()).then(|| self.malformed())
        } else if self.rest.is_empty() {
            None
        } else {
            Some(self.unread_bytes())
        }
    }

    #[inline(always)]
    fn parse(&mut self) -> Option<(i32, Record<'a>)> {
        let (length, rest) = varint(self.rest)?;
        let (body, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        let [_attributes, body @ ..] = body else {
            return None;
        };
        let (timestamp_delta, body) = varlong(body)?;
        let (offset_delta, body) = varint(body)?;
        if offset_delta <= self.previous_delta || offset_delta > self.until_delta {
            return None;
        }
        let (key, body) = nullable_bytes(body)?;
        let (value, headers) = nullable_bytes(body)?;
        if headers.is_empty() {
            return None;
        }
        let timestamp = match self.timestamp_type {
            TimestampType::CreateTime => self.timestamp.wrapping_add(timestamp_delta),
            TimestampType::LogAppendTime => self.timestamp,
        };
        self.rest = rest;
        self.previous_delta = offset_delta;
        let record = Record {
            // The header's check leaves room for every delta up to the last.
            offset: self.base_offset.wrapping_add(i64::from(offset_delta)),
            timestamp,
            key,
            value,
            headers: Headers::new(headers),
        };
        Some((offset_delta, record))
    }

    /// Whether all that was wanted has come: a record that is behind it is not looked at for faults.
    #[cold]
    #[inline(never)]
    fn stops_before_next(&self) -> bool {
        let mut beyond = self.clone();
        beyond.until_delta = self.last_delta;
        self.until_delta < self.last_delta
            && (self.previous_delta >= self.until_delta || beyond.parse().is_some())
    }

    #[cold]
    #[inline(never)]
    fn malformed(&mut self) -> BatchError {
        let error = BatchError::MalformedRecord {
            index: u32::try_from(self.record_count)
                .unwrap_or_default()
                .saturating_sub(self.remaining),
            position: self.length.saturating_sub(self.rest.len()),
            fault: self.fault(),
        };
        self.remaining = 0;
        self.rest = &[];
        error
    }

    /// Walks the malformed record again, this time asking at each step what is wrong.
    fn fault(&self) -> RecordFault {
        if self.rest.is_empty() {
            return RecordFault::Missing;
        }
        let Some((length, rest)) = varint(self.rest) else {
            return RecordFault::Length;
        };
        let Ok(length) = usize::try_from(length) else {
            return RecordFault::Length;
        };
        let Some((body, _)) = rest.split_at_checked(length) else {
            return RecordFault::Overrun;
        };
        let [_attributes, body @ ..] = body else {
            return RecordFault::Attributes;
        };
        let Some((_, body)) = varlong(body) else {
            return RecordFault::TimestampDelta;
        };
        let in_order = |delta: i32| delta > self.previous_delta && delta <= self.last_delta;
        let Some((_, body)) = varint(body).filter(|(delta, _)| in_order(*delta)) else {
            return RecordFault::OffsetDelta;
        };
        let Some((_, body)) = nullable_bytes(body) else {
            return RecordFault::Key;
        };
        match nullable_bytes(body) {
            Some(_) => RecordFault::HeaderCount,
            None => RecordFault::Value,
        }
    }

    #[cold]
    #[inline(never)]
    fn unread_bytes(&mut self) -> BatchError {
        let extra = self.rest.len();
        self.rest = &[];
        BatchError::UnreadBytes {
            record_count: self.record_count,
            extra,
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, BatchError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self.next_record() {
            Some(record) => Some(Ok(record)),
            None => self.failure().map(Err),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // Skipped records make it fewer, an error at the end one more.
        let remaining = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        (0, remaining.checked_add(1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_set;
    use proptest::prelude::*;

    use super::*;
    use crate::records::{DecodedBatch, RecordBatchBuilder};

    const BASE: i64 = 100;

    fn batch(deltas: impl IntoIterator<Item = i32>) -> DecodedBatch {
        let mut builder = RecordBatchBuilder::new().base_offset(BASE);
        for delta in deltas {
            builder
                .append_at(delta, 0, Some(b"key"), Some(b"value"), &[])
                .unwrap();
        }
        builder.build().unwrap().decompressed(1 << 20).unwrap()
    }

    fn offsets(walk: &mut Records<'_>) -> Vec<i64> {
        walk.map(|record| record.unwrap().offset).collect()
    }

    #[test]
    fn a_walk_that_ends_early_can_be_gone_on_with() {
        let batch = batch([0, 3, 4, 9]);
        let mut first = batch.records().ending_before(104);
        assert_eq!(offsets(&mut first), [100, 103]);
        assert_eq!(first.next(), None);
        let mut second = batch.records().resumed_at(first.bookmark());
        assert_eq!(offsets(&mut second), [104, 109]);
        assert_eq!(offsets(&mut batch.records().ending_before(BASE)), []);
        assert_eq!(offsets(&mut batch.records().ending_before(i64::MIN)), []);
        let whole = offsets(&mut batch.records().ending_before(i64::MAX));
        assert_eq!(whole, [100, 103, 104, 109]);
    }

    #[test]
    fn faults_behind_the_end_are_left_to_the_next_walk() {
        let batch = batch([0, 1, 2]);
        let header = *batch.header();
        let mut body = batch.body().to_vec();
        let third = body.len() / 3 * 2;
        body[third] = 1;
        let mut first = Records::new(&header, &body).ending_before(BASE + 2);
        assert_eq!(offsets(&mut first), [100, 101]);
        let mut rest = Records::new(&header, &body).resumed_at(first.bookmark());
        assert!(rest.next().unwrap().is_err());
        // With gaps nobody knows that the malformed record is not one that is wanted.
        let mut longer = Records::new(&header, &body).ending_before(BASE + 3);
        assert!(longer.by_ref().any(|record| record.is_err()));
        assert_eq!(longer.next(), None);
    }

    proptest! {
        #[test]
        fn parts_make_up_the_whole(
            deltas in btree_set(0..60i32, 1..20),
            cuts in btree_set(BASE - 2..BASE + 64, 0..6),
        ) {
            let batch = batch(deltas);
            let mut parts = Vec::new();
            let mut bookmark = batch.records().bookmark();
            for until in cuts.into_iter().chain([i64::MAX]) {
                let mut walk = batch.records().resumed_at(bookmark).ending_before(until);
                let part = offsets(&mut walk);
                prop_assert!(part.iter().all(|offset| *offset < until));
                parts.extend(part);
                bookmark = walk.bookmark();
            }
            prop_assert_eq!(parts, offsets(&mut batch.records()));
        }

        #[test]
        fn a_bookmark_of_another_batch_is_safe(
            deltas in btree_set(0..60i32, 1..20),
            position in 0..2000usize,
            remaining in any::<u32>(),
            previous_delta in any::<i32>(),
        ) {
            let batch = batch(deltas);
            let bookmark = Bookmark { position, remaining, previous_delta };
            let walk = batch.records().resumed_at(bookmark);
            prop_assert!(walk.count() <= 21);
        }
    }
}
