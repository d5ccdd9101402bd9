//! Whom a consumer had better read from (KIP-392).

use windlass_model::NodeId;
use windlass_protocol::ErrorCode;

use super::fetch::check_epoch;
use crate::topic::Partition;
use crate::{ClusterCore, Inbound};

/// The first version of Fetch in which a client can say where it stands.
const RACK_FROM: i16 = 11;

impl ClusterCore {
    /// The follower in the client's own rack, where the leader is asked and is not there itself. Every
    /// living node has a copy of every partition.
    pub(super) fn preferred_read_replica(
        &self,
        partition: &Partition,
        inbound: &Inbound,
        rack: &str,
    ) -> Option<NodeId> {
        let asks = inbound.version >= RACK_FROM && !rack.is_empty();
        if !asks || !self.config.reads_from_followers || partition.leader != Some(inbound.node) {
            return None;
        }
        let stands_there = |node: &NodeId| {
            let endpoint = self.nodes.endpoint(*node);
            endpoint.is_some_and(|endpoint| endpoint.rack.as_deref() == Some(rack))
        };
        let mut living = self.nodes.ids().filter(|node| self.nodes.is_alive(*node));
        living
            .find(stands_there)
            .filter(|node| *node != inbound.node)
    }

    /// Whether the node may be read from: the leader always, a follower where that is wished for.
    pub(super) fn check_replica(
        &self,
        partition: &Partition,
        inbound: &Inbound,
        client_epoch: i32,
    ) -> Result<(), ErrorCode> {
        check_epoch(partition, client_epoch)?;
        let follows = self.config.reads_from_followers
            && inbound.version >= RACK_FROM
            && partition.leader.is_some();
        if follows || partition.leader == Some(inbound.node) {
            Ok(())
        } else {
            Err(ErrorCode::NOT_LEADER_OR_FOLLOWER)
        }
    }
}
