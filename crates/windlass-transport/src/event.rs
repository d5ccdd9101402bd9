//! What becomes of requests: one ordered channel for all of them.

use std::time::Instant;

use tokio::sync::mpsc;
use windlass_machine::{FailureKind, RequestFailure, RequestId};
use windlass_protocol::ResponseKind;
use windlass_protocol::fetch_response::FetchPart;

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub enum BrokerResponse {
    /// The response to anything but a Fetch.
    Message(ResponseKind),
    /// A Fetch response is complete: everything in it went out as parts.
    FetchDone,
}

/// Something became of a request.
#[derive(Debug)]
pub enum BrokerEvent {
    /// A piece of its Fetch response has come. All pieces come before the answer.
    Parts {
        /// The request.
        request: RequestId,
        /// What one read from the socket gave, in order, never empty: a receiver wakes once a read and
        /// not once a batch.
        parts: Vec<FetchPart>,
    },
    /// The broker reads it only later, as it said itself: its deadline moves by as much.
    Postponed {
        /// The request.
        request: RequestId,
        /// Its deadline from now on.
        deadline: Instant,
    },
    /// It is over; nothing comes after this.
    Answer {
        /// The request.
        request: RequestId,
        /// The response, or why there is none. Parts that came before a failure are valid.
        outcome: Result<BrokerResponse, RequestFailure>,
    },
}

/// The sending end of the channel for one request.
///
/// The answer consumes it, and where it is dropped without one it answers that the request is lost: so every
/// request is answered once, and its parts lie before its answer in the channel.
#[derive(Debug)]
pub struct EventSender {
    request: RequestId,
    channel: mpsc::UnboundedSender<BrokerEvent>,
    is_answered: bool,
}

impl EventSender {
    /// Tells this channel of this request. Many requests can share one channel. It has no bound: what is
    /// in it is bounded by `fetch.max.bytes` of the requests under way.
    #[must_use]
    pub const fn new(request: RequestId, channel: mpsc::UnboundedSender<BrokerEvent>) -> Self {
        Self {
            request,
            channel,
            is_answered: false,
        }
    }

    /// Whether nobody listens any more. Such a request is not written, and where it was, its response
    /// is read off and thrown away.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.channel.is_closed()
    }

    /// Hands on what one read gave.
    pub fn parts(&self, parts: Vec<FetchPart>) {
        if !parts.is_empty() {
            let request = self.request;
            self.send(BrokerEvent::Parts { request, parts });
        }
    }

    /// Tells of a new deadline.
    pub fn postponed(&self, deadline: Instant) {
        let request = self.request;
        self.send(BrokerEvent::Postponed { request, deadline });
    }

    /// Tells what came of it.
    pub fn answer(mut self, outcome: Result<BrokerResponse, RequestFailure>) {
        self.conclude(outcome);
    }

    fn conclude(&mut self, outcome: Result<BrokerResponse, RequestFailure>) {
        self.is_answered = true;
        let request = self.request;
        self.send(BrokerEvent::Answer { request, outcome });
    }

    fn send(&self, event: BrokerEvent) {
        // A receiver that is gone has abandoned the request.
        drop(self.channel.send(event));
    }
}

impl Drop for EventSender {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        // A task that failed takes its requests along, and the next one may fare better; otherwise it was
        // ended by its owner.
        let (kind, why) = if std::thread::panicking() {
            (FailureKind::Disconnected, "the connection failed inside")
        } else {
            (FailureKind::Closed, "the connections are closed")
        };
        let failure = RequestFailure::new(kind, format!("{}: {why}", self.request));
        self.conclude(Err(failure));
    }
}
