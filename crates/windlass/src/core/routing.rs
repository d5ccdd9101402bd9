//! Which machine a request belongs to.

use std::collections::BTreeMap;
use std::time::Instant;

use windlass_group::GroupMachine;
use windlass_machine::{OutgoingRequest, RequestFailure, RequestId};
use windlass_protocol::ResponseKind;
use windlass_protocol::fetch_response::FetchPart;

use super::{ConsumerCore, MachineEvent};

/// The machine that sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Metadata,
    Group,
    Fetch,
}

/// The machines count their requests for themselves; outside there is one count for all.
#[derive(Debug, Default)]
pub(super) struct Routes {
    open: BTreeMap<RequestId, (Owner, RequestId)>,
    counter: u64,
}

impl Routes {
    fn open(&mut self, owner: Owner, mut request: OutgoingRequest) -> OutgoingRequest {
        let id = RequestId::next(&mut self.counter);
        self.open.insert(id, (owner, request.id));
        request.id = id;
        request
    }
}

impl ConsumerCore {
    pub(super) fn route_response(&mut self, id: RequestId, response: ResponseKind, now: Instant) {
        let Some((owner, inner)) = self.routes.open.remove(&id) else {
            return;
        };
        match (owner, response) {
            (Owner::Metadata, ResponseKind::Metadata(response)) => {
                self.metadata.on_response(inner, response, now);
            }
            (Owner::Metadata, other) => {
                tracing::warn!(response = ?other.api_key(), "not an answer to a metadata request");
            }
            (Owner::Group, response) => {
                self.with_group(|group| group.on_response(inner, response, now));
            }
            (Owner::Fetch, response) => {
                self.with_fetch(|fetch| fetch.on_response(inner, response, now));
            }
        }
    }

    pub(super) fn route_parts(&mut self, id: RequestId, parts: Vec<FetchPart>, now: Instant) {
        let Some((Owner::Fetch, inner)) = self.routes.open.get(&id).copied() else {
            return;
        };
        for part in parts {
            self.with_fetch(|fetch| fetch.on_fetch_part(inner, part, now));
        }
    }

    pub(super) fn route_fetch_done(&mut self, id: RequestId, now: Instant) {
        if let Some((Owner::Fetch, inner)) = self.routes.open.remove(&id) {
            self.with_fetch(|fetch| fetch.on_fetch_done(inner, now));
        }
    }

    pub(super) fn route_failure(&mut self, id: RequestId, failure: RequestFailure, now: Instant) {
        let Some((owner, inner)) = self.routes.open.remove(&id) else {
            return;
        };
        match owner {
            Owner::Metadata => self.metadata.on_failure(inner, &failure, now),
            Owner::Group => self.with_group(|group| group.on_failure(inner, failure, now)),
            Owner::Fetch => self.with_fetch(|fetch| fetch.on_failure(inner, &failure, now)),
        }
    }

    /// Gives the group machine one input and drains what comes out. Nothing happens without a group.
    pub(super) fn with_group(&mut self, input: impl FnOnce(&mut GroupMachine)) {
        self.ask_group(|group| input(group));
    }

    /// As [`ConsumerCore::with_group`], with an answer.
    pub(super) fn ask_group<T>(&mut self, input: impl FnOnce(&mut GroupMachine) -> T) -> Option<T> {
        let group = self.group.as_mut()?;
        let answer = input(group);
        while let Some(request) = group.poll_request() {
            self.requests
                .push_back(self.routes.open(Owner::Group, request));
        }
        while let Some(event) = group.poll_event() {
            self.events.push_back(MachineEvent::Group(event));
        }
        Some(answer)
    }

    /// Gives the fetch machine one input and drains what comes out.
    pub(super) fn with_fetch<T>(
        &mut self,
        input: impl FnOnce(&mut windlass_fetch::FetchMachine) -> T,
    ) -> T {
        let answer = input(&mut self.fetch);
        while let Some(request) = self.fetch.poll_request() {
            self.requests
                .push_back(self.routes.open(Owner::Fetch, request));
        }
        while let Some(event) = self.fetch.poll_event() {
            self.events.push_back(MachineEvent::Fetch(event));
        }
        answer
    }

    pub(super) fn collect_metadata(&mut self) {
        for request in self.metadata.take_requests() {
            self.requests
                .push_back(self.routes.open(Owner::Metadata, request));
        }
        for event in self.metadata.take_events() {
            self.events.push_back(MachineEvent::Metadata(event));
        }
    }
}
