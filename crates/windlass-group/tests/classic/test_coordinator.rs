//! A coordinator of one group, as small as honesty allows: the join barrier, the leader, sync,
//! heartbeats, static members, offsets. Time is not its business: who is expelled, a test decides.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use windlass_machine::RequestId;
use windlass_model::TopicPartition;
use windlass_protocol::messages::describe_groups::DescribeGroupsResponse;
use windlass_protocol::messages::join_group::{
    JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember,
};
use windlass_protocol::messages::offset_commit::OffsetCommitRequest;
use windlass_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};
use windlass_protocol::{ErrorCode, RequestKind, ResponseKind};

use crate::commit::stored;
use crate::script::{heartbeat, join_error, leave, sync_error, use_id};

/// Who asked: the place of the member in the test, and the request.
type Asker = (usize, RequestId);

#[derive(Debug, Default)]
struct Registered {
    instance: Option<String>,
    /// The names of the strategies, in order, each with the subscription.
    protocols: Vec<(String, Bytes)>,
    joining: Option<Asker>,
    syncing: Option<Asker>,
    assignment: Bytes,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Empty,
    Preparing,
    Completing,
    Stable,
}

#[derive(Debug, Default)]
pub(crate) struct TestCoordinator {
    phase: Phase,
    pub(crate) generation: i32,
    members: BTreeMap<String, Registered>,
    leader: String,
    pub(crate) protocol: String,
    counter: u32,
    pub(crate) offsets: BTreeMap<TopicPartition, i64>,
    /// Answers that are due.
    answers: Vec<(Asker, ResponseKind)>,
}

impl TestCoordinator {
    /// Takes a request; the answer may come later.
    pub(crate) fn ask(&mut self, asker: Asker, request: RequestKind) {
        match request {
            RequestKind::JoinGroup(request) => self.join(asker, request),
            RequestKind::SyncGroup(request) => self.sync(asker, &request),
            RequestKind::Heartbeat(request) => {
                let code = self.judge(&request.member_id, request.group_instance_id.as_deref());
                let code = match code {
                    ErrorCode::NONE if request.generation_id != self.generation => {
                        ErrorCode::ILLEGAL_GENERATION
                    }
                    ErrorCode::NONE if self.phase == Phase::Preparing => {
                        ErrorCode::REBALANCE_IN_PROGRESS
                    }
                    code => code,
                };
                self.answers.push((asker, heartbeat(code).into()));
            }
            RequestKind::LeaveGroup(request) => {
                for member in &request.members {
                    self.expel(&member.member_id);
                }
                self.answers.push((asker, leave(ErrorCode::NONE).into()));
            }
            RequestKind::OffsetCommit(request) => self.commit(asker, &request),
            // It does not tell.
            RequestKind::DescribeGroups(_) => {
                let answer = DescribeGroupsResponse::default();
                self.answers.push((asker, answer.into()));
            }
            other => panic!("{other:?}"),
        }
    }

    /// The answers that are due.
    pub(crate) fn take_answers(&mut self) -> Vec<(Asker, ResponseKind)> {
        std::mem::take(&mut self.answers)
    }

    /// The member's session is over, or it left.
    pub(crate) fn expel(&mut self, id: &str) {
        if self.members.remove(id).is_none() {
            return;
        }
        if self.members.is_empty() {
            self.phase = Phase::Empty;
            return;
        }
        self.prepare();
        self.complete_if_all_joined();
    }

    fn judge(&self, id: &str, instance: Option<&str>) -> ErrorCode {
        let holder = instance.and_then(|instance| self.holder(instance));
        match holder {
            Some(holder) if holder != id => ErrorCode::FENCED_INSTANCE_ID,
            _ if !self.members.contains_key(id) => ErrorCode::UNKNOWN_MEMBER_ID,
            _ => ErrorCode::NONE,
        }
    }

    fn holder(&self, instance: &str) -> Option<String> {
        let mut members = self.members.iter();
        let found = members.find(|(_, member)| member.instance.as_deref() == Some(instance));
        found.map(|(id, _)| id.clone())
    }

    fn join(&mut self, asker: Asker, request: JoinGroupRequest) {
        let instance = request.group_instance_id;
        let protocols = request
            .protocols
            .into_iter()
            .map(|one| (one.name, one.metadata));
        let registered = Registered {
            instance: instance.clone(),
            protocols: protocols.collect(),
            joining: Some(asker),
            ..Registered::default()
        };
        if request.member_id.is_empty() {
            self.counter += 1;
            let id = format!("member-{}", self.counter);
            match instance.as_deref().map(|instance| self.holder(instance)) {
                None => {
                    // The id is on the books once it is used.
                    self.answers.push((asker, use_id(&id).into()));
                }
                Some(None) => self.admit(id, registered),
                Some(Some(old)) => self.replace(&old, id, registered),
            }
            return;
        }
        match self.judge(&request.member_id, instance.as_deref()) {
            // A dynamic member comes with the id it was just given.
            ErrorCode::UNKNOWN_MEMBER_ID if instance.is_none() && self.gave(&request.member_id) => {
                self.admit(request.member_id, registered);
            }
            ErrorCode::NONE => self.admit(request.member_id, registered),
            code => self.answers.push((asker, join_error(code).into())),
        }
    }

    fn gave(&self, id: &str) -> bool {
        id == format!("member-{}", self.counter)
    }

    fn admit(&mut self, id: String, registered: Registered) {
        self.members.insert(id, registered);
        self.prepare();
        self.complete_if_all_joined();
    }

    /// A static member came back: the group goes on as if nothing had happened, where it can.
    fn replace(&mut self, old: &str, id: String, mut registered: Registered) {
        let before = self.members.remove(old).expect("a holder is a member");
        if self.leader == old {
            self.leader.clone_from(&id);
        }
        registered.assignment = before.assignment;
        let asker = registered.joining;
        if self.phase != Phase::Stable {
            self.admit(id, registered);
            return;
        }
        registered.joining = None;
        self.members.insert(id.clone(), registered);
        let mut response = self.joined(&id);
        response.skip_assignment = self.leader == id;
        self.answers
            .push((asker.expect("it is joining"), response.into()));
    }

    fn prepare(&mut self) {
        if self.phase == Phase::Completing {
            for member in self.members.values_mut() {
                if let Some(asker) = member.syncing.take() {
                    let response = sync_error(ErrorCode::REBALANCE_IN_PROGRESS);
                    self.answers.push((asker, response.into()));
                }
            }
        }
        self.phase = Phase::Preparing;
    }

    fn complete_if_all_joined(&mut self) {
        if self.members.values().any(|member| member.joining.is_none()) {
            return;
        }
        self.generation += 1;
        self.phase = Phase::Completing;
        self.protocol = self.vote();
        if !self.members.contains_key(&self.leader) {
            self.leader = self.members.keys().next().expect("somebody joined").clone();
        }
        for id in self.members.keys().cloned().collect::<Vec<_>>() {
            let response = self.joined(&id);
            let asker = self
                .members
                .get_mut(&id)
                .and_then(|member| member.joining.take());
            self.answers
                .push((asker.expect("all joined"), response.into()));
        }
    }

    /// The first strategy of the first member that everybody has.
    fn vote(&self) -> String {
        let names = |member: &Registered| -> BTreeSet<String> {
            member
                .protocols
                .iter()
                .map(|(name, _)| name.clone())
                .collect()
        };
        let first = self.members.values().next().expect("somebody joined");
        let common = first.protocols.iter().map(|(name, _)| name).find(|name| {
            self.members
                .values()
                .all(|member| names(member).contains(*name))
        });
        common.expect("a common strategy").clone()
    }

    fn joined(&self, id: &str) -> JoinGroupResponse {
        let entry = |(id, member): (&String, &Registered)| {
            let metadata = member
                .protocols
                .iter()
                .find(|(name, _)| *name == self.protocol);
            JoinGroupResponseMember {
                member_id: id.clone(),
                group_instance_id: member.instance.clone(),
                metadata: metadata.expect("a common strategy").1.clone(),
            }
        };
        let members = if self.leader == id {
            self.members.iter().map(entry).collect()
        } else {
            Vec::new()
        };
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_type: Some("consumer".to_owned()),
            protocol_name: Some(self.protocol.clone()),
            leader: self.leader.clone(),
            member_id: id.to_owned(),
            members,
            ..JoinGroupResponse::default()
        }
    }

    fn sync(&mut self, asker: Asker, request: &SyncGroupRequest) {
        let code = self.judge(&request.member_id, request.group_instance_id.as_deref());
        let code = match (code, self.phase) {
            (ErrorCode::NONE, _) if request.generation_id != self.generation => {
                ErrorCode::ILLEGAL_GENERATION
            }
            (ErrorCode::NONE, Phase::Preparing | Phase::Empty) => ErrorCode::REBALANCE_IN_PROGRESS,
            (code, _) => code,
        };
        if code != ErrorCode::NONE {
            self.answers.push((asker, sync_error(code).into()));
            return;
        }
        if let Some(member) = self.members.get_mut(&request.member_id) {
            member.syncing = Some(asker);
        }
        if self.phase == Phase::Completing && request.member_id == self.leader {
            for one in &request.assignments {
                if let Some(member) = self.members.get_mut(&one.member_id) {
                    member.assignment = one.assignment.clone();
                }
            }
            self.phase = Phase::Stable;
        }
        if self.phase == Phase::Stable {
            for member in self.members.values_mut() {
                if let Some(asker) = member.syncing.take() {
                    let response = SyncGroupResponse {
                        protocol_type: Some("consumer".to_owned()),
                        protocol_name: Some(self.protocol.clone()),
                        assignment: member.assignment.clone(),
                        ..SyncGroupResponse::default()
                    };
                    self.answers.push((asker, response.into()));
                }
            }
        }
    }

    fn commit(&mut self, asker: Asker, request: &OffsetCommitRequest) {
        let code = self.judge(&request.member_id, request.group_instance_id.as_deref());
        let code = match code {
            ErrorCode::NONE if request.generation_id_or_member_epoch != self.generation => {
                ErrorCode::ILLEGAL_GENERATION
            }
            ErrorCode::NONE if self.phase == Phase::Completing => ErrorCode::REBALANCE_IN_PROGRESS,
            code => code,
        };
        if code == ErrorCode::NONE {
            for topic in &request.topics {
                for partition in &topic.partitions {
                    let one = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                    self.offsets.insert(one, partition.committed_offset);
                }
            }
        }
        self.answers.push((asker, stored(request, code).into()));
    }
}
