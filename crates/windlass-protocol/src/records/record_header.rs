//! The headers of a record, left unparsed until somebody asks for them.

use std::str::Utf8Error;

use super::BatchError;
use super::varint::{nullable_bytes, varint};

/// One header of a record. Keys may repeat, and their order is the producer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The key: UTF-8 by Kafka's rule, but no broker checks it.
    pub key: &'a [u8],
    /// The value, `None` for null.
    pub value: Option<&'a [u8]>,
}

impl<'a> Header<'a> {
    /// The key as text.
    ///
    /// # Errors
    ///
    /// When the producer wrote a key that is not UTF-8.
    pub fn key_text(&self) -> Result<&'a str, Utf8Error> {
        std::str::from_utf8(self.key)
    }
}

/// The headers of a record, as their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers<'a> {
    bytes: &'a [u8],
}

impl<'a> Headers<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Whether the record has no header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self.bytes, [] | [0])
    }

    /// Walks the headers in order. A malformed one is an error, and the last item.
    #[must_use]
    pub fn iter(&self) -> HeadersIter<'a> {
        HeadersIter {
            rest: self.bytes,
            index: 0,
            count: None,
        }
    }

    /// The last header with this key, which by Kafka's convention is the one in force.
    ///
    /// # Errors
    ///
    /// When a header of the record is malformed.
    pub fn last_with_key(&self, key: &[u8]) -> Result<Option<Header<'a>>, BatchError> {
        let mut found = None;
        for header in self.iter() {
            let header = header?;
            if header.key == key {
                found = Some(header);
            }
        }
        Ok(found)
    }
}

impl<'a> IntoIterator for Headers<'a> {
    type Item = Result<Header<'a>, BatchError>;
    type IntoIter = HeadersIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The walk over the headers of a record.
#[derive(Clone, Debug)]
pub struct HeadersIter<'a> {
    rest: &'a [u8],
    index: u32,
    /// Not read yet while `None`.
    count: Option<u32>,
}

impl<'a> HeadersIter<'a> {
    fn read_count(&mut self) -> Option<u32> {
        if self.rest.is_empty() {
            // The headers of no record at all.
            return Some(0);
        }
        let (count, rest) = varint(self.rest)?;
        let count = u32::try_from(count).ok()?;
        self.rest = rest;
        Some(count)
    }

    fn read_header(&mut self) -> Option<Header<'a>> {
        let (key, rest) = nullable_bytes(self.rest)?;
        let (value, rest) = nullable_bytes(rest)?;
        self.rest = rest;
        Some(Header { key: key?, value })
    }

    fn fail(&mut self) -> BatchError {
        let index = self.index;
        self.count = Some(0);
        self.index = 0;
        self.rest = &[];
        BatchError::MalformedHeader { index }
    }
}

impl<'a> Iterator for HeadersIter<'a> {
    type Item = Result<Header<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let count = match self.count {
            Some(count) => count,
            None => match self.read_count() {
                Some(count) => *self.count.insert(count),
                None => return Some(Err(self.fail())),
            },
        };
        if self.index == count {
            // Bytes after the last header would be lost in silence otherwise.
            return (!self.rest.is_empty()).then(|| Err(self.fail()));
        }
        match self.read_header() {
            Some(header) => {
                self.index += 1;
                Some(Ok(header))
            }
            None => Some(Err(self.fail())),
        }
    }
}
