//! What a machine wants sent, and what it is told when no answer came.

use std::fmt;
use std::time::Instant;

use windlass_model::NodeId;
use windlass_protocol::RequestKind;

/// The name a machine gives a request, unique inside that machine; the answer comes back under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

impl RequestId {
    /// The next id of a machine that counts in `counter`.
    pub fn next(counter: &mut u64) -> Self {
        *counter += 1;
        Self(*counter)
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
}

impl RequestFailure {
    /// A failure with its story.
    #[must_use]
    pub fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for RequestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for RequestFailure {}
