//! Cooperative-sticky: the sticky plan in steps, so that no partition has two owners on the way.

use std::collections::BTreeSet;

use windlass_model::{Cluster, Generation, TopicName, TopicPartitions};

use crate::roster::Roster;
use crate::sticky::{Claims, Said, plan};
use crate::topic_index::NONE;
use crate::user_data::{read_generation, write_generation};
use crate::{AssignError, Assignment, Assignor, Member, Members, RebalanceProtocol};

/// Kafka's `CooperativeStickyAssignor` (`cooperative-sticky`, KIP-429): the plan of
/// [`StickyAssignor`](crate::StickyAssignor) less the partitions that somebody else still says it
/// owns. Those are nobody's in this round; their owner gives them up and joins again, and the next
/// round hands them out. Two rounds suffice.
///
/// What members own is in their subscriptions; since when, there too (version 2 on), or else in the
/// user data. Cost: that of sticky.
#[derive(Clone, Copy, Debug, Default)]
pub struct CooperativeStickyAssignor;

impl CooperativeStickyAssignor {
    /// The strategy.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Assignor for CooperativeStickyAssignor {
    fn name(&self) -> &'static str {
        "cooperative-sticky"
    }

    fn supported_protocols(&self) -> &[RebalanceProtocol] {
        &[RebalanceProtocol::Cooperative, RebalanceProtocol::Eager]
    }

    fn subscription_user_data(
        &self,
        _owned: &TopicPartitions,
        generation: Option<Generation>,
        _topics: &BTreeSet<TopicName>,
    ) -> Option<Vec<u8>> {
        Some(write_generation(generation))
    }

    fn assign(&self, cluster: &Cluster, members: &Members) -> Result<Assignment, AssignError> {
        let roster = Roster::new(cluster, members)?;
        let claims = Claims::resolve(&roster, said);
        let mut owners = plan(cluster, &roster, &claims);
        for (partition, owner) in (0..).zip(&mut owners) {
            if claims.held_by_another(partition, *owner) {
                *owner = NONE;
            }
        }
        Ok(Assignment::from_owners(&roster, &owners, claims.count))
    }
}

/// What the member says it owns, and since when.
fn said(member: &Member) -> Said<'_> {
    let generation = match member.generation {
        Some(_) => Some(member.generation),
        None => read_generation(&member.user_data),
    };
    Said::InSubscription {
        owned: &member.owned,
        generation: generation.flatten(),
        unreadable: generation.is_none(),
    }
}

#[cfg(test)]
mod tests;
