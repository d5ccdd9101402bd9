//! Committed offsets.

use std::collections::BTreeMap;
use std::time::Instant;

use windlass_protocol::ErrorCode;
use windlass_protocol::messages::offset_commit::OffsetCommitRequest;

use super::{ClassicGroup, GroupState, Groups};

/// The first version in which a commit is told that there is no such group.
const GROUP_ID_NOT_FOUND_FROM: i16 = 9;

/// What a group remembers of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommittedOffset {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
}

impl Groups {
    /// Whether the one who commits may. A commit shows that its member lives.
    pub(crate) fn check_commit(
        &mut self,
        request: &OffsetCommitRequest,
        version: i16,
        now: Instant,
    ) -> Result<(), ErrorCode> {
        let generation = request.generation_id_or_member_epoch;
        let Some(group) = self.by_id.get_mut(&request.group_id) else {
            // Offsets may be kept without a group ever being formed.
            if generation >= 0 && version >= GROUP_ID_NOT_FOUND_FROM {
                return Err(ErrorCode::GROUP_ID_NOT_FOUND);
            }
            if generation >= 0 {
                return Err(ErrorCode::ILLEGAL_GENERATION);
            }
            self.by_id
                .insert(request.group_id.clone(), ClassicGroup::new());
            return Ok(());
        };
        if generation < 0 && group.state == GroupState::Empty {
            return Ok(());
        }
        if generation >= 0 || !request.member_id.is_empty() || request.group_instance_id.is_some() {
            group.check_identity(&request.member_id, request.group_instance_id.as_deref())?;
            if generation != group.generation {
                return Err(ErrorCode::ILLEGAL_GENERATION);
            }
        } else {
            // Nobody may commit past the members of a living group.
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if group.state == GroupState::CompletingRebalance {
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        if let Some(member) = group.members.get_mut(&request.member_id) {
            member.heard_of(now);
        }
        Ok(())
    }

    pub(crate) fn store_offset(
        &mut self,
        group: &str,
        topic: &str,
        partition: i32,
        offset: CommittedOffset,
    ) {
        if let Some(group) = self.by_id.get_mut(group) {
            group.offsets.insert((topic.to_owned(), partition), offset);
        }
    }

    /// A topic is gone, and what was remembered of it.
    pub(crate) fn forget_topic(&mut self, topic: &str) {
        for group in self.by_id.values_mut() {
            group.offsets.retain(|(name, _), _| name != topic);
        }
    }

    pub(crate) fn offset(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Option<&CommittedOffset> {
        self.by_id
            .get(group)?
            .offsets
            .get(&(topic.to_owned(), partition))
    }

    pub(crate) fn offsets(
        &self,
        group: &str,
    ) -> impl Iterator<Item = (&(String, i32), &CommittedOffset)> {
        static NONE: BTreeMap<(String, i32), CommittedOffset> = BTreeMap::new();
        self.by_id
            .get(group)
            .map_or(&NONE, |group| &group.offsets)
            .iter()
    }
}
