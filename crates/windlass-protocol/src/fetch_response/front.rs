//! The front of what has arrived of a response body: read field by field, and asked for more bytes
//! instead of failing when a field is not complete yet.

use windlass_model::TopicId;

use crate::{DecodeError, DecodeErrorKind};

/// More tagged fields than this, in a structure for which Kafka defines none, are refused.
const MOST_INNER_TAGS: u32 = 64;

/// A tagged field takes its tag and its length, of a byte each, or more.
const SMALLEST_TAGGED_FIELD: usize = 2;

/// Why a field could not be read.
#[derive(Debug)]
pub(super) enum Stop {
    /// So many more bytes must arrive first, at least.
    Need(usize),
    /// It never will be.
    Fault(DecodeError),
}

/// The bytes of the body that have arrived and are not consumed yet.
#[derive(Debug)]
pub(super) struct Front<'a> {
    bytes: &'a [u8],
    used: usize,
    /// How many bytes the body still has from the start of `bytes`, arrived or not.
    body_left: usize,
    /// Where `bytes` begins in the body.
    body_offset: usize,
}

impl<'a> Front<'a> {
    /// `bytes` may reach beyond the body; what is beyond is not looked at.
    pub(super) fn new(bytes: &'a [u8], body_left: usize, body_offset: usize) -> Self {
        Self {
            bytes: bytes.get(..body_left).unwrap_or(bytes),
            used: 0,
            body_left,
            body_offset,
        }
    }

    /// How many bytes were read.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// How many bytes the body has beyond those read, arrived or not.
    pub(super) fn left(&self) -> usize {
        self.body_left.saturating_sub(self.used)
    }

    pub(super) fn fault(&self, kind: DecodeErrorKind, field: &'static str) -> Stop {
        let offset = self.body_offset.saturating_add(self.used);
        Stop::Fault(DecodeError::new(kind, "FetchResponse", field, offset))
    }

    fn take(&mut self, length: usize, field: &'static str) -> Result<&'a [u8], Stop> {
        let available = self.left();
        if length > available {
            let kind = DecodeErrorKind::LengthBeyondEnd { length, available };
            return Err(self.fault(kind, field));
        }
        let end = self.used.saturating_add(length);
        match self.bytes.get(self.used..end) {
            Some(taken) => {
                self.used = end;
                Ok(taken)
            }
            None => Err(Stop::Need(end.saturating_sub(self.bytes.len()))),
        }
    }

    fn chunk<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Stop> {
        if N > self.left() {
            return Err(self.fault(DecodeErrorKind::Truncated, field));
        }
        let bytes = self.take(N, field)?;
        Ok(*bytes.first_chunk().unwrap_or(&[0; N]))
    }

    pub(super) fn i16(&mut self, field: &'static str) -> Result<i16, Stop> {
        Ok(i16::from_be_bytes(self.chunk(field)?))
    }

    pub(super) fn i32(&mut self, field: &'static str) -> Result<i32, Stop> {
        Ok(i32::from_be_bytes(self.chunk(field)?))
    }

    pub(super) fn i64(&mut self, field: &'static str) -> Result<i64, Stop> {
        Ok(i64::from_be_bytes(self.chunk(field)?))
    }

    pub(super) fn topic_id(&mut self, field: &'static str) -> Result<TopicId, Stop> {
        Ok(TopicId::new(self.chunk(field)?))
    }

    pub(super) fn unsigned_varint(&mut self, field: &'static str) -> Result<u32, Stop> {
        let mut value = 0u32;
        for index in 0..5u32 {
            let [byte] = self.chunk(field)?;
            if index == 4 && byte > 0x0f {
                break;
            }
            value |= u32::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.fault(DecodeErrorKind::InvalidVarint, field))
    }

    /// A text that may be null.
    pub(super) fn text(
        &mut self,
        flexible: bool,
        field: &'static str,
    ) -> Result<Option<&'a str>, Stop> {
        let length = if flexible {
            self.compact_length(field)?
        } else {
            let length = self.i16(field)?;
            self.plain_length(i32::from(length), field)?
        };
        let Some(length) = length else {
            return Ok(None);
        };
        let bytes = self.take(length, field)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(self.fault(DecodeErrorKind::InvalidUtf8, field)),
        }
    }

    fn length(&mut self, flexible: bool, field: &'static str) -> Result<Option<usize>, Stop> {
        if flexible {
            return self.compact_length(field);
        }
        let length = self.i32(field)?;
        self.plain_length(length, field)
    }

    fn plain_length(&self, length: i32, field: &'static str) -> Result<Option<usize>, Stop> {
        match usize::try_from(length) {
            Ok(length) => Ok(Some(length)),
            Err(_) if length == -1 => Ok(None),
            Err(_) => Err(self.fault(DecodeErrorKind::NegativeLength { length }, field)),
        }
    }

    /// The length of an array whose elements take at least so many bytes each, `None` for null.
    pub(super) fn count(
        &mut self,
        flexible: bool,
        element_size: usize,
        field: &'static str,
    ) -> Result<Option<usize>, Stop> {
        let count = self.length(flexible, field)?;
        if let Some(count) = count {
            self.check_count(count, element_size, field)?;
        }
        Ok(count)
    }

    fn check_count(
        &self,
        count: usize,
        element_size: usize,
        field: &'static str,
    ) -> Result<(), Stop> {
        let available = self.left();
        if count <= available / element_size {
            return Ok(());
        }
        let kind = DecodeErrorKind::CountBeyondEnd {
            count,
            element_size,
            available,
        };
        Err(self.fault(kind, field))
    }

    /// How many tagged fields a section has.
    pub(super) fn tag_count(&mut self) -> Result<u32, Stop> {
        let count = self.unsigned_varint("tags")?;
        let fields = usize::try_from(count).unwrap_or(usize::MAX);
        self.check_count(fields, SMALLEST_TAGGED_FIELD, "tags")?;
        Ok(count)
    }

    /// How many bytes a tagged field has.
    pub(super) fn tag_length(&mut self) -> Result<usize, Stop> {
        let length = self.unsigned_varint("tags")?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let available = self.left();
        if length > available {
            let kind = DecodeErrorKind::LengthBeyondEnd { length, available };
            return Err(self.fault(kind, "tags"));
        }
        Ok(length)
    }

    /// Passes over a section of tagged fields inside a small structure, none of which is known.
    pub(super) fn skip_tags(&mut self, field: &'static str) -> Result<(), Stop> {
        let count = self.tag_count()?;
        // The whole structure is read again each time bytes arrive, so it must stay small.
        if count > MOST_INNER_TAGS {
            return Err(self.fault(DecodeErrorKind::Malformed, field));
        }
        for _ in 0..count {
            self.unsigned_varint(field)?;
            let length = self.tag_length()?;
            self.take(length, field)?;
        }
        Ok(())
    }

    /// The next `length` bytes, to be read on their own.
    pub(super) fn inner(&mut self, length: usize, field: &'static str) -> Result<Self, Stop> {
        let body_offset = self.body_offset.saturating_add(self.used);
        let bytes = self.take(length, field)?;
        Ok(Self {
            bytes,
            used: 0,
            body_left: length,
            body_offset,
        })
    }

    /// Ends what was read of a tagged field: fails if bytes of it are left.
    pub(super) fn end_tag(&self, tag: u32, field: &'static str) -> Result<(), Stop> {
        match self.left() {
            0 => Ok(()),
            excess => {
                let kind = DecodeErrorKind::OversizeTaggedField { tag, excess };
                Err(self.fault(kind, field))
            }
        }
    }

    fn compact_length(&mut self, field: &'static str) -> Result<Option<usize>, Stop> {
        let raw = self.unsigned_varint(field)?;
        match raw.checked_sub(1).map(usize::try_from) {
            None => Ok(None),
            Some(Ok(length)) => Ok(Some(length)),
            Some(Err(_)) => Err(self.fault(DecodeErrorKind::InvalidVarint, field)),
        }
    }
}
