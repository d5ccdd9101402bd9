//! What the task that owns the core is told.

use std::fmt;
use std::time::Instant;

use bytes::BytesMut;
use tokio::sync::mpsc;
use windlass_model::NodeId;
use windlass_protocol::RequestKind;

use crate::{ClusterCore, ConnectionId, Inbound};

/// Something to be done with the core.
pub(super) type Act = Box<dyn FnOnce(&mut ClusterCore, Instant) + Send>;

/// What the core's task is told.
pub(super) enum Command {
    /// Somebody connected; what is to be written goes into the channel.
    Connected {
        node: i32,
        responses: mpsc::UnboundedSender<BytesMut>,
        name: tokio::sync::oneshot::Sender<ConnectionId>,
    },
    /// A request came.
    Request {
        inbound: Inbound,
        request: Box<RequestKind>,
    },
    /// Somebody is gone.
    Disconnected(ConnectionId),
    /// Do this.
    Act(Act),
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connected { .. } => "Connected",
            Self::Request { .. } => "Request",
            Self::Disconnected(_) => "Disconnected",
            Self::Act(_) => "Act",
        })
    }
}

/// Who connected to whom.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) node: i32,
    pub(super) host: String,
    /// The largest request that is read, in bytes.
    pub(super) max_request_bytes: usize,
}

/// A request, taken apart.
pub(super) fn inbound(
    peer: &Peer,
    connection: ConnectionId,
    header: &windlass_protocol::RequestHeader,
) -> Inbound {
    Inbound {
        node: NodeId(peer.node),
        connection,
        correlation_id: header.correlation_id,
        version: header.api_version,
        client_id: header.client_id.clone().unwrap_or_default(),
        host: peer.host.clone(),
    }
}
