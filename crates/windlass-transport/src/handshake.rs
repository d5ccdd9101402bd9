//! What is said on a new connection before it carries requests.
//!
//! Connecting, negotiating versions and (one day) authenticating are steps of [`attempt`], in that
//! order, over one [`Handshake`]: a strict exchange of one request and one response at a time.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use windlass_model::BrokerEndpoint;
use windlass_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use windlass_protocol::{
    ApiKey, ErrorCode, RequestKind, ResponseHeader, ResponseKind, VersionRange,
};

use crate::error::TransportError;
use crate::frame::response_length;
use crate::throttle::milliseconds;
use crate::version_table::VersionTable;
use crate::{ByteStream, Connect, TransportOptions};

/// The first version of ApiVersions that some brokers and proxies hang up on instead of answering.
const FIRST_FLEXIBLE: i16 = 3;

/// The longest response that is accepted before versions are negotiated.
const MAX_HANDSHAKE_BYTES: usize = 1024 * 1024;

/// How much room one read gets during the handshake.
const READ_BYTES: usize = 8 * 1024;

/// A stream that is ready for requests, and what is known of its broker.
pub(crate) struct Established {
    pub(crate) stream: Box<dyn ByteStream>,
    pub(crate) versions: VersionTable,
    pub(crate) next_correlation_id: i32,
    /// How long the broker wants to be left alone.
    pub(crate) throttle: Duration,
}

/// Connects and makes the connection ready. A broker that hangs up on the newest ApiVersions is
/// asked again in the oldest (Azure Event Hubs and some proxies know no other way to say no).
pub(crate) async fn establish(
    connect: &dyn Connect,
    endpoint: &BrokerEndpoint,
    address: Option<SocketAddr>,
    options: &TransportOptions,
) -> Result<Established, TransportError> {
    let newest = ApiKey::ApiVersions.versions().max;
    let attempts = async {
        match attempt(connect, endpoint, address, options, newest).await {
            Err(error) if error.is_hang_up() && newest >= FIRST_FLEXIBLE => {
                tracing::debug!(%endpoint, reason = %error, "negotiating again, in version 0");
                attempt(connect, endpoint, address, options, 0).await
            }
            outcome => outcome,
        }
    };
    match timeout(options.setup_timeout, attempts).await {
        Ok(Err(error)) if error.is_hang_up() => {
            Err(TransportError::HungUpOnNegotiation(Box::new(error)))
        }
        Ok(outcome) => outcome,
        Err(_) => Err(TransportError::SetupTimedOut(options.setup_timeout)),
    }
}

async fn attempt(
    connect: &dyn Connect,
    endpoint: &BrokerEndpoint,
    address: Option<SocketAddr>,
    options: &TransportOptions,
    version: i16,
) -> Result<Established, TransportError> {
    let stream = connect
        .connect(endpoint, address)
        .await
        .map_err(TransportError::Connect)?;
    let mut handshake = Handshake::new(stream, options);
    let (versions, throttle) = negotiate(&mut handshake, options, version).await?;
    tracing::debug!(%endpoint, apis = versions.len(), "negotiated");
    handshake.finish(versions, throttle)
}

/// Asks which versions the broker speaks, first in the version given, and in one that the broker
/// knows where it does not know that one (KIP-511).
async fn negotiate(
    handshake: &mut Handshake,
    options: &TransportOptions,
    version: i16,
) -> Result<(VersionTable, Duration), TransportError> {
    let request = RequestKind::from(ApiVersionsRequest {
        client_software_name: options.software_name.clone(),
        client_software_version: options.software_version.clone(),
    });
    let answer = ask(handshake, &request, version).await?;
    if answer.error_code != ErrorCode::UNSUPPORTED_VERSION || version == 0 {
        return negotiated(answer);
    }
    // Such an answer may list no more than the versions of ApiVersions itself, or nothing at all.
    let theirs = answer
        .api_keys
        .iter()
        .find(|entry| entry.api_key == ApiKey::ApiVersions.to_wire())
        .map_or(0, |entry| entry.max_version);
    let answer = ask(handshake, &request, theirs.clamp(0, version - 1)).await?;
    negotiated(answer)
}

async fn ask(
    handshake: &mut Handshake,
    request: &RequestKind,
    version: i16,
) -> Result<ApiVersionsResponse, TransportError> {
    let body = handshake.call(request, version).await?;
    // A broker that could not read the question answers in version 0.
    let version = if body.starts_with(&ErrorCode::UNSUPPORTED_VERSION.code().to_be_bytes()) {
        0
    } else {
        version
    };
    match ResponseKind::decode(ApiKey::ApiVersions, version, &body) {
        Ok(ResponseKind::ApiVersions(answer)) => Ok(answer),
        Ok(_) => Err(TransportError::Unasked),
        Err(error) => Err(TransportError::Decode(error)),
    }
}

fn negotiated(answer: ApiVersionsResponse) -> Result<(VersionTable, Duration), TransportError> {
    if !answer.error_code.is_none() {
        return Err(TransportError::NegotiationRefused(answer.error_code));
    }
    let entries = answer.api_keys.into_iter().map(|entry| {
        let range = VersionRange {
            min: entry.min_version,
            max: entry.max_version,
        };
        (entry.api_key, range)
    });
    let throttle = milliseconds(answer.throttle_time_ms);
    Ok((VersionTable::new(entries), throttle))
}

/// A connection on which one request and one response take turns.
struct Handshake {
    stream: Box<dyn ByteStream>,
    input: BytesMut,
    next_correlation_id: i32,
    client_id: Option<String>,
    max_response_bytes: usize,
}

impl Handshake {
    fn new(stream: Box<dyn ByteStream>, options: &TransportOptions) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            next_correlation_id: 0,
            client_id: options.client_id.clone(),
            max_response_bytes: options.max_response_bytes.min(MAX_HANDSHAKE_BYTES),
        }
    }

    /// Sends a request and waits for the body of its response.
    async fn call(
        &mut self,
        request: &RequestKind,
        version: i16,
    ) -> Result<BytesMut, TransportError> {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id += 1;
        let mut frame = BytesMut::new();
        request
            .encode_frame(
                version,
                correlation_id,
                self.client_id.as_deref(),
                &mut frame,
            )
            .map_err(TransportError::Encode)?;
        self.stream
            .write_all(&frame)
            .await
            .map_err(TransportError::Broken)?;
        self.stream.flush().await.map_err(TransportError::Broken)?;
        let mut body = self.response().await?;
        let (header, rest) = ResponseHeader::decode(request.api_key(), version, &body)
            .map_err(TransportError::Decode)?;
        let header_length = body.len() - rest.len();
        if header.correlation_id != correlation_id {
            return Err(TransportError::OutOfOrder {
                expected: correlation_id,
                actual: header.correlation_id,
            });
        }
        body.advance(header_length);
        Ok(body)
    }

    /// Reads one response, header and body.
    async fn response(&mut self) -> Result<BytesMut, TransportError> {
        self.read_up_to(4).await?;
        let length = response_length(self.input.get_i32().to_be_bytes(), self.max_response_bytes)?;
        self.read_up_to(length).await?;
        Ok(self.input.split_to(length))
    }

    /// Reads until so many bytes are there. Memory follows the bytes that arrive, not the length
    /// that was announced.
    async fn read_up_to(&mut self, length: usize) -> Result<(), TransportError> {
        while self.input.len() < length {
            let missing = length - self.input.len();
            self.input.reserve(missing.min(READ_BYTES));
            let read = self.stream.read_buf(&mut self.input).await;
            if read.map_err(TransportError::Broken)? == 0 {
                return Err(TransportError::Closed);
            }
        }
        Ok(())
    }

    /// Ends the handshake. Bytes that came ahead of any request belong to nothing.
    fn finish(
        self,
        versions: VersionTable,
        throttle: Duration,
    ) -> Result<Established, TransportError> {
        if !self.input.is_empty() {
            return Err(TransportError::Unasked);
        }
        Ok(Established {
            stream: self.stream,
            versions,
            next_correlation_id: self.next_correlation_id,
            throttle,
        })
    }
}
