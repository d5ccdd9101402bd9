//! What a consumer is told before it starts.

use std::sync::Arc;
use std::time::Duration;

use windlass_assignor::{Assignor, CooperativeStickyAssignor, RangeAssignor};
use windlass_model::TopicName;

use crate::{ConfigError, IsolationLevel, OffsetReset};

/// The whole configuration of a consumer. The names are those of Kafka's properties, the defaults
/// are those of Kafka's Java consumer; [`Config::from_properties`] reads Kafka's own notation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// `bootstrap.servers`: where to ask first, each `host:port`.
    pub bootstrap_servers: Vec<String>,
    /// `client.id`: how the consumer names itself in the broker's logs and quotas.
    pub client_id: Option<String>,
    /// `client.rack`: where the consumer stands, for rack-aware assignment.
    pub client_rack: Option<String>,
    /// `group.id`: the group to join; without it there is no group and nothing can be committed.
    pub group_id: Option<String>,
    /// `group.instance.id`: the lasting identity of a static member (KIP-345).
    pub group_instance_id: Option<String>,
    /// The topics to subscribe to when the consumer starts.
    pub topics: Vec<TopicName>,
    /// `auto.offset.reset`.
    pub auto_offset_reset: OffsetReset,
    /// `enable.auto.commit`: commit by timer what the application has come back from.
    pub enable_auto_commit: bool,
    /// `auto.commit.interval.ms`.
    pub auto_commit_interval: Duration,
    /// `isolation.level`.
    pub isolation_level: IsolationLevel,
    /// `allow.auto.create.topics`: whether asking for a topic may create it.
    pub allow_auto_create_topics: bool,
    /// `partition.assignment.strategy`, in order of preference.
    pub assignors: Vec<Arc<dyn Assignor>>,
    /// `session.timeout.ms`: silence after which the coordinator gives the member up.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`: below the session timeout, usually a third of it.
    pub heartbeat_interval: Duration,
    /// `max.poll.interval.ms`: the longest the application may stay away from `poll`.
    pub max_poll_interval: Duration,
    /// `max.poll.records`: the most records one `poll` hands out.
    pub max_poll_records: usize,
    /// `fetch.min.bytes`.
    pub fetch_min_bytes: i32,
    /// `fetch.max.bytes`: what one answer of a broker may hold.
    pub fetch_max_bytes: i32,
    /// `fetch.max.wait.ms`: how long a broker may wait for `fetch.min.bytes`.
    pub fetch_max_wait: Duration,
    /// `max.partition.fetch.bytes`.
    pub max_partition_fetch_bytes: i32,
    /// `check.crcs`: verify the checksum of every batch.
    pub check_crcs: bool,
    /// The bytes that may wait in memory for the application, all partitions together. No property
    /// of Kafka's; `windlass.buffer.bytes` in property files.
    pub buffer_bytes: usize,
    /// `request.timeout.ms`.
    pub request_timeout: Duration,
    /// `default.api.timeout.ms`: how long calls such as `commit` or `position` try.
    pub default_api_timeout: Duration,
    /// `retry.backoff.ms`.
    pub retry_backoff: Duration,
    /// `retry.backoff.max.ms`.
    pub retry_backoff_max: Duration,
    /// `reconnect.backoff.ms`.
    pub reconnect_backoff: Duration,
    /// `reconnect.backoff.max.ms`.
    pub reconnect_backoff_max: Duration,
    /// `socket.connection.setup.timeout.ms`.
    pub connection_setup_timeout: Duration,
    /// `metadata.max.age.ms`.
    pub metadata_max_age: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bootstrap_servers: Vec::new(),
            client_id: None,
            client_rack: None,
            group_id: None,
            group_instance_id: None,
            topics: Vec::new(),
            auto_offset_reset: OffsetReset::default(),
            enable_auto_commit: true,
            auto_commit_interval: Duration::from_secs(5),
            isolation_level: IsolationLevel::default(),
            allow_auto_create_topics: true,
            assignors: vec![Arc::new(RangeAssignor), Arc::new(CooperativeStickyAssignor)],
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            max_poll_interval: Duration::from_secs(300),
            max_poll_records: 500,
            fetch_min_bytes: 1,
            fetch_max_bytes: 50 * 1024 * 1024,
            fetch_max_wait: Duration::from_millis(500),
            max_partition_fetch_bytes: 1024 * 1024,
            check_crcs: true,
            buffer_bytes: 64 * 1024 * 1024,
            request_timeout: Duration::from_secs(30),
            default_api_timeout: Duration::from_secs(60),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            reconnect_backoff: Duration::from_millis(50),
            reconnect_backoff_max: Duration::from_secs(1),
            connection_setup_timeout: Duration::from_secs(10),
            metadata_max_age: Duration::from_secs(300),
        }
    }
}

impl Config {
    /// Checks what can be checked before anything starts.
    ///
    /// # Errors
    ///
    /// Names the first property that is missing, out of range, or contradicts another.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.bootstrap_servers.is_empty() {
            return Err(ConfigError::missing(
                "bootstrap.servers",
                "name at least one broker as host:port",
            ));
        }
        for server in &self.bootstrap_servers {
            parse_server(server)?;
        }
        self.validate_group()?;
        self.validate_limits()
    }

    fn validate_group(&self) -> Result<(), ConfigError> {
        if self.group_id.as_deref() == Some("") {
            return Err(ConfigError::invalid(
                "group.id",
                "",
                "a group needs a name; leave the property out to consume without a group",
            ));
        }
        if self.group_id.is_none() {
            if !self.topics.is_empty() {
                return Err(ConfigError::missing(
                    "group.id",
                    "a subscription shares topics inside a group; set group.id, or use assign",
                ));
            }
            if self.group_instance_id.is_some() {
                return Err(ConfigError::missing(
                    "group.id",
                    "group.instance.id names a member of a group",
                ));
            }
            return Ok(());
        }
        if self.group_instance_id.as_deref() == Some("") {
            return Err(ConfigError::invalid(
                "group.instance.id",
                "",
                "an instance id must not be empty",
            ));
        }
        if self.assignors.is_empty() {
            return Err(ConfigError::missing(
                "partition.assignment.strategy",
                "name at least one strategy",
            ));
        }
        if self.heartbeat_interval.is_zero() || self.heartbeat_interval >= self.session_timeout {
            return Err(ConfigError::invalid(
                "heartbeat.interval.ms",
                &self.heartbeat_interval.as_millis().to_string(),
                "must be above 0 and below session.timeout.ms; a third of it is usual",
            ));
        }
        Ok(())
    }

    fn validate_limits(&self) -> Result<(), ConfigError> {
        let positive = [
            ("max.poll.records", self.max_poll_records as u128),
            ("max.poll.interval.ms", self.max_poll_interval.as_millis()),
            (
                "auto.commit.interval.ms",
                self.auto_commit_interval.as_millis(),
            ),
            ("request.timeout.ms", self.request_timeout.as_millis()),
            ("session.timeout.ms", self.session_timeout.as_millis()),
            ("metadata.max.age.ms", self.metadata_max_age.as_millis()),
            (
                "default.api.timeout.ms",
                self.default_api_timeout.as_millis(),
            ),
            ("windlass.buffer.bytes", self.buffer_bytes as u128),
            (
                "fetch.max.bytes",
                u128::try_from(self.fetch_max_bytes).unwrap_or(0),
            ),
            (
                "max.partition.fetch.bytes",
                u128::try_from(self.max_partition_fetch_bytes).unwrap_or(0),
            ),
        ];
        let longest = u128::from(u32::MAX);
        let bounded = [
            ("fetch.max.wait.ms", self.fetch_max_wait.as_millis()),
            ("retry.backoff.ms", self.retry_backoff.as_millis()),
            ("retry.backoff.max.ms", self.retry_backoff_max.as_millis()),
            ("reconnect.backoff.ms", self.reconnect_backoff.as_millis()),
            (
                "reconnect.backoff.max.ms",
                self.reconnect_backoff_max.as_millis(),
            ),
            (
                "socket.connection.setup.timeout.ms",
                self.connection_setup_timeout.as_millis(),
            ),
        ];
        for (name, value) in bounded {
            if value > longest {
                return Err(ConfigError::invalid(
                    name,
                    &value.to_string(),
                    "must be below 50 days",
                ));
            }
        }
        for (name, value) in positive {
            if value > longest && name.ends_with(".ms") {
                return Err(ConfigError::invalid(
                    name,
                    &value.to_string(),
                    "must be below 50 days",
                ));
            }
            if value == 0 {
                return Err(ConfigError::invalid(name, "0", "must be above 0"));
            }
        }
        if self.fetch_min_bytes < 0 {
            return Err(ConfigError::invalid(
                "fetch.min.bytes",
                &self.fetch_min_bytes.to_string(),
                "must not be negative",
            ));
        }
        Ok(())
    }

    /// How the consumer names itself to brokers.
    pub(crate) fn effective_client_id(&self) -> String {
        match (&self.client_id, &self.group_id) {
            (Some(id), _) => id.clone(),
            (None, Some(group)) => format!("windlass-{group}"),
            (None, None) => "windlass".to_owned(),
        }
    }
}

/// Splits `host:port`, with IPv6 addresses in brackets.
pub(crate) fn parse_server(server: &str) -> Result<(String, u16), ConfigError> {
    let wrong = |why: &str| ConfigError::invalid("bootstrap.servers", server, why);
    let bare = server.split_once("://").map_or(server, |(_, rest)| rest);
    let (host, port) = bare
        .rsplit_once(':')
        .ok_or_else(|| wrong("write host:port, for example localhost:9092"))?;
    let host = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    if host.is_empty() {
        return Err(wrong("the host is empty; write host:port"));
    }
    let port = port
        .parse::<u16>()
        .ok()
        .filter(|port| *port != 0)
        .ok_or_else(|| wrong("the port must be a number from 1 to 65535"))?;
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_host_and_port() {
        assert_eq!(
            parse_server("localhost:9092").unwrap(),
            ("localhost".into(), 9092)
        );
        assert_eq!(parse_server("[::1]:9092").unwrap(), ("::1".into(), 9092));
        assert_eq!(parse_server("PLAINTEXT://k:1").unwrap(), ("k".into(), 1));
        for wrong in ["localhost", ":9092", "k:0", "k:99999", "k:x"] {
            let error = parse_server(wrong).unwrap_err().to_string();
            assert!(error.contains("bootstrap.servers"), "{error}");
        }
    }

    #[test]
    fn contradictions_are_named() {
        let mut config = Config {
            bootstrap_servers: vec!["k:1".into()],
            topics: vec!["orders".into()],
            ..Config::default()
        };
        assert!(
            config
                .validate()
                .unwrap_err()
                .to_string()
                .contains("group.id")
        );
        config.group_id = Some("g".into());
        config.validate().unwrap();
        config.heartbeat_interval = config.session_timeout;
        assert!(
            config
                .validate()
                .unwrap_err()
                .to_string()
                .contains("heartbeat.interval.ms")
        );
    }
}
