//! What goes wrong.

use std::time::{Duration, Instant};

use windlass_protocol::{ApiKey, ErrorCode};

use crate::member::{GROUP, TOPIC};
use crate::network::Arrival;
use crate::world::World;

impl World {
    /// Lets something happen, and arranges for the next time.
    pub(crate) fn fault(&mut self, now: Instant) {
        if now >= self.quiet_from {
            return;
        }
        let gap = self.options.fault_every.as_millis();
        let gap = u64::try_from(gap).unwrap_or(1000);
        let next = now + Duration::from_millis(gap / 2 + self.random.below(gap));
        self.agenda.add(next, Arrival::Fault);
        match self.random.below(13) {
            0 => self.kill_node(now),
            1 | 2 => self.kill_member(now),
            3 => self.stop_member(now),
            4 | 5 => self.start_member(now),
            6 => self.cut_off(now),
            7 => self.stall_application(now),
            8 => {
                let partition = self.pick_partition();
                let node = self.pick_node();
                self.cluster.move_leader(TOPIC, partition, node, now);
            }
            9 => {
                let node = self.pick_node();
                self.cluster.move_coordinator(GROUP, node, now);
            }
            10 => {
                let node = self.pick_node();
                self.cluster.drop_connections(node, now);
            }
            11 => self.inject_error(),
            _ => {
                let count = self.options.partitions;
                if count < 16 && self.random.chance(1, 3) {
                    self.options.partitions += 1;
                    self.cluster.add_partitions(TOPIC, count + 1);
                }
            }
        }
        self.drain_cluster(now);
    }

    fn kill_node(&mut self, now: Instant) {
        // One at a time: a cluster without nodes can do nothing but wait.
        let dead = (1..=self.options.nodes).any(|node| !self.cluster.is_alive(node));
        if dead {
            return;
        }
        let node = self.pick_node();
        self.cluster.kill_node(node, now);
        let back = now + Duration::from_millis(200 + self.random.below(6000));
        self.agenda.add(back, Arrival::Revive { node });
    }

    fn inject_error(&mut self) {
        let faults = [
            (ApiKey::Heartbeat, ErrorCode::NOT_COORDINATOR),
            (ApiKey::Heartbeat, ErrorCode::COORDINATOR_NOT_AVAILABLE),
            (
                ApiKey::OffsetCommit,
                ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            ),
            (ApiKey::OffsetCommit, ErrorCode::NOT_COORDINATOR),
            (ApiKey::OffsetFetch, ErrorCode::UNSTABLE_OFFSET_COMMIT),
            (ApiKey::OffsetFetch, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
            (ApiKey::JoinGroup, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
            (ApiKey::SyncGroup, ErrorCode::NOT_COORDINATOR),
            (
                ApiKey::FindCoordinator,
                ErrorCode::COORDINATOR_NOT_AVAILABLE,
            ),
            (ApiKey::Fetch, ErrorCode::NOT_LEADER_OR_FOLLOWER),
            (ApiKey::Fetch, ErrorCode::KAFKA_STORAGE_ERROR),
            (ApiKey::ListOffsets, ErrorCode::LEADER_NOT_AVAILABLE),
            // Answers that mean nothing, once in a while, to anything.
            (ApiKey::Heartbeat, ErrorCode::UNKNOWN_SERVER_ERROR),
            (ApiKey::JoinGroup, ErrorCode::UNKNOWN_SERVER_ERROR),
            (ApiKey::SyncGroup, ErrorCode::UNKNOWN_SERVER_ERROR),
            (ApiKey::FindCoordinator, ErrorCode::UNKNOWN_SERVER_ERROR),
            (ApiKey::OffsetFetch, ErrorCode::UNKNOWN_SERVER_ERROR),
            (ApiKey::OffsetCommit, ErrorCode::UNKNOWN_SERVER_ERROR),
            (ApiKey::ListOffsets, ErrorCode::UNKNOWN_SERVER_ERROR),
            (ApiKey::Metadata, ErrorCode::UNKNOWN_SERVER_ERROR),
            (ApiKey::Fetch, ErrorCode::UNKNOWN_SERVER_ERROR),
        ];
        let choice = usize::try_from(self.random.below(faults.len() as u64)).unwrap_or(0);
        let times = u32::try_from(1 + self.random.below(4)).unwrap_or(1);
        if let Some((api, code)) = faults.get(choice) {
            self.cluster.inject_error(*api, times, *code);
        }
    }

    fn pick_node(&mut self) -> i32 {
        let nodes = u64::try_from(self.options.nodes).unwrap_or(1);
        1 + i32::try_from(self.random.below(nodes)).unwrap_or(0)
    }

    fn pick_partition(&mut self) -> i32 {
        let partitions = u64::try_from(self.options.partitions).unwrap_or(1);
        i32::try_from(self.random.below(partitions)).unwrap_or(0)
    }
}
