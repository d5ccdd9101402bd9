//! JoinGroup and SyncGroup: how a group comes to be.

use std::time::Duration;

use windlass_broker::GroupState;
use windlass_protocol::ErrorCode;

use crate::member::{GROUP, Member, form, share_of, stable_group};
use crate::world::World;

#[test]
fn a_single_member_leads_and_assigns() {
    let mut world = World::new(1);
    let mut member = Member::new(&mut world);
    let joined = member.join_now(&mut world);
    assert_eq!(joined.generation_id, 1);
    assert_eq!(joined.leader, member.id);
    assert!(!joined.skip_assignment);
    assert_eq!(joined.protocol_type.as_deref(), Some("consumer"));
    assert_eq!(joined.protocol_name.as_deref(), Some("range"));
    assert_eq!(joined.members.len(), 1);
    assert_eq!(&joined.members[0].metadata[..], b"topics");

    let ticket = member.sync_with(&mut world, &[&member.id]);
    let synced = world.expect(&ticket);
    assert_eq!(synced.error_code, ErrorCode::NONE);
    assert_eq!(synced.assignment, share_of(&member.id));
    assert_eq!(synced.protocol_name.as_deref(), Some("range"));
    assert_eq!(member.heartbeat(&mut world), ErrorCode::NONE);
    assert_eq!(world.core.group(GROUP).unwrap().state, GroupState::Stable);
}

#[test]
fn only_the_leader_is_told_of_the_others() {
    let mut world = World::new(1);
    let mut first = Member::new(&mut world);
    let mut second = Member::new(&mut world);
    first.join_now(&mut world);
    let ticket = second.join(&mut world);
    assert!(
        world.answer(&ticket).is_none(),
        "the first has to come again"
    );
    assert_eq!(
        first.heartbeat(&mut world),
        ErrorCode::REBALANCE_IN_PROGRESS
    );
    let to_leader = first.join_now(&mut world);
    let to_follower = second.joined(&mut world, &ticket);
    assert_eq!(to_leader.members.len(), 2);
    assert!(to_follower.members.is_empty());
    assert_eq!(to_follower.leader, first.id);
    assert_eq!((to_leader.generation_id, to_follower.generation_id), (2, 2));
}

#[test]
fn a_follower_waits_for_the_leader_s_assignment() {
    let mut world = World::new(1);
    let mut members = [Member::new(&mut world), Member::new(&mut world)];
    members[0].join_now(&mut world);
    let ticket = members[1].join(&mut world);
    members[0].join_now(&mut world);
    members[1].joined(&mut world, &ticket);
    let waiting = members[1].sync(&mut world);
    assert!(world.answer(&waiting).is_none());
    // The leader forgets the follower, who then has nothing.
    let ticket = members[0].sync_with(&mut world, &[&members[0].id]);
    assert_eq!(world.expect(&ticket).assignment, share_of(&members[0].id));
    let late = world.expect(&waiting);
    assert_eq!(late.error_code, ErrorCode::NONE);
    assert!(late.assignment.is_empty());
}

#[test]
fn a_follower_that_syncs_late_is_answered_from_memory() {
    let mut world = World::new(1);
    let members = stable_group(&mut world, 2);
    let ticket = members[1].sync(&mut world);
    assert_eq!(world.expect(&ticket).assignment, share_of(&members[1].id));
}

#[test]
fn an_old_client_is_given_an_id_and_admitted_in_one_step() {
    let mut world = World::new(1);
    let mut member = Member::new(&mut world);
    for version in [0, 3] {
        member.version = version;
        member.id.clear();
        let joined = member.join_now(&mut world);
        assert!(joined.member_id.starts_with("tester-"), "{joined:?}");
        member.leave(&mut world);
    }
}

#[test]
fn the_oldest_client_s_session_is_its_rebalance_timeout() {
    let mut world = World::new(1);
    let mut old = Member::new(&mut world);
    old.version = 0;
    old.join_now(&mut world);
    crate::member::assign(&mut world, std::slice::from_ref(&old));
    let mut newcomer = Member::new(&mut world);
    newcomer.rebalance_ms = 1_000;
    let ticket = newcomer.join(&mut world);
    // The old one lives and does not rejoin: it is waited for, its session's ten seconds.
    world.pass_ms(9_000);
    old.heartbeat(&mut world);
    assert!(world.answer(&ticket).is_none());
    world.pass_ms(1_000);
    newcomer.joined(&mut world, &ticket);
    assert_eq!(old.heartbeat(&mut world), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn the_first_join_of_a_group_waits_for_company() {
    let mut world = World::with(|config| {
        config.initial_rebalance_delay = Duration::from_secs(3);
    });
    let mut members: Vec<Member> = (0..2).map(|_| Member::new(&mut world)).collect();
    let first = members[0].join(&mut world);
    world.pass_ms(2_000);
    let second = members[1].join(&mut world);
    // Somebody came, so it waits once more.
    world.pass_ms(3_999);
    assert!(world.answer(&first).is_none());
    world.pass_ms(1);
    assert_eq!(members[0].joined(&mut world, &first).generation_id, 1);
    assert_eq!(members[1].joined(&mut world, &second).generation_id, 1);
}

#[test]
fn the_first_join_of_a_group_waits_no_longer_than_its_rebalance_timeout() {
    let mut world = World::with(|config| {
        config.initial_rebalance_delay = Duration::from_secs(3);
    });
    let mut first = Member::new(&mut world);
    first.rebalance_ms = 5_000;
    let ticket = first.join(&mut world);
    for _ in 0..4 {
        world.pass_ms(1_249);
        let mut another = Member::new(&mut world);
        another.rebalance_ms = 5_000;
        another.join(&mut world);
    }
    world.pass_ms(5);
    first.joined(&mut world, &ticket);
}

#[test]
fn a_first_join_does_not_wait_for_ids_that_nobody_uses() {
    let mut world = World::with(|config| {
        config.initial_rebalance_delay = Duration::from_secs(3);
    });
    let mut first = Member::new(&mut world);
    let ticket = first.join(&mut world);
    Member::new(&mut world).fetch_id(&mut world);
    world.pass_ms(3_000);
    first.joined(&mut world, &ticket);
}

#[test]
fn two_groups_know_nothing_of_each_other() {
    let mut world = World::new(1);
    let mut members: Vec<Member> = (0..3).map(|_| Member::new(&mut world)).collect();
    form(&mut world, &mut members);
    assert_eq!(world.core.group(GROUP).unwrap().members.len(), 3);
    assert!(world.core.group("others").is_none());
}
