//! Bytes that are not the message they should be.

use std::fmt;

use nom::Offset as _;
use nom::error::{ContextError, ErrorKind, ParseError};

use crate::field_path::FieldPath;

/// Why the bytes of a message could not be read, and where: the peer broke the protocol, or they
/// are no Kafka message at all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeError {
    /// The message, by Kafka's name: `JoinGroupResponse`.
    pub message: &'static str,
    /// The field; empty where the error is about the message as a whole.
    pub field: FieldPath,
    /// Bytes from the start of the body (what follows the header) to the value that is wrong.
    pub offset: usize,
    /// What is wrong there.
    pub kind: DecodeErrorKind,
}

/// What is wrong with the bytes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The bytes end inside a value of fixed size.
    Truncated,
    /// A text or byte string claims more bytes than there are.
    LengthBeyondEnd {
        /// The length claimed, in bytes.
        length: usize,
        /// How many bytes are left.
        available: usize,
    },
    /// An array claims more elements than the bytes left can hold. Nothing is allocated for it.
    CountBeyondEnd {
        /// The number of elements claimed.
        count: usize,
        /// The fewest bytes one element can take.
        element_size: usize,
        /// How many bytes are left.
        available: usize,
    },
    /// A length or count below −1.
    NegativeLength {
        /// The number found.
        length: i32,
    },
    /// A length or count that cannot be that of this value.
    InvalidLength,
    /// Bytes after the end of the value.
    TrailingBytes,
    /// Null, where this version allows none.
    UnexpectedNull,
    /// A text that is not UTF-8.
    InvalidUtf8,
    /// A variable-length integer of more than 32 bits.
    InvalidVarint,
    /// A tagged field that is longer than what it holds.
    OversizeTaggedField {
        /// The field's tag.
        tag: u32,
        /// How many bytes are left over.
        excess: usize,
    },
    /// The version is none that this crate reads.
    UnsupportedVersion {
        /// The version asked for.
        version: i16,
    },
    /// The API key in a request header is none that this crate knows.
    UnknownApi {
        /// The key found.
        api_key: i16,
    },
    /// A malformed value of another sort.
    Malformed,
}

impl DecodeError {
    /// An error about one field at the top of a message.
    pub(crate) fn new(
        kind: DecodeErrorKind,
        message: &'static str,
        field: &'static str,
        offset: usize,
    ) -> Self {
        let mut path = FieldPath::new();
        path.enter_field(field);
        Self {
            message,
            field: path,
            offset,
            kind,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is malformed", self.message)?;
        if !self.field.is_empty() {
            write!(f, " in {}", self.field)?;
        }
        write!(f, " at byte {}: {}", self.offset, self.kind)
    }
}

impl std::error::Error for DecodeError {}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the bytes end inside the value"),
            Self::LengthBeyondEnd { length, available } => {
                write!(f, "{length} bytes announced, {available} left")
            }
            Self::CountBeyondEnd {
                count,
                element_size,
                available,
            } => write!(
                f,
                "{count} elements of at least {element_size} bytes announced, {available} bytes left"
            ),
            Self::NegativeLength { length } => write!(f, "a length of {length}"),
            Self::InvalidLength => f.write_str("a length that cannot be"),
            Self::TrailingBytes => f.write_str("bytes after the end of the value"),
            Self::UnexpectedNull => f.write_str("null is not allowed here"),
            Self::InvalidUtf8 => f.write_str("not UTF-8"),
            Self::InvalidVarint => f.write_str("a variable-length integer of more than 32 bits"),
            Self::OversizeTaggedField { tag, excess } => {
                write!(f, "{excess} bytes left over in the tagged field {tag}")
            }
            Self::UnsupportedVersion { version } => write!(f, "version {version} is not supported"),
            Self::UnknownApi { api_key } => write!(f, "unknown API key {api_key}"),
            Self::Malformed => f.write_str("malformed value"),
        }
    }
}

/// What the parsers fail with: the input from the failing value on, and the way to its field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault<'a> {
    input: &'a [u8],
    field: FieldPath,
    kind: DecodeErrorKind,
}

impl<'a> Fault<'a> {
    /// The failure that ends a parse.
    pub(crate) fn failure(input: &'a [u8], kind: DecodeErrorKind) -> nom::Err<Self> {
        nom::Err::Error(Self {
            input,
            field: FieldPath::new(),
            kind,
        })
    }

    /// Notes in which element of an array the failure lies.
    pub(crate) fn in_element(mut self, index: usize) -> Self {
        self.field.enter_element(index);
        self
    }

    /// Closes the report with the message's name and the place in its body.
    pub(crate) fn into_error(self, message: &'static str, body: &[u8]) -> DecodeError {
        DecodeError {
            message,
            offset: body.offset(self.input),
            field: self.field,
            kind: self.kind,
        }
    }
}

impl<'a> ParseError<&'a [u8]> for Fault<'a> {
    fn from_error_kind(input: &'a [u8], kind: ErrorKind) -> Self {
        Self {
            input,
            field: FieldPath::new(),
            kind: match kind {
                ErrorKind::Eof | ErrorKind::Complete => DecodeErrorKind::Truncated,
                _ => DecodeErrorKind::Malformed,
            },
        }
    }

    fn append(_: &'a [u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

impl<'a> ContextError<&'a [u8]> for Fault<'a> {
    fn add_context(_: &'a [u8], field: &'static str, mut other: Self) -> Self {
        other.field.enter_field(field);
        other
    }
}

/// Runs a parser over a body and turns its fault into the error with name, field and offset.
///
/// Bytes after the last field are let pass, as Kafka's own clients and brokers do: a peer may know
/// of something at the end that we do not.
pub(crate) fn finish<'a, T>(
    message: &'static str,
    body: &'a [u8],
    parsed: nom::IResult<&'a [u8], T, Fault<'a>>,
) -> Result<T, DecodeError> {
    match parsed {
        Ok((_, value)) => Ok(value),
        Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => {
            Err(fault.into_error(message, body))
        }
        Err(nom::Err::Incomplete(_)) => Err(DecodeError {
            message,
            field: FieldPath::new(),
            offset: body.len(),
            kind: DecodeErrorKind::Truncated,
        }),
    }
}
