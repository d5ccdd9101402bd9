//! JoinGroup.

use std::time::Instant;

use windlass_protocol::ErrorCode;
use windlass_protocol::messages::join_group::{
    JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember,
};

use super::member::{Member, milliseconds};
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
        let mut member_id = request.member_id.clone();
        if let Err(code) = self.try_join(inbound, reply_to, request, now) {
            if code == ErrorCode::GROUP_MAX_SIZE_REACHED {
                member_id.clear();
            }
            self.refuse_join(reply_to, code, member_id);
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
        let is_unknown = request.member_id.is_empty();
        if is_unknown && !self.by_id.contains_key(&request.group_id) {
            self.by_id
                .insert(request.group_id.clone(), ClassicGroup::new());
        }
        let group = self
            .by_id
            .get_mut(&request.group_id)
            .ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if !group.has_room_for(&request.member_id, self.settings.max_group_size) {
            group.pending.remove(&request.member_id);
            self.remove_member(&request.group_id, &request.member_id);
            return Err(ErrorCode::GROUP_MAX_SIZE_REACHED);
        }
        let names: Vec<&str> = request
            .protocols
            .iter()
            .map(|protocol| protocol.name.as_str())
            .collect();
        if !group.supports(&request.protocol_type, &names) {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        if is_unknown {
            self.join_unknown(inbound, reply_to, request, now);
        } else if group.pending.remove(&request.member_id).is_some() {
            let id = request.member_id.clone();
            self.add_and_rebalance(inbound, reply_to, request, id, now);
        } else {
            group.check_identity(&request.member_id, request.group_instance_id.as_deref())?;
            self.rejoin(reply_to, &request, now);
        }
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
        if let Some(instance_id) = &request.group_instance_id {
            let id = self.new_member_id(instance_id);
            let group = self.by_id.get(&request.group_id);
            let known = group.and_then(|group| group.statics.get(instance_id));
            match known.cloned() {
                Some(former) => self.replace_static(reply_to, &request, &former, &id, now),
                None => self.add_and_rebalance(inbound, reply_to, request, id, now),
            }
            return;
        }
        let id = self.new_member_id(&inbound.client_id);
        if inbound.version < MEMBER_ID_REQUIRED_FROM {
            self.add_and_rebalance(inbound, reply_to, request, id, now);
            return;
        }
        if let Some(group) = self.by_id.get_mut(&request.group_id) {
            let until = now + milliseconds(request.session_timeout_ms);
            group.pending.insert(id.clone(), until);
        }
        self.refuse_join(reply_to, ErrorCode::MEMBER_ID_REQUIRED, id);
    }

    fn add_and_rebalance(
        &mut self,
        inbound: &Inbound,
        reply_to: ReplyTo,
        request: JoinGroupRequest,
        id: String,
        now: Instant,
    ) {
        let group_id = request.group_id.clone();
        let Some(group) = self.by_id.get_mut(&group_id) else {
            return;
        };
        if group.members.is_empty() {
            group.protocol_type = Some(request.protocol_type.clone());
        }
        if let Some(initial) = &mut group.initial_join {
            initial.others_came = true;
        }
        let mut member = Member::new(id.clone(), inbound, request, now);
        member.awaiting_join = Some(reply_to);
        if let Some(instance_id) = &member.instance_id {
            group.statics.insert(instance_id.clone(), id.clone());
        }
        group.leader.get_or_insert_with(|| id.clone());
        group.members.insert(id, member);
        self.rebalance(&group_id, now);
    }

    /// A member that is known already.
    fn rejoin(&mut self, reply_to: ReplyTo, request: &JoinGroupRequest, now: Instant) {
        let Some(group) = self.by_id.get_mut(&request.group_id) else {
            return;
        };
        let leads = group.leader.as_deref() == Some(request.member_id.as_str());
        let state = group.state;
        let Some(member) = group.members.get_mut(&request.member_id) else {
            return;
        };
        let answer_again = match state {
            // The answer to its join was lost.
            GroupState::CompletingRebalance => member.says_the_same(request),
            // A leader that joins again wants a new assignment.
            GroupState::Stable => member.says_the_same(request) && !leads,
            GroupState::PreparingRebalance | GroupState::Empty => false,
        };
        if answer_again {
            let response = join_response(group, &request.member_id);
            self.reply(reply_to, response);
            return;
        }
        member.update(request);
        member.awaiting_join = Some(reply_to);
        self.rebalance(&request.group_id, now);
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

fn describe_members(group: &ClassicGroup) -> Vec<JoinGroupResponseMember> {
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
