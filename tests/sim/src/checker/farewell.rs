//! Taking leave of a partition: the application first, then the listener, then the others.

use std::collections::BTreeSet;
use std::time::Duration;

use windlass_model::TopicPartition;

use super::{Checker, Violation, require};
use crate::history::{Entry, Event, Incarnation};

/// How long a commit may be on its way to the coordinator: longer than any latency.
const COMMIT_UNDER_WAY: Duration = Duration::from_millis(500);

impl Checker {
    /// The listener is told only when the application holds nothing of the partitions any more.
    pub(super) fn revoking(
        &mut self,
        who: Incarnation,
        partitions: &[TopicPartition],
        leaves: bool,
    ) -> Result<(), Violation> {
        self.retained.revoking(who, partitions, leaves)?;
        for partition in partitions {
            let key = (who, partition.clone());
            let lost = self.of_the_lost.get(&key).copied().unwrap_or(0);
            let in_hands = self.handed_out.get(&key).map_or(0, Vec::len);
            let in_hands = in_hands.saturating_sub(lost);
            require(20, in_hands == 0, || {
                format!(
                    "{who} has to give up {partition} while its application holds {in_hands} records of it"
                )
            })?;
            self.listening.insert(key);
        }
        Ok(())
    }

    pub(super) fn listener_done(&mut self, who: Incarnation, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.listening.remove(&(who, partition.clone()));
        }
    }

    /// The member lets go of a partition: not before its listener has returned, and not before what
    /// was processed is committed, unless something kept this member from it.
    pub(super) fn revoked(
        &mut self,
        who: Incarnation,
        partition: &TopicPartition,
        excused: bool,
    ) -> Result<(), Violation> {
        let key = (who, partition.clone());
        require(20, !self.listening.contains(&key), || {
            format!("{who} gave up {partition} while its listener was still at work")
        })?;
        let Some(ownership) = self.owned.remove(&key) else {
            return Err(Violation {
                rule: 2,
                text: format!("{who} gave up {partition}, which it did not own"),
            });
        };
        let committed = self.committed.get(partition).copied();
        let owed = ownership
            .processed
            .filter(|processed| committed.is_none_or(|committed| committed < *processed));
        if let Some(processed) = owed {
            require(6, excused || ownership.overtaken, || {
                format!(
                    "{who} gave up {partition} after processing up to {processed}, committed is {committed:?}"
                )
            })?;
            self.forgive(who, partition);
        }
        Ok(())
    }

    /// A commit of what a member loses may be on its way to a coordinator that will still take it.
    pub(super) fn note_loss(&mut self, entry: &Entry) {
        if let Event::Lost {
            who, partitions, ..
        }
        | Event::Overdue { who, partitions } = &entry.event
        {
            for partition in partitions {
                let place = (*who, partition.clone());
                let in_hands = self.handed_out.get(&place).map_or(0, Vec::len);
                self.of_the_lost.insert(place, in_hands);
                self.expect_late_commit(*who, partition, entry.at);
            }
        }
        // A commit that was not waited for any longer may arrive all the same.
        if let Event::Revoked { who, partitions } = &entry.event {
            for (partition, _) in partitions.iter().filter(|(_, excused)| **excused) {
                self.expect_late_commit(*who, partition, entry.at);
            }
        }
    }

    fn expect_late_commit(&mut self, who: Incarnation, partition: &TopicPartition, at: Duration) {
        let until = at + COMMIT_UNDER_WAY;
        self.late_commits.insert((who, partition.clone()), until);
    }

    /// Everything at once, and without a chance to commit.
    pub(super) fn lost(
        &mut self,
        who: Incarnation,
        partitions: &[TopicPartition],
        excused: bool,
    ) -> Result<(), Violation> {
        require(9, excused, || {
            format!(
                "{who} lost {partitions:?}, though nobody expelled it and its application was there"
            )
        })?;
        self.retained.gone(who, partitions);
        for partition in partitions {
            self.forgive(who, partition);
            self.owned.remove(&(who, partition.clone()));
            self.listening.remove(&(who, partition.clone()));
        }
        Ok(())
    }

    /// The application was told that its commit failed: what it covered may come again.
    pub(super) fn commit_failed(
        &mut self,
        who: Incarnation,
        partitions: Option<&[TopicPartition]>,
        excused: bool,
    ) -> Result<(), Violation> {
        require(6, excused, || {
            format!("a commit of {who} failed, though nothing kept it from the coordinator")
        })?;
        let all = self.owned.keys().filter(|(owner, _)| *owner == who);
        let all: Vec<TopicPartition> = all.map(|(_, partition)| partition.clone()).collect();
        for partition in partitions.unwrap_or(&all) {
            self.forgive(who, partition);
            if let Some(ownership) = self.owned.get_mut(&(who, partition.clone())) {
                ownership.processed = None;
            }
        }
        Ok(())
    }

    /// Nobody who takes part in the generation still has what another is given in it.
    pub(super) fn require_given_up(
        &self,
        who: Incarnation,
        partition: &TopicPartition,
        peers: &BTreeSet<Incarnation>,
    ) -> Result<(), Violation> {
        let holder = peers
            .iter()
            .filter(|peer| **peer != who)
            .find(|peer| self.owned.contains_key(&(**peer, partition.clone())));
        let listens = holder.is_some_and(|peer| {
            let key = (*peer, partition.clone());
            self.listening.contains(&key)
        });
        require(if listens { 20 } else { 1 }, holder.is_none(), || {
            let holder = holder.map(ToString::to_string).unwrap_or_default();
            let state = if listens {
                "whose listener is still taking leave of it"
            } else {
                "who takes part and has not given it up"
            };
            format!("{partition} was given to {who}, and belongs to {holder}, {state}")
        })
    }
}
