//! What all messages have in common.

use std::fmt;

use bytes::BytesMut;

use crate::decode_error::{DecodeError, DecodeErrorKind, finish};
use crate::encode_error::{EncodeError, EncodeErrorKind};
use crate::field_path::FieldPath;
use crate::messages::{ApiKey, RequestKind, ResponseKind};
use crate::primitive::read::Parsed;
use crate::version_range::VersionRange;

/// A message that a client sends.
///
/// One struct stands for all versions of a message, in the newest form: where an older version
/// says the same in other fields, [`encode`](Self::encode) writes those.
pub trait Request: Into<RequestKind> {
    /// The API.
    const API_KEY: ApiKey;
    /// The versions that can be written.
    const VERSIONS: VersionRange;
    /// What answers it.
    type Response: TryFrom<ResponseKind, Error = UnexpectedResponse>;

    /// Appends the body: what follows the header.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] where this version has no room for what the message says. The buffer then
    /// holds an unfinished message.
    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError>;
}

/// A response that belongs to another API than the request: a mistake of the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnexpectedResponse {
    /// The API asked.
    pub expected: ApiKey,
    /// The API that answered.
    pub found: ApiKey,
}

impl fmt::Display for UnexpectedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected a {} response, found one of {}",
            self.expected, self.found
        )
    }
}

impl std::error::Error for UnexpectedResponse {}

/// Reads a body in a version that must be one of `versions`.
pub(crate) fn decode_message<'a, T>(
    message: &'static str,
    versions: VersionRange,
    version: i16,
    body: &'a [u8],
    read: fn(i16, &'a [u8]) -> Parsed<'a, T>,
) -> Result<T, DecodeError> {
    if !versions.contains(version) {
        return Err(DecodeError {
            message,
            field: FieldPath::new(),
            offset: 0,
            kind: DecodeErrorKind::UnsupportedVersion { version },
        });
    }
    finish(message, body, read(version, body))
}

/// Writes a body in a version that must be one of `versions`.
pub(crate) fn encode_message(
    message: &'static str,
    versions: VersionRange,
    version: i16,
    write: &mut dyn FnMut() -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    if !versions.contains(version) {
        let error = EncodeError::new(EncodeErrorKind::UnsupportedVersion);
        return Err(error.in_message(message, version));
    }
    write().map_err(|error| error.in_message(message, version))
}
