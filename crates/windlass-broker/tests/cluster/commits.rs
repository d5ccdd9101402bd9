//! OffsetCommit and OffsetFetch.

use windlass_broker::GroupState;
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use windlass_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use windlass_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
    OffsetFetchResponsePartitions,
};

use crate::member::{GROUP, Member, stable_group};
use crate::world::{Client, World};

fn request(member: &Member, partition: i32, offset: i64) -> OffsetCommitRequest {
    OffsetCommitRequest {
        group_id: GROUP.to_owned(),
        generation_id_or_member_epoch: member.generation,
        member_id: member.id.clone(),
        group_instance_id: member.instance_id.clone(),
        topics: vec![OffsetCommitRequestTopic {
            name: "events".to_owned(),
            partitions: vec![OffsetCommitRequestPartition {
                partition_index: partition,
                committed_offset: offset,
                committed_leader_epoch: 3,
                committed_metadata: Some("a note".to_owned()),
            }],
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    }
}

/// Somebody who is no member.
fn outsider(world: &mut World) -> Member {
    Member::new(world)
}

/// Commits an offset of `events`, and tells the answer.
#[track_caller]
pub(crate) fn commit(world: &mut World, member: &Member, partition: i32, offset: i64) -> ErrorCode {
    let answer = world.ask(member.client, 9, request(member, partition, offset));
    answer.topics[0].partitions[0].error_code
}

fn fetched(world: &mut World, client: Client, partition: i32) -> OffsetFetchResponsePartitions {
    let request = OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: GROUP.to_owned(),
            topics: Some(vec![OffsetFetchRequestTopics {
                name: "events".to_owned(),
                partition_indexes: vec![partition],
                ..OffsetFetchRequestTopics::default()
            }]),
            ..OffsetFetchRequestGroup::default()
        }],
        ..OffsetFetchRequest::default()
    };
    let mut answer = world.ask(client, 9, request);
    answer.groups[0].topics[0].partitions.remove(0)
}

/// The committed offset; −1 for none.
#[track_caller]
pub(crate) fn committed(world: &mut World, client: Client, partition: i32) -> i64 {
    fetched(world, client, partition).committed_offset
}

#[test]
fn what_is_committed_is_fetched_again() {
    let mut world = World::new(1);
    let members = stable_group(&mut world, 1);
    assert_eq!(commit(&mut world, &members[0], 1, 42), ErrorCode::NONE);
    let offset = fetched(&mut world, members[0].client, 1);
    assert_eq!(offset.committed_offset, 42);
    assert_eq!(offset.committed_leader_epoch, 3);
    assert_eq!(offset.metadata.as_deref(), Some("a note"));
    assert_eq!(committed(&mut world, members[0].client, 0), -1);
}

#[test]
fn all_offsets_of_a_group_are_told_at_once() {
    let mut world = World::new(1);
    let members = stable_group(&mut world, 1);
    commit(&mut world, &members[0], 0, 1);
    commit(&mut world, &members[0], 2, 3);
    for (version, groups) in [(5, 1), (9, 1)] {
        let request = OffsetFetchRequest {
            groups: vec![OffsetFetchRequestGroup {
                group_id: GROUP.to_owned(),
                topics: None,
                ..OffsetFetchRequestGroup::default()
            }],
            ..OffsetFetchRequest::default()
        };
        let answer = world.ask(members[0].client, version, request);
        assert_eq!(answer.groups.len(), groups);
        let partitions = &answer.groups[0].topics[0].partitions;
        let offsets: Vec<_> = partitions
            .iter()
            .map(|it| (it.partition_index, it.committed_offset))
            .collect();
        assert_eq!(offsets, [(0, 1), (2, 3)]);
    }
}

#[test]
fn topics_are_known_by_id_too() {
    let mut world = World::new(1);
    let members = stable_group(&mut world, 1);
    let id = crate::metadata::topic_id(&mut world, "events");
    let mut by_id = request(&members[0], 0, 5);
    by_id.topics[0].name.clear();
    by_id.topics[0].topic_id = id;
    let answer = world.ask(members[0].client, 10, by_id.clone());
    assert_eq!(answer.topics[0].partitions[0].error_code, ErrorCode::NONE);
    assert_eq!(answer.topics[0].topic_id, id);
    assert_eq!(committed(&mut world, members[0].client, 0), 5);
    by_id.topics[0].topic_id = windlass_model::TopicId::new([9; 16]);
    let answer = world.ask(members[0].client, 10, by_id);
    assert_eq!(
        answer.topics[0].partitions[0].error_code,
        ErrorCode::UNKNOWN_TOPIC_ID
    );
    let unknown = OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: GROUP.to_owned(),
            topics: Some(vec![OffsetFetchRequestTopics {
                topic_id: windlass_model::TopicId::new([9; 16]),
                partition_indexes: vec![0],
                ..OffsetFetchRequestTopics::default()
            }]),
            ..OffsetFetchRequestGroup::default()
        }],
        ..OffsetFetchRequest::default()
    };
    let answer = world.ask(members[0].client, 10, unknown);
    assert_eq!(
        answer.groups[0].topics[0].partitions[0].error_code,
        ErrorCode::UNKNOWN_TOPIC_ID
    );
}

#[test]
fn partitions_that_do_not_exist_and_notes_that_are_too_long_are_refused_one_by_one() {
    let mut world = World::new(1);
    let members = stable_group(&mut world, 1);
    let mut mixed = request(&members[0], 0, 5);
    let good = mixed.topics[0].partitions[0].clone();
    mixed.topics[0]
        .partitions
        .push(OffsetCommitRequestPartition {
            partition_index: 3,
            ..good.clone()
        });
    mixed.topics[0]
        .partitions
        .push(OffsetCommitRequestPartition {
            partition_index: 1,
            committed_metadata: Some("x".repeat(4097)),
            ..good
        });
    let answer = world.ask(members[0].client, 9, mixed);
    let codes: Vec<_> = answer.topics[0]
        .partitions
        .iter()
        .map(|partition| partition.error_code)
        .collect();
    assert_eq!(
        codes,
        [
            ErrorCode::NONE,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ErrorCode::OFFSET_METADATA_TOO_LARGE
        ]
    );
    assert_eq!(committed(&mut world, members[0].client, 0), 5);
    assert_eq!(committed(&mut world, members[0].client, 1), -1);
}

#[test]
fn only_members_of_this_generation_commit() {
    let mut world = World::new(1);
    let members = stable_group(&mut world, 1);
    let mut old = members[0].clone();
    old.generation -= 1;
    assert_eq!(
        commit(&mut world, &old, 0, 1),
        ErrorCode::ILLEGAL_GENERATION
    );
    let mut stranger = members[0].clone();
    stranger.id = "stranger".to_owned();
    assert_eq!(
        commit(&mut world, &stranger, 0, 1),
        ErrorCode::UNKNOWN_MEMBER_ID
    );
    let outsider = outsider(&mut world);
    assert_eq!(
        commit(&mut world, &outsider, 0, 1),
        ErrorCode::UNKNOWN_MEMBER_ID
    );
    assert_eq!(committed(&mut world, members[0].client, 0), -1);
}

#[test]
fn a_group_without_members_takes_commits_from_anybody() {
    let mut world = World::new(1);
    let outsider = outsider(&mut world);
    assert_eq!(commit(&mut world, &outsider, 0, 1), ErrorCode::NONE);
    let group = world.core.group(GROUP).unwrap();
    assert_eq!((group.state, group.generation), (GroupState::Empty, 0));
    let members = stable_group(&mut world, 1);
    members[0].leave(&mut world);
    assert_eq!(commit(&mut world, &outsider, 0, 2), ErrorCode::NONE);
    assert_eq!(committed(&mut world, outsider.client, 0), 2);
}

#[test]
fn a_member_of_a_group_that_does_not_exist_is_told_so_in_its_version() {
    let mut world = World::new(1);
    let mut member = outsider(&mut world);
    member.generation = 4;
    member.id = "gone".to_owned();
    for (version, code) in [
        (8, ErrorCode::ILLEGAL_GENERATION),
        (9, ErrorCode::GROUP_ID_NOT_FOUND),
    ] {
        let answer = world.ask(member.client, version, request(&member, 0, 1));
        assert_eq!(answer.topics[0].partitions[0].error_code, code);
    }
}

#[test]
fn a_rebalance_takes_commits_until_the_new_generation() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 2);
    let ticket = members[0].join(&mut world);
    assert_eq!(
        commit(&mut world, &members[1], 0, 1),
        ErrorCode::NONE,
        "the last chance to commit what was read"
    );
    let former = members[1].clone();
    members[1].join_now(&mut world);
    members[0].joined(&mut world, &ticket);
    assert_eq!(
        commit(&mut world, &former, 0, 2),
        ErrorCode::ILLEGAL_GENERATION
    );
    assert_eq!(
        commit(&mut world, &members[1], 0, 3),
        ErrorCode::REBALANCE_IN_PROGRESS
    );
    assert_eq!(committed(&mut world, members[1].client, 0), 1);
}

#[test]
fn offsets_go_with_their_topic() {
    let mut world = World::new(1);
    let members = stable_group(&mut world, 1);
    commit(&mut world, &members[0], 0, 7);
    let delete = DeleteTopicsRequest {
        topics: vec![DeleteTopicState {
            name: Some("events".to_owned()),
            ..DeleteTopicState::default()
        }],
        ..DeleteTopicsRequest::default()
    };
    world.ask(members[0].client, 6, delete);
    assert!(world.core.committed(GROUP).is_empty());
}
