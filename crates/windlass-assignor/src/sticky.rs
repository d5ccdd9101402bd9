//! Sticky: the best balance there is, with the fewest partitions moved.

mod augment;
mod balance;
mod claims;
mod deal;
mod fewest_moves;
mod lots;
mod network;

use std::collections::BTreeSet;

use windlass_model::{Cluster, Generation, TopicName, TopicPartitions};

use crate::racks::Racks;
use crate::roster::Roster;
use crate::topic_index::number;
use crate::user_data::{read_sticky, write_sticky};
use crate::{AssignError, Assignment, Assignor, Member, Members};
pub(crate) use claims::{Claims, Said};
use lots::Lots;
use network::Network;

/// Kafka's `StickyAssignor` (`sticky`): eager, its wire form Java's, its plans at least as good.
///
/// In this order: every partition that anyone subscribes to is assigned; the sorted loads are the
/// smallest possible; among such plans the fewest partitions leave their owner; among those the
/// fewest go to a member in a rack without a replica. What members own is taken from their user data
/// (version 0 or 1), or from the subscription where there is none.
///
/// Cost: O(partitions + members + subscribed and claimed names) where all subscribe alike and racks
/// make no difference. Otherwise a flow is computed over topics × members, never over partitions.
#[derive(Clone, Copy, Debug, Default)]
pub struct StickyAssignor;

impl StickyAssignor {
    /// The strategy.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Assignor for StickyAssignor {
    fn name(&self) -> &'static str {
        "sticky"
    }

    fn subscription_user_data(
        &self,
        owned: &TopicPartitions,
        generation: Option<Generation>,
        _topics: &BTreeSet<TopicName>,
    ) -> Option<Vec<u8>> {
        // Kafka's member sends nothing before its first assignment.
        (!owned.is_empty() || generation.is_some()).then(|| write_sticky(owned, generation))
    }

    fn assign(&self, cluster: &Cluster, members: &Members) -> Result<Assignment, AssignError> {
        let roster = Roster::new(cluster, members)?;
        let claims = Claims::resolve(&roster, said);
        let owners = plan(cluster, &roster, &claims);
        Ok(Assignment::from_owners(&roster, &owners, claims.count))
    }
}

/// What the member says it owns: its user data, or the subscription where the user data is empty or
/// unreadable. An eager member's subscription lists nothing, for it gave up everything before it
/// joined.
fn said(member: &Member) -> Said<'_> {
    if let Some(data) = read_sticky(&member.user_data) {
        return Said::InUserData(data);
    }
    Said::InSubscription {
        owned: &member.owned,
        generation: member.generation,
        unreadable: !member.user_data.is_empty(),
    }
}

/// The owner of each partition by number, `NONE` where nobody subscribes.
pub(crate) fn plan(cluster: &Cluster, roster: &Roster<'_>, claims: &Claims) -> Vec<u32> {
    let racks = Racks::new(cluster, roster);
    let lots = Lots::new(roster, racks.as_ref(), claims);
    let counts = if lots.len() == 1 && !lots.mismatched.contains(&true) {
        uniform_counts(&lots)
    } else {
        mixed_counts(&lots)
    };
    deal::deal(&lots, claims, &counts)
}

/// How many partitions each member gets where all partitions are alike: the mean, and one more for as
/// many as it takes. Those that own more than the mean come first, for they keep it.
fn uniform_counts(lots: &Lots) -> Vec<u32> {
    let members = number(lots.members.len());
    let partitions = number(lots.partitions.len());
    let mean = partitions / members;
    let mut extras = partitions % members;
    let mut counts = vec![mean; lots.members.len()];
    for above in [true, false] {
        for (count, claimed) in counts.iter_mut().zip(&lots.claimed) {
            if extras > 0 && (*claimed > mean) == above {
                *count += 1;
                extras -= 1;
            }
        }
    }
    counts
}

/// How many partitions of each lot each of its subscribers gets in general.
fn mixed_counts(lots: &Lots) -> Vec<u32> {
    let mut network = Network::new(lots);
    let levels = balance::balance(&mut network);
    // Where everybody keeps what it owns, and racks have no say, no plan is better.
    let mut places = network.counts.iter().zip(&lots.claimed);
    let all_kept = places.all(|(count, claimed)| count >= claimed);
    if !all_kept || lots.mismatched.contains(&true) {
        fewest_moves::fewest_moves(&mut network, &levels);
    }
    network.counts
}

#[cfg(test)]
mod tests;
