//! What stands between the length of a frame and the body of a message.

use bytes::BytesMut;

use crate::decode_error::{DecodeError, finish};
use crate::encode_error::EncodeError;
use crate::messages::ApiKey;
use crate::primitive::Layout;
use crate::primitive::read::{self, Parsed};
use crate::primitive::write;

/// The header of a request: version 1, or version 2 in front of flexible bodies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// The number of the API; it may be one this crate does not speak.
    pub api_key: i16,
    /// The version of the body.
    pub api_version: i16,
    /// The number that the response will bear.
    pub correlation_id: i32,
    /// What the client calls itself; at most 32,767 bytes.
    pub client_id: Option<String>,
}

/// The header of a response: version 0, or version 1 in front of flexible bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseHeader {
    /// The number of the request that is answered.
    pub correlation_id: i32,
}

/// Whether a request's header ends with tagged fields. The client id in front of them keeps the
/// old layout, so that a broker can read it before it knows the version.
pub(crate) fn request_layout(api_key: ApiKey, version: i16) -> Layout {
    api_key
        .first_flexible_version()
        .map_or(Layout::Plain, |first| Layout::flexible_from(first, version))
}

/// Whether a response's header ends with tagged fields. That of ApiVersions never does: a broker
/// that does not know the version asked for still has to be understood (KIP-511).
pub(crate) fn response_layout(api_key: ApiKey, version: i16) -> Layout {
    if api_key == ApiKey::ApiVersions {
        Layout::Plain
    } else {
        request_layout(api_key, version)
    }
}

/// Appends the header of a request.
pub(crate) fn put_request_header(
    out: &mut BytesMut,
    api_key: ApiKey,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
) -> Result<(), EncodeError> {
    write::put_int16(out, api_key.to_wire());
    write::put_int16(out, version);
    write::put_int32(out, correlation_id);
    write::put_nullable_string(out, Layout::Plain, client_id)
        .map_err(|error| error.in_field("client_id"))?;
    write::put_no_tagged_fields(out, request_layout(api_key, version));
    Ok(())
}

/// Appends the header of a response.
#[cfg(any(test, feature = "broker"))]
pub(crate) fn put_response_header(
    out: &mut BytesMut,
    api_key: ApiKey,
    version: i16,
    correlation_id: i32,
) {
    write::put_int32(out, correlation_id);
    write::put_no_tagged_fields(out, response_layout(api_key, version));
}

impl ResponseHeader {
    /// Reads the header in front of a response to a request of this API and version, and gives
    /// the body that follows it.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] where the bytes are no such header; its offset counts from the header's
    /// start.
    pub fn decode(
        api_key: ApiKey,
        version: i16,
        frame: &[u8],
    ) -> Result<(Self, &[u8]), DecodeError> {
        let layout = response_layout(api_key, version);
        let header = |input| -> Parsed<'_, (Self, &[u8])> {
            let (input, correlation_id) = read::int32(input)?;
            let body = read::skip_tagged_fields(layout, input)?;
            Ok((body, (Self { correlation_id }, body)))
        };
        finish("ResponseHeader", frame, header(frame))
    }
}

#[cfg(any(test, feature = "broker"))]
impl RequestHeader {
    /// Reads the header of a request, and gives the body that follows it.
    ///
    /// The header of an API that this crate does not speak is read as version 1; so is that of a
    /// version it does not speak, unless the API is flexible by then.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] where the bytes are no header; its offset counts from the header's start.
    pub fn decode(frame: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        use nom::Parser as _;
        use nom::error::context;

        let header = |input| -> Parsed<'_, (Self, &[u8])> {
            let (input, api_key) = context("api_key", read::int16).parse(input)?;
            let (input, api_version) = context("api_version", read::int16).parse(input)?;
            let (input, correlation_id) = context("correlation_id", read::int32).parse(input)?;
            let (input, client_id) =
                context("client_id", read::nullable_string(Layout::Plain)).parse(input)?;
            let layout = ApiKey::from_wire(api_key)
                .map_or(Layout::Plain, |key| request_layout(key, api_version));
            let body = read::skip_tagged_fields(layout, input)?;
            let header = Self {
                api_key,
                api_version,
                correlation_id,
                client_id,
            };
            Ok((body, (header, body)))
        };
        finish("RequestHeader", frame, header(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DecodeErrorKind;

    #[test]
    fn response_headers_of_both_versions() {
        let (header, body) =
            ResponseHeader::decode(ApiKey::Heartbeat, 3, &[0, 0, 0, 7, 9]).unwrap();
        assert_eq!((header.correlation_id, body), (7, &[9][..]));
        let flexible = [0, 0, 0, 7, 0, 9];
        let (header, body) = ResponseHeader::decode(ApiKey::Heartbeat, 4, &flexible).unwrap();
        assert_eq!((header.correlation_id, body), (7, &[9][..]));
    }

    #[test]
    fn the_header_of_an_api_versions_response_never_has_tagged_fields() {
        let frame = [0, 0, 0, 7, 0, 35];
        for version in 0..=4 {
            let (_, body) = ResponseHeader::decode(ApiKey::ApiVersions, version, &frame).unwrap();
            assert_eq!(body, [0, 35]);
        }
    }

    #[test]
    fn request_headers_keep_the_old_client_id() {
        for (version, end) in [(3, &[5][..]), (4, &[0, 5][..])] {
            let mut out = BytesMut::new();
            put_request_header(&mut out, ApiKey::Heartbeat, version, 9, Some("me")).unwrap();
            let start = [
                0,
                12,
                0,
                u8::try_from(version).unwrap(),
                0,
                0,
                0,
                9,
                0,
                2,
                b'm',
                b'e',
            ];
            out.extend_from_slice(&[5]);
            assert_eq!(out, [&start[..], end].concat());
            let (header, body) = RequestHeader::decode(&out).unwrap();
            assert_eq!(body, [5]);
            assert_eq!(header.client_id.as_deref(), Some("me"));
            assert_eq!((header.api_key, header.api_version), (12, version));
        }
    }

    #[test]
    fn request_headers_of_unknown_apis_are_read() {
        let frame = [0x03, 0xe7, 0, 1, 0, 0, 0, 9, 0xff, 0xff, 1, 2];
        let (header, body) = RequestHeader::decode(&frame).unwrap();
        assert_eq!(header.api_key, 999);
        assert_eq!(header.client_id, None);
        assert_eq!(body, [1, 2]);
        let error = RequestHeader::decode(&frame[..9]).unwrap_err();
        assert_eq!(error.kind, DecodeErrorKind::Truncated);
        assert_eq!(
            (error.field.to_string(), error.offset),
            ("client_id".to_owned(), 8)
        );
    }
}
