//! A static member that comes back under its instance id (KIP-345, KIP-814).

use std::time::Instant;

use windlass_protocol::ErrorCode;
use windlass_protocol::messages::join_group::JoinGroupRequest;

use super::join::{describe_members, join_response, protocols, refused};
use super::sync::sync_refused;
use super::{GroupState, Groups};
use crate::Inbound;
use crate::connection::ReplyTo;

/// The first version in which a leader can be told that nothing is to be assigned.
const SKIP_ASSIGNMENT_FROM: i16 = 9;

impl Groups {
    /// The newcomer takes the place of its former self, who is fenced. The others notice nothing as
    /// long as the group is stable and the newcomer says the same as before.
    pub(super) fn replace_static(
        &mut self,
        inbound: &Inbound,
        reply_to: ReplyTo,
        request: JoinGroupRequest,
        former_id: &str,
        id: &str,
        now: Instant,
    ) {
        let Some(group) = self.by_id.get_mut(&request.group_id) else {
            return;
        };
        let Some(mut member) = group.members.remove(former_id) else {
            return;
        };
        let fenced_join = member.awaiting_join.take();
        let fenced_sync = member.awaiting_sync.take();
        let fresh = protocols(request.protocols);
        let unchanged = member.protocols == fresh;
        id.clone_into(&mut member.id);
        member.protocols = fresh;
        member.client_id.clone_from(&inbound.client_id);
        member.host.clone_from(&inbound.host);
        member.heard_of(now);
        let led = group.leader.as_deref() == Some(former_id);
        if led {
            group.leader = Some(id.to_owned());
        }
        if let Some(instance_id) = request.group_instance_id {
            group.statics.insert(instance_id, id.to_owned());
        }
        group.members.insert(id.to_owned(), member);
        if group.state == GroupState::Stable && unchanged {
            let mut response = join_response(group, id);
            if led && inbound.version >= SKIP_ASSIGNMENT_FROM {
                response.skip_assignment = true;
                response.members = describe_members(group);
            } else if led {
                // An older client must not take itself for a leader that has to assign.
                former_id.clone_into(&mut response.leader);
                response.members = Vec::new();
            }
            self.reply(reply_to, response);
        } else {
            if let Some(member) = group.members.get_mut(id) {
                member.awaiting_join = Some(reply_to);
            }
            self.prepare_rebalance(&request.group_id, now);
        }
        if let Some(reply_to) = fenced_join {
            self.reply(
                reply_to,
                refused(ErrorCode::FENCED_INSTANCE_ID, former_id.to_owned()),
            );
        }
        if let Some(reply_to) = fenced_sync {
            self.reply(reply_to, sync_refused(ErrorCode::FENCED_INSTANCE_ID));
        }
    }
}
