//! JoinGroup and SyncGroup: how a group comes to be, and who is not let in.

use std::time::Duration;

use windlass_broker::GroupState;
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::sync_group::SyncGroupRequest;

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
fn an_id_that_nobody_was_given_is_refused() {
    let mut world = World::new(1);
    let mut member = Member::new(&mut world);
    member.id = "made-up".to_owned();
    let ticket = member.send_join(&mut world);
    assert_eq!(
        world.expect(&ticket).error_code,
        ErrorCode::UNKNOWN_MEMBER_ID,
        "there is no such group"
    );
    stable_group(&mut world, 1);
    let ticket = member.send_join(&mut world);
    let refused = world.expect(&ticket);
    assert_eq!(refused.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(refused.member_id, "made-up");
    assert_eq!(refused.generation_id, -1);
}

#[test]
fn session_timeouts_have_limits() {
    let mut world = World::with(|config| {
        config.min_session_timeout = Duration::from_secs(6);
        config.max_session_timeout = Duration::from_secs(60);
    });
    let mut member = Member::new(&mut world);
    for (session_ms, code) in [
        (5_999, ErrorCode::INVALID_SESSION_TIMEOUT),
        (60_001, ErrorCode::INVALID_SESSION_TIMEOUT),
        (6_000, ErrorCode::MEMBER_ID_REQUIRED),
        (60_000, ErrorCode::MEMBER_ID_REQUIRED),
    ] {
        member.session_ms = session_ms;
        let ticket = member.send_join(&mut world);
        assert_eq!(world.expect(&ticket).error_code, code, "{session_ms}");
    }
}

#[test]
fn a_group_without_a_common_protocol_is_refused() {
    let mut world = World::new(1);
    stable_group(&mut world, 1);
    let mut stranger = Member::new(&mut world);
    for (protocol_type, protocols) in [
        ("consumer", vec![("roundrobin", "")]),
        ("connect", vec![("range", "")]),
        ("consumer", vec![]),
    ] {
        stranger.protocol_type = protocol_type;
        stranger.protocols = protocols;
        let ticket = stranger.send_join(&mut world);
        let refused = world.expect(&ticket);
        assert_eq!(refused.error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    }
}

#[test]
fn a_group_of_no_protocol_is_refused() {
    let mut world = World::new(1);
    let mut member = Member::new(&mut world);
    member.protocols.clear();
    let ticket = member.send_join(&mut world);
    let refused = world.expect(&ticket);
    assert_eq!(refused.error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
}

#[test]
fn most_votes_among_the_common_protocols_win() {
    let mut world = World::new(1);
    let mut members: Vec<Member> = (0..3).map(|_| Member::new(&mut world)).collect();
    members[0].protocols = vec![("sticky", ""), ("range", ""), ("roundrobin", "")];
    members[1].protocols = vec![("roundrobin", ""), ("range", "")];
    members[2].protocols = vec![("roundrobin", ""), ("range", "")];
    members[0].join_now(&mut world);
    let tickets: Vec<_> = members[1..]
        .iter_mut()
        .map(|member| member.join(&mut world))
        .collect();
    let joined = members[0].join_now(&mut world);
    assert_eq!(joined.protocol_name.as_deref(), Some("roundrobin"));
    drop(tickets);
}

#[test]
fn a_full_group_takes_nobody_else() {
    let mut world = World::with(|config| config.max_group_size = 2);
    stable_group(&mut world, 2);
    let third = Member::new(&mut world);
    let ticket = third.send_join(&mut world);
    let refused = world.expect(&ticket);
    assert_eq!(refused.error_code, ErrorCode::GROUP_MAX_SIZE_REACHED);
    assert_eq!(refused.member_id, "");
}

#[test]
fn a_place_belongs_to_whoever_joins_first() {
    let mut world = World::with(|config| config.max_group_size = 2);
    let mut members = stable_group(&mut world, 2);
    let mut third = Member::new(&mut world);
    // The leader asks for a rebalance; while it runs, a third one is quicker than the second.
    let leader_joins = members[0].join(&mut world);
    let third_joins = third.join(&mut world);
    let second_joins = members[1].join(&mut world);
    let refused = world.expect(&second_joins);
    assert_eq!(refused.error_code, ErrorCode::GROUP_MAX_SIZE_REACHED);
    world.pass_ms(30_000);
    members[0].joined(&mut world, &leader_joins);
    third.joined(&mut world, &third_joins);
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
fn sync_is_refused_to_whoever_is_not_of_this_generation() {
    let mut world = World::new(1);
    let member = stable_group(&mut world, 1).remove(0);
    let good = SyncGroupRequest {
        group_id: GROUP.to_owned(),
        generation_id: member.generation,
        member_id: member.id.clone(),
        protocol_type: Some("consumer".to_owned()),
        protocol_name: Some("range".to_owned()),
        ..SyncGroupRequest::default()
    };
    let old = SyncGroupRequest {
        generation_id: member.generation - 1,
        ..good.clone()
    };
    let stranger = SyncGroupRequest {
        member_id: "stranger".to_owned(),
        ..good.clone()
    };
    let other_type = SyncGroupRequest {
        protocol_type: Some("connect".to_owned()),
        ..good.clone()
    };
    let other_name = SyncGroupRequest {
        protocol_name: Some("roundrobin".to_owned()),
        ..good.clone()
    };
    let other_group = SyncGroupRequest {
        group_id: "nobody".to_owned(),
        ..good.clone()
    };
    for (request, code) in [
        (good, ErrorCode::NONE),
        (old, ErrorCode::ILLEGAL_GENERATION),
        (stranger, ErrorCode::UNKNOWN_MEMBER_ID),
        (other_type, ErrorCode::INCONSISTENT_GROUP_PROTOCOL),
        (other_name, ErrorCode::INCONSISTENT_GROUP_PROTOCOL),
        (other_group, ErrorCode::UNKNOWN_MEMBER_ID),
    ] {
        let answer = world.ask(member.client, 5, request);
        assert_eq!(answer.error_code, code);
    }
}

#[test]
fn two_groups_know_nothing_of_each_other() {
    let mut world = World::new(1);
    let mut members: Vec<Member> = (0..3).map(|_| Member::new(&mut world)).collect();
    form(&mut world, &mut members);
    assert_eq!(world.core.group(GROUP).unwrap().members.len(), 3);
    assert!(world.core.group("others").is_none());
}
