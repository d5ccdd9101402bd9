//! Who leads the assigned partitions.

use std::sync::Arc;

use windlass_machine::RequestId;
use windlass_model::{LeaderEpoch, NodeId, TopicPartition};
use windlass_protocol::fetch_response::LeaderIdAndEpoch;

use crate::in_flight::InFlight;
use crate::{FetchError, FetchEvent, FetchMachine, OffsetReset, Standing};

impl FetchMachine {
    /// Notes who leads, in every assigned partition. What was fetched stays.
    pub(crate) fn note_leaders(&mut self) {
        let assigned: Vec<_> = self.partitions.keys().cloned().collect();
        let cluster = Arc::clone(&self.cluster);
        let mut leaderless = None;
        for topic_partition in assigned {
            let Some(topic) = cluster.topics.get(&topic_partition.topic) else {
                // One picture may lack what the next one shows, and who leads says so itself.
                leaderless = Some(topic_partition);
                continue;
            };
            let id = topic.id;
            let known = cluster.partition(&topic_partition);
            let leader = known.and_then(|partition| partition.leader);
            let leader_epoch = known.and_then(|partition| partition.leader_epoch);
            let fresh = self.next_epoch();
            let Some(state) = self.partitions.get_mut(&topic_partition) else {
                continue;
            };
            let made_anew = !id.is_zero() && !state.topic_id.is_zero() && id != state.topic_id;
            let is_older = matches!(
                (leader_epoch, state.leader_epoch),
                (Some(told), Some(known)) if told < known
            );
            let is_older = is_older && !made_anew;
            if is_older && !state.believes(leader_epoch, id.is_zero()) {
                // A picture from before what a leader said itself does not count.
                if state.leader.is_none() {
                    leaderless = Some(topic_partition);
                }
                continue;
            }
            if !id.is_zero() {
                state.topic_id = id;
            }
            if !is_older {
                state.older_told = None;
            }
            if made_anew {
                // What is still on its way is of the topic that was deleted.
                state.forget_questions(fresh);
                self.begin_new_log(&topic_partition);
            }
            if leader.is_none() {
                leaderless = Some(topic_partition.clone());
            }
            self.change_leader(&topic_partition, leader, leader_epoch);
        }
        if let Some(topic_partition) = leaderless
            && !cluster.brokers.is_empty()
        {
            self.need_metadata(format!("{topic_partition} has no leader"));
        }
    }

    /// The topic was deleted and created anew: what is known of the log before counts for nothing.
    fn begin_new_log(&mut self, topic_partition: &TopicPartition) {
        self.drop_queue(topic_partition);
        let fresh = self.next_epoch();
        let Some(state) = self.partitions.get_mut(topic_partition) else {
            return;
        };
        state.source = None;
        let asks = self.config.offset_reset == OffsetReset::None && state.position().is_some();
        if asks {
            // Its position is one of the old log: nothing of it may be committed.
            state.leave_standing();
        } else {
            state.begin_new_log(fresh);
        }
        self.events.push_back(FetchEvent::TopicRecreated {
            topic_partition: topic_partition.clone(),
        });
        if asks {
            self.fail(topic_partition, FetchError::NoOffset);
        }
    }

    /// A broker that does not lead said who does (KIP-951).
    pub(crate) fn on_leader_hint(&mut self, id: RequestId, hint: &LeaderIdAndEpoch) {
        let Some(topic_partition) = self.arriving(id) else {
            return;
        };
        let node = NodeId(hint.leader_id);
        let is_listed = self.cluster.brokers.contains_key(&node);
        if let Some(InFlight::Fetch(fetch)) = self.in_flight.get_mut(&id) {
            fetch.hinted.insert(node);
            if !is_listed && hint.leader_id >= 0 {
                fetch.unlisted.push((topic_partition, hint.clone()));
                return;
            }
        }
        self.follow_hint(&topic_partition, hint);
    }

    /// Goes over to the leader that a broker named.
    pub(crate) fn follow_hint(
        &mut self,
        topic_partition: &TopicPartition,
        hint: &LeaderIdAndEpoch,
    ) {
        let leader_epoch = LeaderEpoch::from_wire(hint.leader_epoch);
        let Some(state) = self.partitions.get(topic_partition) else {
            return;
        };
        if hint.leader_id >= 0 && leader_epoch > state.leader_epoch {
            // Brokers that send us round and round are not to do so without a pause.
            let pause = state.retry_at.filter(|_| state.failures() > 1);
            let leader = Some(NodeId(hint.leader_id));
            self.change_leader(topic_partition, leader, leader_epoch);
            if let Some(state) = self.partitions.get_mut(topic_partition) {
                state.retry_at = pause;
            }
        }
    }

    fn change_leader(
        &mut self,
        topic_partition: &TopicPartition,
        leader: Option<NodeId>,
        leader_epoch: Option<LeaderEpoch>,
    ) {
        let fresh = self.next_epoch();
        let Some(state) = self.partitions.get_mut(topic_partition) else {
            return;
        };
        if state.leader == leader && state.leader_epoch == leader_epoch {
            return;
        }
        state.leader = leader;
        state.leader_epoch = leader_epoch;
        state.read_replica = None;
        // What the former leader still sends may not be in the log of the new one, and what was the
        // matter with the former one may not be with the new one.
        state.forget_questions(fresh);
        state.failure_ahead = None;
        state.retry_at = None;
        if state.standing() == Standing::Fetching {
            state.validate();
        }
    }
}
