//! Plain functions that append primitive values to a buffer: the other direction of `read`.

use bytes::{BufMut as _, Bytes, BytesMut};
use windlass_model::TopicId;

use super::Layout;
use crate::encode_error::{EncodeError, EncodeErrorKind};
#[cfg(any(test, feature = "broker"))]
use crate::error_code::ErrorCode;

/// Appends an unsigned varint.
pub(crate) fn put_unsigned_varint(out: &mut BytesMut, mut value: u32) {
    while let [low, ..] = value.to_le_bytes()
        && value >= 0x80
    {
        out.put_u8(low | 0x80);
        value >>= 7;
    }
    let [low, ..] = value.to_le_bytes();
    out.put_u8(low);
}

pub(crate) fn put_int8(out: &mut BytesMut, value: i8) {
    out.put_i8(value);
}

pub(crate) fn put_int16(out: &mut BytesMut, value: i16) {
    out.put_i16(value);
}

pub(crate) fn put_int32(out: &mut BytesMut, value: i32) {
    out.put_i32(value);
}

pub(crate) fn put_int64(out: &mut BytesMut, value: i64) {
    out.put_i64(value);
}

#[cfg(any(test, feature = "broker"))]
pub(crate) fn put_error_code(out: &mut BytesMut, value: ErrorCode) {
    out.put_i16(value.code());
}

pub(crate) fn put_boolean(out: &mut BytesMut, value: bool) {
    out.put_u8(u8::from(value));
}

pub(crate) fn put_uuid(out: &mut BytesMut, value: TopicId) {
    out.put_slice(value.as_bytes());
}

fn too_long(length: usize) -> EncodeError {
    EncodeError::new(EncodeErrorKind::TooLong { length })
}

fn put_compact_length(out: &mut BytesMut, length: usize) -> Result<(), EncodeError> {
    let raised = u32::try_from(length)
        .ok()
        .filter(|length| i32::try_from(*length).is_ok())
        .ok_or_else(|| too_long(length))?;
    put_unsigned_varint(out, raised + 1);
    Ok(())
}

fn put_wide_length(
    out: &mut BytesMut,
    layout: Layout,
    length: Option<usize>,
) -> Result<(), EncodeError> {
    match (layout, length) {
        (Layout::Plain, None) => out.put_i32(-1),
        (Layout::Plain, Some(length)) => {
            out.put_i32(i32::try_from(length).map_err(|_| too_long(length))?);
        }
        (Layout::Flexible, None) => out.put_u8(0),
        (Layout::Flexible, Some(length)) => put_compact_length(out, length)?,
    }
    Ok(())
}

/// Appends a text: at most 32,767 bytes in the plain layout.
pub(crate) fn put_string(
    out: &mut BytesMut,
    layout: Layout,
    value: &str,
) -> Result<(), EncodeError> {
    match layout {
        Layout::Plain => {
            out.put_i16(i16::try_from(value.len()).map_err(|_| too_long(value.len()))?);
        }
        Layout::Flexible => put_compact_length(out, value.len())?,
    }
    out.put_slice(value.as_bytes());
    Ok(())
}

/// Appends a text or null.
pub(crate) fn put_nullable_string(
    out: &mut BytesMut,
    layout: Layout,
    value: Option<&str>,
) -> Result<(), EncodeError> {
    match (layout, value) {
        (_, Some(value)) => put_string(out, layout, value)?,
        (Layout::Plain, None) => out.put_i16(-1),
        (Layout::Flexible, None) => out.put_u8(0),
    }
    Ok(())
}

/// Appends a byte string.
pub(crate) fn put_bytes(
    out: &mut BytesMut,
    layout: Layout,
    value: &Bytes,
) -> Result<(), EncodeError> {
    put_nullable_bytes(out, layout, Some(value))
}

/// Appends a byte string or null.
pub(crate) fn put_nullable_bytes(
    out: &mut BytesMut,
    layout: Layout,
    value: Option<&Bytes>,
) -> Result<(), EncodeError> {
    put_wide_length(out, layout, value.map(Bytes::len))?;
    if let Some(value) = value {
        out.put_slice(value);
    }
    Ok(())
}

/// Appends an array, each element by `put`.
pub(crate) fn put_array<T>(
    out: &mut BytesMut,
    layout: Layout,
    elements: &[T],
    put: &mut dyn FnMut(&T, &mut BytesMut) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    put_nullable_array(out, layout, Some(elements), put)
}

/// Appends an array or null, each element by `put`.
pub(crate) fn put_nullable_array<T>(
    out: &mut BytesMut,
    layout: Layout,
    elements: Option<&[T]>,
    put: &mut dyn FnMut(&T, &mut BytesMut) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    put_wide_length(out, layout, elements.map(<[T]>::len))?;
    for (index, element) in elements.unwrap_or_default().iter().enumerate() {
        put(element, out).map_err(|error| error.in_element(index))?;
    }
    Ok(())
}

/// Appends a struct behind the byte that says whether it is there.
#[cfg(any(test, feature = "broker"))]
pub(crate) fn put_nullable_struct<T>(
    out: &mut BytesMut,
    value: Option<&T>,
    put: &mut dyn FnMut(&T, &mut BytesMut) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    match value {
        None => out.put_i8(-1),
        Some(value) => {
            out.put_i8(1);
            put(value, out)?;
        }
    }
    Ok(())
}

/// The value of a field that may be null in other versions, but not in this one.
pub(crate) fn required<T>(value: Option<T>) -> Result<T, EncodeError> {
    value.ok_or_else(|| EncodeError::new(EncodeErrorKind::UnexpectedNull))
}

/// Gathers the tagged fields of a struct and appends them with their number in front.
#[derive(Debug)]
pub(crate) struct TaggedFieldWriter {
    layout: Layout,
    count: u32,
    fields: BytesMut,
}

impl TaggedFieldWriter {
    /// No fields yet. In the plain layout nothing will be written.
    pub(crate) fn new(layout: Layout) -> Self {
        Self {
            layout,
            count: 0,
            fields: BytesMut::new(),
        }
    }

    /// Adds a field. Tags must come in ascending order.
    pub(crate) fn field(
        &mut self,
        tag: u32,
        put: &mut dyn FnMut(&mut BytesMut) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let mut value = BytesMut::new();
        put(&mut value)?;
        let size = u32::try_from(value.len()).map_err(|_| too_long(value.len()))?;
        self.count += 1;
        put_unsigned_varint(&mut self.fields, tag);
        put_unsigned_varint(&mut self.fields, size);
        self.fields.put_slice(&value);
        Ok(())
    }

    /// Appends the number of fields and the fields.
    pub(crate) fn finish(self, out: &mut BytesMut) {
        if self.layout == Layout::Flexible {
            put_unsigned_varint(out, self.count);
            out.put_slice(&self.fields);
        }
    }
}

/// Appends the empty set of tagged fields that ends a flexible struct.
pub(crate) fn put_no_tagged_fields(out: &mut BytesMut, layout: Layout) {
    if layout == Layout::Flexible {
        out.put_u8(0);
    }
}
