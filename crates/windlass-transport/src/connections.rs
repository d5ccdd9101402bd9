//! Every connection of a client, one to a broker and purpose.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use windlass_machine::{Destination, FailureKind, RequestFailure, SplitMix64};
use windlass_model::{BrokerEndpoint, Cluster, NodeId};

use crate::connection::Connection;
use crate::inbox::{Command, Inbox, QueuedRequest};
use crate::segment_pool::PoolBudget;
use crate::{Broker, BrokerRequest, Connect, EventSender, TransportOptions};

/// How many brokers that the metadata does not list are kept in mind: whoever names more than that names
/// them to fill the memory.
const MOST_NAMED: usize = 1000;

/// The production [`Broker`]: connections over [`Connect`], each a task of its own, made when the
/// first request wants it.
///
/// A node has one connection for fetches and two as coordinator, one of them for joining; requests for
/// any broker have another, which tries the brokers that are known and then the bootstrap addresses.
/// So nothing that waits at a broker for long delays what must not wait.
///
/// It must be used, and dropped, inside a tokio runtime. Dropping it ends every connection and
/// never blocks.
#[derive(Debug)]
pub struct Connections {
    connect: Arc<dyn Connect>,
    options: Arc<TransportOptions>,
    pool: PoolBudget,
    bootstrap: Vec<BrokerEndpoint>,
    /// The brokers of the newest metadata.
    brokers: BTreeMap<NodeId, BrokerEndpoint>,
    /// Brokers that somebody named and that the metadata does not list (yet): a coordinator is one as
    /// long as it answers, whoever lists it.
    named: BTreeMap<NodeId, BrokerEndpoint>,
    open: BTreeMap<Destination, mpsc::UnboundedSender<Command>>,
    tasks: JoinSet<()>,
    random: SplitMix64,
    closed: bool,
}

impl Connections {
    /// No connection yet; the first request makes one. `seed` spreads the retries and the choice
    /// among bootstrap addresses of many clients.
    #[must_use]
    pub fn new(
        connect: Arc<dyn Connect>,
        bootstrap: Vec<BrokerEndpoint>,
        options: TransportOptions,
        seed: u64,
    ) -> Self {
        let mut random = SplitMix64::new(seed);
        let mut bootstrap = bootstrap;
        rotate(&mut bootstrap, &mut random);
        Self {
            connect,
            pool: PoolBudget::new(options.pooled_bytes),
            options: Arc::new(options),
            bootstrap,
            brokers: BTreeMap::new(),
            named: BTreeMap::new(),
            open: BTreeMap::new(),
            tasks: JoinSet::new(),
            random,
            closed: false,
        }
    }

    fn address(&self, node: NodeId) -> Option<&BrokerEndpoint> {
        self.brokers.get(&node).or_else(|| self.named.get(&node))
    }

    /// Where a destination can be reached, in the order to try.
    fn targets(&mut self, destination: Destination) -> Vec<BrokerEndpoint> {
        if let Some(node) = destination.node() {
            return self.address(node).cloned().into_iter().collect();
        }
        let mut targets: Vec<BrokerEndpoint> = self.brokers.values().cloned().collect();
        rotate(&mut targets, &mut self.random);
        for endpoint in &self.bootstrap {
            if !targets.iter().any(|known| is_same_place(known, endpoint)) {
                targets.push(endpoint.clone());
            }
        }
        targets
    }

    /// The way to the connection for a destination, which is made where there is none.
    fn connection(
        &mut self,
        destination: Destination,
    ) -> Result<mpsc::UnboundedSender<Command>, RequestFailure> {
        if self.closed {
            return Err(closed(destination));
        }
        while self.tasks.try_join_next().is_some() {}
        // A task whose owner is still there ends only by a panic: the next request gets a new one.
        if let Some(commands) = self.open.get(&destination)
            && !commands.is_closed()
        {
            return Ok(commands.clone());
        }
        let targets = self.targets(destination);
        if targets.is_empty() {
            return Err(self.nowhere_to_go(destination));
        }
        let (commands, receiver) = mpsc::unbounded_channel();
        let connection = Connection::new(
            destination,
            Arc::clone(&self.connect),
            Arc::clone(&self.options),
            self.pool.clone(),
            Inbox::new(destination.to_string(), targets, receiver),
            self.origin(destination),
            self.random.next_u64(),
        );
        self.tasks.spawn(connection.run());
        self.open.insert(destination, commands.clone());
        Ok(commands)
    }

    fn nowhere_to_go(&self, destination: Destination) -> RequestFailure {
        let known: Vec<String> = self.brokers.keys().map(ToString::to_string).collect();
        let detail = if destination == Destination::Any {
            "no bootstrap address is given and no broker is known".to_owned()
        } else {
            format!(
                "its address is not known; the brokers of the newest metadata are [{}]",
                known.join(", ")
            )
        };
        RequestFailure::new(
            FailureKind::Disconnected,
            format!("{destination}: {detail}"),
        )
    }

    /// Who named the address of a destination that the application did not name itself.
    fn origin(&self, destination: Destination) -> Option<String> {
        destination.node()?;
        let bootstrap: Vec<String> = self.bootstrap.iter().map(ToString::to_string).collect();
        (!bootstrap.is_empty()).then(|| bootstrap.join(", "))
    }

    /// Goes by the addresses of this metadata from now on. A connection to a broker that moved or is
    /// gone is let go of: it answers what it was asked and ends.
    fn relocate(&mut self, brokers: BTreeMap<NodeId, BrokerEndpoint>) {
        let before = std::mem::replace(&mut self.brokers, brokers);
        let named = &mut self.named;
        let brokers = &self.brokers;
        self.open.retain(|destination, _| {
            destination.node().is_none_or(|node| {
                let before = before.get(&node).or_else(|| named.get(&node));
                let now = brokers.get(&node).or_else(|| named.get(&node));
                match (before, now) {
                    (Some(before), Some(now)) => is_same_place(before, now),
                    _ => false,
                }
            })
        });
        named.retain(|node, _| !brokers.contains_key(node));
        let targets = self.targets(Destination::Any);
        if let Some(any) = self.open.get(&Destination::Any) {
            // A task that is gone learns them when it is made anew.
            drop(any.send(Command::Targets(targets)));
        }
    }

    /// Lets go of the connections to a broker that is elsewhere now.
    fn let_go(&mut self, node: NodeId) {
        for destination in [
            Destination::Node(node),
            Destination::Coordinator(node),
            Destination::Joining(node),
        ] {
            self.open.remove(&destination);
        }
    }
}

impl Broker for Connections {
    fn ask(&mut self, request: BrokerRequest, events: EventSender) {
        let connection = match self.connection(request.destination) {
            Ok(connection) => connection,
            Err(failure) => return events.answer(Err(failure.unsent())),
        };
        let deadline = Instant::from_std(request.deadline);
        let queued = QueuedRequest {
            request: request.request,
            max_version: request.max_version,
            deadline,
            patience: deadline.saturating_duration_since(Instant::now()),
            events,
        };
        // Where the task is gone the request is dropped, and answered by that.
        drop(connection.send(Command::Send(Box::new(queued))));
    }

    fn on_cluster(&mut self, cluster: &Cluster) {
        // Metadata without a single broker is the answer of a broker that just came up: what was
        // known is the better guess.
        if !cluster.brokers.is_empty() && cluster.brokers != self.brokers {
            self.relocate(cluster.brokers.clone());
        }
    }

    fn on_broker(&mut self, node: NodeId, endpoint: &BrokerEndpoint) {
        if endpoint.host.is_empty() || endpoint.port == 0 {
            tracing::warn!(%node, %endpoint, "an address that leads nowhere is not believed");
            return;
        }
        let before = self.address(node);
        if before == Some(endpoint) {
            return;
        }
        let moved = before.is_some_and(|before| !is_same_place(before, endpoint));
        match self.brokers.get_mut(&node) {
            Some(known) => *known = endpoint.clone(),
            None => {
                self.named.insert(node, endpoint.clone());
                while self.named.len() > MOST_NAMED {
                    self.named.pop_first();
                }
            }
        }
        if moved {
            self.let_go(node);
        }
    }

    fn close(&mut self) {
        self.closed = true;
        self.open.clear();
        self.tasks.abort_all();
    }
}

fn closed(destination: Destination) -> RequestFailure {
    RequestFailure::new(
        FailureKind::Closed,
        format!("{destination}: the connections are closed"),
    )
}

/// Whether two endpoints are one socket address; the rack is no part of it.
fn is_same_place(one: &BrokerEndpoint, other: &BrokerEndpoint) -> bool {
    one.port == other.port && one.host == other.host
}

/// Begins the list at a random place, so that many clients do not all begin with the same broker.
fn rotate(endpoints: &mut [BrokerEndpoint], random: &mut SplitMix64) {
    let length = u64::try_from(endpoints.len()).unwrap_or(u64::MAX);
    let by = usize::try_from(random.below(length)).unwrap_or(0);
    endpoints.rotate_left(by);
}
