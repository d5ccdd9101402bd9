//! Brokers and where to reach them.

use std::fmt;

/// The id of a node of the cluster (`node.id` of the broker).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub i32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Where a broker listens, as it advertises itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BrokerEndpoint {
    /// Host name or address; IPv6 addresses stand without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The rack the broker stands in, where configured (`broker.rack`).
    pub rack: Option<String>,
}

impl BrokerEndpoint {
    /// An endpoint without a rack.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            rack: None,
        }
    }
}

impl fmt::Display for BrokerEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_hosts_are_bracketed() {
        assert_eq!(BrokerEndpoint::new("::1", 9092).to_string(), "[::1]:9092");
        assert_eq!(BrokerEndpoint::new("kafka", 9092).to_string(), "kafka:9092");
    }
}
