//! Topics and groups, as an administrator sees them.

use windlass_protocol::ErrorCode;
use windlass_protocol::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsTopic,
};
use windlass_protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use windlass_protocol::messages::delete_groups::DeleteGroupsRequest;
use windlass_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use windlass_protocol::messages::describe_groups::DescribeGroupsRequest;
use windlass_protocol::messages::list_groups::ListGroupsRequest;

use crate::member::{GROUP, Member, share_of, stable_group};
use crate::world::{Client, World};

fn create(
    world: &mut World,
    client: Client,
    name: &str,
    partitions: i32,
    copies: i16,
) -> ErrorCode {
    let request = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: name.to_owned(),
            num_partitions: partitions,
            replication_factor: copies,
            ..CreatableTopic::default()
        }],
        ..CreateTopicsRequest::default()
    };
    world.ask(client, 7, request).topics[0].error_code
}

#[test]
fn topics_are_created_once_and_with_sense() {
    let mut world = World::new(1);
    let client = world.client(1);
    for (name, partitions, copies, code) in [
        ("fresh", 4, 1, ErrorCode::NONE),
        ("fresh", 4, 1, ErrorCode::TOPIC_ALREADY_EXISTS),
        ("by default", -1, -1, ErrorCode::INVALID_TOPIC_EXCEPTION),
        ("by-default", -1, -1, ErrorCode::NONE),
        ("none", 0, 1, ErrorCode::INVALID_PARTITIONS),
        ("many", 1, 2, ErrorCode::INVALID_REPLICATION_FACTOR),
    ] {
        let found = create(&mut world, client, name, partitions, copies);
        assert_eq!(found, code, "{name}");
    }
    assert!(world.core.leader("fresh", 3).is_some());
    assert!(world.core.leader("fresh", 4).is_none());
    assert!(world.core.leader("by-default", 0).is_some());
}

#[test]
fn a_topic_that_is_made_again_is_another_one() {
    let mut world = World::new(1);
    let client = world.client(1);
    let before = crate::metadata::topic_id(&mut world, "events");
    crate::records::write(&mut world, client, &["a"]);
    for code in [ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION] {
        let request = DeleteTopicsRequest {
            topics: vec![DeleteTopicState {
                name: Some("events".to_owned()),
                ..DeleteTopicState::default()
            }],
            ..DeleteTopicsRequest::default()
        };
        assert_eq!(world.ask(client, 6, request).responses[0].error_code, code);
    }
    create(&mut world, client, "events", 1, 1);
    assert_ne!(crate::metadata::topic_id(&mut world, "events"), before);
    assert_eq!(world.core.high_watermark("events", 0), Some(0));
}

#[test]
fn partitions_only_become_more() {
    let mut world = World::new(1);
    let client = world.client(1);
    for (name, count, code) in [
        ("events", 5, ErrorCode::NONE),
        ("events", 5, ErrorCode::INVALID_PARTITIONS),
        ("events", 2, ErrorCode::INVALID_PARTITIONS),
        ("nothing", 2, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    ] {
        let request = CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic {
                name: name.to_owned(),
                count,
                assignments: None,
            }],
            ..CreatePartitionsRequest::default()
        };
        assert_eq!(world.ask(client, 3, request).results[0].error_code, code);
    }
    assert!(world.core.leader("events", 4).is_some());
}

#[test]
fn groups_are_described() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 2);
    let client = world.client(1);
    let request = DescribeGroupsRequest {
        groups: vec![GROUP.to_owned(), "nobody".to_owned()],
        ..DescribeGroupsRequest::default()
    };
    let answer = world.ask(client, 5, request.clone());
    let group = &answer.groups[0];
    assert_eq!(
        (group.group_state.as_str(), group.protocol_data.as_str()),
        ("Stable", "range")
    );
    assert_eq!(group.protocol_type, "consumer");
    let leader = group
        .members
        .iter()
        .find(|it| it.member_id == members[0].id)
        .unwrap();
    assert_eq!(leader.member_assignment, share_of(&members[0].id));
    assert_eq!(&leader.member_metadata[..], b"topics");
    assert_eq!(
        (leader.client_id.as_str(), leader.client_host.as_str()),
        ("tester", "/test")
    );
    let nobody = &answer.groups[1];
    assert_eq!(
        (nobody.group_state.as_str(), nobody.error_code),
        ("Dead", ErrorCode::NONE)
    );
    let newest = world.ask(client, 6, request.clone());
    assert_eq!(newest.groups[1].error_code, ErrorCode::GROUP_ID_NOT_FOUND);

    members[0].join(&mut world);
    let answer = world.ask(client, 5, request);
    let group = &answer.groups[0];
    assert_eq!(
        (group.group_state.as_str(), group.protocol_data.as_str()),
        ("PreparingRebalance", "")
    );
    assert!(group.members.iter().all(|it| it.member_metadata.is_empty()));
}

#[test]
fn groups_are_listed_by_their_coordinator_and_by_state() {
    let mut world = World::new(3);
    world.act(|core, now| core.move_coordinator(GROUP, 2, now));
    stable_group(&mut world, 1);
    let mut listed = |node, states: &[&str], types: &[&str]| {
        let client = world.client(node);
        let request = ListGroupsRequest {
            states_filter: states.iter().map(|&it| it.to_owned()).collect(),
            types_filter: types.iter().map(|&it| it.to_owned()).collect(),
        };
        world.ask(client, 5, request).groups.len()
    };
    assert_eq!(listed(2, &[], &[]), 1);
    assert_eq!(listed(1, &[], &[]), 0);
    assert_eq!(listed(2, &["stable"], &["Classic"]), 1);
    assert_eq!(listed(2, &["Empty"], &[]), 0);
    assert_eq!(listed(2, &[], &["consumer"]), 0);
}

#[test]
fn only_groups_without_members_are_deleted() {
    let mut world = World::new(1);
    let members: Vec<Member> = stable_group(&mut world, 1);
    let client = world.client(1);
    let request = DeleteGroupsRequest {
        groups_names: vec![GROUP.to_owned()],
    };
    let delete = |world: &mut World| world.ask(client, 2, request.clone()).results[0].error_code;
    assert_eq!(delete(&mut world), ErrorCode::NON_EMPTY_GROUP);
    crate::commits::commit(&mut world, &members[0], 0, 5);
    members[0].leave(&mut world);
    assert_eq!(delete(&mut world), ErrorCode::NONE);
    assert_eq!(delete(&mut world), ErrorCode::GROUP_ID_NOT_FOUND);
    assert!(world.core.committed(GROUP).is_empty());
}
