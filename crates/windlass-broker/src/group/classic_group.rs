//! One group: its state and its members.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use windlass_protocol::ErrorCode;

use super::commit::CommittedOffset;
use super::group_record::GroupRecord;
use super::member::Member;
use super::rebalance::InitialJoin;

/// The state of a group, by Kafka's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupState {
    /// No members.
    Empty,
    /// Members are joining.
    PreparingRebalance,
    /// Members wait for the leader's assignment.
    CompletingRebalance,
    /// Everybody has its assignment.
    Stable,
}

impl GroupState {
    /// As Kafka writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// A group.
#[derive(Debug)]
pub(crate) struct ClassicGroup {
    pub(crate) state: GroupState,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol_name: Option<String>,
    pub(crate) leader: Option<String>,
    pub(crate) members: BTreeMap<String, Member>,
    /// Instance id to member id.
    pub(super) statics: BTreeMap<String, String>,
    /// Member ids that were given out and have not joined yet, and until when they may.
    pub(super) pending: BTreeMap<String, Instant>,
    /// The first members of the group wait for more.
    pub(super) initial_join: Option<InitialJoin>,
    /// When the joining is over for those who have not come.
    pub(super) join_deadline: Option<Instant>,
    /// When the syncing is over for those who have not come; the group may be stable by then.
    pub(super) sync_deadline: Option<Instant>,
    /// While no node lives, the group rests.
    pub(super) has_coordinator: bool,
    pub(super) record: GroupRecord,
    pub(super) offsets: BTreeMap<(String, i32), CommittedOffset>,
}

impl ClassicGroup {
    pub(super) fn new() -> Self {
        Self {
            state: GroupState::Empty,
            generation: 0,
            protocol_type: None,
            protocol_name: None,
            leader: None,
            members: BTreeMap::new(),
            statics: BTreeMap::new(),
            pending: BTreeMap::new(),
            initial_join: None,
            join_deadline: None,
            sync_deadline: None,
            has_coordinator: true,
            record: GroupRecord::default(),
            offsets: BTreeMap::new(),
        }
    }

    /// Whether somebody of this protocol type, with these protocols, can be a member.
    pub(super) fn supports(&self, protocol_type: &str, names: &[&str]) -> bool {
        if self.state == GroupState::Empty {
            return !protocol_type.is_empty() && !names.is_empty();
        }
        let common = self.common_protocols();
        self.protocol_type.as_deref() == Some(protocol_type)
            && names
                .iter()
                .any(|name| self.members.is_empty() || common.contains(*name))
    }

    /// Whether the group has room for this member. While it forms anew, those who have joined count:
    /// a place belongs to whoever comes first.
    pub(super) fn has_room_for(&self, member_id: &str, most: usize) -> bool {
        let member = self.members.get(member_id);
        match self.state {
            GroupState::Empty => true,
            GroupState::PreparingRebalance => {
                let joined = |member: &Member| member.awaiting_join.is_some();
                member.is_some_and(joined)
                    || self
                        .members
                        .values()
                        .filter(|member| joined(member))
                        .count()
                        < most
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                member.is_some() || self.members.len() < most
            }
        }
    }

    /// Whether nobody is missing from the rebalance that is under way.
    pub(super) fn all_have_joined(&self) -> bool {
        self.state == GroupState::PreparingRebalance
            && self.pending.is_empty()
            && self
                .members
                .values()
                .all(|member| member.awaiting_join.is_some())
    }

    /// Keeps the leader if it has joined, or takes another member that has. Answers whether there is
    /// one.
    pub(super) fn elect_leader(&mut self) -> bool {
        let joined = |member: &&Member| member.awaiting_join.is_some();
        let leader = self.leader.as_ref();
        let leader = leader
            .and_then(|leader| self.members.get(leader))
            .filter(joined);
        let leader = leader.or_else(|| self.members.values().find(joined));
        match leader.map(|member| member.id.clone()) {
            Some(id) => {
                self.leader = Some(id);
                true
            }
            None => false,
        }
    }

    /// The protocols that all members have.
    fn common_protocols(&self) -> BTreeSet<String> {
        let mut members = self.members.values();
        let first = members
            .next()
            .map(Member::protocol_names)
            .unwrap_or_default();
        members.fold(first, |common, member| {
            let names = member.protocol_names();
            common
                .into_iter()
                .filter(|name| names.contains(name))
                .collect()
        })
    }

    /// The protocol that gets the most votes; every member votes for the first of its own that all
    /// have.
    pub(super) fn vote(&self) -> Option<String> {
        let common = self.common_protocols();
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some(choice) = member.first_of(&common) {
                *votes.entry(choice).or_default() += 1;
            }
        }
        votes
            .into_iter()
            .max_by_key(|(_, count)| *count)
            .map(|(name, _)| name.to_owned())
    }

    /// Whether the member is who it says it is.
    pub(super) fn check_identity(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.statics.get(instance_id) {
                None => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
                Some(known) if known != member_id => return Err(ErrorCode::FENCED_INSTANCE_ID),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) {
            Ok(())
        } else {
            Err(ErrorCode::UNKNOWN_MEMBER_ID)
        }
    }

    /// The longest rebalance timeout of all members.
    pub(super) fn rebalance_timeout(&self) -> Duration {
        self.members
            .values()
            .map(|member| member.rebalance_timeout)
            .max()
            .unwrap_or_default()
    }

    pub(super) fn forget(&mut self, member_id: &str) -> Option<Member> {
        let member = self.members.remove(member_id)?;
        if let Some(instance_id) = &member.instance_id
            && self
                .statics
                .get(instance_id)
                .is_some_and(|known| known == member_id)
        {
            self.statics.remove(instance_id);
        }
        if self.leader.as_deref() == Some(member_id) {
            // Any member can lead; one that waits for the join already comes first.
            let next = self
                .members
                .values()
                .find(|member| member.awaiting_join.is_some());
            let next = next.or_else(|| self.members.values().next());
            self.leader = next.map(|member| member.id.clone());
        }
        Some(member)
    }
}
