//! Building a consumer.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::mpsc;
use windlass_assignor::Assignor;
use windlass_core::{ConsumerCore, Intent, Progress};
use windlass_model::TopicName;
use windlass_transport::{Connect, Connections, TcpConnect};

use crate::command::{Command, Commands};
use crate::driver::Driver;
use crate::{
    Config, ConfigError, Consumer, IsolationLevel, OffsetReset, RebalanceHandle, RebalanceListener,
};

/// Gathers the configuration of a [`Consumer`]. What is not set keeps Kafka's default; [`Config`]
/// lists them all.
#[derive(Clone)]
pub struct ConsumerBuilder {
    config: Config,
    listener: Option<Arc<dyn RebalanceListener>>,
    connect: Option<Arc<dyn Connect>>,
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $name(mut self, value: $type) -> Self {
                self.config.$name = value;
                self
            }
        )*
    };
}

impl ConsumerBuilder {
    pub(crate) fn new() -> Self {
        Self {
            config: Config::default(),
            listener: None,
            connect: None,
        }
    }

    /// Begins with this configuration, for example one read by [`Config::from_properties`].
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// `bootstrap.servers`: one or several `host:port`, separated by commas.
    #[must_use]
    pub fn bootstrap_servers(mut self, servers: &str) -> Self {
        self.config.bootstrap_servers = servers
            .split(',')
            .map(str::trim)
            .filter(|server| !server.is_empty())
            .map(str::to_owned)
            .collect();
        self
    }

    /// `group.id`.
    #[must_use]
    pub fn group_id(mut self, group: impl Into<String>) -> Self {
        self.config.group_id = Some(group.into());
        self
    }

    /// `group.instance.id`: makes this a static member.
    #[must_use]
    pub fn group_instance_id(mut self, instance: impl Into<String>) -> Self {
        self.config.group_instance_id = Some(instance.into());
        self
    }

    /// `client.id`.
    #[must_use]
    pub fn client_id(mut self, client: impl Into<String>) -> Self {
        self.config.client_id = Some(client.into());
        self
    }

    /// The topics to subscribe to at once.
    #[must_use]
    pub fn subscribe<T: Into<TopicName>>(mut self, topics: impl IntoIterator<Item = T>) -> Self {
        self.config.topics = topics.into_iter().map(Into::into).collect();
        self
    }

    /// `partition.assignment.strategy`, in order of preference: Kafka's strategies or your own.
    #[must_use]
    pub fn assignors(mut self, assignors: impl IntoIterator<Item = Arc<dyn Assignor>>) -> Self {
        self.config.assignors = assignors.into_iter().collect();
        self
    }

    /// Tells this listener when partitions come and go.
    #[must_use]
    pub fn rebalance_listener(mut self, listener: impl RebalanceListener) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// Reaches brokers this way instead of by plain TCP.
    #[must_use]
    pub fn connect(mut self, connect: Arc<dyn Connect>) -> Self {
        self.connect = Some(connect);
        self
    }

    setters! {
        /// `auto.offset.reset`.
        auto_offset_reset: OffsetReset;
        /// `enable.auto.commit`.
        enable_auto_commit: bool;
        /// `auto.commit.interval.ms`.
        auto_commit_interval: Duration;
        /// `isolation.level`.
        isolation_level: IsolationLevel;
        /// `session.timeout.ms`.
        session_timeout: Duration;
        /// `heartbeat.interval.ms`.
        heartbeat_interval: Duration;
        /// `max.poll.interval.ms`.
        max_poll_interval: Duration;
        /// `max.poll.records`.
        max_poll_records: usize;
        /// `fetch.min.bytes`.
        fetch_min_bytes: i32;
        /// `fetch.max.bytes`.
        fetch_max_bytes: i32;
        /// `fetch.max.wait.ms`.
        fetch_max_wait: Duration;
        /// `max.partition.fetch.bytes`.
        max_partition_fetch_bytes: i32;
        /// The bytes that may wait in memory for the application.
        buffer_bytes: usize;
    }

    /// Starts the consumer: spawns its background task and, if topics were given, begins to join
    /// the group. Nothing is awaited; what the brokers think of it comes out of `poll`.
    ///
    /// # Errors
    ///
    /// What [`Config::validate`] finds; [`ConfigError::NoRuntime`] outside of a tokio runtime.
    pub fn build(self) -> Result<Consumer, ConfigError> {
        self.config.validate()?;
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| ConfigError::NoRuntime)?;
        let Self {
            config,
            listener,
            connect,
        } = self;
        let connect = connect.unwrap_or_else(|| Arc::new(TcpConnect::default()));
        let bootstrap = config.bootstrap_endpoints()?;
        let connections = Connections::new(connect, bootstrap, config.transport_options(), seed());
        let (sender, receiver) = mpsc::unbounded_channel::<Command>();
        let commands = Commands::new(sender, config.default_api_timeout);
        let attention = Arc::new(AtomicU64::new(0));
        let consumer = Consumer::new(commands.clone(), Arc::clone(&attention), &config);
        if !config.topics.is_empty() {
            let topics = config.topics.iter().cloned().collect();
            // The answer is of no interest: a group is configured, so this cannot fail.
            drop(commands.send(
                Intent::Subscribe(topics),
                Progress::default(),
                config.default_api_timeout,
            ));
        }
        let now = tokio::time::Instant::now().into_std();
        let core = ConsumerCore::new(
            Arc::new(config.core_config()),
            listener.is_some(),
            seed(),
            now,
        );
        let handle = RebalanceHandle::new(commands.downgrade());
        let driver = Driver::new(
            core,
            Box::new(connections),
            listener,
            handle,
            receiver,
            attention,
        );
        runtime.spawn(driver.run());
        Ok(consumer)
    }
}

impl fmt::Debug for ConsumerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumerBuilder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// A seed for the jitter of retries: different in every consumer, so that a fleet spreads out.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}
