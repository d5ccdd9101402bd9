//! One timer for the earliest of many deadlines.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

/// Rings at the earliest of the deadlines it was told. It may ring early when that deadline has
/// been met since: whoever listens looks at what is really due and sets it anew.
#[derive(Debug)]
pub(crate) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    at: Option<Instant>,
}

impl Alarm {
    /// Set to nothing.
    pub(crate) fn new() -> Self {
        Self {
            sleep: Box::pin(sleep_until(Instant::now())),
            at: None,
        }
    }

    /// Rings at `at` unless it rings before.
    pub(crate) fn ring_by(&mut self, at: Instant) {
        if self.at.is_none_or(|already| at < already) {
            self.at = Some(at);
            self.sleep.as_mut().reset(at);
        }
    }

    /// Ready when it rings; set to nothing from then on.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.at.is_none() {
            return Poll::Pending;
        }
        let rang = self.sleep.as_mut().poll(context);
        if rang.is_ready() {
            self.at = None;
        }
        rang
    }
}
