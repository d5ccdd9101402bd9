//! A cluster of nodes, kept in a folder under `target/kafka/run`.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Command;

use super::jars;
use super::node::Node;
use crate::process::{read, target};

/// A cluster by its name.
pub(super) struct Cluster {
    name: String,
    folder: PathBuf,
}

impl Cluster {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            folder: target().join("kafka/run").join(name),
        }
    }

    /// Starts the cluster unless it runs already; its bootstrap address.
    pub(super) fn up(&self, count: u16) -> Result<String, String> {
        let running = self.nodes();
        if !running.is_empty() && running.iter().all(Node::is_alive) {
            return self.bootstrap();
        }
        self.down()?;
        let ports = free_ports(count)?;
        let mut uuid = Command::new("java");
        uuid.args([
            "-cp",
            &jars::class_path()?,
            "kafka.tools.StorageTool",
            "random-uuid",
        ]);
        let cluster_id = read(&mut uuid)?;
        let cluster_id = cluster_id
            .lines()
            .last()
            .unwrap_or_default()
            .trim()
            .to_owned();
        let nodes: Vec<Node> = (1..=count).map(|id| Node::new(&self.folder, id)).collect();
        for node in &nodes {
            node.prepare(&ports, &cluster_id)?;
        }
        for node in &nodes {
            node.start()?;
        }
        for node in &nodes {
            node.await_answer()?;
        }
        self.bootstrap()
    }

    /// Ends every node and forgets what they stored.
    pub(super) fn down(&self) -> Result<(), String> {
        for node in self.nodes() {
            node.signal("-9")?;
        }
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)
                .map_err(|error| format!("{}: {error}", self.folder.display()))?;
        }
        Ok(())
    }

    /// One line a node.
    pub(super) fn status(&self) -> Result<String, String> {
        let mut lines = Vec::new();
        for node in self.nodes() {
            let state = if node.is_alive() {
                "running"
            } else {
                "not running"
            };
            let pid = node
                .pid()
                .map_or_else(|| "-".to_owned(), |pid| pid.to_string());
            lines.push(format!(
                "node {} port {} pid {pid}: {state}",
                node.id,
                node.port()?
            ));
        }
        if lines.is_empty() {
            lines.push(format!("there is no cluster {}", self.name));
        }
        Ok(lines.join("\n"))
    }

    pub(super) fn kill(&self, id: u16) -> Result<(), String> {
        self.node(id)?.signal("-9")
    }

    pub(super) fn stop(&self, id: u16) -> Result<(), String> {
        self.node(id)?.signal("-15")
    }

    /// Starts a node that does not run, or ends and starts one that does.
    pub(super) fn restart(&self, id: u16) -> Result<(), String> {
        let node = self.node(id)?;
        node.signal("-15")?;
        node.start()?;
        node.await_answer()
    }

    fn bootstrap(&self) -> Result<String, String> {
        let addresses: Result<Vec<String>, String> = self
            .nodes()
            .iter()
            .map(|node| node.port().map(|port| format!("127.0.0.1:{port}")))
            .collect();
        Ok(addresses?.join(","))
    }

    fn node(&self, id: u16) -> Result<Node, String> {
        self.nodes()
            .into_iter()
            .find(|node| node.id == id)
            .ok_or_else(|| format!("cluster {} has no node {id}", self.name))
    }

    fn nodes(&self) -> Vec<Node> {
        (1..=9)
            .filter(|id| self.folder.join(format!("node-{id}")).exists())
            .map(|id| Node::new(&self.folder, id))
            .collect()
    }
}

/// Ports nobody listens on: one for clients and one for controllers, for each node. They lie below
/// those the system gives to outgoing connections, so that a node that is down keeps its own.
fn free_ports(count: u16) -> Result<Vec<(u16, u16)>, String> {
    const FIRST: u32 = 20_000;
    const LAST: u32 = 32_000;
    let start = std::process::id() * 7 % (LAST - FIRST);
    let mut candidates = (0..LAST - FIRST)
        .filter_map(|step| u16::try_from(FIRST + (start + step) % (LAST - FIRST)).ok())
        .filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    let mut port = || candidates.next().ok_or_else(|| "no free port".to_owned());
    (0..count).map(|_| Ok((port()?, port()?))).collect()
}
