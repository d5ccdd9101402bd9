//! ListGroups, DescribeGroups, DeleteGroups.

use windlass_model::NodeId;
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::delete_groups::{
    DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse,
};
use windlass_protocol::messages::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use windlass_protocol::messages::list_groups::{
    ListGroupsRequest, ListGroupsResponse, ListedGroup,
};

use crate::group::{ClassicGroup, GroupState};
use crate::{ClusterCore, Inbound};

/// The first version in which a group that does not exist is an error, and not just dead.
const GROUP_ID_NOT_FOUND_FROM: i16 = 6;

impl ClusterCore {
    pub(super) fn list_groups(
        &self,
        node: NodeId,
        request: &ListGroupsRequest,
    ) -> ListGroupsResponse {
        let matches = |filter: &[String], text: &str| {
            filter.is_empty()
                || filter
                    .iter()
                    .any(|wanted| wanted.eq_ignore_ascii_case(text))
        };
        let groups = self
            .groups
            .all()
            .filter(|(id, _)| self.coordinators.of(id) == Some(node))
            .filter(|(_, group)| matches(&request.states_filter, group.state.name()))
            .filter(|_| matches(&request.types_filter, "classic"))
            .map(|(id, group)| ListedGroup {
                group_id: id.to_owned(),
                protocol_type: group.protocol_type.clone().unwrap_or_default(),
                group_state: group.state.name().to_owned(),
                group_type: "classic".to_owned(),
            })
            .collect();
        ListGroupsResponse {
            groups,
            ..ListGroupsResponse::default()
        }
    }

    pub(super) fn describe_groups(
        &self,
        inbound: &Inbound,
        request: DescribeGroupsRequest,
    ) -> DescribeGroupsResponse {
        let groups = request
            .groups
            .into_iter()
            .map(|id| self.describe_group(inbound.node, id, inbound.version))
            .collect();
        DescribeGroupsResponse {
            groups,
            ..DescribeGroupsResponse::default()
        }
    }

    fn describe_group(&self, node: NodeId, group_id: String, version: i16) -> DescribedGroup {
        if let Err(error_code) = self.check_coordinator(node, &group_id) {
            return DescribedGroup {
                group_id,
                error_code,
                ..DescribedGroup::default()
            };
        }
        match self.groups.find(&group_id) {
            Some(group) => describe(group_id, group),
            None => DescribedGroup {
                group_id,
                group_state: "Dead".to_owned(),
                error_code: if version >= GROUP_ID_NOT_FOUND_FROM {
                    ErrorCode::GROUP_ID_NOT_FOUND
                } else {
                    ErrorCode::NONE
                },
                ..DescribedGroup::default()
            },
        }
    }

    pub(super) fn delete_groups(
        &mut self,
        node: NodeId,
        request: DeleteGroupsRequest,
    ) -> DeleteGroupsResponse {
        let results = request
            .groups_names
            .into_iter()
            .map(|group_id| {
                let error_code = match self.check_coordinator(node, &group_id) {
                    Err(code) => code,
                    Ok(()) => match self.groups.find(&group_id).map(|group| group.state) {
                        None => ErrorCode::GROUP_ID_NOT_FOUND,
                        Some(GroupState::Empty) => {
                            self.groups.remove(&group_id);
                            ErrorCode::NONE
                        }
                        Some(_) => ErrorCode::NON_EMPTY_GROUP,
                    },
                };
                DeletableGroupResult {
                    group_id,
                    error_code,
                }
            })
            .collect();
        DeleteGroupsResponse {
            results,
            ..DeleteGroupsResponse::default()
        }
    }
}

fn describe(group_id: String, group: &ClassicGroup) -> DescribedGroup {
    let settled = group.state == GroupState::Stable;
    let members = group
        .members
        .values()
        .map(|member| DescribedGroupMember {
            member_id: member.id.clone(),
            group_instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: format!("/{}", member.host),
            member_metadata: if settled {
                member.metadata(group.protocol_name.as_deref())
            } else {
                Default::default()
            },
            member_assignment: member.assignment.clone(),
        })
        .collect();
    DescribedGroup {
        group_id,
        group_state: group.state.name().to_owned(),
        protocol_type: group.protocol_type.clone().unwrap_or_default(),
        protocol_data: if settled {
            group.protocol_name.clone().unwrap_or_default()
        } else {
            String::new()
        },
        members,
        ..DescribedGroup::default()
    }
}
