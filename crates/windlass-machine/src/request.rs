//! What a machine wants sent, and what it is told when no answer came.

use std::fmt;
use std::time::Instant;

use windlass_model::NodeId;
use windlass_protocol::RequestKind;

/// The machine that asked: whoever carries answers for several machines goes by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RequestOwner {
    /// What keeps the picture of the cluster.
    Metadata,
    /// The group machine.
    Group,
    /// The fetch machine.
    Fetch,
    /// A machine that windlass does not know, by a number of its driver's choice.
    Other(u8),
}

/// The name of a request: who asked, and a number that is unique there. The answer comes back under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    owner: RequestOwner,
    number: u64,
}

impl RequestId {
    /// The request of this owner with this number.
    #[must_use]
    pub const fn new(owner: RequestOwner, number: u64) -> Self {
        Self { owner, number }
    }

    /// The machine that asked.
    #[must_use]
    pub const fn owner(self) -> RequestOwner {
        self.owner
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number;
        match self.owner {
            RequestOwner::Metadata => write!(f, "metadata request {number}"),
            RequestOwner::Group => write!(f, "group request {number}"),
            RequestOwner::Fetch => write!(f, "fetch request {number}"),
            RequestOwner::Other(owner) => write!(f, "request {number} of {owner}"),
        }
    }
}

/// The ids that one machine gives its requests, one after the other.
#[derive(Clone, Debug)]
pub struct RequestIds {
    owner: RequestOwner,
    last: u64,
}

impl RequestIds {
    /// Nothing has been asked yet.
    #[must_use]
    pub const fn new(owner: RequestOwner) -> Self {
        Self { owner, last: 0 }
    }

    /// An id that was not given before.
    pub const fn next(&mut self) -> RequestId {
        self.last += 1;
        RequestId::new(self.owner, self.last)
    }
}

/// Who is to answer a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Destination {
    /// Any broker that can be reached.
    Any,
    /// A certain node, on the connection that fetches use.
    Node(NodeId),
    /// A certain node as a group's coordinator: on a connection of its own, so that a fetch that
    /// waits at the broker cannot delay a heartbeat.
    Coordinator(NodeId),
    /// A certain node as the coordinator of a group that is being joined: on another connection
    /// again, since a broker answers nothing behind a JoinGroup or SyncGroup that waits for the other
    /// members, and commits must not wait as long.
    Joining(NodeId),
}

impl Destination {
    /// The node, where a certain one is meant.
    #[must_use]
    pub const fn node(self) -> Option<NodeId> {
        match self {
            Self::Any => None,
            Self::Node(node) | Self::Coordinator(node) | Self::Joining(node) => Some(node),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any broker"),
            Self::Node(node) => write!(f, "broker {node}"),
            Self::Coordinator(node) => write!(f, "coordinator {node}"),
            Self::Joining(node) => write!(f, "coordinator {node}, joining"),
        }
    }
}

/// A request that a machine wants sent.
#[derive(Clone, Debug, PartialEq)]
pub struct OutgoingRequest {
    /// The name the answer comes back under.
    pub id: RequestId,
    /// Who is to answer.
    pub destination: Destination,
    /// The message, in its newest form; the codec writes the older ones.
    pub request: RequestKind,
    /// The newest version that may be used, where the message's content forbids newer ones: topic
    /// ids that are not known, for one.
    pub max_version: Option<i16>,
    /// When the machine gives up waiting. The driver reports [`FailureKind::TimedOut`] then.
    pub deadline: Instant,
}

/// Why no answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// No connection could be made, or it broke before the answer was complete.
    Disconnected,
    /// The deadline passed.
    TimedOut,
    /// The broker speaks no version of the API that can carry the request.
    UnsupportedVersion,
    /// The request could not be written in the version chosen: a mistake of the caller's.
    Unencodable,
    /// The answer broke the protocol, or was no Kafka answer at all.
    Undecodable,
    /// The broker refused who we are.
    AuthenticationFailed,
    /// The consumer is closing and the request was given up.
    Closed,
}

impl FailureKind {
    /// Whether the same request may succeed when sent again.
    #[must_use]
    pub const fn is_retriable(self) -> bool {
        match self {
            Self::Disconnected | Self::TimedOut | Self::Undecodable => true,
            Self::UnsupportedVersion
            | Self::Unencodable
            | Self::AuthenticationFailed
            | Self::Closed => false,
        }
    }
}

/// No answer came: what a machine is told instead of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestFailure {
    /// The kind, for the machine to act upon.
    pub kind: FailureKind,
    /// The story, for a person: which broker, which API, what happened.
    pub detail: String,
    /// Whether the broker may have got the request: false only where not a byte of it was written.
    pub sent: bool,
}

impl RequestFailure {
    /// A failure with its story, of a request that the broker may have got.
    #[must_use]
    pub fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            sent: true,
        }
    }

    /// The same of a request of which nothing was written.
    #[must_use]
    pub fn unsent(self) -> Self {
        Self {
            sent: false,
            ..self
        }
    }
}

impl fmt::Display for RequestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for RequestFailure {}
