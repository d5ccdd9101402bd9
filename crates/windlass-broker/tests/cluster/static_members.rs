//! Static members: they come back as who they were (KIP-345, KIP-814).

use windlass_protocol::ErrorCode;

use crate::commits::commit;
use crate::member::{GROUP, Member, assign, form, share_of};
use crate::world::World;

/// Three static members, `a` leads.
fn static_group(world: &mut World) -> Vec<Member> {
    let mut members: Vec<Member> = ["a", "b", "c"]
        .iter()
        .map(|name| Member::fixed(world, name))
        .collect();
    form(world, &mut members);
    members
}

/// The member, as it is after its process was started again.
fn restarted(world: &mut World, member: &Member) -> Member {
    let mut fresh = member.clone();
    fresh.id.clear();
    fresh.generation = -1;
    fresh.leads = false;
    fresh.reconnect(world);
    fresh
}

#[test]
fn a_static_member_is_admitted_in_one_step() {
    let mut world = World::new(1);
    let mut member = Member::fixed(&mut world, "a");
    let joined = member.join_now(&mut world);
    assert!(joined.member_id.starts_with("a-"), "{joined:?}");
    assert_eq!(joined.members[0].group_instance_id.as_deref(), Some("a"));
}

#[test]
fn a_follower_comes_back_and_nobody_notices() {
    let mut world = World::new(1);
    let members = static_group(&mut world);
    let mut back = restarted(&mut world, &members[1]);
    let joined = back.join_now(&mut world);
    assert_eq!(joined.generation_id, members[1].generation);
    assert_ne!(joined.member_id, members[1].id);
    assert!(joined.members.is_empty());
    assert!(!joined.skip_assignment);
    let ticket = back.sync(&mut world);
    assert_eq!(world.expect(&ticket).assignment, share_of(&members[1].id));
    for other in [&members[0], &members[2], &back] {
        assert_eq!(other.heartbeat(&mut world), ErrorCode::NONE);
    }
}

#[test]
fn a_leader_comes_back_and_need_not_assign() {
    let mut world = World::new(1);
    let members = static_group(&mut world);
    let mut back = restarted(&mut world, &members[0]);
    let joined = back.join_now(&mut world);
    assert!(joined.skip_assignment);
    assert_eq!(joined.leader, back.id);
    assert_eq!(joined.members.len(), 3, "it goes on watching their topics");
    let ticket = back.sync_with(&mut world, &[]);
    assert_eq!(world.expect(&ticket).assignment, share_of(&members[0].id));
    assert_eq!(members[1].heartbeat(&mut world), ErrorCode::NONE);
}

#[test]
fn an_old_leader_that_comes_back_takes_itself_for_a_follower() {
    let mut world = World::new(1);
    let members = static_group(&mut world);
    let mut back = restarted(&mut world, &members[0]);
    back.version = 8;
    let joined = back.join_now(&mut world);
    assert!(!joined.skip_assignment);
    assert_eq!(joined.leader, members[0].id, "the id of its former self");
    assert!(joined.members.is_empty());
    assert_eq!(members[1].heartbeat(&mut world), ErrorCode::NONE);
}

#[test]
fn the_former_self_is_fenced_everywhere() {
    let mut world = World::new(1);
    let mut members = static_group(&mut world);
    restarted(&mut world, &members[1]).join_now(&mut world);
    let former = &mut members[1];
    assert_eq!(former.heartbeat(&mut world), ErrorCode::FENCED_INSTANCE_ID);
    let ticket = former.sync(&mut world);
    assert_eq!(
        world.expect(&ticket).error_code,
        ErrorCode::FENCED_INSTANCE_ID
    );
    let ticket = former.send_join(&mut world);
    assert_eq!(
        world.expect(&ticket).error_code,
        ErrorCode::FENCED_INSTANCE_ID
    );
    assert_eq!(
        commit(&mut world, former, 0, 1),
        ErrorCode::FENCED_INSTANCE_ID
    );
    let answer = former.leave(&mut world);
    assert_eq!(answer.members[0].error_code, ErrorCode::FENCED_INSTANCE_ID);
}

#[test]
fn other_topics_alone_do_not_disturb_the_others() {
    // Kafka looks at the protocol that would be chosen, and at nothing else.
    let mut world = World::new(1);
    let members = static_group(&mut world);
    let mut back = restarted(&mut world, &members[1]);
    back.protocols = vec![("range", "other topics")];
    assert_eq!(back.join_now(&mut world).generation_id, 2);
    assert_eq!(members[0].heartbeat(&mut world), ErrorCode::NONE);
}

#[test]
fn another_protocol_begins_a_rebalance() {
    let mut world = World::new(1);
    let mut members: Vec<Member> = ["a", "b"]
        .iter()
        .map(|name| Member::fixed(&mut world, name))
        .collect();
    members[0].protocols = vec![("range", ""), ("roundrobin", "")];
    members[1].protocols = vec![("range", ""), ("roundrobin", "")];
    form(&mut world, &mut members);
    let mut back = restarted(&mut world, &members[1]);
    back.protocols = vec![("roundrobin", "")];
    let ticket = back.join(&mut world);
    assert!(world.answer(&ticket).is_none());
    assert_eq!(
        members[0].heartbeat(&mut world),
        ErrorCode::REBALANCE_IN_PROGRESS
    );
    let joined = members[0].join_now(&mut world);
    assert_eq!(joined.protocol_name.as_deref(), Some("roundrobin"));
    back.joined(&mut world, &ticket);
}

#[test]
fn a_former_self_that_waits_for_a_join_is_fenced_at_once() {
    let mut world = World::new(1);
    let mut members = static_group(&mut world);
    let leader_joins = members[0].join(&mut world);
    let former = members[1].join(&mut world);
    let mut back = restarted(&mut world, &members[1]);
    let ticket = back.join(&mut world);
    let fenced = world.expect(&former);
    assert_eq!(fenced.error_code, ErrorCode::FENCED_INSTANCE_ID);
    assert_eq!(fenced.member_id, members[1].id);
    members[2].join_now(&mut world);
    members[0].joined(&mut world, &leader_joins);
    back.joined(&mut world, &ticket);
    members[1] = back;
    assign(&mut world, &members);
}

#[test]
fn a_former_self_that_waits_for_its_assignment_is_fenced_and_all_join_again() {
    let mut world = World::new(1);
    let mut members = static_group(&mut world);
    let first = members[0].join(&mut world);
    let second = members[1].join(&mut world);
    members[2].join_now(&mut world);
    members[0].joined(&mut world, &first);
    members[1].joined(&mut world, &second);
    let former = members[1].sync(&mut world);
    let mut back = restarted(&mut world, &members[1]);
    let ticket = back.join(&mut world);
    assert_eq!(
        world.expect(&former).error_code,
        ErrorCode::FENCED_INSTANCE_ID
    );
    assert_eq!(
        members[0].heartbeat(&mut world),
        ErrorCode::REBALANCE_IN_PROGRESS
    );
    let first = members[0].join(&mut world);
    members[2].join_now(&mut world);
    members[0].joined(&mut world, &first);
    back.joined(&mut world, &ticket);
}

#[test]
fn a_static_member_that_misses_a_rebalance_keeps_its_place_until_its_session_ends() {
    let mut world = World::new(1);
    let mut members = static_group(&mut world);
    for member in &mut members {
        member.rebalance_ms = 5_000;
    }
    // A rebalance that two of three come to. The timeouts are the members' newest.
    let first = members[0].join(&mut world);
    let second = members[1].join(&mut world);
    for _ in 0..6 {
        members[2].heartbeat(&mut world);
        world.pass_ms(5_000);
    }
    let joined = members[0].joined(&mut world, &first);
    members[1].joined(&mut world, &second);
    assert_eq!(joined.members.len(), 3, "the third is assigned its share");
    assign(&mut world, &members[..2]);
    world.pass_ms(9_000);
    members[0].heartbeat(&mut world);
    members[1].heartbeat(&mut world);
    assert_eq!(world.core.group(GROUP).unwrap().members.len(), 3);
    world.pass_ms(1_000);
    assert_eq!(world.core.group(GROUP).unwrap().members.len(), 2);
}

#[test]
fn a_rebalance_that_only_absent_static_members_are_left_of_waits() {
    let mut world = World::new(1);
    let mut members: Vec<Member> = ["a", "b", "c"]
        .iter()
        .map(|name| Member::fixed(&mut world, name))
        .collect();
    for member in &mut members {
        member.session_ms = 100_000;
    }
    form(&mut world, &mut members);
    // A newcomer begins a rebalance and is removed; the others are silent, and their sessions long.
    let mut newcomer = Member::new(&mut world);
    newcomer.join(&mut world);
    newcomer.reconnect(&mut world);
    newcomer.leave(&mut world);
    let generation = world.core.group(GROUP).unwrap().generation;
    world.pass_ms(35_000);
    let group = world.core.group(GROUP).unwrap();
    assert_eq!(
        group.generation, generation,
        "no generation without members"
    );
    assert_eq!(group.members.len(), 3);
    let first = members[0].join(&mut world);
    let second = members[1].join(&mut world);
    members[2].join_now(&mut world);
    members[0].joined(&mut world, &first);
    members[1].joined(&mut world, &second);
}
