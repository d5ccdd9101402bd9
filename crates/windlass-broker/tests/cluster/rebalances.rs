//! What begins a rebalance, what does not, and how one ends.

use windlass_broker::GroupState;
use windlass_protocol::ErrorCode;

use crate::member::{GROUP, Member, assign, rebalance, share_of, stable_group};
use crate::world::World;

#[test]
fn a_newcomer_makes_everybody_join_again() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 2);
    members.push(Member::new(&mut world));
    let ticket = members[2].join(&mut world);
    for member in &members[..2] {
        assert_eq!(
            member.heartbeat(&mut world),
            ErrorCode::REBALANCE_IN_PROGRESS
        );
    }
    let first = members[0].join(&mut world);
    assert!(world.answer(&first).is_none(), "one is missing");
    members[1].join_now(&mut world);
    members[0].joined(&mut world, &first);
    members[2].joined(&mut world, &ticket);
    assert_eq!(members[2].generation, 3);
    assign(&mut world, &members);
}

#[test]
fn a_follower_that_joins_again_unchanged_disturbs_nobody() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 2);
    let again = members[1].join_now(&mut world);
    assert_eq!(again.generation_id, 2);
    assert!(again.members.is_empty());
    assert_eq!(members[0].heartbeat(&mut world), ErrorCode::NONE);
}

#[test]
fn a_follower_that_joins_with_other_metadata_begins_a_rebalance() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 2);
    members[1].protocols = vec![("range", "other topics")];
    let ticket = members[1].join(&mut world);
    assert_eq!(
        members[0].heartbeat(&mut world),
        ErrorCode::REBALANCE_IN_PROGRESS
    );
    let told = members[0].join_now(&mut world);
    let metadata = |id: &str| {
        let found = told.members.iter().find(|member| member.member_id == id);
        found.unwrap().metadata.clone()
    };
    assert_eq!(&metadata(&members[1].id)[..], b"other topics");
    members[1].joined(&mut world, &ticket);
}

#[test]
fn a_leader_that_joins_again_begins_a_rebalance() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 2);
    let ticket = members[0].join(&mut world);
    assert!(world.answer(&ticket).is_none());
    members[1].join_now(&mut world);
    assert_eq!(members[0].joined(&mut world, &ticket).generation_id, 3);
}

#[test]
fn a_join_repeated_while_the_group_syncs_is_answered_again() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 2);
    let ticket = members[0].join(&mut world);
    members[1].join_now(&mut world);
    members[0].joined(&mut world, &ticket);
    let again = members[0].join_now(&mut world);
    assert_eq!((again.generation_id, again.members.len()), (3, 2));
    let again = members[1].join_now(&mut world);
    assert_eq!((again.generation_id, again.members.len()), (3, 0));
    assign(&mut world, &members);
}

#[test]
fn a_rebalance_during_the_sync_sends_everybody_back() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 2);
    let ticket = members[0].join(&mut world);
    members[1].join_now(&mut world);
    members[0].joined(&mut world, &ticket);
    let waiting = members[1].sync(&mut world);
    members.push(Member::new(&mut world));
    let joins = members[2].join(&mut world);
    assert_eq!(
        world.expect(&waiting).error_code,
        ErrorCode::REBALANCE_IN_PROGRESS
    );
    let late = members[0].sync_with(&mut world, &[]);
    assert_eq!(
        world.expect(&late).error_code,
        ErrorCode::REBALANCE_IN_PROGRESS
    );
    let first = members[0].join(&mut world);
    members[1].join_now(&mut world);
    members[0].joined(&mut world, &first);
    members[2].joined(&mut world, &joins);
    assign(&mut world, &members);
}

#[test]
fn whoever_does_not_join_in_time_is_out() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 2);
    let mut newcomer = Member::new(&mut world);
    let ticket = newcomer.join(&mut world);
    let first = members[0].join(&mut world);
    // The second one is alive, and busy with its records.
    for _ in 0..5 {
        world.pass_ms(5_000);
        assert_eq!(
            members[1].heartbeat(&mut world),
            ErrorCode::REBALANCE_IN_PROGRESS
        );
    }
    world.pass_ms(4_999);
    assert!(world.answer(&ticket).is_none());
    world.pass_ms(1);
    members[0].joined(&mut world, &first);
    newcomer.joined(&mut world, &ticket);
    assert_eq!(
        members[1].heartbeat(&mut world),
        ErrorCode::UNKNOWN_MEMBER_ID
    );
}

#[test]
fn the_longest_rebalance_timeout_of_all_counts() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 2);
    let mut patient = Member::new(&mut world);
    patient.rebalance_ms = 60_000;
    let ticket = patient.join(&mut world);
    let first = members[0].join(&mut world);
    for _ in 0..11 {
        world.pass_ms(5_000);
        members[1].heartbeat(&mut world);
    }
    assert!(world.answer(&ticket).is_none());
    world.pass_ms(5_000);
    patient.joined(&mut world, &ticket);
    members[0].joined(&mut world, &first);
}

#[test]
fn another_member_leads_if_the_leader_does_not_come() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 2);
    let mut newcomer = Member::new(&mut world);
    newcomer.join(&mut world);
    let follower = members[1].join(&mut world);
    for _ in 0..6 {
        members[0].heartbeat(&mut world);
        world.pass_ms(5_000);
    }
    let joined = members[1].joined(&mut world, &follower);
    assert_ne!(joined.leader, members[0].id);
    let leader = world.core.group(GROUP).unwrap().leader;
    assert_eq!(leader, Some(joined.leader));
}

#[test]
fn a_leader_stays_leader() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 3);
    for _ in 0..3 {
        rebalance(&mut world, &mut members);
        assert!(members[0].leads);
    }
    assert_eq!(members[0].generation, 5);
}

#[test]
fn an_id_that_was_given_out_is_waited_for() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 1);
    let mut newcomer = Member::new(&mut world);
    newcomer.fetch_id(&mut world);
    assert_eq!(
        members[0].heartbeat(&mut world),
        ErrorCode::NONE,
        "an id alone begins nothing"
    );
    let ticket = members[0].join(&mut world);
    assert!(world.answer(&ticket).is_none());
    let joins = newcomer.join(&mut world);
    members[0].joined(&mut world, &ticket);
    newcomer.joined(&mut world, &joins);
}

#[test]
fn an_id_that_is_not_used_is_forgotten_after_its_session() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 1);
    let mut newcomer = Member::new(&mut world);
    newcomer.session_ms = 6_000;
    newcomer.fetch_id(&mut world);
    let ticket = members[0].join(&mut world);
    world.pass_ms(5_999);
    assert!(world.answer(&ticket).is_none());
    world.pass_ms(1);
    members[0].joined(&mut world, &ticket);
    let too_late = newcomer.send_join(&mut world);
    assert_eq!(
        world.expect(&too_late).error_code,
        ErrorCode::UNKNOWN_MEMBER_ID
    );
}

#[test]
fn an_id_outlives_a_rebalance_that_did_not_wait_for_it() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 1);
    let mut slow = Member::new(&mut world);
    slow.session_ms = 60_000;
    slow.fetch_id(&mut world);
    let ticket = members[0].join(&mut world);
    world.pass_ms(30_000);
    members[0].joined(&mut world, &ticket);
    let joins = slow.join(&mut world);
    members[0].join_now(&mut world);
    slow.joined(&mut world, &joins);
}

#[test]
fn whoever_joins_and_does_not_sync_is_out() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 2);
    let ticket = members[0].join(&mut world);
    members[1].join_now(&mut world);
    members[0].joined(&mut world, &ticket);
    // The leader is lost in thought, with its heart beating.
    let waiting = members[1].sync(&mut world);
    for _ in 0..5 {
        world.pass_ms(5_000);
        assert_eq!(members[0].heartbeat(&mut world), ErrorCode::NONE);
    }
    assert!(world.answer(&waiting).is_none());
    world.pass_ms(5_000);
    assert_eq!(
        world.expect(&waiting).error_code,
        ErrorCode::REBALANCE_IN_PROGRESS
    );
    assert_eq!(
        members[0].heartbeat(&mut world),
        ErrorCode::UNKNOWN_MEMBER_ID
    );
    let joined = members[1].join_now(&mut world);
    assert_eq!(joined.leader, members[1].id);
}

#[test]
fn even_a_stable_group_waits_for_every_sync() {
    let mut world = World::new(1);
    let mut members = stable_group(&mut world, 2);
    let ticket = members[0].join(&mut world);
    members[1].join_now(&mut world);
    members[0].joined(&mut world, &ticket);
    let ids = [members[0].id.clone(), members[1].id.clone()];
    let ticket = members[0].sync_with(&mut world, &[&ids[0], &ids[1]]);
    assert_eq!(world.expect(&ticket).assignment, share_of(&ids[0]));
    assert_eq!(world.core.group(GROUP).unwrap().state, GroupState::Stable);
    for _ in 0..6 {
        assert_eq!(members[0].heartbeat(&mut world), ErrorCode::NONE);
        assert_eq!(members[1].heartbeat(&mut world), ErrorCode::NONE);
        world.pass_ms(5_000);
    }
    assert_eq!(
        members[1].heartbeat(&mut world),
        ErrorCode::UNKNOWN_MEMBER_ID
    );
    assert_eq!(
        members[0].heartbeat(&mut world),
        ErrorCode::REBALANCE_IN_PROGRESS
    );
}

#[test]
fn a_group_that_has_synced_stays_stable() {
    let mut world = World::new(1);
    let members = stable_group(&mut world, 2);
    for _ in 0..20 {
        world.pass_ms(5_000);
        for member in &members {
            assert_eq!(member.heartbeat(&mut world), ErrorCode::NONE);
        }
    }
    assert_eq!(world.core.group(GROUP).unwrap().generation, 2);
}
