//! The seam between the driver and whatever answers its requests.

use std::time::Instant;

use windlass_machine::Destination;
use windlass_model::{BrokerEndpoint, Cluster, NodeId};
use windlass_protocol::RequestKind;

use crate::EventSender;

/// Somebody who answers requests: [`Connections`](crate::Connections) in production, a broker
/// without bytes in tests.
///
/// There is no lock behind it: `&mut self` chooses the connection and hands the request over, and
/// what becomes of it comes out of a channel.
pub trait Broker: Send {
    /// Hands a request over. Requests to the same destination are written in the order of the calls.
    ///
    /// `events` is told of the parts of a Fetch response while they arrive, and of the end of every
    /// request, once. A request whose receiver is gone is abandoned: it may still reach the broker, and
    /// its response is read off the connection and thrown away.
    fn ask(&mut self, request: BrokerRequest, events: EventSender);

    /// Takes note of where the brokers of the cluster are. A broker that moved is connected to
    /// anew, one that is gone is let go of once it has answered what it was asked.
    fn on_cluster(&mut self, cluster: &Cluster);

    /// Takes note of where one broker is, as a coordinator look-up or a leader hint told
    /// (KIP-951), ahead of the next metadata.
    fn on_broker(&mut self, node: NodeId, endpoint: &BrokerEndpoint);

    /// Ends every connection now; requests without an answer fail as closed, as do later ones.
    fn close(&mut self);
}

/// A request on its way to a broker.
#[derive(Clone, Debug)]
pub struct BrokerRequest {
    /// Who is to answer.
    pub destination: Destination,
    /// The message, in its newest form.
    pub request: RequestKind,
    /// The newest version that may be used, where the message's content forbids newer ones.
    pub max_version: Option<i16>,
    /// When to give up, the last byte of the response included.
    pub deadline: Instant,
}
