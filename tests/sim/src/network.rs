//! The way between members and nodes: latency, connections, breaks.

use std::collections::BTreeMap;
use std::time::Instant;

use windlass_broker::ConnectionId;
use windlass_machine::{Destination, RequestId};
use windlass_protocol::{ApiKey, RequestKind, ResponseKind};

use crate::history::Incarnation;

/// Something that arrives, or becomes due, at its time.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A request at a node.
    Request {
        connection: ConnectionId,
        correlation_id: i32,
        version: i16,
        request: Box<RequestKind>,
    },
    /// A response at a member.
    Response {
        connection: ConnectionId,
        correlation_id: i32,
        response: Box<ResponseKind>,
    },
    /// The end of a connection, at the member's side.
    Broken { connection: ConnectionId },
    /// The end of a connection, at the node's side.
    Hangup { connection: ConnectionId },
    /// A request has waited long enough.
    Deadline {
        connection: ConnectionId,
        correlation_id: i32,
    },
    /// A member's application goes on.
    Application { who: Incarnation, turn: u64 },
    /// A member's listener returns.
    Callback {
        who: Incarnation,
        id: windlass_core::CallbackId,
    },
    /// Another batch is produced.
    Produce,
    /// A member comes, or one goes, though nothing is wrong.
    Scale,
    /// The next step of a rolling upgrade.
    Roll,
    /// Another fault happens.
    Fault,
    /// A node that was killed comes back.
    Revive { node: i32 },
    /// A member that was cut off is reachable again.
    Heal { who: Incarnation },
    /// A member that went away comes back under the same identity.
    Return { slot: u32 },
}

/// What arrives when, in order; things of one moment in the order they were sent.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    entries: BTreeMap<(Instant, u64), Arrival>,
    counter: u64,
}

impl Agenda {
    pub(crate) fn add(&mut self, at: Instant, arrival: Arrival) {
        self.counter += 1;
        self.entries.insert((at, self.counter), arrival);
    }

    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.entries.keys().next().map(|(at, _)| *at)
    }

    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Arrival> {
        let entry = self.entries.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }
}

/// A connection of a member's.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) who: Incarnation,
    pub(crate) destination: Destination,
    pub(crate) node: i32,
    /// The requests without an answer, by their numbers, and when they were sent.
    pub(crate) open: BTreeMap<i32, (RequestId, ApiKey, Instant)>,
    pub(crate) next_correlation: i32,
    /// Nothing overtakes anything on a connection: when the last message in each direction arrives.
    pub(crate) last_out: Instant,
    pub(crate) last_in: Instant,
}
