//! Sticky: the best balance there is, with the fewest partitions moved.

mod claims;
mod deal;
mod lots;

use std::collections::BTreeSet;

use windlass_model::{Cluster, Generation, TopicName, TopicPartitions};

use crate::racks::Racks;
use crate::roster::Roster;
use crate::user_data::{read_sticky, write_sticky};
use crate::{AssignError, Assignment, Assignor, Member, Members};
pub(crate) use claims::{Claims, Said};
use lots::Lots;

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
    let counts = lots.even_counts();
    deal::deal(&lots, claims, &counts)
}

#[cfg(test)]
mod tests;
