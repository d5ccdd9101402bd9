//! A request under way.

use std::time::Duration;

use tokio::time::Instant;
use windlass_machine::{FailureKind, RequestFailure};
use windlass_protocol::ApiKey;

use crate::error::TransportError;
use crate::{BrokerResponse, EventSender};

/// A request whose response is awaited.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) correlation_id: i32,
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    /// Nobody, once the caller was told that the deadline passed.
    pub(crate) events: Option<EventSender>,
    pub(crate) deadline: Instant,
    /// The time that the broker has for it once it is the oldest.
    pub(crate) patience: Duration,
    /// Since when the broker has nothing older to do.
    pub(crate) oldest_since: Option<Instant>,
    /// Whether the caller was told that the deadline passed, though the broker may still answer.
    pub(crate) is_late: bool,
}

impl InFlight {
    /// Tells the caller what came of it.
    pub(crate) fn answer(&mut self, outcome: Result<BrokerResponse, RequestFailure>) {
        if let Some(events) = self.events.take() {
            events.answer(outcome);
        }
    }

    /// Where its events go, as long as somebody waits for them.
    pub(crate) fn listener(&self) -> Option<&EventSender> {
        self.events.as_ref().filter(|events| !events.is_abandoned())
    }

    /// Gives it so much more time.
    pub(crate) fn postpone(&mut self, time: Duration) {
        self.deadline += time;
        if let Some(events) = self.listener() {
            events.postponed(self.deadline.into_std());
        }
    }

    /// Tells the caller of an error that concerns this request alone.
    pub(crate) fn fail_for(&mut self, error: &TransportError, broker: &str) {
        self.fail(error.kind(), broker, &error.to_string());
    }

    /// Tells the caller why there is no response.
    pub(crate) fn fail(&mut self, kind: FailureKind, broker: &str, reason: &str) {
        let story = format!("{broker}: {} v{}: {reason}", self.api.name(), self.version);
        self.answer(Err(RequestFailure::new(kind, story)));
    }
}
