//! Messages that cannot be written in the version chosen.

use std::fmt;

use crate::field_path::FieldPath;

/// Why a message could not be written: it says something that the version has no room for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EncodeError {
    /// The message, by Kafka's name: `JoinGroupRequest`.
    pub message: &'static str,
    /// The version it was to be written in.
    pub version: i16,
    /// The field; empty where the error is about the message as a whole.
    pub field: FieldPath,
    /// What cannot be written.
    pub kind: EncodeErrorKind,
}

/// What cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeErrorKind {
    /// The version is none that this crate writes.
    UnsupportedVersion,
    /// The field does not exist in this version, its value is not the default, and leaving it out
    /// would change what the message means.
    NotInThisVersion,
    /// Null, where this version allows none.
    UnexpectedNull,
    /// A text or array that is longer than its length field can say.
    TooLong {
        /// Bytes of a text, elements of an array.
        length: usize,
    },
    /// This version has room for exactly one element.
    NotExactlyOne {
        /// How many there are.
        count: usize,
    },
}

impl EncodeError {
    /// An error whose message and version are not known yet.
    pub(crate) const fn new(kind: EncodeErrorKind) -> Self {
        Self {
            message: "",
            version: -1,
            field: FieldPath::new(),
            kind,
        }
    }

    /// A field that this version lacks holds a value that must not be left out.
    pub(crate) fn not_in_this_version(field: &'static str) -> Self {
        Self::new(EncodeErrorKind::NotInThisVersion).in_field(field)
    }

    /// Notes in which field the error lies.
    pub(crate) fn in_field(mut self, name: &'static str) -> Self {
        self.field.enter_field(name);
        self
    }

    /// Notes in which element of an array the error lies.
    pub(crate) fn in_element(mut self, index: usize) -> Self {
        self.field.enter_element(index);
        self
    }

    /// Closes the report.
    pub(crate) const fn in_message(mut self, message: &'static str, version: i16) -> Self {
        self.message = message;
        self.version = version;
        self
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} cannot be written in version {}",
            self.message, self.version
        )?;
        if !self.field.is_empty() {
            write!(f, ", field {}", self.field)?;
        }
        write!(f, ": {}", self.kind)
    }
}

impl std::error::Error for EncodeError {}

impl fmt::Display for EncodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnsupportedVersion => f.write_str("the version is not supported"),
            Self::NotInThisVersion => {
                f.write_str("the field does not exist in this version and is not at its default")
            }
            Self::UnexpectedNull => f.write_str("null is not allowed in this version"),
            Self::TooLong { length } => write!(f, "a length of {length} is too much"),
            Self::NotExactlyOne { count } => {
                write!(f, "this version has room for exactly one, not for {count}")
            }
        }
    }
}
