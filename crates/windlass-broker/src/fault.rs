//! Faults on demand.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use windlass_model::NodeId;
use windlass_protocol::{ApiKey, ErrorCode};

use crate::ClusterCore;

/// What goes wrong, until it has gone wrong often enough.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    errors: BTreeMap<ApiKey, (u32, ErrorCode)>,
    delays: BTreeMap<ApiKey, Duration>,
}

impl Faults {
    /// The error that a request of this API is to be answered with, if any.
    pub(crate) fn error(&mut self, api: ApiKey) -> Option<ErrorCode> {
        let (times, code) = self.errors.get_mut(&api)?;
        let code = *code;
        *times -= 1;
        if *times == 0 {
            self.errors.remove(&api);
        }
        Some(code)
    }

    pub(crate) fn delay(&self, api: ApiKey) -> Option<Duration> {
        self.delays.get(&api).copied()
    }
}

impl ClusterCore {
    /// Kills a node: its connections break, others take over what it led and coordinated.
    pub fn kill_node(&mut self, node: i32, now: Instant) {
        let node = NodeId(node);
        self.nodes.set_alive(node, false);
        self.break_connections(node);
        let nodes = self.nodes.clone();
        for (index, partition) in self.topics.all_partitions() {
            if partition.leader == Some(node) {
                partition.lead(nodes.pick(index));
            }
        }
        self.reassign_groups(now, |core| core.coordinators.node_died(node, &nodes));
    }

    /// Starts a node again. It takes over what nobody has, and takes back nothing by itself.
    pub fn restart_node(&mut self, node: i32, now: Instant) {
        let node = NodeId(node);
        self.nodes.set_alive(node, true);
        for (_, partition) in self.topics.all_partitions() {
            if partition.leader.is_none() {
                partition.lead(Some(node));
            }
        }
        self.reassign_groups(now, |core| core.coordinators.node_came(node));
    }

    /// Makes another node lead a partition.
    pub fn move_leader(&mut self, topic: &str, partition: i32, node: i32, now: Instant) {
        if self.nodes.is_alive(NodeId(node))
            && let Some(partition) = self.topics.partition_mut(topic, partition)
        {
            partition.lead(Some(NodeId(node)));
        }
        self.settle(now);
    }

    /// Makes another node coordinate a group. The new coordinator knows what the former one wrote
    /// down: a rebalance that was under way begins anew.
    pub fn move_coordinator(&mut self, group: &str, node: i32, now: Instant) {
        if self.nodes.is_alive(NodeId(node)) {
            self.reassign_groups(now, |core| {
                core.coordinators.move_by_hand(group, NodeId(node));
            });
        }
    }

    /// Answers the next requests of this API with an error.
    pub fn inject_error(&mut self, api: ApiKey, times: u32, code: ErrorCode) {
        if times > 0 {
            self.faults.errors.insert(api, (times, code));
        }
    }

    /// Holds every response of this API back for so long; zero ends it.
    pub fn delay(&mut self, api: ApiKey, delay: Duration) {
        if delay.is_zero() {
            self.faults.delays.remove(&api);
        } else {
            self.faults.delays.insert(api, delay);
        }
    }

    /// Breaks every connection to a node, which goes on living.
    pub fn drop_connections(&mut self, node: i32, now: Instant) {
        self.break_connections(NodeId(node));
        self.settle(now);
    }

    fn break_connections(&mut self, node: NodeId) {
        let broken: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.node == node)
            .map(|(id, _)| *id)
            .collect();
        for connection in broken {
            self.close(connection);
        }
    }

    /// Forgets the records of a partition below an offset, as retention does.
    pub fn delete_records_before(&mut self, topic: &str, partition: i32, offset: i64) {
        if let Some(partition) = self.topics.partition_mut(topic, partition) {
            partition.log.delete_before(offset);
        }
    }
}
