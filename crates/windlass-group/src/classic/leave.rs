//! What LeaveGroup says.

use windlass_protocol::messages::LeaveGroupRequest;
use windlass_protocol::messages::leave_group::MemberIdentity;

use crate::classic::join;
use crate::classic::member::Member;

/// The LeaveGroup of the member as it is now, with its reason (KIP-800).
pub(crate) fn request(member: &Member, reason: &str) -> LeaveGroupRequest {
    LeaveGroupRequest {
        group_id: member.config.group_id.as_str().to_owned(),
        members: vec![MemberIdentity {
            member_id: member.identity.member_id_text(),
            group_instance_id: member.config.instance_id_text(),
            reason: Some(join::cut(reason)),
        }],
    }
}
