//! A client that is a member of the group `readers`, one request at a time.

use bytes::Bytes;
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::heartbeat::HeartbeatRequest;
use windlass_protocol::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use windlass_protocol::messages::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, MemberIdentity,
};
use windlass_protocol::messages::sync_group::{
    SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};

use crate::world::{Client, Ticket, World};

pub(crate) const GROUP: &str = "readers";

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) client: Client,
    pub(crate) id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) generation: i32,
    pub(crate) leads: bool,
    /// Name and metadata.
    pub(crate) protocols: Vec<(&'static str, &'static str)>,
    pub(crate) protocol_type: &'static str,
    pub(crate) session_ms: i32,
    pub(crate) rebalance_ms: i32,
    /// Of JoinGroup; the others are asked in their newest version.
    pub(crate) version: i16,
}

impl Member {
    /// A member on a connection of its own to the group's coordinator: ten seconds of session, half
    /// a minute to join.
    pub(crate) fn new(world: &mut World) -> Self {
        let node = world
            .core
            .coordinator_of_group(GROUP)
            .map_or(1, |node| node.0);
        Self {
            client: world.client(node),
            id: String::new(),
            instance_id: None,
            generation: -1,
            leads: false,
            protocols: vec![("range", "topics")],
            protocol_type: "consumer",
            session_ms: 10_000,
            rebalance_ms: 30_000,
            version: 9,
        }
    }

    pub(crate) fn fixed(world: &mut World, instance_id: &str) -> Self {
        Self {
            instance_id: Some(instance_id.to_owned()),
            ..Self::new(world)
        }
    }

    /// One JoinGroup, with the id as it is.
    pub(crate) fn send_join(&self, world: &mut World) -> Ticket<JoinGroupResponse> {
        let protocols = self.protocols.iter();
        let request = JoinGroupRequest {
            group_id: GROUP.to_owned(),
            session_timeout_ms: self.session_ms,
            rebalance_timeout_ms: self.rebalance_ms,
            member_id: self.id.clone(),
            group_instance_id: self.instance_id.clone(),
            protocol_type: self.protocol_type.to_owned(),
            protocols: protocols
                .map(|(name, metadata)| JoinGroupRequestProtocol {
                    name: (*name).to_owned(),
                    metadata: Bytes::from_static(metadata.as_bytes()),
                })
                .collect(),
            ..JoinGroupRequest::default()
        };
        world.send(self.client, self.version, request)
    }

    /// JoinGroup, after fetching an id if that is needed.
    pub(crate) fn join(&mut self, world: &mut World) -> Ticket<JoinGroupResponse> {
        if self.id.is_empty() && self.instance_id.is_none() && self.version >= 4 {
            self.fetch_id(world);
        }
        self.send_join(world)
    }

    /// The first JoinGroup, which only gives an id.
    pub(crate) fn fetch_id(&mut self, world: &mut World) {
        let ticket = self.send_join(world);
        let refused = world.expect(&ticket);
        assert_eq!(refused.error_code, ErrorCode::MEMBER_ID_REQUIRED);
        self.id = refused.member_id;
    }

    /// Takes the answer to a join, which must have come and be good.
    #[track_caller]
    pub(crate) fn joined(
        &mut self,
        world: &mut World,
        ticket: &Ticket<JoinGroupResponse>,
    ) -> JoinGroupResponse {
        let response = world.expect(ticket);
        assert_eq!(response.error_code, ErrorCode::NONE);
        self.id.clone_from(&response.member_id);
        self.generation = response.generation_id;
        self.leads = response.leader == response.member_id;
        response
    }

    /// Joins, and is answered at once.
    #[track_caller]
    pub(crate) fn join_now(&mut self, world: &mut World) -> JoinGroupResponse {
        let ticket = self.join(world);
        self.joined(world, &ticket)
    }

    /// A follower's SyncGroup.
    pub(crate) fn sync(&self, world: &mut World) -> Ticket<SyncGroupResponse> {
        self.sync_with(world, &[])
    }

    /// The leader's SyncGroup: each gets `share of` its id.
    pub(crate) fn sync_with(
        &self,
        world: &mut World,
        members: &[&str],
    ) -> Ticket<SyncGroupResponse> {
        let assignments = members.iter().map(|id| SyncGroupRequestAssignment {
            member_id: (*id).to_owned(),
            assignment: share_of(id),
        });
        let request = SyncGroupRequest {
            group_id: GROUP.to_owned(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance_id.clone(),
            protocol_type: Some(self.protocol_type.to_owned()),
            assignments: assignments.collect(),
            protocol_name: Some(self.protocols[0].0.to_owned()),
        };
        world.send(self.client, 5, request)
    }

    #[track_caller]
    pub(crate) fn heartbeat(&self, world: &mut World) -> ErrorCode {
        let request = HeartbeatRequest {
            group_id: GROUP.to_owned(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance_id.clone(),
        };
        world.ask(self.client, 4, request).error_code
    }

    #[track_caller]
    pub(crate) fn leave(&self, world: &mut World) -> LeaveGroupResponse {
        let request = LeaveGroupRequest {
            group_id: GROUP.to_owned(),
            members: vec![MemberIdentity {
                member_id: self.id.clone(),
                group_instance_id: self.instance_id.clone(),
                ..MemberIdentity::default()
            }],
        };
        world.ask(self.client, 5, request)
    }

    /// The same member on a new connection, to whoever coordinates now.
    pub(crate) fn reconnect(&mut self, world: &mut World) {
        self.client = Self::new(world).client;
    }
}

pub(crate) fn share_of(member_id: &str) -> Bytes {
    Bytes::from(format!("share of {member_id}"))
}

/// All join, and the leader assigns. Whoever is known must hear of it first, so that it may be
/// called for any change.
#[track_caller]
pub(crate) fn rebalance(world: &mut World, members: &mut [Member]) {
    let tickets: Vec<_> = members
        .iter_mut()
        .map(|member| member.join(world))
        .collect();
    for (member, ticket) in members.iter_mut().zip(&tickets) {
        member.joined(world, ticket);
    }
    assign(world, members);
}

/// The followers ask, the leader assigns, all are answered.
#[track_caller]
pub(crate) fn assign(world: &mut World, members: &[Member]) {
    let ids: Vec<&str> = members.iter().map(|member| member.id.as_str()).collect();
    let followers = members.iter().filter(|member| !member.leads);
    let mut tickets: Vec<_> = followers
        .map(|member| (member, member.sync(world)))
        .collect();
    let leader = members
        .iter()
        .find(|member| member.leads)
        .expect("a leader");
    tickets.push((leader, leader.sync_with(world, &ids)));
    for (member, ticket) in tickets {
        let response = world.expect(&ticket);
        assert_eq!(response.error_code, ErrorCode::NONE);
        assert_eq!(response.assignment, share_of(&member.id));
    }
}

/// A stable group of so many members; the first one leads.
#[track_caller]
pub(crate) fn stable_group(world: &mut World, count: usize) -> Vec<Member> {
    let mut members: Vec<Member> = (0..count).map(|_| Member::new(world)).collect();
    form(world, &mut members);
    members
}

/// Lets these form a group; the first one leads.
#[track_caller]
pub(crate) fn form(world: &mut World, members: &mut [Member]) {
    members[0].join_now(world);
    if members.len() == 1 {
        return assign(world, members);
    }
    let tickets: Vec<_> = members[1..]
        .iter_mut()
        .map(|member| member.join(world))
        .collect();
    members[0].join_now(world);
    for (member, ticket) in members[1..].iter_mut().zip(&tickets) {
        member.joined(world, ticket);
    }
    assert!(members[0].leads, "the first one leads");
    assign(world, members);
}
