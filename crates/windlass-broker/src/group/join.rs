//! JoinGroup.

use std::time::{Duration, Instant};

use bytes::Bytes;
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::join_group::{
    JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember,
};

use super::member::Member;
use super::{ClassicGroup, GroupState, Groups};
use crate::Inbound;
use crate::connection::ReplyTo;

/// The first version in which a new member has to come back with the id it is given (KIP-394).
const MEMBER_ID_REQUIRED_FROM: i16 = 4;

impl Groups {
    pub(crate) fn join(
        &mut self,
        inbound: &Inbound,
        reply_to: ReplyTo,
        request: JoinGroupRequest,
        now: Instant,
    ) {
        let member_id = request.member_id.clone();
        if let Err(code) = self.try_join(inbound, reply_to, request, now) {
            self.reply(reply_to, refused(code, member_id));
        }
    }

    fn try_join(
        &mut self,
        inbound: &Inbound,
        reply_to: ReplyTo,
        request: JoinGroupRequest,
        now: Instant,
    ) -> Result<(), ErrorCode> {
        let session = milliseconds(request.session_timeout_ms);
        if session < self.settings.min_session_timeout
            || session > self.settings.max_session_timeout
        {
            return Err(ErrorCode::INVALID_SESSION_TIMEOUT);
        }
        if request.member_id.is_empty() {
            self.by_id
                .entry(request.group_id.clone())
                .or_insert_with(ClassicGroup::new);
        }
        let group = self
            .by_id
            .get(&request.group_id)
            .ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        let names: Vec<&str> = request
            .protocols
            .iter()
            .map(|protocol| protocol.name.as_str())
            .collect();
        if !group.supports(&request.protocol_type, &names) {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        let known = group.members.contains_key(&request.member_id);
        if !known && group.members.len() + group.pending.len() >= self.settings.max_group_size {
            return Err(ErrorCode::GROUP_MAX_SIZE_REACHED);
        }
        if request.member_id.is_empty() {
            self.join_unknown(inbound, reply_to, request, now);
            return Ok(());
        }
        let group = self
            .by_id
            .get_mut(&request.group_id)
            .ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if group.pending.remove(&request.member_id).is_some() {
            let id = request.member_id.clone();
            self.add_and_rebalance(inbound, reply_to, request, id, now);
            return Ok(());
        }
        group.check_identity(&request.member_id, request.group_instance_id.as_deref())?;
        self.rejoin(inbound, reply_to, request, now);
        Ok(())
    }

    /// Somebody without a member id: give it one.
    fn join_unknown(
        &mut self,
        inbound: &Inbound,
        reply_to: ReplyTo,
        request: JoinGroupRequest,
        now: Instant,
    ) {
        if let Some(instance_id) = request.group_instance_id.clone() {
            let id = self.new_member_id(&instance_id);
            let known = self
                .by_id
                .get(&request.group_id)
                .and_then(|group| group.statics.get(&instance_id))
                .cloned();
            match known {
                Some(former) => self.replace_static(inbound, reply_to, request, &former, &id, now),
                None => self.add_and_rebalance(inbound, reply_to, request, id, now),
            }
            return;
        }
        let id = self.new_member_id(&inbound.client_id);
        if inbound.version >= MEMBER_ID_REQUIRED_FROM {
            if let Some(group) = self.by_id.get_mut(&request.group_id) {
                let until = now + milliseconds(request.session_timeout_ms);
                group.pending.insert(id.clone(), until);
            }
            self.reply(reply_to, refused(ErrorCode::MEMBER_ID_REQUIRED, id));
        } else {
            self.add_and_rebalance(inbound, reply_to, request, id, now);
        }
    }

    pub(super) fn add_and_rebalance(
        &mut self,
        inbound: &Inbound,
        reply_to: ReplyTo,
        request: JoinGroupRequest,
        id: String,
        now: Instant,
    ) {
        let Some(group) = self.by_id.get_mut(&request.group_id) else {
            return;
        };
        if group.members.is_empty() {
            group.protocol_type = Some(request.protocol_type);
        }
        let mut member = Member::new(
            id.clone(),
            request.group_instance_id.clone(),
            (inbound.client_id.clone(), inbound.host.clone()),
            (
                milliseconds(request.session_timeout_ms),
                milliseconds(request.rebalance_timeout_ms),
            ),
            protocols(request.protocols),
            now,
        );
        member.awaiting_join = Some(reply_to);
        if let Some(instance_id) = request.group_instance_id {
            group.statics.insert(instance_id, id.clone());
        }
        group.leader.get_or_insert_with(|| id.clone());
        group.members.insert(id, member);
        self.prepare_rebalance(&request.group_id, now);
    }

    /// A member that is known already.
    fn rejoin(
        &mut self,
        inbound: &Inbound,
        reply_to: ReplyTo,
        request: JoinGroupRequest,
        now: Instant,
    ) {
        let Some(group) = self.by_id.get_mut(&request.group_id) else {
            return;
        };
        let leads = group.leader.as_deref() == Some(request.member_id.as_str());
        let state = group.state;
        let Some(member) = group.members.get_mut(&request.member_id) else {
            return;
        };
        member.heard_of(now);
        let fresh = protocols(request.protocols);
        let unchanged = member.protocols == fresh;
        let answer_again = match state {
            // The answer to its join was lost.
            GroupState::CompletingRebalance => unchanged,
            // A leader that joins again wants a new assignment.
            GroupState::Stable => unchanged && !leads,
            GroupState::PreparingRebalance | GroupState::Empty => false,
        };
        if answer_again {
            let response = join_response(group, &request.member_id);
            self.reply(reply_to, response);
            return;
        }
        member.protocols = fresh;
        member.session_timeout = milliseconds(request.session_timeout_ms);
        member.rebalance_timeout = milliseconds(request.rebalance_timeout_ms);
        member.client_id.clone_from(&inbound.client_id);
        member.awaiting_join = Some(reply_to);
        self.prepare_rebalance(&request.group_id, now);
    }
}

/// The answer to a member of a generation that is complete.
pub(super) fn join_response(group: &ClassicGroup, member_id: &str) -> JoinGroupResponse {
    let leader = group.leader.clone().unwrap_or_default();
    let members = if leader == member_id {
        describe_members(group)
    } else {
        Vec::new()
    };
    JoinGroupResponse {
        generation_id: group.generation,
        protocol_type: group.protocol_type.clone(),
        protocol_name: group.protocol_name.clone(),
        leader,
        member_id: member_id.to_owned(),
        members,
        ..JoinGroupResponse::default()
    }
}

pub(super) fn describe_members(group: &ClassicGroup) -> Vec<JoinGroupResponseMember> {
    group
        .members
        .values()
        .map(|member| JoinGroupResponseMember {
            member_id: member.id.clone(),
            group_instance_id: member.instance_id.clone(),
            metadata: member.metadata(group.protocol_name.as_deref()),
        })
        .collect()
}

pub(super) fn refused(error_code: ErrorCode, member_id: String) -> JoinGroupResponse {
    JoinGroupResponse {
        error_code,
        generation_id: -1,
        protocol_name: Some(String::new()),
        member_id,
        ..JoinGroupResponse::default()
    }
}

pub(super) fn protocols(
    protocols: Vec<windlass_protocol::messages::join_group::JoinGroupRequestProtocol>,
) -> Vec<(String, Bytes)> {
    protocols
        .into_iter()
        .map(|protocol| (protocol.name, protocol.metadata))
        .collect()
}

fn milliseconds(count: i32) -> Duration {
    Duration::from_millis(u64::try_from(count).unwrap_or(0))
}
