//! Which machine a request belongs to.

use std::time::Instant;

use windlass_fetch::FetchEvent;
use windlass_group::{GroupEvent, GroupMachine};
use windlass_machine::{FailureKind, RequestFailure, RequestId, RequestOwner};
use windlass_model::{BrokerEndpoint, NodeId};
use windlass_protocol::ResponseKind;
use windlass_protocol::fetch_response::FetchPart;

use crate::core::MachineEvent;
use crate::{ConsumerCore, Effect};

impl ConsumerCore {
    pub(crate) fn route_response(&mut self, id: RequestId, response: ResponseKind, now: Instant) {
        match (id.owner(), response) {
            (RequestOwner::Metadata, ResponseKind::Metadata(response)) => {
                self.metadata.on_response(id, response, now);
            }
            (RequestOwner::Metadata, other) => {
                let detail = format!("Metadata was answered with {}", other.api_key().name());
                let failure = RequestFailure::new(FailureKind::Undecodable, detail);
                self.metadata.on_failure(id, &failure, now);
            }
            (RequestOwner::Group, response) => {
                self.with_group(|group| group.on_response(id, response, now));
            }
            (RequestOwner::Fetch, response) => {
                self.with_fetch(|fetch| fetch.on_response(id, response, now));
            }
            (owner, _) => tracing::warn!(?owner, "an answer to a request that is not ours"),
        }
    }

    pub(crate) fn route_parts(&mut self, id: RequestId, parts: Vec<FetchPart>, now: Instant) {
        for part in parts {
            self.with_fetch(|fetch| fetch.on_fetch_part(id, part, now));
        }
    }

    pub(crate) fn route_failure(&mut self, id: RequestId, failure: RequestFailure, now: Instant) {
        match id.owner() {
            RequestOwner::Metadata => self.metadata.on_failure(id, &failure, now),
            RequestOwner::Group => self.with_group(|group| group.on_failure(id, failure, now)),
            RequestOwner::Fetch => self.with_fetch(|fetch| fetch.on_failure(id, &failure, now)),
            owner => tracing::warn!(?owner, "the failure of a request that is not ours"),
        }
    }

    /// Gives the group machine one input and drains what comes out. Nothing happens without a group.
    pub(crate) fn with_group(&mut self, input: impl FnOnce(&mut GroupMachine)) {
        self.ask_group(|group| input(group));
    }

    /// As [`ConsumerCore::with_group`], with an answer.
    pub(crate) fn ask_group<T>(&mut self, input: impl FnOnce(&mut GroupMachine) -> T) -> Option<T> {
        let group = self.group.as_mut()?;
        let answer = input(group);
        while let Some(event) = group.poll_event() {
            if let GroupEvent::CoordinatorFound { node, endpoint, .. } = &event {
                // The request that follows needs to know where that is.
                self.effects.push_back(found(*node, endpoint));
            }
            self.events.push_back(MachineEvent::Group(event));
        }
        while let Some(request) = group.poll_request() {
            self.effects.push_back(Effect::Send(request));
        }
        Some(answer)
    }

    /// Gives the fetch machine one input and drains what comes out.
    pub(crate) fn with_fetch<T>(
        &mut self,
        input: impl FnOnce(&mut windlass_fetch::FetchMachine) -> T,
    ) -> T {
        let answer = input(&mut self.fetch);
        while let Some(event) = self.fetch.poll_event() {
            if let FetchEvent::BrokerFound { node, endpoint } = &event {
                self.effects.push_back(found(*node, endpoint));
            }
            self.events.push_back(MachineEvent::Fetch(event));
        }
        while let Some(request) = self.fetch.poll_request() {
            self.effects.push_back(Effect::Send(request));
        }
        answer
    }

    pub(crate) fn collect_metadata(&mut self) {
        for request in self.metadata.take_requests() {
            self.effects.push_back(Effect::Send(request));
        }
        for event in self.metadata.take_events() {
            self.events.push_back(MachineEvent::Metadata(event));
        }
    }
}

fn found(node: NodeId, endpoint: &BrokerEndpoint) -> Effect {
    Effect::BrokerFound {
        node,
        endpoint: endpoint.clone(),
    }
}
