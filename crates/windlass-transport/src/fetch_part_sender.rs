//! Where the parts of a Fetch response go while they arrive.

use tokio::sync::mpsc;
use windlass_machine::RequestId;
use windlass_protocol::fetch_response::FetchPart;

/// What one read from the socket gave: parts of one Fetch response, in order.
#[derive(Debug)]
pub struct FetchParts {
    /// The request that is being answered.
    pub request: RequestId,
    /// The parts, never empty.
    pub parts: Vec<FetchPart>,
}

/// The sending end for the parts of one Fetch response.
///
/// The parts that one read gave travel as one message, so that a receiver wakes once a read and
/// not once a batch. Many requests can share one channel: each message names its request.
#[derive(Clone, Debug)]
pub struct FetchPartSender {
    target: Option<(RequestId, mpsc::UnboundedSender<FetchParts>)>,
}

impl FetchPartSender {
    /// Sends under this request's name into a channel. The channel has no bound: what is in it is
    /// bounded by `fetch.max.bytes` of the requests under way.
    #[must_use]
    pub const fn new(request: RequestId, channel: mpsc::UnboundedSender<FetchParts>) -> Self {
        Self {
            target: Some((request, channel)),
        }
    }

    /// Throws parts away: for requests that are no Fetch.
    #[must_use]
    pub const fn discard() -> Self {
        Self { target: None }
    }

    /// Sends what one read gave. Without a receiver the parts are dropped.
    pub fn send(&self, parts: Vec<FetchPart>) {
        let Some((request, channel)) = &self.target else {
            return;
        };
        if !parts.is_empty() {
            let request = *request;
            // A receiver that is gone wants no parts: the response is only read off.
            drop(channel.send(FetchParts { request, parts }));
        }
    }
}
