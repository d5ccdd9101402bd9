//! Whatever happens, in whatever order: what `world.rs` watches holds. `PROPTEST_CASES` says how many
//! lists of steps are tried.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use windlass_group::{GroupConfig, GroupState};
use windlass_machine::SplitMix64;

use crate::member::config;
use crate::world::{Step, World};

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => any::<u8>().prop_map(Step::Subscribe),
        1 => Just(Step::Unsubscribe),
        1 => any::<u8>().prop_map(Step::Leave),
        1 => Just(Step::Rejoin),
        3 => any::<bool>().prop_map(Step::Polling),
        4 => any::<(u8, bool)>().prop_map(|(which, is_sync)| Step::Commit(which, is_sync)),
        1 => any::<u8>().prop_map(Step::FetchOffsets),
        24 => any::<(u8, u16)>().prop_map(|(which, how)| Step::Answer(which, how)),
        2 => any::<(u8, u8)>().prop_map(|(which, kind)| Step::Fail(which, kind)),
        8 => any::<u8>().prop_map(Step::CallbackDone),
        4 => any::<bool>().prop_map(Step::AssignmentDone),
        3 => any::<u8>().prop_map(Step::Cluster),
        10 => any::<u16>().prop_map(Step::Pass),
    ]
}

fn settings(which: u8) -> GroupConfig {
    let assignors = match which % 3 {
        0 => &["range"][..],
        1 => &["cooperative-sticky"],
        _ => &["sticky", "cooperative-sticky"],
    };
    {
        let mut config = config(assignors);
        config.group_instance_id = (which % 4 == 3).then(|| "i".into());
        config.rebalance_timeout = Duration::from_secs(u64::from(which % 5) * 30 + 5);
        config
    }
}

proptest! {
    #[test]
    fn any_list_of_steps_keeps_the_rules(
        which in any::<u8>(),
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let mut world = World::new(settings(which), seed);
        for step in steps {
            world.take(step);
        }
        world.end();
    }
}

/// One step by chance, in about the proportions of the strategy above.
fn chance_step(random: &mut SplitMix64) -> Step {
    let byte = |random: &mut SplitMix64| u8::try_from(random.below(256)).unwrap();
    let word = |random: &mut SplitMix64| u16::try_from(random.below(65_536)).unwrap();
    match random.below(64) {
        0..2 => Step::Subscribe(byte(random)),
        2 => Step::Unsubscribe,
        3 => Step::Leave(byte(random)),
        4 => Step::Rejoin,
        5..8 => Step::Polling(random.chance(1, 2)),
        8..12 => Step::Commit(byte(random), random.chance(1, 2)),
        12 => Step::FetchOffsets(byte(random)),
        13..34 => Step::Answer(byte(random), word(random)),
        34..36 => Step::Fail(byte(random), byte(random)),
        36..48 => Step::CallbackDone(byte(random)),
        48..51 => Step::AssignmentDone(random.chance(9, 10)),
        51..53 => Step::Cluster(byte(random)),
        // Mostly a moment, now and then longer than anybody has patience.
        _ => Step::Pass(word(random) >> random.below(12)),
    }
}

#[test]
fn every_transition_of_the_table_is_taken_by_somebody() {
    let mut seen = BTreeSet::new();
    for seed in 0..1000 {
        let mut random = SplitMix64::new(seed);
        let which = u8::try_from(seed % 256).unwrap();
        let mut world = World::new(settings(which), seed);
        for _ in 0..400 {
            world.take(chance_step(&mut random));
        }
        world.end();
        seen.append(&mut world.transitions);
    }
    let allowed = GroupState::ALL.into_iter().flat_map(|to| {
        let from = to.allowed_predecessors().iter();
        from.map(move |from| (*from, to))
    });
    let unseen: Vec<_> = allowed.filter(|one| !seen.contains(one)).collect();
    assert!(unseen.is_empty(), "never taken: {unseen:?}");
}
