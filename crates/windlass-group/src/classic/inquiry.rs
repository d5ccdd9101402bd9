//! What a leader asks that came back to an assignment which it did not make.

use std::collections::BTreeMap;

use windlass_model::{TopicName, TopicPartition};
use windlass_protocol::consumer_protocol::Assignment;
use windlass_protocol::messages::DescribeGroupsRequest;
use windlass_protocol::messages::describe_groups::DescribeGroupsResponse;

use crate::GroupConfig;

/// Asks the coordinator what every member of the group is assigned.
pub(crate) fn request(config: &GroupConfig) -> DescribeGroupsRequest {
    DescribeGroupsRequest {
        groups: vec![config.group_id.as_str().to_owned()],
        include_authorized_operations: false,
    }
}

/// How many partitions of each topic somebody is assigned; none where the answer does not tell, as that
/// of a group which rebalances.
pub(crate) fn assigned(
    response: &DescribeGroupsResponse,
    config: &GroupConfig,
) -> Option<BTreeMap<TopicName, usize>> {
    let mut groups = response.groups.iter();
    let group = groups.find(|group| group.group_id == config.group_id.as_str())?;
    if !group.error_code.is_none() || group.group_state != "Stable" {
        return None;
    }
    let mut counts = BTreeMap::new();
    for member in &group.members {
        if member.member_assignment.is_empty() {
            continue;
        }
        let assignment = Assignment::decode(&member.member_assignment).ok()?;
        for TopicPartition { topic, .. } in assignment.partitions.iter() {
            *counts.entry(topic).or_insert(0) += 1;
        }
    }
    Some(counts)
}
