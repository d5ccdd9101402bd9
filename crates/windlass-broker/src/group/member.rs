//! One member, as the coordinator knows it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::connection::ReplyTo;

/// A member of a group.
#[derive(Debug)]
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
    session_deadline: Instant,
}

impl Member {
    pub(super) fn new(
        id: String,
        instance_id: Option<String>,
        client: (String, String),
        timeouts: (Duration, Duration),
        protocols: Vec<(String, Bytes)>,
        now: Instant,
    ) -> Self {
        let (client_id, host) = client;
        let (session_timeout, rebalance_timeout) = timeouts;
        Self {
            id,
            instance_id,
            client_id,
            host,
            rebalance_timeout,
            session_timeout,
            protocols,
            assignment: Bytes::new(),
            awaiting_join: None,
            awaiting_sync: None,
            session_deadline: now + session_timeout,
        }
    }

    /// The member has shown that it lives.
    pub(super) fn heard_of(&mut self, now: Instant) {
        self.session_deadline = now + self.session_timeout;
    }

    /// When the member is given up; never while the coordinator itself makes it wait.
    pub(super) fn session_deadline(&self) -> Option<Instant> {
        (self.awaiting_join.is_none() && self.awaiting_sync.is_none())
            .then_some(self.session_deadline)
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
