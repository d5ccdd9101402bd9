//! The leader's computation, packed so that it can run anywhere.

use std::sync::Arc;

use windlass_assignor::{AssignError, Assignment, Assignor, Members};
use windlass_model::Cluster;

/// One assignment to be computed: a pure function of what it holds. Running it on another thread
/// keeps the heartbeats of a large group's leader going.
#[derive(Clone, Debug)]
pub struct AssignmentJob {
    assignor: Arc<dyn Assignor>,
    cluster: Arc<Cluster>,
    members: Arc<Members>,
}

impl AssignmentJob {
    pub(crate) const fn new(
        assignor: Arc<dyn Assignor>,
        cluster: Arc<Cluster>,
        members: Arc<Members>,
    ) -> Self {
        Self {
            assignor,
            cluster,
            members,
        }
    }

    /// The name of the strategy.
    #[must_use]
    pub fn strategy(&self) -> &str {
        self.assignor.name()
    }

    /// How many members are to be served.
    #[must_use]
    pub fn member_count(&self) -> usize {
        self.members.len()
    }

    /// Members times partitions: a hint of how long the work takes.
    #[must_use]
    pub fn size(&self) -> usize {
        let topics = self.cluster.topics.values();
        let partitions: usize = topics.map(|topic| topic.partitions.len()).sum();
        self.members.len().saturating_mul(partitions)
    }

    /// The members, as they described themselves.
    #[must_use]
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// Computes the assignment, and checks it.
    ///
    /// # Errors
    ///
    /// Those of the strategy, and those of [`Assignment::validate`].
    pub fn run(&self) -> Result<Assignment, AssignError> {
        self.assignor.assign_validated(&self.cluster, &self.members)
    }
}
