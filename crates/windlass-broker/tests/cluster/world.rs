//! A cluster, clients that talk to it, and a clock that is moved by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use windlass_broker::{ClusterConfig, ClusterCore, ConnectionId, Inbound, Outbound};
use windlass_model::NodeId;
use windlass_protocol::{
    Request, RequestHeader, RequestKind, ResponseHeader, ResponseKind, UnexpectedResponse,
};

/// A client on one connection to one node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    pub(crate) node: i32,
    connection: u64,
}

/// The right to one answer.
#[derive(Debug)]
pub(crate) struct Ticket<R> {
    correlation_id: i32,
    response: PhantomData<R>,
}

pub(crate) struct World {
    pub(crate) core: ClusterCore,
    pub(crate) now: Instant,
    start: Instant,
    counter: i32,
    connections: u64,
    answers: BTreeMap<i32, ResponseKind>,
    order: Vec<i32>,
    closed: BTreeSet<ConnectionId>,
    /// Everything that came out, and when: what must not differ between two equal runs.
    pub(crate) transcript: Vec<String>,
}

impl World {
    /// A cluster of this many nodes with a topic `events` of three partitions.
    pub(crate) fn new(nodes: i32) -> Self {
        Self::with(|config| config.nodes = nodes)
    }

    pub(crate) fn with(configure: impl FnOnce(&mut ClusterConfig)) -> Self {
        Self::seeded(7, configure)
    }

    pub(crate) fn seeded(seed: u64, configure: impl FnOnce(&mut ClusterConfig)) -> Self {
        let mut config = ClusterConfig::default();
        configure(&mut config);
        #[expect(clippy::disallowed_methods, reason = "the zero of the virtual clock")]
        let start = Instant::now();
        let mut core = ClusterCore::new(config, seed, start);
        core.create_topic("events", 3);
        Self {
            core,
            now: start,
            start,
            counter: 0,
            connections: 0,
            answers: BTreeMap::new(),
            order: Vec::new(),
            closed: BTreeSet::new(),
            transcript: Vec::new(),
        }
    }

    /// A new connection to a node.
    pub(crate) fn client(&mut self, node: i32) -> Client {
        self.connections += 1;
        Client {
            node,
            connection: self.connections,
        }
    }

    /// Sends a request, in this version's wire form.
    pub(crate) fn send<R: Request>(
        &mut self,
        client: Client,
        version: i16,
        request: R,
    ) -> Ticket<R::Response> {
        self.counter += 1;
        let correlation_id = self.counter;
        let mut frame = BytesMut::new();
        let request: RequestKind = request.into();
        request
            .encode_frame(version, correlation_id, Some("tester"), &mut frame)
            .expect("a request that this version can say");
        let (header, body) = RequestHeader::decode(&frame[4..]).unwrap();
        let request = RequestKind::decode(R::API_KEY, version, body).unwrap();
        let inbound = Inbound {
            node: NodeId(client.node),
            connection: ConnectionId(client.connection),
            correlation_id: header.correlation_id,
            version,
            client_id: header.client_id.unwrap_or_default(),
            host: "test".to_owned(),
        };
        self.core.on_request(inbound, request, self.now);
        self.drain();
        Ticket {
            correlation_id,
            response: PhantomData,
        }
    }

    /// The answer, if it has come.
    pub(crate) fn answer<R>(&mut self, ticket: &Ticket<R>) -> Option<R>
    where
        R: TryFrom<ResponseKind, Error = UnexpectedResponse>,
    {
        let response = self.answers.remove(&ticket.correlation_id)?;
        Some(R::try_from(response).unwrap())
    }

    /// The answer, which must have come.
    #[track_caller]
    pub(crate) fn expect<R>(&mut self, ticket: &Ticket<R>) -> R
    where
        R: TryFrom<ResponseKind, Error = UnexpectedResponse>,
    {
        self.answer(ticket).expect("an answer by now")
    }

    /// Sends a request that is answered at once.
    #[track_caller]
    pub(crate) fn ask<R: Request>(
        &mut self,
        client: Client,
        version: i16,
        request: R,
    ) -> R::Response {
        let ticket = self.send(client, version, request);
        self.expect(&ticket)
    }

    /// Lets time pass, waking the core whenever it wants to be woken.
    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(wakeup) = self.core.poll_timeout().filter(|wakeup| wakeup.at <= until) {
            self.now = self.now.max(wakeup.at);
            self.core.handle_timeout(self.now);
            self.drain();
            let next = self.core.poll_timeout();
            assert!(
                next.is_none_or(|next| next.at > self.now),
                "what was due at {:?} is done: {next:?}",
                self.now
            );
        }
        self.now = until;
    }

    pub(crate) fn pass_ms(&mut self, milliseconds: u64) {
        self.pass(Duration::from_millis(milliseconds));
    }

    /// Does something to the core, and lets it take effect.
    pub(crate) fn act<T>(&mut self, act: impl FnOnce(&mut ClusterCore, Instant) -> T) -> T {
        let result = act(&mut self.core, self.now);
        self.drain();
        result
    }

    /// The client breaks the connection.
    pub(crate) fn disconnect(&mut self, client: Client) {
        self.core.on_disconnect(ConnectionId(client.connection));
        self.drain();
    }

    /// Whether the cluster has closed the connection.
    pub(crate) fn is_closed(&self, client: Client) -> bool {
        self.closed.contains(&ConnectionId(client.connection))
    }

    /// Whether the first was answered before the second.
    pub(crate) fn in_order<A, B>(&self, first: &Ticket<A>, second: &Ticket<B>) -> bool {
        let place = |id| self.order.iter().position(|answered| *answered == id);
        let (first, second) = (place(first.correlation_id), place(second.correlation_id));
        first.is_some() && first < second
    }

    fn drain(&mut self) {
        while let Some(outbound) = self.core.poll_outbound() {
            let since = self.now.duration_since(self.start);
            match outbound {
                Outbound::Close { connection } => {
                    self.transcript
                        .push(format!("{since:?} close {connection:?}"));
                    self.closed.insert(connection);
                }
                Outbound::Response {
                    connection,
                    correlation_id,
                    api_key,
                    version,
                    response,
                } => {
                    let mut frame = BytesMut::new();
                    response
                        .encode_frame(version, correlation_id, &mut frame)
                        .expect("a response that this version can say");
                    self.transcript
                        .push(format!("{since:?} {connection:?} {frame:?}"));
                    let (_, body) = ResponseHeader::decode(api_key, version, &frame[4..]).unwrap();
                    let response = ResponseKind::decode(api_key, version, body).unwrap();
                    self.order.push(correlation_id);
                    self.answers.insert(correlation_id, response);
                }
            }
        }
    }
}
