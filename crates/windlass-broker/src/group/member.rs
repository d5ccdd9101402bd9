//! One member, as the coordinator knows it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use windlass_protocol::messages::join_group::JoinGroupRequest;

use crate::Inbound;
use crate::connection::ReplyTo;

/// How long a new member's first JoinGroup may wait. Until it is answered the member knows no id and
/// can send no heartbeat; if its client gave up, nothing else would ever remove it.
const NEW_MEMBER_JOIN_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// A member of a group.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) host: String,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) session_timeout: Duration,
    /// Name and metadata, the preferred protocol first.
    pub(crate) protocols: Vec<(String, Bytes)>,
    pub(crate) assignment: Bytes,
    /// Where the answer to its JoinGroup goes.
    pub(crate) awaiting_join: Option<ReplyTo>,
    /// Where the answer to its SyncGroup goes.
    pub(crate) awaiting_sync: Option<ReplyTo>,
    /// It has been part of a generation and has not asked for its assignment yet.
    pub(super) owes_sync: bool,
    /// It has never been part of a generation.
    pub(super) is_new: bool,
    pub(super) session_deadline: Instant,
}

impl Member {
    /// A member that joins for the first time.
    pub(super) fn new(
        id: String,
        inbound: &Inbound,
        request: JoinGroupRequest,
        now: Instant,
    ) -> Self {
        let (session_timeout, rebalance_timeout) = timeouts(&request);
        Self {
            id,
            instance_id: request.group_instance_id,
            client_id: inbound.client_id.clone(),
            host: inbound.host.clone(),
            rebalance_timeout,
            session_timeout,
            protocols: request
                .protocols
                .into_iter()
                .map(|protocol| (protocol.name, protocol.metadata))
                .collect(),
            assignment: Bytes::new(),
            awaiting_join: None,
            awaiting_sync: None,
            owes_sync: false,
            is_new: true,
            session_deadline: now + NEW_MEMBER_JOIN_TIMEOUT,
        }
    }

    /// Takes over what the member says in a later JoinGroup.
    pub(super) fn update(&mut self, request: &JoinGroupRequest) {
        (self.session_timeout, self.rebalance_timeout) = timeouts(request);
        self.protocols = request
            .protocols
            .iter()
            .map(|protocol| (protocol.name.clone(), protocol.metadata.clone()))
            .collect();
    }

    /// Whether the member says what it said before.
    pub(super) fn says_the_same(&self, request: &JoinGroupRequest) -> bool {
        let said = request
            .protocols
            .iter()
            .map(|protocol| (&protocol.name, &protocol.metadata));
        said.eq(self
            .protocols
            .iter()
            .map(|(name, metadata)| (name, metadata)))
    }

    /// The member has shown that it lives.
    pub(super) fn heard_of(&mut self, now: Instant) {
        self.session_deadline = now + self.session_timeout;
    }

    /// When the member is given up; never while the coordinator itself makes it wait, unless the
    /// member is new.
    pub(super) fn session_deadline(&self) -> Option<Instant> {
        let waits = self.awaiting_join.is_some() || self.awaiting_sync.is_some();
        (self.is_new || !waits).then_some(self.session_deadline)
    }

    pub(super) fn protocol_names(&self) -> BTreeSet<String> {
        self.protocols
            .iter()
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The first of the member's protocols that is among these.
    pub(super) fn first_of(&self, names: &BTreeSet<String>) -> Option<&str> {
        self.protocols
            .iter()
            .map(|(name, _)| name.as_str())
            .find(|name| names.contains(*name))
    }

    /// What the member said under a protocol.
    pub(crate) fn metadata(&self, protocol: Option<&str>) -> Bytes {
        let found = self
            .protocols
            .iter()
            .find(|(name, _)| Some(name.as_str()) == protocol);
        found
            .map(|(_, metadata)| metadata.clone())
            .unwrap_or_default()
    }
}

/// Session and rebalance timeout. The oldest JoinGroup knows one timeout for both.
fn timeouts(request: &JoinGroupRequest) -> (Duration, Duration) {
    let session = milliseconds(request.session_timeout_ms);
    let rebalance = if request.rebalance_timeout_ms < 0 {
        session
    } else {
        milliseconds(request.rebalance_timeout_ms)
    };
    (session, rebalance)
}

pub(super) fn milliseconds(count: i32) -> Duration {
    Duration::from_millis(u64::try_from(count).unwrap_or(0))
}
