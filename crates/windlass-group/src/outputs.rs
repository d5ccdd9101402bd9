//! What the machine has to say and to ask, until the driver collects it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use windlass_machine::{
    Destination, OutgoingRequest, RequestId, RequestIds, RequestOwner, SplitMix64, Timers,
};
use windlass_protocol::RequestKind;

use crate::event::{AssignmentToken, CallbackToken};
use crate::identity::Identity;
use crate::incarnation::Incarnation;
use crate::timer::GroupTimer;
use crate::{GroupCounters, GroupEvent, GroupState};

/// What a request under way is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    FindCoordinator,
    JoinGroup,
    SyncGroup,
    Heartbeat,
    LeaveGroup,
    OffsetCommit,
    OffsetFetch,
    DescribeGroups,
}

impl Purpose {
    /// Kafka's name of the API.
    pub(crate) const fn api(self) -> &'static str {
        match self {
            Self::FindCoordinator => "FindCoordinator",
            Self::JoinGroup => "JoinGroup",
            Self::SyncGroup => "SyncGroup",
            Self::Heartbeat => "Heartbeat",
            Self::LeaveGroup => "LeaveGroup",
            Self::OffsetCommit => "OffsetCommit",
            Self::OffsetFetch => "OffsetFetch",
            Self::DescribeGroups => "DescribeGroups",
        }
    }
}

/// What is remembered of a request until it is answered.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) id: RequestId,
    pub(crate) purpose: Purpose,
    /// Which finding of the coordinator it was sent to: an answer says nothing about a later one.
    pub(crate) incarnation: Incarnation,
    /// Who the member was when it was sent.
    pub(crate) identity: Identity,
}

/// The outbox, the timers and the book of requests under way: handed to every part of the machine.
#[derive(Debug)]
pub(crate) struct Outputs {
    requests: VecDeque<OutgoingRequest>,
    events: VecDeque<GroupEvent>,
    in_flight: BTreeMap<RequestId, Sent>,
    pub(crate) timers: Timers<GroupTimer>,
    pub(crate) random: SplitMix64,
    pub(crate) counters: GroupCounters,
    state: GroupState,
    ids: RequestIds,
    next_token: u64,
    /// Grows with everything that is said, so that the machine knows when it has come to rest.
    spoken: u64,
}

impl Outputs {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            requests: VecDeque::new(),
            events: VecDeque::new(),
            in_flight: BTreeMap::new(),
            timers: Timers::new(),
            random: SplitMix64::new(seed),
            counters: GroupCounters::default(),
            state: GroupState::Unsubscribed,
            ids: RequestIds::new(RequestOwner::Group),
            next_token: 0,
            spoken: 0,
        }
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.requests.is_empty() && self.events.is_empty()
    }

    pub(crate) fn take_request(&mut self) -> Option<OutgoingRequest> {
        self.requests.pop_front()
    }

    pub(crate) fn take_event(&mut self) -> Option<GroupEvent> {
        self.events.pop_front()
    }

    pub(crate) const fn spoken(&self) -> u64 {
        self.spoken
    }

    pub(crate) const fn state(&self) -> GroupState {
        self.state
    }

    pub(crate) fn emit(&mut self, event: GroupEvent) {
        self.spoken += 1;
        self.events.push_back(event);
    }

    /// Tells that the state changes, and holds the transition table.
    pub(crate) fn enter(&mut self, to: GroupState, reason: &str) {
        let from = self.state;
        debug_assert!(
            to.allowed_predecessors().contains(&from),
            "{from} may not go to {to}: {reason}"
        );
        self.state = to;
        self.emit(GroupEvent::StateChanged {
            from,
            to,
            reason: reason.to_owned(),
        });
    }

    /// Puts a request out and remembers what it is for.
    pub(crate) fn send(
        &mut self,
        purpose: Purpose,
        address: (Destination, Incarnation),
        identity: Identity,
        request: impl Into<RequestKind>,
        deadline: Instant,
    ) -> RequestId {
        self.spoken += 1;
        let id = self.ids.next();
        let (destination, incarnation) = address;
        let sent = Sent {
            id,
            purpose,
            incarnation,
            identity,
        };
        self.in_flight.insert(id, sent);
        // Topic ids (version 10) need a picture of the cluster that always knows them.
        let max_version = match purpose {
            Purpose::OffsetCommit | Purpose::OffsetFetch => Some(9),
            Purpose::FindCoordinator
            | Purpose::JoinGroup
            | Purpose::SyncGroup
            | Purpose::Heartbeat
            | Purpose::LeaveGroup
            | Purpose::DescribeGroups => None,
        };
        self.requests.push_back(OutgoingRequest {
            id,
            destination,
            request: request.into(),
            max_version,
            deadline,
        });
        id
    }

    /// The request is answered; `None` where nobody waits for it any more.
    pub(crate) fn answered(&mut self, id: RequestId) -> Option<Sent> {
        self.in_flight.remove(&id)
    }

    /// Nobody waits for the request any more: its answer will be dropped and counted.
    pub(crate) fn abandon(&mut self, id: RequestId) {
        self.in_flight.remove(&id);
    }

    pub(crate) const fn next_callback(&mut self) -> CallbackToken {
        self.next_token += 1;
        CallbackToken(self.next_token)
    }

    pub(crate) const fn next_assignment(&mut self) -> AssignmentToken {
        self.next_token += 1;
        AssignmentToken(self.next_token)
    }
}
