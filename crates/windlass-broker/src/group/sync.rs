//! SyncGroup and Heartbeat.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use windlass_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};

use super::{ClassicGroup, GroupState, Groups};
use crate::connection::ReplyTo;

impl Groups {
    pub(crate) fn sync(&mut self, reply_to: ReplyTo, request: SyncGroupRequest, now: Instant) {
        match self.try_sync(reply_to, request, now) {
            Ok(Some(response)) => self.reply(reply_to, response),
            Ok(None) => {}
            Err(code) => self.reply(reply_to, sync_refused(code)),
        }
    }

    fn try_sync(
        &mut self,
        reply_to: ReplyTo,
        request: SyncGroupRequest,
        now: Instant,
    ) -> Result<Option<SyncGroupResponse>, ErrorCode> {
        let group = self
            .by_id
            .get_mut(&request.group_id)
            .ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        group.check_identity(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != group.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        let differs =
            |said: &Option<String>, known: &Option<String>| said.is_some() && said != known;
        if differs(&request.protocol_type, &group.protocol_type)
            || differs(&request.protocol_name, &group.protocol_name)
        {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        let leads = group.leader.as_deref() == Some(request.member_id.as_str());
        match group.state {
            GroupState::Empty => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
            GroupState::PreparingRebalance => return Err(ErrorCode::REBALANCE_IN_PROGRESS),
            GroupState::Stable => {
                group.has_synced(&request.member_id);
                return Ok(Some(sync_response(group, &request.member_id)));
            }
            GroupState::CompletingRebalance => {}
        }
        group.has_synced(&request.member_id);
        if let Some(member) = group.members.get_mut(&request.member_id) {
            member.awaiting_sync = Some(reply_to);
        }
        if leads {
            let assignments: BTreeMap<String, Bytes> = request
                .assignments
                .into_iter()
                .map(|assignment| (assignment.member_id, assignment.assignment))
                .collect();
            self.distribute(&request.group_id, &assignments, now);
        }
        Ok(None)
    }

    /// The leader has spoken: everybody who waits gets its share.
    fn distribute(&mut self, id: &str, assignments: &BTreeMap<String, Bytes>, now: Instant) {
        let Some(group) = self.by_id.get_mut(id) else {
            return;
        };
        group.state = GroupState::Stable;
        let mut waiting = Vec::new();
        for member in group.members.values_mut() {
            member.assignment = assignments.get(&member.id).cloned().unwrap_or_default();
            if let Some(reply_to) = member.awaiting_sync.take() {
                member.heard_of(now);
                waiting.push((reply_to, member.id.clone()));
            }
        }
        let answers: Vec<_> = waiting
            .into_iter()
            .map(|(reply_to, member)| (reply_to, sync_response(group, &member)))
            .collect();
        group.write_record();
        for (reply_to, response) in answers {
            self.reply(reply_to, response);
        }
    }

    pub(crate) fn heartbeat(
        &mut self,
        reply_to: ReplyTo,
        request: &HeartbeatRequest,
        now: Instant,
    ) {
        let error_code = self
            .try_heartbeat(request, now)
            .err()
            .unwrap_or(ErrorCode::NONE);
        self.reply(
            reply_to,
            HeartbeatResponse {
                error_code,
                ..HeartbeatResponse::default()
            },
        );
    }

    fn try_heartbeat(&mut self, request: &HeartbeatRequest, now: Instant) -> Result<(), ErrorCode> {
        let group = self
            .by_id
            .get_mut(&request.group_id)
            .ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        group.check_identity(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != group.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        if let Some(member) = group.members.get_mut(&request.member_id) {
            member.heard_of(now);
        }
        match group.state {
            GroupState::Empty => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            GroupState::PreparingRebalance => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            GroupState::CompletingRebalance | GroupState::Stable => Ok(()),
        }
    }
}

impl ClassicGroup {
    /// The member has asked for its assignment.
    fn has_synced(&mut self, member_id: &str) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.owes_sync = false;
        }
        if self.members.values().all(|member| !member.owes_sync) {
            self.sync_deadline = None;
        }
    }
}

fn sync_response(group: &ClassicGroup, member_id: &str) -> SyncGroupResponse {
    SyncGroupResponse {
        protocol_type: group.protocol_type.clone(),
        protocol_name: group.protocol_name.clone(),
        assignment: group
            .members
            .get(member_id)
            .map(|member| member.assignment.clone())
            .unwrap_or_default(),
        ..SyncGroupResponse::default()
    }
}

pub(super) fn sync_refused(error_code: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse {
        error_code,
        ..SyncGroupResponse::default()
    }
}
