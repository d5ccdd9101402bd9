//! The application's say in a rebalance.

use async_trait::async_trait;

use crate::Rebalance;

/// What a listener fails with: anything that can be shown.
pub type ListenerError = Box<dyn std::error::Error + Send + Sync>;

/// Told when partitions come and go. Mirrors Kafka's `ConsumerRebalanceListener`.
///
/// The calls run beside the application, one after the other, while `poll` hands out nothing of the
/// partitions in question; heartbeats go on all the while. No partition is told as revoked *and* as
/// lost. A call that fails does not stop the rebalance: its error comes out of the next `poll`.
///
/// A rebalance waits for a call at most `max.poll.interval.ms`. Partitions that are to go then go
/// without it; a member whose listener has not returned from `on_assigned` leaves the group until it
/// does. Both are errors of `poll`. While the consumer closes, a call has its share of the time.
///
/// Every method has a default, so a listener implements what it needs.
#[async_trait]
pub trait RebalanceListener: Send + Sync + 'static {
    /// Partitions are about to go to another member: finish and commit what belongs to them. The
    /// partitions are still owned, so commits work.
    ///
    /// # Errors
    ///
    /// Whatever the application wants reported by the next `poll`.
    async fn on_revoked(&self, rebalance: &Rebalance) -> Result<(), ListenerError> {
        let _ = rebalance;
        Ok(())
    }

    /// Partitions have come, and nothing of them has been handed out yet: the place to seek. Called
    /// once a rebalance, with an empty list where nothing came.
    ///
    /// # Errors
    ///
    /// Whatever the application wants reported by the next `poll`.
    async fn on_assigned(&self, rebalance: &Rebalance) -> Result<(), ListenerError> {
        let _ = rebalance;
        Ok(())
    }

    /// Partitions are gone already, and may belong to another member: commits would be refused. By
    /// default the same as [`RebalanceListener::on_revoked`].
    ///
    /// # Errors
    ///
    /// Whatever the application wants reported by the next `poll`.
    async fn on_lost(&self, rebalance: &Rebalance) -> Result<(), ListenerError> {
        self.on_revoked(rebalance).await
    }
}
