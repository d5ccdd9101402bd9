//! Who owns what now, as far as the members can be believed.

use windlass_model::{Generation, TopicPartitions};

use crate::Member;
use crate::claim_count::ClaimCount;
use crate::roster::Roster;
use crate::topic_index::NONE;
use crate::user_data::StickyUserData;

/// Set on a claimant that does not subscribe to the topic: it holds the partition but cannot keep it.
const NOT_SUBSCRIBED: u32 = 1 << 30;
/// Set on a claimant that another of the same generation contradicts. Above [`NOT_SUBSCRIBED`], so
/// that whatever is below both flags is a plain member number.
const CANCELLED: u32 = 1 << 31;

/// Where a member's claims stand.
#[derive(Debug)]
pub(crate) enum Said<'a> {
    /// In the subscription.
    InSubscription {
        owned: &'a TopicPartitions,
        generation: Option<Generation>,
        /// Whether there was user data that could not be read.
        unreadable: bool,
    },
    /// In the user data.
    InUserData(StickyUserData),
}

/// The claim that stands on each partition: of several, the one of the latest generation.
#[derive(Debug)]
pub(crate) struct Claims {
    /// By partition number: a member number with flags, or `NONE`.
    standing: Vec<u32>,
    pub(crate) count: ClaimCount,
}

impl Claims {
    /// Weighs all claims. O(claims + names claimed); allocates four bytes a partition.
    pub(crate) fn resolve<'a>(roster: &Roster<'a>, said: impl Fn(&'a Member) -> Said<'a>) -> Self {
        let mut claims = Self {
            standing: vec![NONE; roster.topics.partition_total() as usize],
            count: ClaimCount::default(),
        };
        let mut generations: Vec<i32> = Vec::with_capacity(roster.members.len());
        for (member, (_, entry)) in (0..).zip(&roster.members) {
            let user_data;
            let (owned, generation) = match said(entry) {
                Said::InSubscription {
                    owned,
                    generation,
                    unreadable,
                } => {
                    claims.count.unreadable_user_data += u64::from(unreadable);
                    (owned, generation)
                }
                Said::InUserData(data) => {
                    user_data = data;
                    (&user_data.owned, user_data.generation)
                }
            };
            generations.push(Generation::to_wire(generation));
            claims.enter(roster, member, owned, &generations);
        }
        for claim in &claims.standing {
            claims.count.valid += u64::from(*claim < NOT_SUBSCRIBED);
            claims.count.not_subscribed += u64::from((NOT_SUBSCRIBED..CANCELLED).contains(claim));
        }
        claims
    }

    /// The member that owns the partition and may keep it.
    pub(crate) fn owner(&self, partition: u32) -> Option<u32> {
        let claim = self.standing[partition as usize];
        (claim < NOT_SUBSCRIBED).then_some(claim)
    }

    /// Whether anybody at all may keep anything.
    pub(crate) fn any(&self) -> bool {
        self.count.valid > 0
    }

    /// Whether somebody other than `next` may still be at work on the partition: anybody claims it,
    /// and it is not plainly `next`'s own.
    pub(crate) fn held_by_another(&self, partition: u32, next: u32) -> bool {
        let claim = self.standing[partition as usize];
        claim != NONE && claim != next
    }

    /// Enters the claims of one member. `generations` are those of the members up to it.
    fn enter(
        &mut self,
        roster: &Roster<'_>,
        member: u32,
        owned: &TopicPartitions,
        generations: &[i32],
    ) {
        let mut guess = 0;
        for list in &owned.topics {
            let Some(topic) = roster.topics.find(&list.topic, guess) else {
                self.count.unknown_topic += list.partitions.len() as u64;
                continue;
            };
            guess = topic + 1;
            let claim = if roster.subscribes(member, topic) {
                member
            } else {
                member | NOT_SUBSCRIBED
            };
            let range = roster.topics.partitions(topic);
            let standing = &mut self.standing[range.start as usize..range.end as usize];
            for partition in &list.partitions {
                let slot = usize::try_from(*partition)
                    .ok()
                    .and_then(|partition| standing.get_mut(partition));
                match slot {
                    None => self.count.out_of_range += 1,
                    Some(slot) if *slot == NONE => *slot = claim,
                    Some(slot) => contest(slot, claim, generations, &mut self.count),
                }
            }
        }
    }
}

/// Settles a claim against the one that stands.
#[cold]
fn contest(slot: &mut u32, claim: u32, generations: &[i32], count: &mut ClaimCount) {
    let generation = |claim: u32| generations[(claim & !(NOT_SUBSCRIBED | CANCELLED)) as usize];
    let cancelled = *slot & CANCELLED != 0;
    if *slot & !CANCELLED == claim {
        count.repeated += 1;
    } else if generation(claim) < generation(*slot) {
        count.stale += 1;
    } else if generation(claim) == generation(*slot) {
        count.cancelled += if cancelled { 1 } else { 2 };
        *slot = claim | CANCELLED;
    } else {
        // Claims that had cancelled each other were counted as that, and stay so.
        count.stale += u64::from(!cancelled);
        *slot = claim;
    }
}
