//! LeaveGroup.

use std::time::Instant;

use windlass_protocol::ErrorCode;
use windlass_protocol::messages::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse,
};

use super::Groups;
use crate::connection::ReplyTo;

impl Groups {
    pub(crate) fn leave(&mut self, reply_to: ReplyTo, request: LeaveGroupRequest, now: Instant) {
        let mut members = Vec::new();
        for identity in request.members {
            let error_code = self
                .leave_one(&request.group_id, &identity)
                .err()
                .unwrap_or(ErrorCode::NONE);
            members.push(MemberResponse {
                member_id: identity.member_id,
                group_instance_id: identity.group_instance_id,
                error_code,
            });
        }
        self.after_departure(&request.group_id, now);
        self.reply(
            reply_to,
            LeaveGroupResponse {
                members,
                ..LeaveGroupResponse::default()
            },
        );
    }

    fn leave_one(&mut self, group: &str, identity: &MemberIdentity) -> Result<(), ErrorCode> {
        let group = self
            .by_id
            .get_mut(group)
            .ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if group.pending.remove(&identity.member_id).is_some() {
            return Ok(());
        }
        let mut member_id = identity.member_id.clone();
        if let Some(instance_id) = &identity.group_instance_id {
            let known = group
                .statics
                .get(instance_id)
                .ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
            // An administrator names the instance alone.
            if !member_id.is_empty() && member_id != *known {
                return Err(ErrorCode::FENCED_INSTANCE_ID);
            }
            member_id.clone_from(known);
        }
        group
            .forget(&member_id)
            .map(drop)
            .ok_or(ErrorCode::UNKNOWN_MEMBER_ID)
    }
}
