//! Heartbeats, and what happens without them.

use windlass_broker::GroupState;
use windlass_protocol::ErrorCode;

use crate::commits::commit;
use crate::member::{GROUP, Member, stable_group};
use crate::world::World;

#[test]
fn a_silent_member_is_given_up_after_its_session() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 2);
    world.pass_ms(5_000);
    members[0].heartbeat(&mut world);
    world.pass_ms(4_999);
    assert_eq!(members[0].heartbeat(&mut world), ErrorCode::NONE);
    world.pass_ms(1);
    assert_eq!(
        members[0].heartbeat(&mut world),
        ErrorCode::REBALANCE_IN_PROGRESS
    );
    assert_eq!(
        members[1].heartbeat(&mut world),
        ErrorCode::UNKNOWN_MEMBER_ID
    );
    assert_eq!(members[0].join_now(&mut world).members.len(), 1);
}

#[test]
fn a_group_that_is_left_by_all_is_empty() {
    let mut world = World::new(1);
    let members = stable_group(&mut world, 2);
    world.pass_ms(10_000);
    let group = world.core.group(GROUP).unwrap();
    assert_eq!(group.state, GroupState::Empty);
    assert_eq!(group.leader, None);
    assert_eq!(group.protocol, None);
    assert_eq!(group.generation, 3);
    assert_eq!(
        members[0].heartbeat(&mut world),
        ErrorCode::UNKNOWN_MEMBER_ID
    );
    assert!(
        world.core.poll_timeout().is_none(),
        "nothing is left to wait for"
    );
}

#[test]
fn a_heartbeat_says_who_is_not_of_this_generation() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 1);
    let member = &mut members[0];
    member.generation -= 1;
    assert_eq!(member.heartbeat(&mut world), ErrorCode::ILLEGAL_GENERATION);
    member.generation += 1;
    member.id = "stranger".to_owned();
    assert_eq!(member.heartbeat(&mut world), ErrorCode::UNKNOWN_MEMBER_ID);
    member.instance_id = Some("nobody".to_owned());
    assert_eq!(member.heartbeat(&mut world), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_commit_keeps_a_member_alive() {
    let mut world = World::new(1);
    let members = stable_group(&mut world, 1);
    for offset in 0..5 {
        world.pass_ms(9_000);
        let code = commit(&mut world, &members[0], 0, offset);
        assert_eq!(code, ErrorCode::NONE);
    }
    assert_eq!(members[0].heartbeat(&mut world), ErrorCode::NONE);
}

#[test]
fn whoever_waits_for_a_join_is_not_given_up() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 2);
    let ticket = members[0].join(&mut world);
    for _ in 0..5 {
        world.pass_ms(5_000);
        members[1].heartbeat(&mut world);
    }
    assert!(world.answer(&ticket).is_none(), "25 s, sessions are 10 s");
    members[1].join_now(&mut world);
    members[0].joined(&mut world, &ticket);
}

#[test]
fn whoever_waits_for_an_assignment_is_not_given_up() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 2);
    let ticket = members[0].join(&mut world);
    members[1].join_now(&mut world);
    members[0].joined(&mut world, &ticket);
    let waiting = members[1].sync(&mut world);
    for _ in 0..5 {
        world.pass_ms(5_000);
        members[0].heartbeat(&mut world);
    }
    let ids = [members[0].id.clone(), members[1].id.clone()];
    members[0].sync_with(&mut world, &[&ids[0], &ids[1]]);
    assert_eq!(world.expect(&waiting).error_code, ErrorCode::NONE);
    world.pass_ms(9_999);
    assert_eq!(
        members[1].heartbeat(&mut world),
        ErrorCode::NONE,
        "its session begins with the answer"
    );
}

#[test]
fn a_member_that_joins_for_the_first_time_is_given_up_after_five_minutes() {
    let mut world = World::new(1);
    let mut patient = Member::new(&mut world);
    patient.rebalance_ms = 3_600_000;
    patient.session_ms = 1_000_000;
    let mut group = vec![patient];
    crate::member::form(&mut world, &mut group);
    let mut newcomer = Member::new(&mut world);
    let ticket = newcomer.join(&mut world);
    world.pass_ms(299_999);
    assert!(world.answer(&ticket).is_none());
    world.pass_ms(1);
    let refused = world.expect(&ticket);
    assert_eq!(refused.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(refused.member_id, "");
    assert_eq!(world.core.group(GROUP).unwrap().members.len(), 1);
}

#[test]
fn a_broken_connection_does_not_end_a_membership() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 1);
    world.disconnect(members[0].client);
    members[0].reconnect(&mut world);
    assert_eq!(members[0].heartbeat(&mut world), ErrorCode::NONE);
}
