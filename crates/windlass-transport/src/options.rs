//! What can be set about connections.

use std::time::Duration;

use windlass_machine::Destination;

/// Settings of every connection of a client. Kafka's property names stand beside each.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TransportOptions {
    /// The name the broker logs and counts quotas under (`client.id`).
    pub client_id: Option<String>,
    /// The name of the program, told to the broker while versions are negotiated (KIP-511).
    pub software_name: String,
    /// The version of the program, told alike.
    pub software_version: String,
    /// How long to stay away from a broker after a first failure (`reconnect.backoff.ms`).
    pub reconnect_backoff: Duration,
    /// The longest stay after failures in a row (`reconnect.backoff.max.ms`).
    pub reconnect_backoff_max: Duration,
    /// How long one address may take from the first packet to negotiated versions
    /// (`socket.connection.setup.timeout.ms`); as long may the name take to be looked up.
    pub setup_timeout: Duration,
    /// The longest response that is accepted, in bytes. Checked before anything is buffered; must
    /// be larger than `fetch.max.bytes` and the largest record batch of the cluster.
    pub max_response_bytes: usize,
    /// Whether the checksum of every fetched record batch is verified (`check.crcs`).
    pub check_crcs: bool,
    /// The size of the segments that fetch responses are read into, in bytes. A record batch that
    /// is kept keeps its whole segment. Between 128 and 256 KiB no difference was measured; 64 KiB
    /// cost more where batches stay buffered.
    pub segment_bytes: usize,
    /// How many bytes of segments all connections together may keep an eye on for use anew.
    pub pooled_bytes: usize,
    /// The longest response to anything but a Fetch, in bytes: ten thousands of members or hundred
    /// thousands of partitions fit. What it says takes up a multiple of that in memory.
    pub max_message_bytes: usize,
    /// How long a connection may be idle before it is closed (`connections.max.idle.ms`): less than
    /// the ten minutes after which a broker closes it, so that no request goes into the void.
    pub max_idle: Duration,
    /// How long a connection for joining may be idle. It is used once a rebalance, and what lies between
    /// forgets it meanwhile; a join that goes into the void keeps the whole group waiting.
    pub max_idle_joining: Duration,
    /// The longest silence that a broker may ask for by `throttle_time_ms` (KIP-219).
    pub max_throttle: Duration,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            client_id: None,
            software_name: "windlass".to_owned(),
            software_version: env!("CARGO_PKG_VERSION").to_owned(),
            reconnect_backoff: Duration::from_millis(50),
            reconnect_backoff_max: Duration::from_secs(1),
            setup_timeout: Duration::from_secs(10),
            max_response_bytes: 100 * 1024 * 1024,
            check_crcs: true,
            segment_bytes: 256 * 1024,
            pooled_bytes: 16 * 1024 * 1024,
            max_message_bytes: 16 * 1024 * 1024,
            max_idle: Duration::from_secs(9 * 60),
            max_idle_joining: Duration::from_secs(30),
            max_throttle: Duration::from_secs(30),
        }
    }
}

impl TransportOptions {
    /// How long the connection to this destination may be idle.
    pub(crate) const fn idle_limit(&self, destination: Destination) -> Duration {
        match destination {
            Destination::Joining(_) => self.max_idle_joining,
            Destination::Any | Destination::Node(_) | Destination::Coordinator(_) => self.max_idle,
        }
    }
}
