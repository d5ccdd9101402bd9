//! One connection: made when the first request wants it, made again after it broke.

use std::fmt;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::time::{sleep, timeout};
use windlass_machine::{Backoff, Destination, FailureKind, SplitMix64};
use windlass_model::BrokerEndpoint;

use crate::error::TransportError;
use crate::handshake::establish;
use crate::inbox::Inbox;
use crate::link::{End, Link};
use crate::segment_pool::PoolBudget;
use crate::{Connect, TransportOptions};

/// The task behind one connection.
pub(crate) struct Connection {
    destination: Destination,
    connect: Arc<dyn Connect>,
    options: Arc<TransportOptions>,
    pool: PoolBudget,
    inbox: Inbox,
    /// Which target the next attempt begins with; counts on past the end of the list.
    next_target: usize,
    /// Which of its addresses comes next; counts on.
    next_address: usize,
    /// Who named the targets, where they are not the application's own.
    origin: Option<String>,
    backoff: Backoff,
    random: SplitMix64,
}

impl Connection {
    pub(crate) fn new(
        destination: Destination,
        connect: Arc<dyn Connect>,
        options: Arc<TransportOptions>,
        pool: PoolBudget,
        inbox: Inbox,
        origin: Option<String>,
        seed: u64,
    ) -> Self {
        let backoff = Backoff::new(options.reconnect_backoff, options.reconnect_backoff_max);
        Self {
            destination,
            connect,
            options,
            pool,
            inbox,
            next_target: 0,
            next_address: 0,
            origin,
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
        if let Some((place, mut link)) = self.connect().await? {
            self.backoff.reset();
            match link.serve(&mut self.inbox).await {
                Ok(End::Finished) => return ControlFlow::Break(()),
                Ok(End::Idle) => {
                    tracing::debug!(destination = %self.destination, %place, "closed: idle");
                    return ControlFlow::Continue(());
                }
                Err(error) => self.disconnected(&place, link, &error),
            }
        }
        let pause = self.backoff.next(&mut self.random);
        self.inbox.during(sleep(pause)).await
    }

    /// Tries every address of every target once, beginning behind the one that was tried last. Where
    /// none answers, what waits fails, so that whoever asked can look for another way.
    async fn connect(&mut self) -> ControlFlow<(), Option<(Place, Link)>> {
        let mut failures = Vec::new();
        let targets = self.inbox.targets.clone();
        for _ in 0..targets.len() {
            let endpoint = targets[self.next_target % targets.len()].clone();
            self.next_target = (self.next_target + 1) % targets.len();
            let addresses = match self.resolve(&endpoint).await? {
                Ok(addresses) => addresses,
                Err(error) => {
                    self.attempt_failed(&mut failures, Place::named(endpoint), error);
                    continue;
                }
            };
            let begin = self.next_address;
            for step in 0..addresses.len().max(1) {
                self.next_address = begin.wrapping_add(step + 1);
                let turn = begin.wrapping_add(step).checked_rem(addresses.len());
                let place = Place {
                    endpoint: endpoint.clone(),
                    address: turn.and_then(|turn| addresses.get(turn).copied()),
                };
                match self.attempt(&place).await? {
                    Ok(link) => return ControlFlow::Continue(Some((place, link))),
                    Err(error) => self.attempt_failed(&mut failures, place, error),
                }
            }
        }
        self.unreachable(&failures);
        ControlFlow::Continue(None)
    }

    async fn resolve(
        &mut self,
        endpoint: &BrokerEndpoint,
    ) -> ControlFlow<(), Result<Vec<SocketAddr>, TransportError>> {
        self.inbox.obstacle = format!("looking up {endpoint}");
        let limit = self.options.setup_timeout;
        let lookup = timeout(limit, self.connect.resolve(endpoint));
        let found = self.inbox.during(lookup).await?;
        ControlFlow::Continue(match found {
            Ok(addresses) => addresses.map_err(TransportError::Connect),
            Err(_) => Err(TransportError::SetupTimedOut(limit)),
        })
    }

    async fn attempt(&mut self, place: &Place) -> ControlFlow<(), Result<Link, TransportError>> {
        self.inbox.obstacle = format!("connecting to {place}");
        let attempt = establish(
            &*self.connect,
            &place.endpoint,
            place.address,
            &self.options,
        );
        let established = self.inbox.during(attempt).await?;
        ControlFlow::Continue(established.map(|established| {
            tracing::debug!(destination = %self.destination, %place, "connected");
            self.inbox
                .throttle(established.throttle.min(self.options.max_throttle));
            let broker = format!("{} at {place}", self.destination);
            let idle = self.options.idle_limit(self.destination);
            Link::new(established, &self.options, self.pool.clone(), broker, idle)
        }))
    }

    fn attempt_failed(
        &self,
        failures: &mut Vec<(Place, TransportError)>,
        place: Place,
        error: TransportError,
    ) {
        tracing::warn!(
            destination = %self.destination, %place, reason = %error,
            "cannot connect"
        );
        failures.push((place, error));
    }

    fn unreachable(&mut self, failures: &[(Place, TransportError)]) {
        let story = failures
            .iter()
            .map(|(place, error)| format!("{place}: {error}"));
        let mut story = story.collect::<Vec<String>>().join("; ");
        if let Some(origin) = &self.origin {
            story.push_str(&format!(
                " (the cluster that is reached at {origin} names this address: if it is not meant for where this client \
                 runs, see the broker's `advertised.listeners`)"
            ));
        }
        let kinds = failures.iter().map(|(_, error)| error.kind());
        let kind = worst(kinds).unwrap_or(FailureKind::Disconnected);
        self.inbox.fail_waiting(kind, &story);
        self.inbox.obstacle = format!("waiting before the next attempt to connect, after {story}");
    }

    fn disconnected(&mut self, place: &Place, link: Link, error: &TransportError) {
        tracing::info!(
            destination = %self.destination, %place, reason = %error,
            unanswered = link.unanswered(), "disconnected"
        );
        link.fail(error);
        self.inbox.obstacle = format!("waiting before connecting again, after {place}: {error}");
    }
}

/// Where a connection leads: an endpoint, and which of its addresses.
#[derive(Debug)]
struct Place {
    endpoint: BrokerEndpoint,
    address: Option<SocketAddr>,
}

impl Place {
    const fn named(endpoint: BrokerEndpoint) -> Self {
        let address = None;
        Self { endpoint, address }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.fmt(f)?;
        match self.address {
            Some(address) => write!(f, " ({})", address.ip()),
            None => Ok(()),
        }
    }
}

/// What to tell where several attempts failed, each in its own way: what will not pass by itself must
/// not be hidden by what may.
fn worst(kinds: impl Iterator<Item = FailureKind>) -> Option<FailureKind> {
    kinds.max_by_key(|kind| match kind {
        FailureKind::AuthenticationFailed => 3,
        FailureKind::UnsupportedVersion => 2,
        FailureKind::Undecodable => 1,
        FailureKind::Disconnected
        | FailureKind::TimedOut
        | FailureKind::Closed
        | FailureKind::Unencodable => 0,
    })
}
