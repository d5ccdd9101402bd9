//! Small nom parsers of the wire's primitive values, slice in and rest out.
//!
//! All parsers are complete ones: the whole body is there, and what is missing is an error. Every
//! length is compared with the bytes that are left before anything is allocated.

use bytes::Bytes;
use nom::bytes::complete::take;
use nom::number::complete as number;
use nom::{IResult, Parser};
use windlass_model::TopicId;

use super::Layout;
pub(crate) use super::tagged_field::{skip_tagged_fields, store, tagged_fields};
use crate::decode_error::{DecodeErrorKind, Fault};
use crate::error_code::ErrorCode;

/// What a parser returns: the rest of the input and the value.
pub(crate) type Parsed<'a, T> = IResult<&'a [u8], T, Fault<'a>>;

/// How many elements room is made for at once; beyond it an array grows with what is really read.
const CAPACITY_AT_ONCE: usize = 1024;

#[inline]
pub(crate) fn int8(input: &[u8]) -> Parsed<'_, i8> {
    number::be_i8(input)
}

#[inline]
pub(crate) fn int16(input: &[u8]) -> Parsed<'_, i16> {
    number::be_i16(input)
}

#[inline]
pub(crate) fn int32(input: &[u8]) -> Parsed<'_, i32> {
    number::be_i32(input)
}

#[inline]
pub(crate) fn int64(input: &[u8]) -> Parsed<'_, i64> {
    number::be_i64(input)
}

/// Any byte but 0 is true, as in Kafka.
#[inline]
pub(crate) fn boolean(input: &[u8]) -> Parsed<'_, bool> {
    number::u8.map(|byte| byte != 0).parse(input)
}

#[inline]
pub(crate) fn error_code(input: &[u8]) -> Parsed<'_, ErrorCode> {
    number::be_i16.map(ErrorCode).parse(input)
}

pub(crate) fn uuid(input: &[u8]) -> Parsed<'_, TopicId> {
    number::be_u128
        .map(|value: u128| TopicId::new(value.to_be_bytes()))
        .parse(input)
}

/// An unsigned varint of at most 32 bits, so of at most five bytes.
pub(crate) fn unsigned_varint(input: &[u8]) -> Parsed<'_, u32> {
    let mut value = 0u32;
    for (index, byte) in input.iter().enumerate().take(5) {
        if index == 4 && *byte > 0x0f {
            break;
        }
        value |= u32::from(*byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            let (_, rest) = input.split_at(index + 1);
            return Ok((rest, value));
        }
    }
    let kind = if input.len() < 5 {
        DecodeErrorKind::Truncated
    } else {
        DecodeErrorKind::InvalidVarint
    };
    Err(Fault::failure(input, kind))
}

/// The length in front of a text: `None` is null.
fn text_length(layout: Layout, input: &[u8]) -> Parsed<'_, Option<usize>> {
    match layout {
        Layout::Plain => {
            let (rest, length) = int16(input)?;
            Ok((rest, plain_length(input, i32::from(length))?))
        }
        Layout::Flexible => compact_length(input),
    }
}

/// The length in front of a byte string or an array: `None` is null.
fn wide_length(layout: Layout, input: &[u8]) -> Parsed<'_, Option<usize>> {
    match layout {
        Layout::Plain => {
            let (rest, length) = int32(input)?;
            Ok((rest, plain_length(input, length)?))
        }
        Layout::Flexible => compact_length(input),
    }
}

fn plain_length(input: &[u8], length: i32) -> Result<Option<usize>, nom::Err<Fault<'_>>> {
    match usize::try_from(length) {
        Ok(length) => Ok(Some(length)),
        Err(_) if length == -1 => Ok(None),
        Err(_) => Err(Fault::failure(
            input,
            DecodeErrorKind::NegativeLength { length },
        )),
    }
}

fn compact_length(input: &[u8]) -> Parsed<'_, Option<usize>> {
    let (rest, raised) = unsigned_varint(input)?;
    match raised.checked_sub(1).map(usize::try_from) {
        None => Ok((rest, None)),
        Some(Ok(length)) => Ok((rest, Some(length))),
        Some(Err(_)) => Err(Fault::failure(input, DecodeErrorKind::InvalidVarint)),
    }
}

fn bounded(length: usize, input: &[u8]) -> Parsed<'_, &[u8]> {
    if length > input.len() {
        let available = input.len();
        let kind = DecodeErrorKind::LengthBeyondEnd { length, available };
        return Err(Fault::failure(input, kind));
    }
    take(length)(input)
}

/// A text that may be null.
pub(crate) fn nullable_string<'a>(
    layout: Layout,
) -> impl Parser<&'a [u8], Output = Option<String>, Error = Fault<'a>> {
    move |input: &'a [u8]| {
        let (rest, length) = text_length(layout, input)?;
        let Some(length) = length else {
            return Ok((rest, None));
        };
        let (after, text) = bounded(length, rest)?;
        match str::from_utf8(text) {
            Ok(text) => Ok((after, Some(text.to_owned()))),
            Err(_) => Err(Fault::failure(rest, DecodeErrorKind::InvalidUtf8)),
        }
    }
}

/// A text.
pub(crate) fn string<'a>(
    layout: Layout,
) -> impl Parser<&'a [u8], Output = String, Error = Fault<'a>> {
    required(nullable_string(layout))
}

/// A byte string that may be null.
pub(crate) fn nullable_bytes<'a>(
    layout: Layout,
) -> impl Parser<&'a [u8], Output = Option<Bytes>, Error = Fault<'a>> {
    move |input: &'a [u8]| {
        let (rest, length) = wide_length(layout, input)?;
        let Some(length) = length else {
            return Ok((rest, None));
        };
        let (after, value) = bounded(length, rest)?;
        Ok((after, Some(Bytes::copy_from_slice(value))))
    }
}

/// A byte string.
pub(crate) fn bytes<'a>(
    layout: Layout,
) -> impl Parser<&'a [u8], Output = Bytes, Error = Fault<'a>> {
    required(nullable_bytes(layout))
}

/// An array that may be null. `element_size` is the fewest bytes an element can take: a count that
/// cannot be true is refused before anything is allocated for it.
pub(crate) fn nullable_array<'a, T>(
    layout: Layout,
    element_size: usize,
    mut element: impl FnMut(&'a [u8]) -> Parsed<'a, T>,
) -> impl Parser<&'a [u8], Output = Option<Vec<T>>, Error = Fault<'a>> {
    move |input: &'a [u8]| {
        let (mut rest, count) = wide_length(layout, input)?;
        let Some(count) = count else {
            return Ok((rest, None));
        };
        let available = rest.len();
        if count > available / element_size.max(1) {
            let kind = DecodeErrorKind::CountBeyondEnd {
                count,
                element_size,
                available,
            };
            return Err(Fault::failure(input, kind));
        }
        let mut elements = Vec::with_capacity(count.min(CAPACITY_AT_ONCE));
        for index in 0..count {
            let (after, value) =
                element(rest).map_err(|error| error.map(|fault| fault.in_element(index)))?;
            elements.push(value);
            rest = after;
        }
        Ok((rest, Some(elements)))
    }
}

/// An array.
pub(crate) fn array<'a, T>(
    layout: Layout,
    element_size: usize,
    element: impl FnMut(&'a [u8]) -> Parsed<'a, T>,
) -> impl Parser<&'a [u8], Output = Vec<T>, Error = Fault<'a>> {
    required(nullable_array(layout, element_size, element))
}

/// A struct behind a byte that says whether it is there; below 0 it is not.
pub(crate) fn nullable_struct<'a, T>(
    mut structure: impl FnMut(&'a [u8]) -> Parsed<'a, T>,
) -> impl Parser<&'a [u8], Output = Option<T>, Error = Fault<'a>> {
    move |input: &'a [u8]| {
        let (rest, presence) = int8(input)?;
        if presence < 0 {
            return Ok((rest, None));
        }
        structure(rest).map(|(rest, value)| (rest, Some(value)))
    }
}

/// Refuses the null of a parser whose value may be null.
fn required<'a, T>(
    mut nullable: impl Parser<&'a [u8], Output = Option<T>, Error = Fault<'a>>,
) -> impl Parser<&'a [u8], Output = T, Error = Fault<'a>> {
    move |input: &'a [u8]| match nullable.parse(input)? {
        (rest, Some(value)) => Ok((rest, value)),
        (_, None) => Err(Fault::failure(input, DecodeErrorKind::UnexpectedNull)),
    }
}
