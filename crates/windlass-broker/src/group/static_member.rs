//! A static member that comes back under its instance id (KIP-345, KIP-814).

use std::time::Instant;

use windlass_protocol::ErrorCode;
use windlass_protocol::messages::join_group::JoinGroupRequest;

use super::join::join_response;
use super::sync::sync_refused;
use super::{GroupState, Groups};
use crate::connection::ReplyTo;

/// The first version in which a leader can be told that nothing is to be assigned.
const SKIP_ASSIGNMENT_FROM: i16 = 9;

impl Groups {
    /// The newcomer takes the place of its former self, who is fenced. The others notice nothing as
    /// long as the group is stable and would choose the same protocol again.
    pub(super) fn replace_static(
        &mut self,
        reply_to: ReplyTo,
        request: &JoinGroupRequest,
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
        let fenced_join = member.awaiting_join.replace(reply_to);
        let fenced_sync = member.awaiting_sync.take();
        id.clone_into(&mut member.id);
        member.is_new = false;
        // The session counts as it did until the newcomer's own word is taken.
        member.heard_of(now);
        member.update(request);
        let led = group.leader.as_deref() == Some(former_id);
        if led {
            group.leader = Some(id.to_owned());
        }
        if let Some(instance_id) = &request.group_instance_id {
            group.statics.insert(instance_id.clone(), id.to_owned());
        }
        group.members.insert(id.to_owned(), member);
        match group.state {
            GroupState::Stable if group.vote() == group.protocol_name => {
                if let Some(member) = group.members.get_mut(id) {
                    member.awaiting_join = None;
                }
                group.write_record();
                let mut response = join_response(group, id);
                if led && reply_to.version >= SKIP_ASSIGNMENT_FROM {
                    response.skip_assignment = true;
                } else if led {
                    // An older client must not take itself for a leader that has to assign.
                    former_id.clone_into(&mut response.leader);
                    response.members = Vec::new();
                }
                self.reply(reply_to, response);
            }
            GroupState::Stable | GroupState::CompletingRebalance => {
                self.prepare_rebalance(&request.group_id, now);
            }
            GroupState::PreparingRebalance | GroupState::Empty => {
                self.complete_join_if_all_are_here(&request.group_id, now);
            }
        }
        if let Some(reply_to) = fenced_join {
            let code = ErrorCode::FENCED_INSTANCE_ID;
            self.refuse_join(reply_to, code, former_id.to_owned());
        }
        if let Some(reply_to) = fenced_sync {
            self.reply(reply_to, sync_refused(ErrorCode::FENCED_INSTANCE_ID));
        }
    }
}
