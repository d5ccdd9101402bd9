//! One assigned partition.

use std::time::Instant;

use windlass_machine::{Backoff, SplitMix64};
use windlass_model::{LeaderEpoch, NodeId, TopicId};

use crate::aborted::AbortedTransactions;
use crate::queue::PartitionQueue;
use crate::{FetchConfig, OffsetReset, Position, StartPosition};

/// What stands between a partition and being fetched.
#[derive(Clone, Debug)]
pub(crate) enum Stage {
    /// A committed offset will be told.
    Awaiting,
    /// The leader is, or will be, asked where the log begins or ends.
    Resetting {
        /// Which end.
        to: OffsetReset,
        /// Why, for the event.
        reason: String,
        /// Where the partition stood before, if anywhere.
        from: Option<i64>,
        asked: bool,
    },
    /// The leader changed, and is or will be asked whether it has what was read.
    Validating { asked: bool },
    /// Nothing.
    Fetching,
    /// Something the application has to solve by a seek.
    Failed,
}

/// What is known of one assigned partition.
#[derive(Clone, Debug)]
pub(crate) struct PartitionState {
    /// Changes whenever answers to earlier questions no longer count.
    pub(crate) epoch: u64,
    pub(crate) stage: Stage,
    /// Batches and position; a position only counts in the stages that have one.
    pub(crate) queue: PartitionQueue,
    pub(crate) paused: bool,
    pub(crate) held: bool,
    pub(crate) topic_id: TopicId,
    pub(crate) leader: Option<NodeId>,
    pub(crate) leader_epoch: Option<LeaderEpoch>,
    pub(crate) high_watermark: Option<i64>,
    pub(crate) last_stable_offset: Option<i64>,
    pub(crate) aborted: AbortedTransactions,
    /// Not before then, after something went wrong.
    pub(crate) retry_at: Option<Instant>,
    backoff: Backoff,
    /// The error that was told last, so that it is told once.
    pub(crate) told: Option<crate::FetchError>,
}

impl PartitionState {
    pub(crate) fn new(start: StartPosition, config: &FetchConfig, epoch: u64) -> Self {
        let nowhere = Position {
            offset: 0,
            leader_epoch: None,
        };
        let (stage, position) = match start {
            StartPosition::Awaiting => (Stage::Awaiting, nowhere),
            StartPosition::At {
                offset,
                leader_epoch,
            } => (
                Stage::Fetching,
                Position {
                    offset,
                    leader_epoch,
                },
            ),
            StartPosition::Reset(to) => {
                let reason = "the partition was assigned so".to_owned();
                (
                    Stage::Resetting {
                        to,
                        reason,
                        from: None,
                        asked: false,
                    },
                    nowhere,
                )
            }
        };
        Self {
            epoch,
            stage,
            queue: PartitionQueue::new(position),
            paused: false,
            held: false,
            topic_id: TopicId::ZERO,
            leader: None,
            leader_epoch: None,
            high_watermark: None,
            last_stable_offset: None,
            aborted: AbortedTransactions::default(),
            retry_at: None,
            backoff: Backoff::new(config.retry_backoff, config.retry_backoff_max),
            told: None,
        }
    }

    /// Where the consumer stands, if it stands anywhere.
    pub(crate) const fn position(&self) -> Option<Position> {
        match self.stage {
            Stage::Validating { .. } | Stage::Fetching | Stage::Failed => {
                Some(self.queue.position())
            }
            Stage::Awaiting | Stage::Resetting { .. } => None,
        }
    }

    /// Stands here now; what was fetched does not count.
    pub(crate) fn stand_at(&mut self, position: Position, epoch: u64) {
        self.epoch = epoch;
        self.queue = PartitionQueue::new(position);
        self.stage = Stage::Fetching;
        self.told = None;
        self.settle_down();
    }

    /// Asks the leader where to go.
    pub(crate) fn reset(&mut self, to: OffsetReset, reason: String, epoch: u64) {
        let from = self.position().map(|position| position.offset);
        self.epoch = epoch;
        self.queue = PartitionQueue::new(self.queue.position());
        self.stage = Stage::Resetting {
            to,
            reason,
            from,
            asked: false,
        };
        self.settle_down();
    }

    /// Whether records may be handed out.
    pub(crate) fn may_hand_out(&self) -> bool {
        let open = match self.stage {
            Stage::Fetching => true,
            Stage::Awaiting
            | Stage::Resetting { .. }
            | Stage::Validating { .. }
            | Stage::Failed => false,
        };
        open && !self.paused && !self.held
    }

    /// Whether the partition may be fetched now, as far as it alone can tell.
    pub(crate) fn may_fetch(&self, now: Instant) -> bool {
        self.may_hand_out() && self.leader.is_some() && !self.waits(now)
    }

    /// Whether something went wrong a short while ago.
    pub(crate) fn waits(&self, now: Instant) -> bool {
        self.retry_at.is_some_and(|at| at > now)
    }

    /// Something went wrong: wait, longer each time.
    pub(crate) fn back_off(&mut self, random: &mut SplitMix64, now: Instant) {
        self.retry_at = Some(now + self.backoff.next(random));
    }

    /// Something worked.
    pub(crate) const fn settle_down(&mut self) {
        self.retry_at = None;
        self.backoff.reset();
    }
}
