//! The nodes of the cluster.

use std::collections::BTreeMap;

use windlass_model::{BrokerEndpoint, NodeId};

/// A node: where it listens, and whether it lives.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) endpoint: BrokerEndpoint,
    pub(crate) alive: bool,
}

/// All nodes, by id.
#[derive(Clone, Debug)]
pub(crate) struct Nodes {
    nodes: BTreeMap<NodeId, Node>,
}

impl Nodes {
    pub(crate) fn new(count: i32) -> Self {
        let nodes = (1..=count)
            .map(|id| {
                let mut endpoint = BrokerEndpoint::new(format!("node-{id}"), 9092);
                endpoint.rack = Some(format!("rack-{id}"));
                (
                    NodeId(id),
                    Node {
                        endpoint,
                        alive: true,
                    },
                )
            })
            .collect();
        Self { nodes }
    }

    pub(crate) fn set_endpoint(&mut self, id: NodeId, host: &str, port: u16) {
        if let Some(node) = self.nodes.get_mut(&id) {
            host.clone_into(&mut node.endpoint.host);
            node.endpoint.port = port;
        }
    }

    pub(crate) fn set_alive(&mut self, id: NodeId, alive: bool) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.alive = alive;
        }
    }

    pub(crate) fn is_alive(&self, id: NodeId) -> bool {
        self.nodes.get(&id).is_some_and(|node| node.alive)
    }

    pub(crate) fn endpoint(&self, id: NodeId) -> Option<&BrokerEndpoint> {
        self.nodes.get(&id).map(|node| &node.endpoint)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.keys().copied()
    }

    pub(crate) fn alive(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.nodes
            .iter()
            .filter(|(_, node)| node.alive)
            .map(|(id, node)| (*id, node))
    }

    /// The node that number `index` falls to, counting round the living ones.
    pub(crate) fn pick(&self, index: usize) -> Option<NodeId> {
        let count = self.alive().count();
        let place = index.checked_rem(count)?;
        self.alive().nth(place).map(|(id, _)| id)
    }
}
