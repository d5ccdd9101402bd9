//! What the replicated log keeps of a group: all that its next coordinator will know.

use std::time::Instant;

use windlass_protocol::ErrorCode;

use super::member::Member;
use super::sync::sync_refused;
use super::{ClassicGroup, GroupState, Groups};

/// A group as it was written down last: when its leader assigned, when it became empty, when a
/// static member was replaced. A rebalance under way is not in it, nor is a member that has never
/// been assigned anything.
#[derive(Debug, Default)]
pub(super) struct GroupRecord {
    generation: i32,
    protocol_type: Option<String>,
    protocol_name: Option<String>,
    leader: Option<String>,
    members: Vec<Member>,
}

impl ClassicGroup {
    /// Writes the group down. Of each member's protocols only the chosen one is kept.
    pub(super) fn write_record(&mut self) {
        let members = self.members.values().map(|member| Member {
            protocols: self
                .protocol_name
                .iter()
                .map(|name| (name.clone(), member.metadata(Some(name))))
                .collect(),
            awaiting_join: None,
            awaiting_sync: None,
            owes_sync: false,
            is_new: false,
            ..member.clone()
        });
        self.record = GroupRecord {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: self.leader.clone(),
            members: members.collect(),
        };
    }

    /// Takes the group back to what is written down; every member has a whole session before it.
    fn read_record(&mut self, now: Instant) {
        self.generation = self.record.generation;
        self.protocol_type.clone_from(&self.record.protocol_type);
        self.protocol_name.clone_from(&self.record.protocol_name);
        self.leader.clone_from(&self.record.leader);
        self.members.clear();
        self.statics.clear();
        for member in &self.record.members {
            let mut member = member.clone();
            member.heard_of(now);
            if let Some(instance_id) = &member.instance_id {
                self.statics.insert(instance_id.clone(), member.id.clone());
            }
            self.members.insert(member.id.clone(), member);
        }
        self.state = if self.members.is_empty() {
            GroupState::Empty
        } else {
            GroupState::Stable
        };
        self.pending.clear();
        self.initial_join = None;
        self.join_deadline = None;
        self.sync_deadline = None;
    }
}

impl Groups {
    /// Another node coordinates the group from now on, or none does. Whoever waits for the former
    /// one is told so.
    pub(crate) fn coordinator_changed(&mut self, id: &str, has_coordinator: bool, now: Instant) {
        let Some(group) = self.by_id.get_mut(id) else {
            return;
        };
        let mut joins = Vec::new();
        let mut syncs = Vec::new();
        for member in group.members.values_mut() {
            let join = member.awaiting_join.take();
            joins.extend(join.map(|reply_to| (reply_to, member.id.clone())));
            syncs.extend(member.awaiting_sync.take());
        }
        group.read_record(now);
        group.has_coordinator = has_coordinator;
        for (reply_to, member_id) in joins {
            self.refuse_join(reply_to, ErrorCode::NOT_COORDINATOR, member_id);
        }
        for reply_to in syncs {
            self.reply(reply_to, sync_refused(ErrorCode::NOT_COORDINATOR));
        }
    }
}
