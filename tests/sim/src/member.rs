//! A member: the real core of the consumer, and an application that is made up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use windlass_assignor::by_name;
use windlass_core::{
    Application, CallbackId, CommitWhat, ConsumerCore, ConsumerError, CoreConfig, Intent,
    OperationId, Progress, Reply,
};
use windlass_fetch::OffsetReset;
use windlass_group::GroupConfig;
use windlass_model::{GroupInstanceId, NodeId, TopicPartition};

use crate::history::Incarnation;
use crate::options::{Commits, Options};
use crate::troubles::Troubles;
use crate::upgrade::Strategies;
use crate::world::Call;

pub(crate) const TOPIC: &str = "events";
pub(crate) const GROUP: &str = "group";

/// What the application is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Activity {
    /// It waits inside of `poll`.
    Polling(OperationId),
    /// It asks what it may still give out, of the state of affairs of this number.
    CheckingIn(OperationId, u64),
    /// It works on what it was given: the next offsets once it is done.
    Working(BTreeMap<TopicPartition, i64>),
    /// It waits for its commit, since then.
    Committing(OperationId, Instant),
    /// It waits for the farewell, which began then.
    Closing(OperationId, Instant),
}

/// A member of the group.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) who: Incarnation,
    /// Which of the member's identities this is; a static one keeps it over incarnations.
    pub(crate) slot: u32,
    /// The stage of the upgrade it was started at.
    pub(crate) stage: usize,
    pub(crate) core: ConsumerCore,
    pub(crate) activity: Activity,
    /// What the application was handed and given.
    pub(crate) application: Application<(TopicPartition, i64)>,
    /// The answer to a poll whose future was dropped.
    pub(crate) untaken: Option<(OperationId, Result<Reply, ConsumerError>)>,
    /// The nodes whose addresses the transport would know.
    pub(crate) addresses: BTreeSet<NodeId>,
    /// Grows with every step of the application: reminders of earlier ones are void.
    pub(crate) turn: u64,
    /// Cut off from every node until it heals.
    pub(crate) cut_off: bool,
    /// It shall close as soon as it comes back from its work.
    pub(crate) wants_to_stop: bool,
    /// Whether it is started again when it has stopped.
    pub(crate) starts_over: bool,
    /// The node that questions to anybody go to.
    pub(crate) any_node: i32,
    /// Requests in the current second, to notice storms.
    pub(crate) requests: (u64, u32),
    /// Partitions that the listener was told will go, and that have not gone yet; since when.
    pub(crate) giving_up: BTreeMap<TopicPartition, Instant>,
    /// The next offset of each partition as far as the application is done with it.
    pub(crate) processed: BTreeMap<TopicPartition, i64>,
    /// The partitions it has; and of those it had, whether there was reason to lose them when they
    /// went.
    pub(crate) had: BTreeMap<TopicPartition, Option<bool>>,
    /// The calls to its listener that have not returned.
    pub(crate) calls: BTreeMap<CallbackId, Call>,
    pub(crate) troubles: Troubles,
    operations: u64,
}

/// How long closing may take.
pub(crate) const FAREWELL: Duration = Duration::from_secs(8);

/// What each step of closing has at least: a tenth of all is left for leaving the group, and a step
/// takes half of what the steps before it left.
pub(crate) const STEP_OF_FAREWELL: Duration = Duration::from_millis(8000 * 9 / 40);

/// How long a commit of the application's may be tried again.
pub(crate) const COMMIT: Duration = Duration::from_secs(3);

/// `default.api.timeout.ms`.
pub(crate) const API_TIMEOUT: Duration = Duration::from_secs(6);

impl Member {
    pub(crate) fn new(
        who: Incarnation,
        slot: u32,
        stage: usize,
        options: &Options,
        seed: u64,
        now: Instant,
    ) -> Self {
        let strategies = options.course.list(slot, stage);
        let config = Arc::new(config(slot, &strategies, options));
        let core = ConsumerCore::new(config, true, seed, now);
        Self {
            who,
            slot,
            stage,
            core,
            activity: Activity::Working(BTreeMap::new()),
            application: Application::new(options.max_poll_interval / 8, now),
            untaken: None,
            addresses: BTreeSet::new(),
            turn: 0,
            cut_off: false,
            wants_to_stop: false,
            starts_over: false,
            any_node: 1,
            requests: (0, 0),
            giving_up: BTreeMap::new(),
            processed: BTreeMap::new(),
            had: BTreeMap::new(),
            calls: BTreeMap::new(),
            troubles: Troubles::new(now),
            operations: 0,
        }
    }

    pub(crate) fn operation(&mut self) -> OperationId {
        self.operations += 1;
        OperationId(self.operations)
    }

    pub(crate) fn submit(
        &mut self,
        intent: Intent,
        deadline: Instant,
        now: Instant,
    ) -> OperationId {
        let progress = self.application.progress();
        self.submit_as_of(intent, &progress, deadline, now)
    }

    /// As [`Member::submit`], by somebody who is as far as this.
    pub(crate) fn submit_as_of(
        &mut self,
        intent: Intent,
        progress: &Progress,
        deadline: Instant,
        now: Instant,
    ) -> OperationId {
        let operation = self.operation();
        self.core.submit(operation, intent, progress, deadline, now);
        operation
    }

    pub(crate) fn commit_intent(now: Instant) -> Intent {
        Intent::Commit {
            what: CommitWhat::HandedOut,
            retry_until: Some(now + COMMIT),
        }
    }
}

fn config(slot: u32, strategies: &Strategies, options: &Options) -> CoreConfig {
    let request_timeout = Duration::from_secs(3);
    let assignors = strategies.iter().filter_map(|name| by_name(name)).collect();
    let mut group = GroupConfig::new(GROUP, assignors);
    group.group_instance_id = options
        .static_members
        .then(|| GroupInstanceId::from(format!("instance-{slot}")));
    group.session_timeout = options.session_timeout;
    group.heartbeat_interval = options.heartbeat_interval;
    group.rebalance_timeout = options.max_poll_interval;
    group.request_timeout = request_timeout;
    let mut config = CoreConfig::default();
    config.group = Some(group);
    config.fetch.offset_reset = OffsetReset::Earliest;
    config.fetch.buffer_bytes = options.buffer_bytes;
    config.fetch.max_partition_bytes = 4096;
    config.fetch.request_timeout = request_timeout;
    let by_timer = options.commits == Commits::Timer;
    config.auto_commit_interval = by_timer.then_some(Duration::from_millis(700));
    config.request_timeout = request_timeout;
    config.default_api_timeout = API_TIMEOUT;
    config.metadata_max_age = Duration::from_secs(20);
    config
}
