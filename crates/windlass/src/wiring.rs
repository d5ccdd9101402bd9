//! The consumer's configuration, cut to what each layer needs.

use windlass_core::CoreConfig;
use windlass_fetch::FetchConfig;
use windlass_group::GroupConfig;
use windlass_model::{BrokerEndpoint, GroupInstanceId};
use windlass_transport::TransportOptions;

use crate::config::parse_server;
use crate::{Config, ConfigError};

/// Room beside the records in a Fetch response, for everything that is not records.
const RESPONSE_OVERHEAD: usize = 64 * 1024 * 1024;

impl Config {
    /// The bootstrap servers as endpoints.
    ///
    /// # Errors
    ///
    /// Names the first that is no `host:port`.
    pub fn bootstrap_endpoints(&self) -> Result<Vec<BrokerEndpoint>, ConfigError> {
        self.bootstrap_servers
            .iter()
            .map(|server| parse_server(server).map(|(host, port)| BrokerEndpoint::new(host, port)))
            .collect()
    }

    /// What the core needs.
    pub(crate) fn core_config(&self) -> CoreConfig {
        let mut core = CoreConfig::default();
        core.group = self.group_config();
        core.fetch = self.fetch_config();
        core.auto_commit_interval = self.enable_auto_commit.then_some(self.auto_commit_interval);
        core.default_api_timeout = self.default_api_timeout;
        core.metadata_max_age = self.metadata_max_age;
        core.allow_auto_create_topics = self.allow_auto_create_topics;
        core.request_timeout = self.request_timeout;
        core.retry_backoff = self.retry_backoff;
        core.retry_backoff_max = self.retry_backoff_max;
        core
    }

    /// What the group machine needs; nothing without a group.
    fn group_config(&self) -> Option<GroupConfig> {
        let group_id = self.group_id.as_deref()?;
        let mut config = GroupConfig::new(group_id, self.assignors.clone());
        config.group_instance_id = self.group_instance_id.as_deref().map(GroupInstanceId::new);
        config.client_rack = self.client_rack.clone();
        config.session_timeout = self.session_timeout;
        config.heartbeat_interval = self.heartbeat_interval;
        config.rebalance_timeout = self.max_poll_interval;
        config.request_timeout = self.request_timeout;
        config.retry_backoff = self.retry_backoff;
        config.retry_backoff_max = self.retry_backoff_max;
        Some(config)
    }

    fn fetch_config(&self) -> FetchConfig {
        let mut config = FetchConfig::default();
        config.min_bytes = self.fetch_min_bytes;
        config.max_bytes = self.fetch_max_bytes;
        config.max_wait = self.fetch_max_wait;
        config.max_partition_bytes = self.max_partition_fetch_bytes;
        config.buffer_bytes = self.buffer_bytes;
        config.isolation_level = self.isolation_level;
        config.offset_reset = self.auto_offset_reset;
        config.client_rack = self.client_rack.clone();
        config.metadata_max_age = self.metadata_max_age;
        config.request_timeout = self.request_timeout;
        config.retry_backoff = self.retry_backoff;
        config.retry_backoff_max = self.retry_backoff_max;
        config
    }

    pub(crate) fn transport_options(&self) -> TransportOptions {
        let mut options = TransportOptions::default();
        options.client_id = Some(self.effective_client_id());
        options.reconnect_backoff = self.reconnect_backoff;
        options.reconnect_backoff_max = self.reconnect_backoff_max;
        options.setup_timeout = self.connection_setup_timeout;
        options.check_crcs = self.check_crcs;
        options.max_response_bytes = usize::try_from(self.fetch_max_bytes)
            .unwrap_or(0)
            .saturating_add(RESPONSE_OVERHEAD);
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_left_out_where_that_is_asked_for() {
        let mut config = Config::default();
        assert!(config.transport_options().check_crcs);
        config.check_crcs = false;
        assert!(!config.transport_options().check_crcs);
    }
}
