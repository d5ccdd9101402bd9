//! The tagged fields at the end of a flexible struct (KIP-482), read.

use nom::Parser as _;
use nom::bytes::complete::take;

use super::Layout;
use super::read::{Parsed, unsigned_varint};
use crate::decode_error::{DecodeErrorKind, Fault};

/// The fewest bytes a tagged field can take: its tag and its size.
const FIELD_SIZE: usize = 2;

/// What becomes of a tagged field: `None` when its tag is not known, else what parsing it gave.
pub(crate) type TaggedOutcome<'a> = Option<Parsed<'a, ()>>;

/// Reads the tagged fields and gives each to `known`; those it does not know are skipped. A field
/// can neither reach past its own size nor past the end of the message.
pub(crate) fn tagged_fields<'a>(
    layout: Layout,
    input: &'a [u8],
    known: &mut dyn FnMut(u32, &'a [u8]) -> TaggedOutcome<'a>,
) -> Result<&'a [u8], nom::Err<Fault<'a>>> {
    if layout == Layout::Plain {
        return Ok(input);
    }
    let (mut rest, count) = unsigned_varint(input)?;
    let available = rest.len();
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count > available / FIELD_SIZE {
        let kind = DecodeErrorKind::CountBeyondEnd {
            count,
            element_size: FIELD_SIZE,
            available,
        };
        return Err(Fault::failure(input, kind));
    }
    for _ in 0..count {
        let (after_tag, tag) = unsigned_varint(rest)?;
        let (value_start, size) = unsigned_varint(after_tag)?;
        let length = usize::try_from(size).unwrap_or(usize::MAX);
        if length > value_start.len() {
            let available = value_start.len();
            let kind = DecodeErrorKind::LengthBeyondEnd { length, available };
            return Err(Fault::failure(after_tag, kind));
        }
        let (after, value) = take(length).parse(value_start)?;
        if let Some(outcome) = known(tag, value) {
            let (left, ()) = outcome?;
            if !left.is_empty() {
                let excess = left.len();
                let kind = DecodeErrorKind::OversizeTaggedField { tag, excess };
                return Err(Fault::failure(left, kind));
            }
        }
        rest = after;
    }
    Ok(rest)
}

/// Skips the tagged fields of a struct that knows none.
pub(crate) fn skip_tagged_fields(
    layout: Layout,
    input: &[u8],
) -> Result<&[u8], nom::Err<Fault<'_>>> {
    tagged_fields(layout, input, &mut |_, _| None)
}

/// Keeps the value of a known tagged field.
pub(crate) fn store<'a, T>(place: &mut T, parsed: Parsed<'a, T>) -> TaggedOutcome<'a> {
    Some(parsed.map(|(rest, value)| {
        *place = value;
        (rest, ())
    }))
}
