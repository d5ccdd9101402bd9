//! Ports for nodes.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use super::files;

/// The range that is chosen from. It lies below the ports the system gives to outgoing connections,
/// so that a node that is down keeps its own.
const FIRST: u32 = 20_000;
const LAST: u32 = 32_000;

/// The ports of one node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ports {
    /// Where clients and other brokers connect.
    pub(super) client: u16,
    /// Where the other controllers connect.
    pub(super) controller: u16,
}

impl Ports {
    pub(super) fn load(path: &Path) -> Result<Self, String> {
        let text = files::read(path)?;
        Self::parse(&text).ok_or_else(|| format!("{}: {text:?} are no ports", path.display()))
    }

    pub(super) fn save(self, path: &Path) -> Result<(), String> {
        files::write(path, &format!("{} {}\n", self.client, self.controller))
    }

    fn parse(text: &str) -> Option<Self> {
        let (client, controller) = text.trim().split_once(' ')?;
        Some(Self {
            client: client.parse().ok()?,
            controller: controller.parse().ok()?,
        })
    }
}

/// Ports for so many nodes on which nobody listens, and which no cluster has been given: a node
/// that is down comes back on its own.
pub(super) fn choose(count: u16, taken: &BTreeSet<u16>) -> Result<Vec<Ports>, String> {
    let range = LAST - FIRST;
    // Where to begin depends on the process, for the sake of clusters in other target folders.
    let start = std::process::id() * 7 % range;
    let mut candidates = (0..range)
        .filter_map(|step| u16::try_from(FIRST + (start + step) % range).ok())
        .filter(|port| !taken.contains(port))
        .filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    let mut port = || candidates.next().ok_or("no free port");
    (0..count)
        .map(|_| {
            Ok(Ports {
                client: port()?,
                controller: port()?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_avoid_those_taken() {
        let first = choose(3, &BTreeSet::new()).unwrap();
        let taken: BTreeSet<u16> = first
            .iter()
            .flat_map(|ports| [ports.client, ports.controller])
            .collect();
        assert_eq!(taken.len(), 6);
        for ports in choose(3, &taken).unwrap() {
            assert!(!taken.contains(&ports.client) && !taken.contains(&ports.controller));
        }
    }

    #[test]
    fn ports_are_read_as_written() {
        let ports = Ports {
            client: 20_001,
            controller: 20_002,
        };
        assert_eq!(Ports::parse("20001 20002\n"), Some(ports));
        assert_eq!(Ports::parse("20001"), None);
    }
}
