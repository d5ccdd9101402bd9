//! Requests in, responses out: one at a time on each connection, as Kafka does it.

use std::collections::VecDeque;

use windlass_model::NodeId;
use windlass_protocol::{ApiKey, RequestKind, ResponseKind};

/// A connection of a client to a node, named by whoever accepts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// A request, and what its header said.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// The node that was asked.
    pub node: NodeId,
    /// The connection it came on.
    pub connection: ConnectionId,
    /// The number to answer under.
    pub correlation_id: i32,
    /// The version it came in, and is answered in.
    pub version: i16,
    /// What the client calls itself.
    pub client_id: String,
    /// Where the client is.
    pub host: String,
}

/// What is to be done with a connection.
#[derive(Clone, Debug)]
pub enum Outbound {
    /// Send a response.
    Response {
        /// On which connection.
        connection: ConnectionId,
        /// The number of the request.
        correlation_id: i32,
        /// The API it belongs to.
        api_key: ApiKey,
        /// The version to write it in.
        version: i16,
        /// The response.
        response: ResponseKind,
    },
    /// Close the connection.
    Close {
        /// Which.
        connection: ConnectionId,
    },
}

/// Where an answer goes, once there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReplyTo {
    pub(crate) connection: ConnectionId,
    pub(crate) correlation_id: i32,
    pub(crate) api_key: ApiKey,
    pub(crate) version: i16,
}

impl ReplyTo {
    pub(crate) const fn new(inbound: &Inbound, api_key: ApiKey) -> Self {
        Self {
            connection: inbound.connection,
            correlation_id: inbound.correlation_id,
            api_key,
            version: inbound.version,
        }
    }
}

/// A connection as the core sees it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) node: NodeId,
    /// A request is being worked on; those that came after it wait.
    pub(crate) busy: bool,
    pub(crate) backlog: VecDeque<(Inbound, RequestKind)>,
}

impl Connection {
    pub(crate) const fn new(node: NodeId) -> Self {
        Self {
            node,
            busy: false,
            backlog: VecDeque::new(),
        }
    }
}
