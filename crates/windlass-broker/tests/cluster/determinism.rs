//! The same requests at the same times have the same answers, byte by byte.

use std::time::Duration;

use windlass_machine::SplitMix64;
use windlass_protocol::ApiKey;
use windlass_protocol::messages::metadata::MetadataRequest;

use crate::member::{GROUP, Member};
use crate::records::{batch, fetch_request, produce_request};
use crate::world::World;

/// A wild half hour of three nodes and five members; what came out of the cluster.
fn run(seed: u64) -> Vec<String> {
    let mut world = World::seeded(seed, |config| config.nodes = 3);
    let mut random = SplitMix64::new(seed);
    let mut members: Vec<Member> = (0..5).map(|_| Member::new(&mut world)).collect();
    members[4].instance_id = Some("fixed".to_owned());
    for _ in 0..400 {
        world.pass(Duration::from_millis(random.below(5_000)));
        let node = i32::try_from(random.below(3)).unwrap() + 1;
        let who = usize::try_from(random.below(5)).unwrap();
        match random.below(10) {
            0 => world.act(|core, now| core.kill_node(node, now)),
            1 => (1..=3).for_each(|node| world.act(|core, now| core.restart_node(node, now))),
            2 => world.act(|core, now| core.move_leader("events", 0, node, now)),
            3 => world.act(|core, now| core.move_coordinator(GROUP, node, now)),
            4 => {
                let delay = Duration::from_millis(random.below(100));
                world.act(|core, _| core.delay(ApiKey::Heartbeat, delay));
            }
            5 => {
                let client = world.client(node);
                world.send(client, 9, produce_request(0, batch(&["x"]).bytes().clone()));
                world.send(client, 12, fetch_request(0));
                world.send(client, 12, MetadataRequest::default());
            }
            _ => {
                let member = &mut members[who];
                member.reconnect(&mut world);
                let ticket = member.send_join(&mut world);
                if let Some(answer) = world.answer(&ticket) {
                    member.id = answer.member_id;
                    member.generation = answer.generation_id;
                }
                member.sync_with(&mut world, &[&member.id]);
            }
        }
    }
    world.transcript
}

#[test]
fn equal_runs_have_equal_answers() {
    for seed in 0..10 {
        let first = run(seed);
        assert!(first.len() > 100, "{}", first.len());
        assert_eq!(first, run(seed));
    }
}

#[test]
fn another_seed_gives_other_ids() {
    let id_of = |seed| {
        let mut world = World::seeded(seed, |_| {});
        let mut member = Member::new(&mut world);
        member.fetch_id(&mut world);
        member.id
    };
    assert_eq!(id_of(1), id_of(1));
    assert_ne!(id_of(1), id_of(2));
}
