//! Stand-ins until the crate-wide error types land beside the generated messages.

use std::fmt;

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The bytes end too early.
    Truncated,
    /// A varint does not fit its type.
    InvalidVarint,
    /// A negative length, or more elements than the bytes can hold.
    InvalidLength,
    /// Text that is not UTF-8.
    InvalidUtf8,
    /// Null where null may not be.
    UnexpectedNull,
    /// Bytes after the end.
    TrailingBytes,
}

/// Why a message could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong.
    pub kind: DecodeErrorKind,
    /// The message.
    pub message: &'static str,
    /// The field.
    pub field: &'static str,
    /// Byte offset in the body.
    pub offset: usize,
}

impl DecodeError {
    pub(super) fn new(
        kind: DecodeErrorKind,
        message: &'static str,
        field: &'static str,
        offset: usize,
    ) -> Self {
        Self {
            kind,
            message,
            field,
            offset,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{} at byte {}: {:?}",
            self.message, self.field, self.offset, self.kind
        )
    }
}

impl std::error::Error for DecodeError {}

/// Kafka's error code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorCode(pub i16);
