//! The core: requests in, responses out, time as an argument.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use windlass_machine::{SplitMix64, Wakeup};
use windlass_model::NodeId;
use windlass_protocol::messages::produce::ProduceResponse;
use windlass_protocol::{ApiKey, RequestKind, ResponseKind};

use crate::api::fetch::WaitingFetch;
use crate::connection::{Connection, ReplyTo};
use crate::coordinators::Coordinators;
use crate::fault::Faults;
use crate::group::Groups;
use crate::node::Nodes;
use crate::topic::Topics;
use crate::transaction::Transactions;
use crate::{ClusterConfig, ConnectionId, Inbound, Outbound};

/// A whole cluster in memory. See the crate's documentation.
///
/// The rule of use is that of every machine: one input, drain every output, then the next input.
#[derive(Debug)]
pub struct ClusterCore {
    pub(crate) config: ClusterConfig,
    pub(crate) random: SplitMix64,
    pub(crate) start: Instant,
    pub(crate) nodes: Nodes,
    pub(crate) topics: Topics,
    pub(crate) groups: Groups,
    pub(crate) coordinators: Coordinators,
    pub(crate) transactions: Transactions,
    pub(crate) faults: Faults,
    pub(crate) connections: BTreeMap<ConnectionId, Connection>,
    pub(crate) waiting_fetches: VecDeque<WaitingFetch>,
    /// Responses that are held back until their time.
    delayed: BTreeMap<(Instant, u64), (ReplyTo, ResponseKind)>,
    counter: u64,
    outbound: VecDeque<Outbound>,
}

impl ClusterCore {
    /// A cluster whose nodes all live. The seed decides ids and nothing else.
    #[must_use]
    pub fn new(config: ClusterConfig, seed: u64, now: Instant) -> Self {
        let nodes = Nodes::new(config.nodes);
        Self {
            random: SplitMix64::new(seed),
            start: now,
            topics: Topics::default(),
            groups: Groups::new(&config, seed ^ 0x6772_6f75_7073),
            coordinators: Coordinators::new(&nodes),
            nodes,
            transactions: Transactions::default(),
            faults: Faults::default(),
            connections: BTreeMap::new(),
            waiting_fetches: VecDeque::new(),
            delayed: BTreeMap::new(),
            counter: 0,
            outbound: VecDeque::new(),
            config,
        }
    }

    /// Makes a topic, unless it is there.
    pub fn create_topic(&mut self, name: &str, partitions: i32) {
        if !self.topics.by_name.contains_key(name) {
            self.topics
                .create(name, partitions, &self.nodes, &mut self.random);
        }
    }

    /// Gives a topic more partitions.
    pub fn add_partitions(&mut self, name: &str, partitions: i32) {
        self.topics.grow(name, partitions, &self.nodes);
    }

    /// Says where a node listens, as metadata will tell.
    pub fn set_endpoint(&mut self, node: i32, host: &str, port: u16) {
        self.nodes.set_endpoint(NodeId(node), host, port);
    }

    /// A request came.
    pub fn on_request(&mut self, inbound: Inbound, request: RequestKind, now: Instant) {
        if !self.nodes.is_alive(inbound.node) {
            self.outbound.push_back(Outbound::Close {
                connection: inbound.connection,
            });
            return;
        }
        let connection = self
            .connections
            .entry(inbound.connection)
            .or_insert_with(|| Connection::new(inbound.node));
        if connection.busy {
            connection.backlog.push_back((inbound, request));
            return;
        }
        self.work(&inbound, request, now);
        self.settle(now);
    }

    /// A client is gone.
    pub fn on_disconnect(&mut self, connection: ConnectionId) {
        self.connections.remove(&connection);
        self.waiting_fetches
            .retain(|waiting| waiting.reply_to.connection != connection);
    }

    /// Time has passed: to be called when [`ClusterCore::poll_timeout`] is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.settle(now);
    }

    /// The next thing to do with a connection.
    pub fn poll_outbound(&mut self) -> Option<Outbound> {
        self.outbound.pop_front()
    }

    /// When to call [`ClusterCore::handle_timeout`], and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wakeup> {
        let delayed = self.delayed.keys().next().map(|(at, _)| Wakeup {
            at: *at,
            reason: "a delayed response",
        });
        let fetch = self
            .waiting_fetches
            .iter()
            .map(|waiting| waiting.deadline)
            .min();
        let fetch = fetch.map(|at| Wakeup {
            at,
            reason: "a fetch has waited long enough",
        });
        let groups = self.groups.next_deadline().map(|at| Wakeup {
            at,
            reason: "a group's deadline",
        });
        Wakeup::earlier(Wakeup::earlier(delayed, fetch), groups)
    }

    /// Lets everything take effect that is due.
    pub(crate) fn settle(&mut self, now: Instant) {
        loop {
            self.groups.expire(now);
            for (reply_to, response) in self.groups.take_replies() {
                self.reply(reply_to, response, now);
            }
            self.complete_fetches(now);
            let Some(due) = self
                .delayed
                .keys()
                .next()
                .copied()
                .filter(|(at, _)| *at <= now)
            else {
                if self.next_from_backlog(now) {
                    continue;
                }
                return;
            };
            if let Some((reply_to, response)) = self.delayed.remove(&due) {
                self.send(reply_to, response);
            }
        }
    }

    /// Answers, now or after the delay that was asked for.
    pub(crate) fn reply(&mut self, reply_to: ReplyTo, response: ResponseKind, now: Instant) {
        match self.faults.delay(reply_to.api_key) {
            Some(delay) => {
                self.counter += 1;
                self.delayed
                    .insert((now + delay, self.counter), (reply_to, response));
            }
            None => self.send(reply_to, response),
        }
    }

    /// The request wants no answer: the next one on its connection may come. The only way to tell of
    /// an error is to close the connection.
    pub(crate) fn finish_silently(&mut self, connection: ConnectionId, unwanted: &ProduceResponse) {
        let partitions = unwanted
            .responses
            .iter()
            .flat_map(|topic| &topic.partition_responses);
        if partitions.into_iter().any(|it| !it.error_code.is_none()) {
            self.close(connection);
        } else if let Some(connection) = self.connections.get_mut(&connection) {
            connection.busy = false;
        }
    }

    pub(crate) fn close(&mut self, connection: ConnectionId) {
        self.on_disconnect(connection);
        self.outbound.push_back(Outbound::Close { connection });
    }

    /// Milliseconds since 1970, by the core's own count.
    pub(crate) fn milliseconds(&self, now: Instant) -> i64 {
        let since = now.saturating_duration_since(self.start).as_millis();
        self.config
            .start_of_time
            .saturating_add(i64::try_from(since).unwrap_or(i64::MAX))
    }

    /// Does what may give groups to other coordinators, and lets those learn of it.
    pub(crate) fn reassign_groups(&mut self, now: Instant, act: impl FnOnce(&mut Self)) {
        let before: Vec<_> = self
            .groups
            .all()
            .map(|(id, _)| (id.to_owned(), self.coordinators.of(id)))
            .collect();
        act(self);
        for (id, former) in before {
            let coordinator = self.coordinators.of(&id);
            if coordinator != former {
                self.groups
                    .coordinator_changed(&id, coordinator.is_some(), now);
            }
        }
        self.settle(now);
    }

    fn send(&mut self, reply_to: ReplyTo, response: ResponseKind) {
        // An answer to somebody who is gone is dropped.
        let Some(connection) = self.connections.get_mut(&reply_to.connection) else {
            return;
        };
        connection.busy = false;
        self.outbound.push_back(Outbound::Response {
            connection: reply_to.connection,
            correlation_id: reply_to.correlation_id,
            api_key: reply_to.api_key,
            version: reply_to.version,
            response,
        });
    }

    fn next_from_backlog(&mut self, now: Instant) -> bool {
        let ready = self
            .connections
            .values_mut()
            .find(|connection| !connection.busy && !connection.backlog.is_empty())
            .and_then(|connection| connection.backlog.pop_front());
        let Some((inbound, request)) = ready else {
            return false;
        };
        self.work(&inbound, request, now);
        true
    }

    fn work(&mut self, inbound: &Inbound, request: RequestKind, now: Instant) {
        if let Some(connection) = self.connections.get_mut(&inbound.connection) {
            connection.busy = true;
        }
        let api_key = request.api_key();
        let mut reply_to = ReplyTo::new(inbound, api_key);
        if api_key == ApiKey::ApiVersions && inbound.version > api_key.versions().max {
            // The client has yet to learn which versions it may read the answer in.
            reply_to.version = 0;
        }
        let injected = if api_key == ApiKey::ApiVersions {
            None
        } else {
            self.faults.error(api_key)
        };
        match injected {
            Some(code) => {
                let response = crate::api::refusal(&request, code);
                self.reply(reply_to, response, now);
            }
            None => self.handle(inbound, reply_to, request, now),
        }
    }
}
