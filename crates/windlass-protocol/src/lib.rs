//! Kafka's wire protocol: primitives, frames, headers, messages, record batches.
//!
//! This crate promises to know no sockets, no clocks, no threads and no consumer: bytes go in and
//! messages come out, or the other way round.

pub mod consumer_protocol;
mod conversion;
mod decode_error;
mod encode_error;
mod error_code;
pub mod fetch_response;
mod field_path;
mod frame;
mod header;
mod message;
#[cfg(test)]
mod message_tests;
pub mod messages;
mod primitive;
pub mod records;
mod version_range;

pub use decode_error::{DecodeError, DecodeErrorKind};
pub use encode_error::{EncodeError, EncodeErrorKind};
pub use error_code::ErrorCode;
pub use field_path::FieldPath;
pub use frame::{FrameLengthError, LENGTH_SIZE, frame_length};
pub use header::{RequestHeader, ResponseHeader};
pub use message::{Request, UnexpectedResponse};
pub use messages::{ApiKey, RequestKind, ResponseKind};
pub use version_range::VersionRange;
