//! `windlass groups`: who is in a group, what it owns, and how far it is behind.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use windlass::machine::Destination;
use windlass::model::NodeId;
use windlass::protocol::consumer_protocol::Assignment;
use windlass::protocol::messages::describe_groups::{DescribeGroupsRequest, DescribedGroup};
use windlass::protocol::messages::find_coordinator::FindCoordinatorRequest;
use windlass::protocol::messages::list_groups::ListGroupsRequest;
use windlass::protocol::messages::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestGroup};
use windlass::protocol::{ErrorCode, ResponseKind};
use windlass::{Consumer, TopicPartition};

use crate::admin::{Admin, check};
use crate::arguments::GroupsArguments;
use crate::failure::Failure;
use crate::output;

pub(crate) async fn run(arguments: GroupsArguments) -> Result<(), Failure> {
    let mut admin = Admin::new(&arguments.bootstrap)?;
    match &arguments.group {
        None => list(&mut admin, arguments.json).await,
        Some(group) => describe(&mut admin, &arguments.bootstrap, group, arguments.json).await,
    }
}

async fn list(admin: &mut Admin, as_json: bool) -> Result<(), Failure> {
    let metadata = admin.metadata(&[], false).await?;
    let mut rows = BTreeSet::new();
    for broker in &metadata.brokers {
        let destination = Destination::Node(NodeId(broker.node_id));
        let ResponseKind::ListGroups(response) =
            admin.ask(destination, ListGroupsRequest::default()).await?
        else {
            return Err(Failure::new(
                "a broker answered with something that is no list of groups",
            ));
        };
        check("listing groups", response.error_code)?;
        for group in response.groups {
            rows.insert((
                group.group_id,
                group.group_state,
                group.protocol_type,
                broker.node_id,
            ));
        }
    }
    if as_json {
        for (group, state, protocol, coordinator) in rows {
            let line = json!({"group": group, "state": state, "protocolType": protocol, "coordinator": coordinator});
            output::line(&line.to_string())?;
        }
        return Ok(());
    }
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(group, state, protocol, coordinator)| {
            vec![group, state, protocol, coordinator.to_string()]
        })
        .collect();
    output::table(&["GROUP", "STATE", "PROTOCOL", "COORDINATOR"], &rows)
}

/// One partition of a group.
struct Row {
    partition: TopicPartition,
    committed: Option<i64>,
    end: i64,
    member: String,
    client: String,
    host: String,
}

impl Row {
    fn lag(&self) -> Option<i64> {
        self.committed
            .map(|committed| (self.end - committed).max(0))
    }
}

async fn describe(
    admin: &mut Admin,
    bootstrap: &str,
    group: &str,
    as_json: bool,
) -> Result<(), Failure> {
    let coordinator = find_coordinator(admin, group).await?;
    let described = describe_group(admin, coordinator, group).await?;
    let committed = committed_offsets(admin, coordinator, group).await?;
    let owners = owners(&described);
    let partitions: BTreeSet<TopicPartition> =
        committed.keys().chain(owners.keys()).cloned().collect();
    let ends = end_offsets(bootstrap, partitions.iter().cloned()).await?;
    let rows: Vec<Row> = partitions
        .into_iter()
        .map(|partition| {
            let (member, client, host) = owners.get(&partition).cloned().unwrap_or_default();
            Row {
                committed: committed.get(&partition).copied(),
                end: ends.get(&partition).copied().unwrap_or(0),
                partition,
                member,
                client,
                host,
            }
        })
        .collect();
    if as_json {
        print_json(group, &described, &rows)
    } else {
        print_table(group, coordinator, &described, &rows)
    }
}

fn print_json(group: &str, described: &DescribedGroup, rows: &[Row]) -> Result<(), Failure> {
    let partitions: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "topic": row.partition.topic.as_str(),
                "partition": row.partition.partition,
                "committed": row.committed,
                "end": row.end,
                "lag": row.lag(),
                "member": row.member,
            })
        })
        .collect();
    let members: Vec<_> = described
        .members
        .iter()
        .map(|member| {
            json!({
                "member": member.member_id,
                "instance": member.group_instance_id,
                "client": member.client_id,
                "host": member.client_host,
            })
        })
        .collect();
    let line = json!({
        "group": group,
        "state": described.group_state,
        "assignor": described.protocol_data,
        "members": members,
        "partitions": partitions,
    });
    output::line(&line.to_string())
}

fn print_table(
    group: &str,
    coordinator: NodeId,
    described: &DescribedGroup,
    rows: &[Row],
) -> Result<(), Failure> {
    output::line(&format!(
        "group {group}: {}, {} members, assignor {}, coordinator {coordinator}",
        described.group_state,
        described.members.len(),
        if described.protocol_data.is_empty() {
            "none"
        } else {
            &described.protocol_data
        },
    ))?;
    let number =
        |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                row.partition.topic.to_string(),
                row.partition.partition.to_string(),
                number(row.committed),
                row.end.to_string(),
                number(row.lag()),
                if row.member.is_empty() {
                    "-".to_owned()
                } else {
                    row.member.clone()
                },
                row.client.clone(),
                row.host.clone(),
            ]
        })
        .collect();
    output::table(
        &[
            "TOPIC",
            "PARTITION",
            "COMMITTED",
            "END",
            "LAG",
            "MEMBER",
            "CLIENT",
            "HOST",
        ],
        &cells,
    )
}

pub(crate) async fn find_coordinator(admin: &mut Admin, group: &str) -> Result<NodeId, Failure> {
    admin.metadata(&[], false).await?;
    let request = FindCoordinatorRequest {
        coordinator_keys: vec![group.to_owned()],
        ..Default::default()
    };
    for _ in 0..20 {
        let ResponseKind::FindCoordinator(response) =
            admin.ask(Destination::Any, request.clone()).await?
        else {
            break;
        };
        match response.coordinators.first() {
            Some(found) if found.error_code.is_none() => return Ok(NodeId(found.node_id)),
            Some(found) if !found.error_code.is_retriable() => check(group, found.error_code)?,
            _ => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
        }
    }
    Err(Failure::new(format!(
        "no broker knows the coordinator of group {group}"
    )))
}

pub(crate) async fn describe_group(
    admin: &mut Admin,
    coordinator: NodeId,
    group: &str,
) -> Result<DescribedGroup, Failure> {
    let request = DescribeGroupsRequest {
        groups: vec![group.to_owned()],
        ..Default::default()
    };
    let ResponseKind::DescribeGroups(response) =
        admin.ask(Destination::Node(coordinator), request).await?
    else {
        return Err(Failure::new(
            "a broker answered with something that describes no group",
        ));
    };
    let described = response
        .groups
        .into_iter()
        .next()
        .ok_or_else(|| Failure::new(format!("group {group} was not described")))?;
    if described.error_code == ErrorCode::GROUP_ID_NOT_FOUND {
        return Err(Failure::new(format!(
            "group {group} does not exist, or its members use the consumer protocol, which cannot be described yet"
        )));
    }
    check(&format!("group {group}"), described.error_code)?;
    Ok(described)
}

async fn committed_offsets(
    admin: &mut Admin,
    coordinator: NodeId,
    group: &str,
) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
    let request = OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: group.to_owned(),
            topics: None,
            ..Default::default()
        }],
        ..Default::default()
    };
    let answer = admin
        .ask_up_to(Destination::Node(coordinator), request, Some(9))
        .await?;
    let ResponseKind::OffsetFetch(response) = answer else {
        return Err(Failure::new(
            "a broker answered with something that holds no offsets",
        ));
    };
    let mut committed = BTreeMap::new();
    for found in response.groups {
        check(group, found.error_code)?;
        for topic in found.topics {
            for partition in topic.partitions {
                if partition.committed_offset >= 0 {
                    let key = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                    committed.insert(key, partition.committed_offset);
                }
            }
        }
    }
    Ok(committed)
}

/// Who owns what: member, client and host of each partition.
fn owners(described: &DescribedGroup) -> BTreeMap<TopicPartition, (String, String, String)> {
    let mut owners = BTreeMap::new();
    for member in &described.members {
        // Other clients may write assignments of their own making; those show no partitions.
        let Ok(assignment) = Assignment::decode(&member.member_assignment) else {
            continue;
        };
        for partition in assignment.partitions.iter() {
            let owner = (
                member.member_id.clone(),
                member.client_id.clone(),
                member.client_host.clone(),
            );
            owners.insert(partition, owner);
        }
    }
    owners
}

async fn end_offsets(
    bootstrap: &str,
    partitions: impl IntoIterator<Item = TopicPartition>,
) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
    let mut consumer = Consumer::builder().bootstrap_servers(bootstrap).build()?;
    Ok(consumer.end_offsets(partitions).await?)
}
