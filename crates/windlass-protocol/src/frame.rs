//! Frames: a length of four bytes, a header, a body.

use std::fmt;

use bytes::{BufMut as _, BytesMut};

use crate::encode_error::{EncodeError, EncodeErrorKind};
use crate::header::put_request_header;
use crate::messages::RequestKind;

/// Bytes of the length in front of a frame.
pub const LENGTH_SIZE: usize = 4;

/// A length that no frame has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameLengthError {
    /// Below the four bytes of a correlation id.
    TooSmall {
        /// The length found.
        length: i32,
    },
    /// Above the limit.
    TooLarge {
        /// The length found, in bytes.
        length: usize,
        /// The limit, in bytes.
        limit: usize,
    },
}

impl fmt::Display for FrameLengthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSmall { length } => write!(f, "no frame has a length of {length} bytes"),
            Self::TooLarge { length, limit } => {
                write!(f, "a frame of {length} bytes is above the limit of {limit}")
            }
        }
    }
}

impl std::error::Error for FrameLengthError {}

/// Reads the length in front of a frame, so that it can be judged before a byte is buffered.
///
/// # Errors
///
/// [`FrameLengthError`] where it is negative, too small for a header or above `limit` bytes.
pub fn frame_length(prefix: [u8; LENGTH_SIZE], limit: usize) -> Result<usize, FrameLengthError> {
    let length = i32::from_be_bytes(prefix);
    match usize::try_from(length) {
        Ok(bytes) if bytes > limit => Err(FrameLengthError::TooLarge {
            length: bytes,
            limit,
        }),
        Ok(bytes) if bytes >= 4 => Ok(bytes),
        _ => Err(FrameLengthError::TooSmall { length }),
    }
}

/// Appends a frame whose content `put` writes. When that fails the buffer is as it was before.
fn put_frame(
    out: &mut BytesMut,
    put: &mut dyn FnMut(&mut BytesMut) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let start = out.len();
    out.put_i32(0);
    let content = start + LENGTH_SIZE;
    let written = put(out).and_then(|()| {
        let length = out.len() - content;
        i32::try_from(length).map_err(|_| EncodeError::new(EncodeErrorKind::TooLong { length }))
    });
    match written {
        Ok(length) => {
            if let Some(prefix) = out.get_mut(start..content) {
                prefix.copy_from_slice(&length.to_be_bytes());
            }
            Ok(())
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

impl RequestKind {
    /// Appends a whole request: length, header and body.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] where this version has no room for what the message says; the buffer is
    /// then as it was before.
    pub fn encode_frame(
        &self,
        version: i16,
        correlation_id: i32,
        client_id: Option<&str>,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        put_frame(out, &mut |out| {
            put_request_header(out, self.api_key(), version, correlation_id, client_id)
                .map_err(|error| error.in_message("RequestHeader", version))?;
            self.encode(version, out)
        })
    }
}

#[cfg(any(test, feature = "broker"))]
impl crate::messages::ResponseKind {
    /// Appends a whole response: length, header and body.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] where this version has no room for what the message says; the buffer is
    /// then as it was before.
    pub fn encode_frame(
        &self,
        version: i16,
        correlation_id: i32,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        put_frame(out, &mut |out| {
            crate::header::put_response_header(out, self.api_key(), version, correlation_id);
            self.encode(version, out)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_judged_before_anything_is_buffered() {
        assert_eq!(frame_length([0, 0, 0, 4], 100), Ok(4));
        assert_eq!(frame_length([0, 0, 0, 100], 100), Ok(100));
        let too_large = FrameLengthError::TooLarge {
            length: 101,
            limit: 100,
        };
        assert_eq!(frame_length([0, 0, 0, 101], 100), Err(too_large));
        for length in [3, 0, -1, i32::MIN] {
            let expected = FrameLengthError::TooSmall { length };
            assert_eq!(frame_length(length.to_be_bytes(), 100), Err(expected));
        }
    }
}
