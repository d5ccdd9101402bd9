//! The situation of a group that runs: what its coordinator and the metadata say.

use std::collections::{BTreeMap, BTreeSet};

use windlass::protocol::consumer_protocol::{Assignment, Subscription};
use windlass::protocol::messages::describe_groups::DescribedGroup;

use crate::admin::Admin;
use crate::assign::situation::{MemberSituation, Situation, TopicSituation};
use crate::failure::Failure;
use crate::groups::{describe_group, find_coordinator};

/// The members of the group with what they own now, and the topics they subscribe to.
pub(crate) async fn situation(bootstrap: &str, group: &str) -> Result<Situation, Failure> {
    let mut admin = Admin::new(bootstrap)?;
    let coordinator = find_coordinator(&mut admin, group).await?;
    let described = describe_group(&mut admin, coordinator, group).await?;
    // Only a settled group tells who subscribes to what and who has what.
    if described.group_state != "Stable" {
        return Err(Failure::new(format!(
            "group {group} is {:?} and not \"Stable\": only a group with members that has finished its \
             rebalance can be read",
            described.group_state
        )));
    }
    let members = members(&described)?;
    let topics: BTreeSet<&str> = members
        .values()
        .flat_map(|member| member.topics.iter().map(String::as_str))
        .collect();
    let topics: Vec<&str> = topics.into_iter().collect();
    let topics = topic_racks(&mut admin, &topics).await?;
    Ok(Situation {
        assignor: None,
        topics,
        members,
    })
}

fn members(described: &DescribedGroup) -> Result<BTreeMap<String, MemberSituation>, Failure> {
    let mut members = BTreeMap::new();
    for member in &described.members {
        let unreadable = |what: &str, error: &dyn std::error::Error| {
            Failure::new(format!(
                "the {what} of member {} cannot be read: {error}",
                member.member_id
            ))
        };
        let subscription = Subscription::decode(&member.member_metadata)
            .map_err(|error| unreadable("subscription", &error))?;
        let assignment = Assignment::decode(&member.member_assignment)
            .map_err(|error| unreadable("assignment", &error))?;
        let topics = subscription.topics.iter();
        let owned = assignment.partitions.iter();
        let situation = MemberSituation {
            topics: topics.map(|topic| topic.as_str().to_owned()).collect(),
            owned: owned
                .map(|owned| (owned.topic.as_str().to_owned(), owned.partition))
                .collect(),
            // They all have it from the generation that stands now, whatever its number.
            generation: Some(1),
            instance: member.group_instance_id.clone(),
            rack: subscription.rack,
        };
        members.insert(member.member_id.clone(), situation);
    }
    Ok(members)
}

/// How many partitions the topics have, and where their replicas are. A topic that does not exist is
/// left out, as a leader of the group would.
async fn topic_racks(
    admin: &mut Admin,
    names: &[&str],
) -> Result<BTreeMap<String, TopicSituation>, Failure> {
    let metadata = admin.metadata(names, false).await?;
    let racks: BTreeMap<i32, &str> = metadata
        .brokers
        .iter()
        .filter_map(|broker| Some((broker.node_id, broker.rack.as_deref()?)))
        .collect();
    let mut topics = BTreeMap::new();
    for topic in &metadata.topics {
        let (Some(name), true) = (&topic.name, topic.error_code.is_none()) else {
            continue;
        };
        let mut of_partitions = vec![Vec::new(); topic.partitions.len()];
        for partition in &topic.partitions {
            let index = usize::try_from(partition.partition_index).unwrap_or(usize::MAX);
            if let Some(found) = of_partitions.get_mut(index) {
                let nodes = partition.replica_nodes.iter();
                *found = nodes
                    .filter_map(|node| racks.get(node).map(|rack| (*rack).to_owned()))
                    .collect();
            }
        }
        let situation = TopicSituation {
            partitions: topic.partitions.len(),
            racks: (!racks.is_empty()).then_some(of_partitions),
        };
        topics.insert(name.clone(), situation);
    }
    Ok(topics)
}
