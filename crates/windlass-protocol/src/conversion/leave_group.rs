//! LeaveGroup spoke of one member before version 3.

use super::only_one;
use crate::encode_error::{EncodeError, EncodeErrorKind};
use crate::messages::leave_group::{
    LeaveGroupRequest, LeaveGroupRequestBefore3, LeaveGroupResponse, LeaveGroupResponseBefore3,
    MemberIdentity,
};

impl TryFrom<&LeaveGroupRequest> for LeaveGroupRequestBefore3 {
    type Error = EncodeError;

    fn try_from(request: &LeaveGroupRequest) -> Result<Self, EncodeError> {
        let member = only_one(&request.members, "members")?;
        if member.group_instance_id.is_some() {
            let error = EncodeError::not_in_this_version("group_instance_id");
            return Err(error.in_element(0).in_field("members"));
        }
        Ok(Self {
            group_id: request.group_id.clone(),
            member_id: member.member_id.clone(),
        })
    }
}

impl From<LeaveGroupRequestBefore3> for LeaveGroupRequest {
    fn from(old: LeaveGroupRequestBefore3) -> Self {
        Self {
            group_id: old.group_id,
            members: vec![MemberIdentity {
                member_id: old.member_id,
                ..MemberIdentity::default()
            }],
        }
    }
}

impl TryFrom<&LeaveGroupResponse> for LeaveGroupResponseBefore3 {
    type Error = EncodeError;

    /// The one error there is room for is the request's, or else the one member's.
    fn try_from(response: &LeaveGroupResponse) -> Result<Self, EncodeError> {
        let error_code = match response.members.as_slice() {
            [] => response.error_code,
            [_] if response.error_code.is_error() => response.error_code,
            [member] => member.error_code,
            members => {
                let count = members.len();
                let error = EncodeError::new(EncodeErrorKind::NotExactlyOne { count });
                return Err(error.in_field("members"));
            }
        };
        Ok(Self {
            throttle_time_ms: response.throttle_time_ms,
            error_code,
        })
    }
}

impl From<LeaveGroupResponseBefore3> for LeaveGroupResponse {
    /// The old form names no member: the error is the request's.
    fn from(old: LeaveGroupResponseBefore3) -> Self {
        Self {
            throttle_time_ms: old.throttle_time_ms,
            error_code: old.error_code,
            members: Vec::new(),
        }
    }
}
