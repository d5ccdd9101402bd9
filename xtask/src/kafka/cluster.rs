//! A cluster of nodes, kept in a folder under `target/kafka/run`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};

use super::node::Node;
use super::{files, jars, ports};
use crate::process::target;

/// More nodes than this fit no machine that runs tests.
pub(super) const MOST_NODES: u16 = 9;

/// A cluster by its name.
pub(super) struct Cluster {
    name: String,
    folder: PathBuf,
}

impl Cluster {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            folder: runs().join(name),
        }
    }

    /// Makes the cluster unless there is one, and starts every node that does not run; its
    /// bootstrap address.
    pub(super) fn up(&self, count: Option<u16>) -> Result<String, String> {
        let _lock = self.lock()?;
        let mut nodes = self.nodes();
        if nodes.is_empty() || !nodes.iter().all(Node::is_prepared) {
            // What an interrupted start left behind is of no use.
            self.remove()?;
            nodes = self.prepare(count.unwrap_or(1)).inspect_err(|_| {
                let _removed = self.remove().is_ok();
            })?;
        } else if let Some(count) = count.filter(|count| usize::from(*count) != nodes.len()) {
            return Err(format!(
                "cluster {} has {} nodes, not {count}: take it down first",
                self.name,
                nodes.len()
            ));
        }
        let down: Vec<&Node> = nodes.iter().filter(|node| !node.is_alive()).collect();
        if !down.is_empty() {
            down.iter().try_for_each(|node| node.start())?;
            let all = nodes.iter().map(|node| node.id).collect();
            nodes.iter().try_for_each(|node| node.await_answer(&all))?;
        }
        bootstrap(&nodes)
    }

    /// Ends every node and forgets what they stored.
    pub(super) fn down(&self) -> Result<(), String> {
        let _lock = self.lock()?;
        self.remove()
    }

    /// One line a node.
    pub(super) fn status(&self) -> Result<String, String> {
        let mut lines = Vec::new();
        for node in self.nodes() {
            let port = node.ports()?.client;
            lines.push(match node.pid().filter(|_| node.is_alive()) {
                Some(pid) => format!("node {} port {port} pid {pid}: running", node.id),
                None => format!("node {} port {port}: not running", node.id),
            });
        }
        if lines.is_empty() {
            lines.push(format!("there is no cluster {}", self.name));
        }
        Ok(lines.join("\n"))
    }

    /// Sends a signal to these nodes at once, and waits until they are gone.
    pub(super) fn signal(&self, ids: &[u16], signal: &str) -> Result<(), String> {
        let nodes = self.named(ids)?;
        nodes.iter().try_for_each(|node| node.signal(signal))?;
        nodes.iter().try_for_each(Node::await_end)
    }

    /// Starts these nodes, and ends them before that if they run.
    pub(super) fn restart(&self, ids: &[u16]) -> Result<(), String> {
        let _lock = self.lock()?;
        self.signal(ids, "-TERM")?;
        let nodes = self.named(ids)?;
        nodes.iter().try_for_each(Node::start)?;
        let expected = nodes.iter().map(|node| node.id).collect();
        nodes
            .iter()
            .try_for_each(|node| node.await_answer(&expected))
    }

    /// Gives ports to so many nodes, and formats their log directories.
    fn prepare(&self, count: u16) -> Result<Vec<Node>, String> {
        jars::check_java()?;
        let nodes: Vec<Node> = (1..=count).map(|id| Node::new(&self.folder, id)).collect();
        let ports = {
            let _lock = files::lock(&runs().join(".ports.lock"))?;
            let chosen = ports::choose(count, &taken())?;
            let ports: BTreeMap<_, _> = (1..).zip(chosen).collect();
            for node in &nodes {
                node.reserve(*ports.get(&node.id).ok_or("a node without ports")?)?;
            }
            ports
        };
        let id = cluster_id();
        let formats: Result<Vec<_>, String> =
            nodes.iter().map(|node| node.prepare(&ports, &id)).collect();
        for (node, mut format) in nodes.iter().zip(formats?) {
            let status = format.wait().map_err(|error| error.to_string())?;
            if !status.success() {
                return Err(node.complaint("cannot be formatted"));
            }
        }
        Ok(nodes)
    }

    fn remove(&self) -> Result<(), String> {
        let nodes = self.nodes();
        nodes.iter().try_for_each(|node| node.signal("-KILL"))?;
        nodes.iter().try_for_each(Node::await_end)?;
        files::remove_folder(&self.folder)
    }

    /// Keeps two of us from starting one cluster.
    fn lock(&self) -> Result<File, String> {
        files::lock(&runs().join(format!(".{}.lock", self.name)))
    }

    fn nodes(&self) -> Vec<Node> {
        nodes_in(&self.folder)
    }

    fn named(&self, ids: &[u16]) -> Result<Vec<Node>, String> {
        let known: BTreeSet<u16> = self.nodes().iter().map(|node| node.id).collect();
        match ids.iter().find(|id| !known.contains(id)) {
            Some(id) => Err(format!("cluster {} has no node {id}", self.name)),
            None => Ok(ids.iter().map(|id| Node::new(&self.folder, *id)).collect()),
        }
    }
}

/// Where the clusters of this target folder are.
fn runs() -> PathBuf {
    target().join("kafka/run")
}

fn nodes_in(cluster: &Path) -> Vec<Node> {
    (1..=MOST_NODES)
        .map(|id| Node::new(cluster, id))
        .filter(Node::exists)
        .collect()
}

/// The ports that the clusters of this target folder have.
fn taken() -> BTreeSet<u16> {
    let clusters = fs::read_dir(runs()).into_iter().flatten().flatten();
    clusters
        .flat_map(|cluster| nodes_in(&cluster.path()))
        .filter_map(|node| node.ports().ok())
        .flat_map(|ports| [ports.client, ports.controller])
        .collect()
}

fn bootstrap(nodes: &[Node]) -> Result<String, String> {
    let address = |node: &Node| Ok(format!("127.0.0.1:{}", node.ports()?.client));
    let addresses: Result<Vec<String>, String> = nodes.iter().map(address).collect();
    Ok(addresses?.join(","))
}

/// A new id, as Kafka writes them: 16 bytes in 22 letters. Asking `StorageTool` for one costs the
/// start of a JVM.
fn cluster_id() -> String {
    let random = || RandomState::new().hash_one(std::process::id());
    let letters: String = (0..2).map(|_| format!("{:016x}", random())).collect();
    letters.chars().take(22).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_clusters_are_kafkas_and_differ() {
        assert_eq!(cluster_id().len(), 22);
        assert_ne!(cluster_id(), cluster_id());
    }

    #[test]
    fn a_cluster_that_is_not_there_has_no_nodes() {
        let cluster = Cluster::new("nothing-has-this-name");
        assert!(cluster.status().unwrap().contains("no cluster"));
        assert!(cluster.signal(&[1], "-KILL").is_err());
    }
}
