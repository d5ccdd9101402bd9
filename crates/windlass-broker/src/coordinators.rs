//! Which node coordinates which group or transaction.

use std::collections::BTreeMap;

use windlass_model::NodeId;

use crate::node::Nodes;

/// How many shares the groups fall into (`offsets.topic.num.partitions`).
const SHARES: usize = 50;

/// Who coordinates what. A share stays with its node until that node dies, and does not go back by
/// itself.
#[derive(Debug)]
pub(crate) struct Coordinators {
    shares: Vec<Option<NodeId>>,
    /// Groups that were moved by hand, apart from their share.
    moved: BTreeMap<String, NodeId>,
}

impl Coordinators {
    pub(crate) fn new(nodes: &Nodes) -> Self {
        Self {
            shares: (0..SHARES).map(|share| nodes.pick(share)).collect(),
            moved: BTreeMap::new(),
        }
    }

    /// The node that coordinates the group or transaction of this name; none while no node lives.
    pub(crate) fn of(&self, key: &str) -> Option<NodeId> {
        if let Some(node) = self.moved.get(key) {
            return Some(*node);
        }
        let hash = key.bytes().fold(0_usize, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(usize::from(byte))
        });
        self.shares.get(hash % SHARES).copied().flatten()
    }

    pub(crate) fn move_by_hand(&mut self, key: &str, node: NodeId) {
        self.moved.insert(key.to_owned(), node);
    }

    /// A node died: the living take over what it had.
    pub(crate) fn node_died(&mut self, node: NodeId, nodes: &Nodes) {
        self.moved.retain(|_, coordinator| *coordinator != node);
        for (index, share) in self.shares.iter_mut().enumerate() {
            if *share == Some(node) {
                *share = nodes.pick(index);
            }
        }
    }

    /// A node came: it takes what nobody has.
    pub(crate) fn node_came(&mut self, node: NodeId) {
        for share in &mut self.shares {
            share.get_or_insert(node);
        }
    }
}
