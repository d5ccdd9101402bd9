//! What the core is told before it starts.

use std::time::Duration;

use windlass_fetch::FetchConfig;
use windlass_group::GroupConfig;

/// The settings of a [`ConsumerCore`](crate::ConsumerCore), as far as it has a use for them; Kafka's
/// property names stand in brackets.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CoreConfig {
    /// The group to join; without one there is no group and nothing can be committed.
    pub group: Option<GroupConfig>,
    /// How records are fetched.
    pub fetch: FetchConfig,
    /// How often what the application came back from is committed (`auto.commit.interval.ms`);
    /// `None` where it commits by hand. Nothing is committed without a group.
    pub auto_commit_interval: Option<Duration>,
    /// How long a call such as a commit is tried (`default.api.timeout.ms`).
    pub default_api_timeout: Duration,
    /// How old the picture of the cluster may grow (`metadata.max.age.ms`).
    pub metadata_max_age: Duration,
    /// Whether asking for a topic may create it (`allow.auto.create.topics`).
    pub allow_auto_create_topics: bool,
    /// How long to wait for an answer (`request.timeout.ms`).
    pub request_timeout: Duration,
    /// The first pause after a failure (`retry.backoff.ms`).
    pub retry_backoff: Duration,
    /// The longest pause after repeated failures (`retry.backoff.max.ms`).
    pub retry_backoff_max: Duration,
}

impl Default for CoreConfig {
    fn default() -> Self {
        Self {
            group: None,
            fetch: FetchConfig::default(),
            auto_commit_interval: Some(Duration::from_secs(5)),
            default_api_timeout: Duration::from_secs(60),
            metadata_max_age: Duration::from_secs(300),
            allow_auto_create_topics: true,
            request_timeout: Duration::from_secs(30),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
        }
    }
}

impl CoreConfig {
    /// Whether offsets are committed by timer.
    pub(crate) const fn auto_commits(&self) -> bool {
        self.group.is_some() && self.auto_commit_interval.is_some()
    }

    /// The longest that the application may stay away from polling: without a group, as long as it
    /// likes.
    pub(crate) const fn max_poll_interval(&self) -> Duration {
        match &self.group {
            Some(group) => group.rebalance_timeout,
            None => Duration::MAX,
        }
    }
}
