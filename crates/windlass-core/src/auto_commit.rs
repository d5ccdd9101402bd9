//! Committing by timer what the application came back from.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use windlass_group::CommitMode;
use windlass_machine::Wakeup;
use windlass_model::{OffsetAndMetadata, TopicPartition};

use crate::ConsumerCore;
use crate::CoreConfig;
use crate::core::Subscription;
use crate::offsets::CommitPurpose;

/// The timer of the auto-commit, and the commit it has under way.
#[derive(Debug)]
pub(crate) struct AutoCommit {
    due: Option<Instant>,
    pub(crate) in_flight: bool,
    interval: Duration,
    retry_backoff: Duration,
    /// When offsets that did not change are to be committed again.
    renewal: Option<Instant>,
}

/// How often offsets that do not change are committed for partitions assigned by hand: a group without
/// members keeps an offset for `offsets.retention.minutes` after it was committed, one at least
/// (KIP-211).
const RENEWAL: Duration = Duration::from_secs(30);

impl AutoCommit {
    pub(crate) const fn new(config: &CoreConfig) -> Self {
        Self {
            due: None,
            in_flight: false,
            interval: match config.auto_commit_interval {
                Some(interval) => interval,
                None => Duration::MAX,
            },
            retry_backoff: config.retry_backoff,
            renewal: None,
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Wakeup> {
        let at = self.due?;
        Some(Wakeup {
            at,
            reason: "auto-commit",
        })
    }

    /// A rebalance is complete, or a commit: the next one is an interval away.
    pub(crate) fn restart(&mut self, now: Instant) {
        self.due = Some(now + self.interval);
    }

    /// The commit failed in a way that may pass.
    pub(crate) fn retry(&mut self, now: Instant) {
        self.due = Some(now + self.retry_backoff);
    }

    /// Whether offsets that the group holds already are to be committed again, so that they do not
    /// age.
    fn renews(&mut self, now: Instant) -> bool {
        let is_due = self.renewal.is_none_or(|renewal| renewal <= now);
        if is_due {
            self.renewal = Some(now + RENEWAL);
        }
        is_due
    }

    /// There is nothing to commit for.
    pub(crate) const fn stop(&mut self) {
        self.due = None;
    }
}

impl ConsumerCore {
    pub(crate) fn auto_commit_due(&mut self, now: Instant) {
        if self.auto_commit.due.is_none_or(|due| due > now) {
            return;
        }
        self.auto_commit.restart(now);
        if self.auto_commit.in_flight {
            return;
        }
        let mut partitions = self.deliverable();
        // Nothing is committed of what the listener has not been told of: it still has its say about the
        // ownership before.
        partitions.retain(|partition| !self.handovers.arrives_untold(partition));
        let by_hand = matches!(self.subscription, Subscription::Partitions(_));
        let offsets = match by_hand && self.auto_commit.renews(now) {
            true => self.finished_positions(&partitions),
            false => self.auto_commit_offsets(&partitions),
        };
        if offsets.is_empty() {
            return;
        }
        self.auto_commit.in_flight = self
            .send_commit(offsets, CommitMode::Async, CommitPurpose::Timer, now)
            .is_some();
    }

    /// What there is to commit of these partitions without the application asking for it: up to what
    /// it came back from, and only where the group does not hold that already.
    pub(crate) fn auto_commit_offsets(
        &self,
        partitions: &BTreeSet<TopicPartition>,
    ) -> BTreeMap<TopicPartition, OffsetAndMetadata> {
        let mut offsets = self.finished_positions(partitions);
        offsets.retain(|partition, offset| !self.ledger.is_committed(partition, offset.offset));
        offsets
    }

    fn finished_positions(
        &self,
        partitions: &BTreeSet<TopicPartition>,
    ) -> BTreeMap<TopicPartition, OffsetAndMetadata> {
        partitions
            .iter()
            .filter_map(|partition| Some((partition.clone(), self.finished_position(partition)?)))
            .collect()
    }
}
