//! From "how many of each lot" to which ones.

use super::claims::Claims;
use super::lots::Lots;
use crate::topic_index::NONE;

/// Gives out the partitions of every lot so that the member at each place gets as many as `counts`
/// says, keeping as many of its own as that allows. The owner of each partition by number.
///
/// What a member must give up is picked at even distances over what it has, and what is free is dealt
/// round the members, so that the partitions of one topic, whose traffic tends to be alike, spread
/// over the group. O(partitions + places).
pub(super) fn deal(lots: &Lots, claims: &Claims, counts: &[u32]) -> Vec<u32> {
    let mut owners = vec![NONE; lots.partition_total];
    let mut place_of = vec![0; lots.member_count];
    let mut missing = counts.to_vec();
    let mut phase: Vec<u32> = Vec::new();
    let mut free: Vec<u32> = Vec::new();
    let mut open: Vec<u32> = Vec::new();
    if claims.any() {
        phase = spread_phases(lots);
    }
    for lot in 0..lots.len() {
        let partitions = lots.partitions(lot);
        open.clear();
        if claims.any() {
            for place in lots.first_place[lot]..lots.first_place[lot + 1] {
                place_of[lots.members[place as usize] as usize] = place;
            }
            free.clear();
            for partition in partitions {
                let kept = claims.owner(*partition).is_some_and(|owner| {
                    let place = place_of[owner as usize] as usize;
                    let keeps = keeps_next(lots.claimed[place], counts[place], &mut phase[place]);
                    if keeps {
                        owners[*partition as usize] = owner;
                        missing[place] -= 1;
                    }
                    keeps
                });
                if !kept {
                    free.push(*partition);
                }
            }
        }
        let to_deal = if claims.any() { &free } else { partitions };
        open.extend(lots.first_place[lot]..lots.first_place[lot + 1]);
        deal_round(lots, to_deal, &mut missing, &mut open, &mut owners);
    }
    owners
}

/// Where each place starts on its way through what its member owns: different ones for different
/// members, so that they do not all give up the first topic.
fn spread_phases(lots: &Lots) -> Vec<u32> {
    let steps = (0_u32..).map(|place| place.wrapping_mul(0x9e37_79b9) >> 16);
    let claimed = lots.claimed.iter().zip(steps);
    claimed
        .map(|(claimed, step)| if *claimed == 0 { 0 } else { step % claimed })
        .collect()
}

/// Whether the next of `claimed` partitions is among the `count` that are kept: `count` of every
/// `claimed` calls say yes, at even distances.
fn keeps_next(claimed: u32, count: u32, phase: &mut u32) -> bool {
    if count >= claimed {
        return true;
    }
    *phase += count;
    let keeps = *phase >= claimed;
    if keeps {
        *phase -= claimed;
    }
    keeps
}

/// Deals the partitions one by one to the places that miss some, round after round.
fn deal_round(
    lots: &Lots,
    partitions: &[u32],
    missing: &mut [u32],
    open: &mut Vec<u32>,
    owners: &mut [u32],
) {
    let mut rest = partitions.iter();
    open.retain(|place| missing[*place as usize] > 0);
    while !open.is_empty() {
        open.retain(|place| {
            let place = *place as usize;
            let Some(partition) = rest.next() else {
                return false;
            };
            owners[*partition as usize] = lots.members[place];
            missing[place] -= 1;
            missing[place] > 0
        });
    }
}
