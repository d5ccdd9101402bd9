//! One connection: made when the first request wants it, made again after it broke.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::time::sleep;
use windlass_machine::{Backoff, Destination, FailureKind, SplitMix64};
use windlass_model::BrokerEndpoint;

use crate::error::TransportError;
use crate::handshake::establish;
use crate::inbox::Inbox;
use crate::link::Link;
use crate::{Connect, TransportOptions};

/// The task behind one connection.
pub(crate) struct Connection {
    destination: Destination,
    connect: Arc<dyn Connect>,
    options: Arc<TransportOptions>,
    inbox: Inbox,
    /// Which target the next attempt begins with; counts on past the end of the list.
    next_target: usize,
    backoff: Backoff,
    random: SplitMix64,
}

impl Connection {
    pub(crate) fn new(
        destination: Destination,
        connect: Arc<dyn Connect>,
        options: Arc<TransportOptions>,
        inbox: Inbox,
        seed: u64,
    ) -> Self {
        let backoff = Backoff::new(options.reconnect_backoff, options.reconnect_backoff_max);
        Self {
            destination,
            connect,
            options,
            inbox,
            next_target: 0,
            backoff,
            random: SplitMix64::new(seed),
        }
    }

    /// Lives until the owner drops its end and everything asked is answered.
    pub(crate) async fn run(mut self) {
        while self.once().await.is_continue() {}
    }

    /// From the first request over a connection to its end, and the pause after it.
    async fn once(&mut self) -> ControlFlow<()> {
        self.inbox.request().await?;
        if let Some((endpoint, mut link)) = self.connect().await? {
            self.backoff.reset();
            match link.serve(&mut self.inbox).await {
                Ok(()) => return ControlFlow::Break(()),
                Err(error) => self.disconnected(&endpoint, link, &error),
            }
        }
        let pause = self.backoff.next(&mut self.random);
        self.inbox.during(sleep(pause)).await
    }

    /// Tries every target once. Where none answers, what waits fails, so that whoever asked can
    /// look for another way.
    async fn connect(&mut self) -> ControlFlow<(), Option<(BrokerEndpoint, Link)>> {
        let mut failures = Vec::new();
        let targets = self.inbox.targets.clone();
        for _ in 0..targets.len() {
            let endpoint = targets[self.next_target % targets.len()].clone();
            self.next_target = (self.next_target + 1) % targets.len();
            self.inbox.obstacle = format!("connecting to {endpoint}");
            let attempt = establish(&*self.connect, &endpoint, &self.options);
            match self.inbox.during(attempt).await? {
                Ok(established) => {
                    tracing::debug!(destination = %self.destination, %endpoint, "connected");
                    let broker = format!("{} at {endpoint}", self.destination);
                    let link = Link::new(established, &self.options, broker);
                    return ControlFlow::Continue(Some((endpoint, link)));
                }
                Err(error) => {
                    tracing::warn!(
                        destination = %self.destination, %endpoint, reason = %error,
                        "cannot connect"
                    );
                    failures.push((endpoint, error));
                }
            }
        }
        self.unreachable(&failures);
        ControlFlow::Continue(None)
    }

    fn unreachable(&mut self, failures: &[(BrokerEndpoint, TransportError)]) {
        let story: Vec<String> = failures
            .iter()
            .map(|(endpoint, error)| format!("{endpoint}: {error}"))
            .collect();
        let story = story.join("; ");
        let mut kinds = failures.iter().map(|(_, error)| error.kind());
        let first = kinds.next().unwrap_or(FailureKind::Disconnected);
        let kind = if kinds.all(|kind| kind == first) {
            first
        } else {
            FailureKind::Disconnected
        };
        self.inbox.fail_waiting(kind, &story);
        self.inbox.obstacle = format!("waiting before the next attempt to connect, after {story}");
    }

    fn disconnected(&mut self, endpoint: &BrokerEndpoint, link: Link, error: &TransportError) {
        tracing::info!(
            destination = %self.destination, %endpoint, reason = %error,
            unanswered = link.unanswered(), "disconnected"
        );
        link.fail(error);
        self.inbox.obstacle = format!("waiting before connecting again, after {endpoint}: {error}");
    }
}
