//! One file an API.

mod api_versions;
mod coordinator;
pub(crate) mod fetch;
mod group_admin;
mod list_offsets;
mod metadata;
mod offset_for_leader_epoch;
mod offsets;
mod produce;
mod read_replica;
mod refusal;
mod topic_admin;

use std::time::Instant;

use windlass_protocol::{ErrorCode, RequestKind};

pub(crate) use self::refusal::refusal;
use crate::connection::ReplyTo;
use crate::{ClusterCore, Inbound};

impl ClusterCore {
    /// Answers a request, now or later.
    pub(crate) fn handle(
        &mut self,
        inbound: &Inbound,
        reply_to: ReplyTo,
        request: RequestKind,
        now: Instant,
    ) {
        let response = match request {
            RequestKind::ApiVersions(_) => api_versions::answer(inbound.version).into(),
            RequestKind::Metadata(request) => self.metadata(request).into(),
            RequestKind::CreateTopics(request) => self.create_topics(request).into(),
            RequestKind::DeleteTopics(request) => self.delete_topics(request).into(),
            RequestKind::CreatePartitions(request) => self.create_partitions(request).into(),
            RequestKind::ListOffsets(request) => self.list_offsets(inbound, request).into(),
            RequestKind::OffsetForLeaderEpoch(request) => {
                self.offset_for_leader_epoch(inbound, request).into()
            }
            RequestKind::FindCoordinator(request) => self.find_coordinator(request).into(),
            RequestKind::InitProducerId(request) => {
                self.init_producer_id(inbound.node, &request, now).into()
            }
            RequestKind::AddPartitionsToTxn(request) => {
                self.add_partitions_to_txn(inbound.node, request).into()
            }
            RequestKind::EndTxn(request) => self.end_txn(inbound.node, &request, now).into(),
            RequestKind::ListGroups(request) => self.list_groups(inbound.node, &request).into(),
            RequestKind::DescribeGroups(request) => self.describe_groups(inbound, request).into(),
            RequestKind::DeleteGroups(request) => self.delete_groups(inbound.node, request).into(),
            RequestKind::OffsetCommit(request) => self.offset_commit(inbound, request, now).into(),
            RequestKind::OffsetFetch(request) => self.offset_fetch(inbound.node, request).into(),
            RequestKind::Produce(request) => {
                let silent = request.acks == 0;
                let response = self.produce(inbound, request);
                if silent {
                    self.finish_silently(inbound.connection, &response);
                    return;
                }
                response.into()
            }
            RequestKind::Fetch(request) => {
                self.fetch(inbound, reply_to, request, now);
                return;
            }
            RequestKind::JoinGroup(_)
            | RequestKind::SyncGroup(_)
            | RequestKind::Heartbeat(_)
            | RequestKind::LeaveGroup(_) => {
                self.group_request(inbound, reply_to, request, now);
                return;
            }
            other => refusal(&other, ErrorCode::UNSUPPORTED_VERSION),
        };
        self.reply(reply_to, response, now);
    }

    /// Membership belongs to the group's coordinator, and is answered when the group is ready.
    fn group_request(
        &mut self,
        inbound: &Inbound,
        reply_to: ReplyTo,
        request: RequestKind,
        now: Instant,
    ) {
        let group = match &request {
            RequestKind::JoinGroup(request) => &request.group_id,
            RequestKind::SyncGroup(request) => &request.group_id,
            RequestKind::Heartbeat(request) => &request.group_id,
            RequestKind::LeaveGroup(request) => &request.group_id,
            _ => return,
        };
        if let Err(code) = self.check_coordinator(inbound.node, group) {
            let response = refusal(&request, code);
            self.reply(reply_to, response, now);
            return;
        }
        match request {
            RequestKind::JoinGroup(request) => self.groups.join(inbound, reply_to, request, now),
            RequestKind::SyncGroup(request) => self.groups.sync(reply_to, request, now),
            RequestKind::Heartbeat(request) => self.groups.heartbeat(reply_to, &request, now),
            RequestKind::LeaveGroup(request) => self.groups.leave(reply_to, request, now),
            _ => {}
        }
    }

    /// Whether this node coordinates that group.
    pub(crate) fn check_coordinator(
        &self,
        node: windlass_model::NodeId,
        group: &str,
    ) -> Result<(), ErrorCode> {
        if group.is_empty() {
            return Err(ErrorCode::INVALID_GROUP_ID);
        }
        if self.coordinators.of(group) == Some(node) {
            Ok(())
        } else {
            Err(ErrorCode::NOT_COORDINATOR)
        }
    }
}
