//! JoinGroup and SyncGroup: who is let in, and under which protocol.

use std::time::Duration;

use windlass_protocol::ErrorCode;
use windlass_protocol::messages::sync_group::SyncGroupRequest;

use crate::member::{GROUP, Member, stable_group};
use crate::world::World;

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
