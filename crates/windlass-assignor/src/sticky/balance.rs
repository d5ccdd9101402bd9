//! The best balance there is, and what it leaves open.
//!
//! Some members must carry more than others, because only they subscribe to much. The search finds
//! the levels: sets of members between which nothing can be evened out, each set with loads that
//! differ by at most one inside. A best plan gives a level exactly the lots that only its members and
//! members of higher levels subscribe to, in whatever way keeps its loads at `floor` or one above.
//! (The levels are the canonical chain of a decreasingly minimal base, as Frank and Murota call it.)

use super::augment::Augment;
use super::network::Network;
use crate::topic_index::{NONE, number};

/// The levels of the best balance.
#[derive(Debug, Default)]
pub(super) struct Levels {
    /// The least load of a member, by level.
    pub(super) floor: Vec<u32>,
    /// How many members of the level carry one more.
    pub(super) extras: Vec<u32>,
    /// The members of each level.
    pub(super) members: Vec<Vec<u32>>,
}

/// A set of members, with the lots that are theirs, not yet known to be one level.
#[derive(Debug)]
struct Group {
    number: u32,
    members: Vec<u32>,
    lots: Vec<u32>,
}

/// Fills the network with a plan of the best balance, and shuts what no best plan uses. Each round
/// either settles a level or cuts a set in two; a round is a flow over the places of its set.
pub(super) fn balance(network: &mut Network<'_>) -> Levels {
    network.counts.clone_from(&network.lots.claimed);
    pour(network);
    let mut loads = network.loads();
    let mut levels = Levels::default();
    let members = (0..number(network.lots.member_count))
        .filter(|member| network.level_of_member[*member as usize] != NONE);
    let mut open = vec![Group {
        number: 0,
        members: members.collect(),
        lots: (0..number(network.lots.len())).collect(),
    }];
    let mut groups = 1;
    let mut augment = Augment::new(network.node_count(), None);
    while let Some(group) = open.pop() {
        match cut(network, &group, &mut loads, &mut augment) {
            Cut::None { floor, extras } => {
                let level = number(levels.floor.len());
                // Settled levels are numbered from the top, where no open group is.
                for member in &group.members {
                    network.level_of_member[*member as usize] = NONE - 1 - level;
                }
                for lot in &group.lots {
                    network.level_of_lot[*lot as usize] = NONE - 1 - level;
                }
                levels.floor.push(floor);
                levels.extras.push(extras);
                levels.members.push(group.members);
            }
            Cut::InTwo => {
                open.extend(split(network, group, groups, &augment));
                groups += 1;
            }
        }
    }
    let renumber = |level: &mut u32| {
        if *level != NONE {
            *level = NONE - 1 - *level;
        }
    };
    network.level_of_member.iter_mut().for_each(renumber);
    network.level_of_lot.iter_mut().for_each(renumber);
    levels
}

/// What a round found.
enum Cut {
    /// The group is a level.
    None { floor: u32, extras: u32 },
    /// What the last search reached must carry more than the rest.
    InTwo,
}

/// Evens the group out as far as it goes.
fn cut(network: &mut Network<'_>, group: &Group, loads: &mut [u32], augment: &mut Augment) -> Cut {
    let count = number(group.members.len());
    let total: u32 = group.members.iter().map(|m| loads[*m as usize]).sum();
    let floor = total / count.max(1);
    let extras = total % count.max(1);
    // First nobody above the ceiling, then nobody below the floor; where the mean is whole, the
    // second follows from the first.
    let ceiling = floor + u32::from(extras > 0);
    for limit in [ceiling, floor] {
        augment.clear(group.members.iter().map(|member| *member as usize));
        let mut missing = 0;
        for member in &group.members {
            let member = *member as usize;
            augment.add_surplus(member, loads[member].saturating_sub(limit));
            augment.room[member] = limit.saturating_sub(loads[member]);
            missing += augment.room[member];
        }
        let entered: Vec<(u32, u32)> = group
            .members
            .iter()
            .map(|member| {
                let node = *member as usize;
                (augment.surplus[node], augment.room[node])
            })
            .collect();
        let left = augment.settle(network);
        let mut filled = 0;
        for (member, (surplus, room)) in group.members.iter().zip(entered) {
            let node = *member as usize;
            loads[node] -= surplus - augment.surplus[node];
            loads[node] += room - augment.room[node];
            filled += room - augment.room[node];
        }
        let stuck = if limit == ceiling {
            left > 0
        } else {
            filled < missing
        };
        if stuck {
            return Cut::InTwo;
        }
    }
    Cut::None { floor, extras }
}

/// Cuts the group in what the last search reached and the rest, which gets the number `next`.
fn split(network: &mut Network<'_>, group: Group, next: u32, augment: &Augment) -> [Group; 2] {
    let (high_members, low_members): (Vec<u32>, Vec<u32>) = group
        .members
        .into_iter()
        .partition(|member| augment.reaches(*member as usize));
    let (high_lots, low_lots): (Vec<u32>, Vec<u32>) = group
        .lots
        .into_iter()
        .partition(|lot| augment.reaches(network.lot_node(*lot as usize)));
    for member in &low_members {
        network.level_of_member[*member as usize] = next;
    }
    for lot in &low_lots {
        network.level_of_lot[*lot as usize] = next;
    }
    [
        Group {
            number: group.number,
            members: high_members,
            lots: high_lots,
        },
        Group {
            number: next,
            members: low_members,
            lots: low_lots,
        },
    ]
}

/// Gives what nobody claims to the least loaded of those that may have it, lots with the fewest
/// subscribers first: a start that is mostly near the end. O(places log places).
fn pour(network: &mut Network<'_>) {
    let lots = network.lots;
    let mut loads = network.loads();
    let mut order: Vec<usize> = (0..lots.len()).collect();
    order.sort_by_key(|lot| lots.places(*lot).len());
    let mut ranked: Vec<(u32, usize)> = Vec::new();
    for lot in order {
        let places = lots.places(lot);
        let claimed: u32 = network.counts[places.clone()].iter().sum();
        let mut free = number(lots.partitions(lot).len()) - claimed;
        if free == 0 {
            continue;
        }
        ranked.clear();
        ranked.extend(places.map(|place| (loads[lots.members[place] as usize], place)));
        ranked.sort_unstable();
        // The first `width` are raised to one level together, until the next one is as low.
        let mut width = 0;
        let mut level = 0;
        while free > 0 {
            level = ranked[width].0;
            width += 1;
            let next = ranked.get(width).map_or(NONE, |(load, _)| *load);
            let step = (next - level).min(free.div_ceil(number(width)));
            let spent = u64::from(step) * width as u64;
            level += step;
            free = u32::try_from(u64::from(free).saturating_sub(spent)).unwrap_or(0);
        }
        fill(network, &mut loads, &ranked[..width], level, lot);
    }
}

/// Raises the ranked places to `level`, the last ones to one less where the lot does not suffice.
fn fill(
    network: &mut Network<'_>,
    loads: &mut [u32],
    ranked: &[(u32, usize)],
    level: u32,
    lot: usize,
) {
    let lots = network.lots;
    let claimed: u32 = network.counts[lots.places(lot)].iter().sum();
    let free = number(lots.partitions(lot).len()) - claimed;
    let wanted: u64 = ranked.iter().map(|(load, _)| u64::from(level - load)).sum();
    let mut short = wanted.saturating_sub(u64::from(free));
    for (load, place) in ranked.iter().rev() {
        let mut raise = level - load;
        if short > 0 && raise > 0 {
            raise -= 1;
            short -= 1;
        }
        network.counts[*place] += raise;
        loads[lots.members[*place] as usize] += raise;
    }
}
