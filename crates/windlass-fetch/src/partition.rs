//! One assigned partition.

use std::time::Instant;

use windlass_machine::{Backoff, SplitMix64};
use windlass_model::{LeaderEpoch, NodeId, TopicId};

use crate::queue::PartitionQueue;
use crate::{FetchConfig, FetchError, OffsetReset, Position, Standing, StartPosition};

/// A [`Standing`] with what is known only there.
#[derive(Clone, Debug)]
pub(crate) enum Stage {
    Awaiting,
    Resetting {
        /// Which end of the log.
        to: OffsetReset,
        /// Why, for the event.
        reason: String,
        /// Where the partition stood before, if anywhere.
        from: Option<i64>,
        /// Whether the question is under way.
        asked: bool,
    },
    Validating {
        /// Whether the question is under way.
        asked: bool,
    },
    Fetching,
    Failed,
    Nowhere,
}

impl Stage {
    const fn standing(&self) -> Standing {
        match self {
            Self::Awaiting => Standing::Awaiting,
            Self::Resetting { .. } => Standing::Resetting,
            Self::Validating { .. } => Standing::Validating,
            Self::Fetching => Standing::Fetching,
            Self::Failed => Standing::Failed,
            Self::Nowhere => Standing::Nowhere,
        }
    }
}

/// How many pictures of the cluster have to tell the same smaller leader epoch before it is believed.
const BELIEVED_AFTER: u32 = 4;

/// What is known of one assigned partition.
#[derive(Clone, Debug)]
pub(crate) struct PartitionState {
    /// Changes whenever answers to earlier questions no longer count.
    pub(crate) epoch: u64,
    stage: Stage,
    /// Batches and position; a position only counts in the standings that have one.
    pub(crate) queue: PartitionQueue,
    pub(crate) paused: bool,
    pub(crate) held: bool,
    pub(crate) topic_id: TopicId,
    pub(crate) leader: Option<NodeId>,
    pub(crate) leader_epoch: Option<LeaderEpoch>,
    /// The broker that was asked for records last.
    pub(crate) source: Option<NodeId>,
    /// How many pictures in a row told the same leader epoch below the one that is known.
    pub(crate) older_told: Option<(LeaderEpoch, u32)>,
    /// The follower that the leader would rather have read from, and for how long (KIP-392).
    pub(crate) read_replica: Option<(NodeId, Instant)>,
    /// Corrupt batches that followers sent since the last sound one.
    pub(crate) follower_faults: u32,
    /// How many bytes to ask for, where no batch fits into `max_partition_bytes`.
    pub(crate) fetch_bytes: Option<i32>,
    pub(crate) high_watermark: Option<i64>,
    pub(crate) last_stable_offset: Option<i64>,
    /// What is the matter behind the queue. It is told when the queue has been handed out, and
    /// nothing is fetched before.
    pub(crate) failure_ahead: Option<FetchError>,
    /// Not before then, after something went wrong.
    pub(crate) retry_at: Option<Instant>,
    backoff: Backoff,
    /// The error that was told last, so that it is told once.
    pub(crate) told: Option<FetchError>,
}

impl PartitionState {
    pub(crate) fn new(config: &FetchConfig, epoch: u64) -> Self {
        Self {
            epoch,
            stage: Stage::Awaiting,
            queue: PartitionQueue::new(Position {
                offset: 0,
                leader_epoch: None,
            }),
            paused: false,
            held: false,
            topic_id: TopicId::ZERO,
            leader: None,
            leader_epoch: None,
            source: None,
            older_told: None,
            read_replica: None,
            follower_faults: 0,
            fetch_bytes: None,
            high_watermark: None,
            last_stable_offset: None,
            failure_ahead: None,
            retry_at: None,
            backoff: Backoff::new(config.retry_backoff, config.retry_backoff_max),
            told: None,
        }
    }

    /// Goes where an assignment says.
    pub(crate) fn start(&mut self, start: StartPosition, epoch: u64) {
        match start {
            StartPosition::Awaiting => {}
            StartPosition::At {
                offset,
                leader_epoch,
            } => {
                let position = Position {
                    offset,
                    leader_epoch,
                };
                self.stand_at(position, epoch);
            }
            StartPosition::Reset(to) => {
                self.reset(to, "the partition was assigned so".to_owned(), epoch);
            }
        }
    }

    pub(crate) const fn standing(&self) -> Standing {
        self.stage.standing()
    }

    pub(crate) const fn stage(&self) -> &Stage {
        &self.stage
    }

    /// The stage, to note in it what has been asked.
    pub(crate) const fn stage_mut(&mut self) -> &mut Stage {
        &mut self.stage
    }

    /// Goes on to another stage.
    pub(crate) fn enter(&mut self, stage: Stage) {
        let (from, to) = (self.stage.standing(), stage.standing());
        debug_assert!(
            from == to || to.allowed_predecessors().contains(&from),
            "{from:?} does not lead to {to:?}"
        );
        self.stage = stage;
    }

    /// Whether to believe a leader epoch below the one that is known. Where topics have ids, never: an id
    /// tells a new log. Where they have none, a cluster that was formed anew is told from a picture of
    /// yesterday by saying the same again and again.
    pub(crate) fn believes(&mut self, told: Option<LeaderEpoch>, without_ids: bool) -> bool {
        let Some(told) = told.filter(|_| without_ids) else {
            return false;
        };
        let before = self.older_told.filter(|(epoch, _)| *epoch == told);
        let times = before.map_or(1, |(_, times)| times + 1);
        self.older_told = Some((told, times));
        times >= BELIEVED_AFTER
    }

    /// Where the consumer stands, if it stands anywhere.
    pub(crate) const fn position(&self) -> Option<Position> {
        if self.standing().has_position() {
            Some(self.queue.position())
        } else {
            None
        }
    }

    /// Stands here now; what was fetched does not count.
    pub(crate) fn stand_at(&mut self, position: Position, epoch: u64) {
        self.begin_anew(position, epoch);
        self.enter(Stage::Fetching);
    }

    /// Asks the leader where to go. `None` of the policies leads nowhere: see `FetchMachine::fail`.
    pub(crate) fn reset(&mut self, to: OffsetReset, reason: String, epoch: u64) {
        let from = self.position().map(|position| position.offset);
        self.begin_anew(self.queue.position(), epoch);
        self.enter(Stage::Resetting {
            to,
            reason,
            from,
            asked: false,
        });
    }

    /// The topic was created anew: reading begins at the start of the new log, which nobody has seen.
    pub(crate) fn begin_new_log(&mut self, epoch: u64) {
        match self.standing() {
            Standing::Resetting | Standing::Validating | Standing::Fetching => {
                let reason = "the topic was deleted and created anew".to_owned();
                self.reset(OffsetReset::Earliest, reason, epoch);
                self.settle_down();
            }
            // A committed offset will be told, or the application says where to go.
            Standing::Awaiting | Standing::Failed | Standing::Nowhere => {}
        }
    }

    /// The application seeks: whatever was the matter is over.
    pub(crate) fn leave_standing(&mut self) {
        self.settle_down();
        self.told = None;
        self.enter(Stage::Awaiting);
    }

    /// Has the leader asked whether it has what was read, where that can be asked.
    pub(crate) fn validate(&mut self) {
        if self.leader.is_some() && self.queue.next_fetch().leader_epoch.is_some() {
            self.enter(Stage::Validating { asked: false });
        }
    }

    /// What was asked under another epoch does not count, and is asked again.
    pub(crate) const fn forget_questions(&mut self, epoch: u64) {
        self.epoch = epoch;
        match &mut self.stage {
            Stage::Resetting { asked, .. } | Stage::Validating { asked } => *asked = false,
            Stage::Awaiting | Stage::Fetching | Stage::Failed | Stage::Nowhere => {}
        }
    }

    fn begin_anew(&mut self, position: Position, epoch: u64) {
        self.epoch = epoch;
        self.queue = PartitionQueue::new(position);
        self.failure_ahead = None;
        self.fetch_bytes = None;
        self.retry_at = None;
    }

    /// Whether records may be handed out.
    pub(crate) fn may_hand_out(&self) -> bool {
        self.standing() == Standing::Fetching && !self.paused && !self.held
    }

    /// Whether the partition may be fetched now, as far as it alone can tell.
    pub(crate) fn may_fetch(&self, now: Instant) -> bool {
        self.may_hand_out() && self.failure_ahead.is_none() && !self.waits(now)
    }

    /// Whether the partition is not fetched at the moment but may be soon, without any doing of the
    /// application's.
    pub(crate) const fn may_fetch_soon(&self) -> bool {
        match self.standing() {
            Standing::Awaiting
            | Standing::Resetting
            | Standing::Validating
            | Standing::Fetching => !self.paused && self.failure_ahead.is_none(),
            Standing::Failed | Standing::Nowhere => false,
        }
    }

    /// Whether something went wrong a short while ago.
    pub(crate) fn waits(&self, now: Instant) -> bool {
        self.retry_at.is_some_and(|at| at > now)
    }

    /// Something went wrong: wait, longer each time.
    pub(crate) fn back_off(&mut self, random: &mut SplitMix64, now: Instant) {
        self.retry_at = Some(now + self.backoff.next(random));
    }

    /// Something went wrong that calls for another step at once; only if it goes wrong again and
    /// again there is a wait.
    pub(crate) fn back_off_if_repeated(&mut self, random: &mut SplitMix64, now: Instant) {
        let first = self.backoff.failures() == 0;
        self.back_off(random, now);
        if first {
            self.retry_at = None;
        }
    }

    /// How often in a row something went wrong.
    pub(crate) const fn failures(&self) -> u32 {
        self.backoff.failures()
    }

    /// Something worked.
    pub(crate) const fn settle_down(&mut self) {
        self.retry_at = None;
        self.backoff.reset();
    }
}
