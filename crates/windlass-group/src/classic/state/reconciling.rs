//! The assignment is known; the application takes leave of what moves, then gets to know what is
//! new.

use std::collections::BTreeSet;

use windlass_model::TopicPartition;

use crate::classic::partition_watch::PartitionWatch;
use crate::classic::state::{PreparingRebalance, Stable, State};
use crate::classic::turn::{Callback, Turn};
use crate::words::counted;
use crate::{GroupEvent, GroupState};

/// Between the answer to SyncGroup and a settled member: first what is not ours any more is given
/// up, then the assignment is installed and told.
#[derive(Debug)]
pub(crate) struct Reconciling {
    assigned: BTreeSet<TopicPartition>,
    watch: Option<PartitionWatch>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Revoking(Callback),
    /// Also how many partitions were given up before.
    Assigning(Callback, usize),
}

impl Reconciling {
    pub(crate) fn begin(
        assigned: BTreeSet<TopicPartition>,
        watch: Option<PartitionWatch>,
        turn: &mut Turn<'_>,
    ) -> State {
        let reason = format!("assigned: {}", counted(assigned.len(), "partition"));
        turn.out.enter(GroupState::Reconciling, &reason);
        let moved = turn.member.ownership.subset(|one| !assigned.contains(one));
        let phase = if moved.is_empty() {
            install(&assigned, 0, turn)
        } else {
            let reason = format!(
                "moving to other members: {}",
                counted(moved.len(), "partition")
            );
            Phase::Revoking(turn.revoke(moved, &reason))
        };
        State::Reconciling(Self {
            assigned,
            watch,
            phase,
        })
    }

    /// Whether the application gets to know what is new.
    pub(crate) const fn is_assigning(&self) -> bool {
        matches!(self.phase, Phase::Assigning(..))
    }

    pub(crate) const fn callback(&self) -> &Callback {
        match &self.phase {
            Phase::Revoking(callback) | Phase::Assigning(callback, _) => callback,
        }
    }

    pub(crate) fn into_callback(self) -> Callback {
        match self.phase {
            Phase::Revoking(callback) | Phase::Assigning(callback, _) => callback,
        }
    }

    pub(crate) fn on_callback_done(self, turn: &mut Turn<'_>) -> State {
        match self.phase {
            Phase::Revoking(callback) => {
                turn.close_callback(&callback);
                let phase = install(&self.assigned, callback.gives_up.len(), turn);
                State::Reconciling(Self { phase, ..self })
            }
            Phase::Assigning(callback, 0) => {
                turn.close_callback(&callback);
                Stable::begin(self.watch, turn)
            }
            Phase::Assigning(callback, moved) => {
                turn.close_callback(&callback);
                turn.member.pacing.settle();
                let reason = format!(
                    "{} given up, to be assigned now",
                    counted(moved, "partition")
                );
                PreparingRebalance::begin(turn, &reason)
            }
        }
    }
}

/// The assignment is ours as of now.
fn install(assigned: &BTreeSet<TopicPartition>, moved: usize, turn: &mut Turn<'_>) -> Phase {
    let added = turn.member.ownership.install(assigned);
    let last = &mut turn.member.last_assignment;
    last.partitions = turn.member.ownership.grouped();
    last.generation = turn.member.identity.generation;
    let token = turn.open_callback();
    let reason = turn.member.join_reason.clone();
    if let Some(generation) = turn.member.identity.generation {
        turn.out.emit(GroupEvent::Assigned {
            token,
            added,
            owned: assigned.clone(),
            generation,
            reason,
        });
    }
    let callback = Callback {
        token,
        gives_up: BTreeSet::new(),
    };
    Phase::Assigning(callback, moved)
}
