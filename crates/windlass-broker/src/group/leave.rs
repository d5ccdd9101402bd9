//! LeaveGroup.

use std::time::Instant;

use windlass_protocol::ErrorCode;
use windlass_protocol::messages::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse,
};

use super::{GroupState, Groups};
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
        if members.iter().any(|member| member.error_code.is_none()) {
            self.after_departure(&request.group_id, now);
        }
        let response = LeaveGroupResponse {
            members,
            ..LeaveGroupResponse::default()
        };
        self.reply(reply_to, response);
    }

    fn leave_one(&mut self, id: &str, identity: &MemberIdentity) -> Result<(), ErrorCode> {
        let group = self.by_id.get_mut(id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        let instance_id = identity.group_instance_id.as_deref();
        let mut member_id = identity.member_id.clone();
        if member_id.is_empty() {
            // An administrator names the instance alone.
            let known = instance_id.and_then(|instance_id| group.statics.get(instance_id));
            member_id.clone_from(known.ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?);
        } else if group.pending.remove(&member_id).is_some() {
            return Ok(());
        } else {
            group.check_identity(&member_id, instance_id)?;
        }
        self.remove_member(id, &member_id);
        Ok(())
    }

    /// Members are gone: whoever is left shares anew.
    fn after_departure(&mut self, id: &str, now: Instant) {
        match self.by_id.get(id).map(|group| group.state) {
            Some(GroupState::Stable | GroupState::CompletingRebalance) => {
                self.prepare_rebalance(id, now);
            }
            Some(GroupState::PreparingRebalance) => self.complete_join_if_all_are_here(id, now),
            Some(GroupState::Empty) | None => {}
        }
    }
}
