//! Coordinators that move: what the new one knows, and what it does not.

use windlass_broker::GroupState;
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::find_coordinator::{Coordinator, FindCoordinatorRequest};

use crate::commits::{commit, committed};
use crate::member::{GROUP, Member, rebalance, share_of, stable_group};
use crate::world::World;

fn coordinator(world: &mut World, node: i32) -> Coordinator {
    let client = world.client(node);
    let request = FindCoordinatorRequest {
        coordinator_keys: vec![GROUP.to_owned()],
        ..FindCoordinatorRequest::default()
    };
    world.ask(client, 4, request).coordinators.remove(0)
}

/// A group whose coordinator is node 1.
fn group_on_node_1(count: usize) -> (World, Vec<Member>) {
    let mut world = World::new(3);
    world.act(|core, now| core.move_coordinator(GROUP, 1, now));
    let members = stable_group(&mut world, count);
    (world, members)
}

#[test]
fn every_node_names_the_same_coordinator() {
    let mut world = World::new(3);
    let named: Vec<i32> = (1..=3)
        .map(|node| coordinator(&mut world, node).node_id)
        .collect();
    assert_eq!(named, vec![named[0]; 3]);
}

#[test]
fn the_oldest_request_is_answered_too() {
    let mut world = World::new(1);
    let client = world.client(1);
    let request = FindCoordinatorRequest {
        coordinator_keys: vec![GROUP.to_owned()],
        ..FindCoordinatorRequest::default()
    };
    let answer = world.ask(client, 0, request);
    assert_eq!(answer.coordinators[0].node_id, 1);
}

#[test]
fn a_stable_group_moves_without_a_rebalance() {
    let (mut world, mut members) = group_on_node_1(2);
    commit(&mut world, &members[0], 0, 7);
    world.act(|core, now| core.move_coordinator(GROUP, 2, now));
    assert_eq!(members[0].heartbeat(&mut world), ErrorCode::NOT_COORDINATOR);
    assert_eq!(coordinator(&mut world, 3).node_id, 2);
    for member in &mut members {
        member.reconnect(&mut world);
        assert_eq!(member.client.node, 2);
        assert_eq!(member.heartbeat(&mut world), ErrorCode::NONE);
    }
    let ticket = members[1].sync(&mut world);
    assert_eq!(world.expect(&ticket).assignment, share_of(&members[1].id));
    assert_eq!(committed(&mut world, members[0].client, 0), 7);
}

#[test]
fn sessions_begin_anew_with_the_new_coordinator() {
    let (mut world, mut members) = group_on_node_1(1);
    world.pass_ms(9_000);
    world.act(|core, now| core.move_coordinator(GROUP, 2, now));
    world.pass_ms(9_000);
    members[0].reconnect(&mut world);
    assert_eq!(members[0].heartbeat(&mut world), ErrorCode::NONE);
}

#[test]
fn whoever_waits_for_the_former_coordinator_is_told() {
    let (mut world, mut members) = group_on_node_1(2);
    let ticket = members[0].join(&mut world);
    world.act(|core, now| core.move_coordinator(GROUP, 2, now));
    assert_eq!(world.expect(&ticket).error_code, ErrorCode::NOT_COORDINATOR);
}

#[test]
fn a_rebalance_under_way_is_forgotten() {
    let (mut world, mut members) = group_on_node_1(2);
    // The newcomer is part of generation 3, which nobody assigned.
    let mut newcomer = Member::new(&mut world);
    let joins = newcomer.join(&mut world);
    let first = members[0].join(&mut world);
    members[1].join_now(&mut world);
    members[0].joined(&mut world, &first);
    newcomer.joined(&mut world, &joins);
    let syncs = newcomer.sync(&mut world);
    world.act(|core, now| core.move_coordinator(GROUP, 2, now));
    assert_eq!(world.expect(&syncs).error_code, ErrorCode::NOT_COORDINATOR);
    let group = world.core.group(GROUP).unwrap();
    assert_eq!((group.state, group.generation), (GroupState::Stable, 2));
    for member in members.iter_mut().chain([&mut newcomer]) {
        member.reconnect(&mut world);
    }
    assert_eq!(
        members[0].heartbeat(&mut world),
        ErrorCode::ILLEGAL_GENERATION
    );
    assert_eq!(newcomer.heartbeat(&mut world), ErrorCode::UNKNOWN_MEMBER_ID);
    newcomer.id.clear();
    let joins = newcomer.join(&mut world);
    let first = members[0].join(&mut world);
    members[1].join_now(&mut world);
    members[0].joined(&mut world, &first);
    newcomer.joined(&mut world, &joins);
    assert_eq!(newcomer.generation, 3);
}

#[test]
fn a_group_that_never_assigned_is_unknown_to_its_next_coordinator() {
    let mut world = World::new(3);
    world.act(|core, now| core.move_coordinator(GROUP, 1, now));
    let mut member = Member::new(&mut world);
    member.join_now(&mut world);
    world.act(|core, now| core.move_coordinator(GROUP, 2, now));
    member.reconnect(&mut world);
    assert_eq!(member.heartbeat(&mut world), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(world.core.group(GROUP).unwrap().state, GroupState::Empty);
}

#[test]
fn the_death_of_the_coordinator_moves_the_group() {
    let (mut world, mut members) = group_on_node_1(2);
    world.act(|core, now| core.kill_node(1, now));
    assert!(world.is_closed(members[0].client));
    let next = coordinator(&mut world, 3);
    assert_ne!(next.node_id, 1);
    for member in &mut members {
        member.reconnect(&mut world);
        assert_eq!(member.heartbeat(&mut world), ErrorCode::NONE);
    }
    world.act(|core, now| core.restart_node(1, now));
    assert_eq!(coordinator(&mut world, 1).node_id, next.node_id);
}

#[test]
fn another_node_s_death_moves_nothing() {
    let (mut world, members) = group_on_node_1(2);
    world.act(|core, now| core.kill_node(3, now));
    assert_eq!(coordinator(&mut world, 2).node_id, 1);
    assert_eq!(members[0].heartbeat(&mut world), ErrorCode::NONE);
    world.act(|core, now| core.restart_node(3, now));
    assert_eq!(members[1].heartbeat(&mut world), ErrorCode::NONE);
}

#[test]
fn only_the_groups_of_a_dead_node_move() {
    let mut world = World::new(3);
    let coordinators = |world: &World| -> Vec<i32> {
        (0..50)
            .map(|index| format!("group-{index}"))
            .map(|group| world.core.coordinator_of_group(&group).unwrap().0)
            .collect()
    };
    let before = coordinators(&world);
    assert!((1..=3).all(|node| before.contains(&node)));
    world.act(|core, now| core.kill_node(3, now));
    let after = coordinators(&world);
    for (before, after) in before.iter().zip(&after) {
        assert!(*after != 3 && (*before == 3 || before == after));
    }
    world.act(|core, now| core.restart_node(3, now));
    assert_eq!(coordinators(&world), after);
}

#[test]
fn a_static_member_that_was_never_assigned_is_new_to_the_next_coordinator() {
    let mut world = World::new(3);
    world.act(|core, now| core.move_coordinator(GROUP, 1, now));
    let mut member = Member::fixed(&mut world, "a");
    member.join_now(&mut world);
    world.act(|core, now| core.move_coordinator(GROUP, 2, now));
    member.reconnect(&mut world);
    member.id.clear();
    assert_eq!(member.join_now(&mut world).generation_id, 1);
}

#[test]
fn a_group_sleeps_while_no_node_lives() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 2);
    commit(&mut world, &members[0], 0, 7);
    world.act(|core, now| core.kill_node(1, now));
    assert!(world.core.poll_timeout().is_none());
    world.pass_ms(3_600_000);
    world.act(|core, now| core.restart_node(1, now));
    for member in &mut members {
        member.reconnect(&mut world);
        assert_eq!(member.heartbeat(&mut world), ErrorCode::NONE);
    }
    rebalance(&mut world, &mut members);
    assert_eq!(committed(&mut world, members[0].client, 0), 7);
}
