//! What can be wrong with a link to a broker.

use std::io;
use std::time::Duration;

use thiserror::Error;
use windlass_machine::FailureKind;
use windlass_protocol::{ApiKey, DecodeError, EncodeError, ErrorCode};

/// Why a connection could not be made, or why it ended. The text names neither broker nor request:
/// whoever reports it puts them in front.
#[derive(Debug, Error)]
pub(crate) enum TransportError {
    /// No stream could be opened.
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    /// Connecting and negotiating took longer than
    /// [`TransportOptions::setup_timeout`](crate::TransportOptions::setup_timeout).
    #[error("not connected and ready within {0:?}")]
    SetupTimedOut(Duration),
    /// The broker hung up on every form of version negotiation.
    #[error(
        "the broker hangs up on the first request: it probably wants TLS or SASL, or this is a proxy \
         ({0})"
    )]
    HungUpOnNegotiation(Box<Self>),
    /// The broker refused to tell the versions it speaks.
    #[error("version negotiation was refused: {}", .0.name())]
    NegotiationRefused(ErrorCode),
    /// The broker closed the connection.
    #[error("the broker closed the connection")]
    Closed,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[source] io::Error),
    /// The other side is no Kafka broker.
    #[error("this does not speak Kafka: {sign}")]
    NotKafka {
        /// What gave it away.
        sign: String,
    },
    /// A response was announced that is longer than allowed. Nothing of it was buffered.
    #[error(
        "a response of {length} bytes was announced, more than the {limit} allowed: raise \
         fetch.max.bytes, which the limit of max_response_bytes follows, or max_message_bytes for \
         anything but records"
    )]
    ResponseTooLarge {
        /// The length announced.
        length: usize,
        /// [`TransportOptions::max_response_bytes`](crate::TransportOptions::max_response_bytes).
        limit: usize,
    },
    /// Responses must come in the order of the requests, and this one did not.
    #[error("a response came with correlation id {actual} where {expected} was due")]
    OutOfOrder {
        /// The id of the oldest request without a response.
        expected: i32,
        /// The id in the response.
        actual: i32,
    },
    /// Bytes came although no request was under way.
    #[error("bytes came that answer no request")]
    Unasked,
    /// A response that cannot be understood.
    #[error("the response cannot be decoded: {0}")]
    Decode(#[source] DecodeError),
    /// A request that cannot be written in the version chosen.
    #[error("the request cannot be encoded: {0}")]
    Encode(#[source] EncodeError),
    /// The member has given up a join that the coordinator still holds: nothing behind it would be
    /// read before that is answered.
    #[error("a join was given up that the coordinator has not answered")]
    Superseded,
    /// The oldest request got no complete response in time; what was asked after it can get none
    /// any more, for responses come in order.
    #[error("no complete answer to {} in time", .0.name())]
    RequestTimedOut(ApiKey),
}

impl TransportError {
    /// What a machine is told of the request that ran into this.
    #[must_use]
    pub(crate) const fn kind(&self) -> FailureKind {
        match self {
            Self::Connect(_)
            | Self::SetupTimedOut(_)
            | Self::HungUpOnNegotiation(_)
            | Self::Closed
            | Self::Superseded
            | Self::Broken(_) => FailureKind::Disconnected,
            Self::NegotiationRefused(_)
            | Self::NotKafka { .. }
            | Self::ResponseTooLarge { .. }
            | Self::OutOfOrder { .. }
            | Self::Unasked
            | Self::Decode(_) => FailureKind::Undecodable,
            Self::Encode(_) => FailureKind::Unencodable,
            Self::RequestTimedOut(_) => FailureKind::TimedOut,
        }
    }

    /// Whether the broker ended the connection, in whatever way.
    pub(crate) const fn is_hang_up(&self) -> bool {
        matches!(self, Self::Closed | Self::Broken(_))
    }
}
