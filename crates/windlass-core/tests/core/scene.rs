//! One member: its core, its application, and the requests that nobody has answered yet.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use windlass_core::{
    Application, CallbackId, ConsumerCore, ConsumerError, CoreConfig, CutRecord, Effect, Intent,
    NextStep, OperationId, Progress, RebalanceNotice, Reply,
};
use windlass_fetch::{OffsetReset, TakenRecords};
use windlass_group::GroupConfig;
use windlass_machine::{Destination, FailureKind, OutgoingRequest, RequestFailure};
use windlass_model::TopicPartition;
use windlass_protocol::{RequestKind, ResponseKind};

use crate::cluster::Cluster;

/// What an application knows of a record.
pub(crate) type Place = (TopicPartition, i64);

pub(crate) struct Scene {
    pub(crate) core: ConsumerCore,
    pub(crate) application: Application<Place>,
    pub(crate) now: Instant,
    pub(crate) cluster: Cluster,
    pub(crate) open: VecDeque<OutgoingRequest>,
    pub(crate) calls: VecDeque<(CallbackId, RebalanceNotice)>,
    /// Requests that were sent since somebody looked.
    pub(crate) sent: Vec<RequestKind>,
    polling: Option<OperationId>,
    replies: BTreeMap<OperationId, Result<Reply, ConsumerError>>,
    operations: u64,
}

impl Scene {
    /// A member whose listener is told everything; `timer` says whether offsets are committed by it.
    pub(crate) fn new(strategy: &'static str, timer: bool) -> Self {
        let assignor = windlass_assignor::by_name(strategy).unwrap();
        let mut config = CoreConfig::default();
        config.group = Some(GroupConfig::new("g", vec![assignor]));
        config.fetch.offset_reset = OffsetReset::Earliest;
        config.auto_commit_interval = timer.then(|| Duration::from_secs(5));
        let now = Instant::now();
        Self {
            core: ConsumerCore::new(Arc::new(config), true, 1, now),
            application: Application::new(Duration::from_secs(1), now),
            now,
            cluster: Cluster {
                strategy,
                ..Cluster::default()
            },
            open: VecDeque::new(),
            calls: VecDeque::new(),
            sent: Vec::new(),
            polling: None,
            replies: BTreeMap::new(),
            operations: 0,
        }
    }

    /// One input, and all that comes out of it.
    pub(crate) fn input(&mut self, input: impl FnOnce(&mut ConsumerCore, Instant)) {
        input(&mut self.core, self.now);
        while let Some(effect) = self.core.poll_effect() {
            match effect {
                Effect::Send(outgoing) => {
                    self.sent.push(outgoing.request.clone());
                    self.open.push_back(outgoing);
                }
                Effect::Reply { operation, outcome } => {
                    self.replies.insert(operation, outcome);
                }
                Effect::Callback { id, notice } => self.calls.push_back((id, notice)),
                Effect::ComputeAssignment { .. } => panic!("another one leads"),
                Effect::BrokerFound { .. } | Effect::ClusterChanged(_) => {}
            }
        }
    }

    pub(crate) fn submit(&mut self, intent: Intent, progress: &Progress) -> OperationId {
        self.operations += 1;
        let operation = OperationId(self.operations);
        let deadline = self.now + Duration::from_secs(60);
        self.input(|core, now| core.submit(operation, intent, progress, deadline, now));
        operation
    }

    /// The application asks for something, and says how far it is.
    pub(crate) fn ask(&mut self, intent: Intent) -> OperationId {
        let progress = self.application.progress();
        self.submit(intent, &progress)
    }

    /// The destinations of open requests, in the order of their first.
    fn lines(&self) -> Vec<Destination> {
        let mut lines = Vec::new();
        for outgoing in &self.open {
            if !lines.contains(&outgoing.destination) {
                lines.push(outgoing.destination);
            }
        }
        lines
    }

    /// Answers the first open request on one of the lines as a broker does.
    pub(crate) fn answer(&mut self, which: usize) {
        let lines = self.lines();
        if lines.is_empty() {
            return;
        }
        let line = lines[which % lines.len()];
        let first = self.open.iter().position(|one| one.destination == line);
        let outgoing = self.open.remove(first.unwrap()).unwrap();
        if let RequestKind::Fetch(fetch) = &outgoing.request {
            let parts = Cluster::fetched(fetch);
            self.input(|core, now| core.on_fetch_parts(outgoing.id, parts, now));
            self.input(|core, now| core.on_fetch_done(outgoing.id, now));
        } else {
            let response = self.cluster.answer(&outgoing.request);
            self.respond(&outgoing, response);
        }
    }

    pub(crate) fn respond(&mut self, to: &OutgoingRequest, response: ResponseKind) {
        self.input(|core, now| core.on_response(to.id, response, now));
    }

    /// One of the lines breaks, with all that is open on it.
    pub(crate) fn fail(&mut self, which: usize) {
        let lines = self.lines();
        if lines.is_empty() {
            return;
        }
        let line = lines[which % lines.len()];
        let (broken, whole): (VecDeque<_>, _) = std::mem::take(&mut self.open)
            .into_iter()
            .partition(|one| one.destination == line);
        self.open = whole;
        for outgoing in broken {
            let failure = RequestFailure::new(FailureKind::Disconnected, "the line is dead");
            self.input(|core, now| core.on_failure(outgoing.id, failure, now));
        }
    }

    /// Lets time pass; what is not answered by its deadline fails.
    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let wakeup = self.core.poll_timeout().map(|wakeup| wakeup.at);
            let deadline = self.open.iter().map(|outgoing| outgoing.deadline).min();
            let next = wakeup.into_iter().chain(deadline).min();
            let Some(at) = next.filter(|at| *at <= until) else {
                break;
            };
            self.now = self.now.max(at);
            let late = |outgoing: &OutgoingRequest| outgoing.deadline <= self.now;
            match self.open.iter().find(|one| late(one)) {
                Some(one) => {
                    let line = one.destination;
                    let which = self.lines().iter().position(|other| *other == line);
                    self.fail(which.unwrap());
                }
                None => self.input(ConsumerCore::handle_timeout),
            }
        }
        self.now = until;
    }

    /// Answers everything, and lets time pass, until the member is at rest or so often.
    pub(crate) fn calm_down(&mut self, steps: usize) {
        for _ in 0..steps {
            while let Some((id, _)) = self.calls.pop_front() {
                self.input(|core, now| core.on_callback_done(id, Ok(()), now));
            }
            if self.open.is_empty() {
                self.pass(Duration::from_millis(200));
            } else {
                self.answer(0);
            }
        }
    }

    /// Whether there are records to give out after this; the wait for more is given up at once.
    pub(crate) fn refill(&mut self) -> bool {
        self.application.come_back();
        for _ in 0..10 {
            let attention = self.core.attention();
            match self.application.next_step(attention, self.now) {
                NextStep::Give => return true,
                NextStep::CheckIn => {
                    let asked = self.ask(Intent::CheckIn);
                    let outcome = self.replies.remove(&asked).expect("answered at once");
                    let checked = self.application.checked_in(outcome, attention, self.now);
                    assert!(checked.is_ok());
                }
                NextStep::Poll => {
                    let asked = self.ask(Intent::Poll { max_records: 15 });
                    self.application.poll_sent(asked);
                    self.polling = Some(asked);
                }
                NextStep::AwaitPoll(asked) => {
                    let Some(outcome) = self.replies.remove(&asked) else {
                        return false;
                    };
                    // What went wrong in the background is told, and the next poll goes on.
                    let filled = self.application.poll_answered(asked, outcome, self.now);
                    if !filled.unwrap_or(false) {
                        return false;
                    }
                }
            }
        }
        false
    }

    /// Gives up the poll under way, if there is one.
    pub(crate) fn give_up_poll(&mut self) {
        if let Some(asked) = self.polling {
            self.submit(Intent::EndPoll(asked), &Progress::default());
        }
    }

    /// All records that are here.
    pub(crate) fn poll(&mut self) -> Vec<Place> {
        match self.refill() {
            true => self.application.take().iter().flat_map(places).collect(),
            false => Vec::new(),
        }
    }

    /// One record.
    pub(crate) fn recv(&mut self) -> Option<Place> {
        if !self.refill() {
            return None;
        }
        let cut = |taken: TakenRecords| {
            let places = places(&taken).into_iter();
            let record = places.map(|item| CutRecord {
                next_offset: Some(item.1 + 1),
                item,
            });
            record.collect()
        };
        let attention = self.core.attention();
        self.application.next_record(attention, self.now, cut)
    }

    pub(crate) fn assigned(&self) -> BTreeSet<TopicPartition> {
        self.core.fetch().assigned().cloned().collect()
    }
}

fn places(taken: &TakenRecords) -> Vec<Place> {
    let decoded = taken.decode().unwrap();
    let records = taken.records(&decoded);
    let place = |offset| (taken.topic_partition.clone(), offset);
    records
        .map(|record| place(record.unwrap().offset))
        .collect()
}
