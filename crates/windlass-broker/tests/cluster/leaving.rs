//! LeaveGroup.

use windlass_broker::GroupState;
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::leave_group::{LeaveGroupRequest, MemberIdentity};

use crate::member::{GROUP, Member, rebalance, stable_group};
use crate::world::World;

fn leave_of(identities: &[(&str, Option<&str>)]) -> LeaveGroupRequest {
    let members = identities
        .iter()
        .map(|(member_id, instance_id)| MemberIdentity {
            member_id: (*member_id).to_owned(),
            group_instance_id: instance_id.map(str::to_owned),
            ..MemberIdentity::default()
        });
    LeaveGroupRequest {
        group_id: GROUP.to_owned(),
        members: members.collect(),
    }
}

#[test]
fn a_member_that_leaves_is_replaced_by_the_others() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 2);
    let answer = members[0].leave(&mut world);
    assert_eq!(answer.members[0].error_code, ErrorCode::NONE);
    let mut rest = vec![members.remove(1)];
    assert_eq!(
        rest[0].heartbeat(&mut world),
        ErrorCode::REBALANCE_IN_PROGRESS
    );
    rebalance(&mut world, &mut rest);
    assert!(rest[0].leads);
}

#[test]
fn the_last_one_leaves_an_empty_group() {
    let mut world = World::new(1);
    let members = stable_group(&mut world, 1);
    members[0].leave(&mut world);
    let group = world.core.group(GROUP).unwrap();
    assert_eq!(group.state, GroupState::Empty);
    assert_eq!(group.generation, 2);
}

#[test]
fn nobody_is_disturbed_by_a_stranger_that_leaves() {
    let mut world = World::new(1);
    let members = stable_group(&mut world, 1);
    let client = world.client(1);
    let answer = world.ask(client, 5, leave_of(&[("stranger", None), ("", None)]));
    for member in answer.members {
        assert_eq!(member.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    }
    assert_eq!(members[0].heartbeat(&mut world), ErrorCode::NONE);
}

#[test]
fn an_old_client_is_told_at_the_top_of_the_response() {
    let mut world = World::new(1);
    let client = world.client(1);
    let answer = world.ask(client, 2, leave_of(&[("stranger", None)]));
    let told = answer
        .members
        .first()
        .map_or(answer.error_code, |member| member.error_code);
    assert_eq!(told, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn an_administrator_removes_a_static_member_by_its_name() {
    let mut world = World::new(1);
    let mut member = Member::fixed(&mut world, "a");
    member.join_now(&mut world);
    let client = world.client(1);
    let answer = world.ask(client, 5, leave_of(&[("", Some("a")), ("", Some("b"))]));
    assert_eq!(answer.members[0].error_code, ErrorCode::NONE);
    assert_eq!(answer.members[1].error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(member.heartbeat(&mut world), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_former_self_cannot_leave_for_the_static_member() {
    let mut world = World::new(1);
    let mut member = Member::fixed(&mut world, "a");
    member.join_now(&mut world);
    let client = world.client(1);
    let answer = world.ask(client, 5, leave_of(&[("former", Some("a"))]));
    assert_eq!(answer.members[0].error_code, ErrorCode::FENCED_INSTANCE_ID);
}

#[test]
fn an_id_can_be_given_back_unused() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 1);
    let mut newcomer = Member::new(&mut world);
    newcomer.fetch_id(&mut world);
    let ticket = members[0].join(&mut world);
    assert!(world.answer(&ticket).is_none());
    let answer = newcomer.leave(&mut world);
    assert_eq!(answer.members[0].error_code, ErrorCode::NONE);
    members[0].joined(&mut world, &ticket);
}

#[test]
fn whoever_is_removed_while_it_waits_is_told() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 2);
    let joins = members[0].join(&mut world);
    let client = world.client(1);
    world.ask(client, 5, leave_of(&[(&members[0].id, None)]));
    let refused = world.expect(&joins);
    assert_eq!(refused.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(refused.member_id, "");

    // And now one that waits for its assignment.
    members.remove(0);
    members.push(Member::new(&mut world));
    let second = members[1].join(&mut world);
    members[0].join_now(&mut world);
    members[1].joined(&mut world, &second);
    let follower = members.iter().find(|member| !member.leads).unwrap();
    let syncs = follower.sync(&mut world);
    world.ask(client, 5, leave_of(&[(&follower.id, None)]));
    assert_eq!(
        world.expect(&syncs).error_code,
        ErrorCode::UNKNOWN_MEMBER_ID
    );
}
