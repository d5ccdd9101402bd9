//! A rebalance listener that writes down what it is told.

use std::sync::{Arc, Mutex, PoisonError};

use windlass::{ListenerError, Rebalance, RebalanceListener, TopicPartition, async_trait};

/// What a listener was told, and of which partitions of the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// `on_assigned`.
    Assigned(Vec<i32>),
    /// `on_revoked`.
    Revoked(Vec<i32>),
    /// `on_lost`.
    Lost(Vec<i32>),
}

/// Writes down what it is told; commits in `on_revoked` where it is to.
#[derive(Clone, Debug, Default)]
pub struct Listener {
    told: Arc<Mutex<Vec<Told>>>,
    commits: bool,
    fails: bool,
}

impl Listener {
    /// One that commits what was handed out before partitions go.
    #[must_use]
    pub fn committing() -> Self {
        Self {
            commits: true,
            ..Self::default()
        }
    }

    /// One whose every call fails.
    #[must_use]
    pub fn failing() -> Self {
        Self {
            fails: true,
            ..Self::default()
        }
    }

    /// Everything it was told since it was asked last.
    #[must_use]
    pub fn told(&self) -> Vec<Told> {
        std::mem::take(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, told: Told) -> Result<(), ListenerError> {
        let mut all = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(told);
        if self.fails {
            return Err("the listener is broken".into());
        }
        Ok(())
    }
}

fn indexes(partitions: &[TopicPartition]) -> Vec<i32> {
    let mut indexes: Vec<i32> = partitions.iter().map(|one| one.partition).collect();
    indexes.sort_unstable();
    indexes
}

#[async_trait]
impl RebalanceListener for Listener {
    async fn on_assigned(&self, rebalance: &Rebalance) -> Result<(), ListenerError> {
        let partitions = rebalance.partitions();
        self.note(Told::Assigned(indexes(partitions)))
    }

    async fn on_revoked(&self, rebalance: &Rebalance) -> Result<(), ListenerError> {
        let partitions = rebalance.partitions();
        let handle = rebalance.handle();
        if self.commits {
            handle.commit().await?;
        }
        self.note(Told::Revoked(indexes(partitions)))
    }

    async fn on_lost(&self, rebalance: &Rebalance) -> Result<(), ListenerError> {
        let partitions = rebalance.partitions();
        self.note(Told::Lost(indexes(partitions)))
    }
}
