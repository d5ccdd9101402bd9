//! Among all plans of the best balance, one that moves the fewest partitions, and among those one
//! with the fewest rack mismatches: a flow of least cost.

use super::augment::{Augment, Price};
use super::balance::Levels;
use super::network::Network;
use crate::topic_index::number;

/// Replaces the plan in the network by a cheapest one. Starts from what everybody owns, which is
/// cheapest but neither complete nor balanced, and pushes what is too much to where it is missing
/// along cheapest paths, which keeps it cheapest. The rounds are as many as paths have different
/// prices: few.
pub(super) fn fewest_moves(network: &mut Network<'_>, levels: &Levels) {
    let balanced = network.counts.clone();
    for place in 0..network.counts.len() {
        network.counts[place] = if network.is_open(place) {
            network.lots.claimed[place]
        } else {
            0
        };
    }
    network.pools.clone_from(&levels.members);
    let mut augment = Augment::new(network.node_count(), Some(price(network)));
    enter_members(network, levels, &mut augment);
    for lot in 0..network.lots.len() {
        let given: u32 = network.counts[network.lots.places(lot)].iter().sum();
        let free = number(network.lots.partitions(lot).len()) - given;
        augment.add_surplus(network.lot_node(lot), free);
    }
    let left = augment.settle_cheaply(network);
    debug_assert_eq!(left, 0, "a balanced plan exists, so there is room for all");
    if left > 0 {
        network.counts = balanced;
    }
}

/// A move weighs more than every partition in the wrong rack.
fn price(network: &Network<'_>) -> Price {
    let racks_matter = network.lots.mismatched.contains(&true);
    Price {
        of_move: match i64::try_from(network.lots.partition_total) {
            Ok(total) if racks_matter => total + 1,
            _ => 1,
        },
        of_mismatch: i64::from(racks_matter),
    }
}

/// Enters what members and pools have too much or too little.
fn enter_members(network: &mut Network<'_>, levels: &Levels, augment: &mut Augment) {
    let loads = network.loads();
    for (level, members) in levels.members.iter().enumerate() {
        let (floor, extras) = (levels.floor[level], levels.extras[level]);
        let mut taken = 0;
        for member in members {
            let member = *member as usize;
            let load = loads[member];
            network.has_extra[member] = load > floor;
            taken += u32::from(load > floor);
            augment.add_surplus(member, load.saturating_sub(floor + 1));
            augment.room[member] = floor.saturating_sub(load);
        }
        let pool = network.pool_node(level);
        augment.add_surplus(pool, taken.saturating_sub(extras));
        augment.room[pool] = extras.saturating_sub(taken);
    }
}
