//! A machine with its driver: one input, everything drained, the next input; time is a number.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use windlass_assignor::by_name;
use windlass_group::{CallbackToken, GroupConfig, GroupEvent, GroupMachine, GroupState};
use windlass_machine::{Destination, FailureKind, OutgoingRequest, RequestFailure, RequestId};
use windlass_model::{Cluster, NodeId, Partition, Topic, TopicName, TopicPartition};
use windlass_protocol::{RequestKind, ResponseKind};

/// The node that the tests' coordinator runs on.
pub(crate) const COORDINATOR: NodeId = NodeId(7);

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) machine: GroupMachine,
    pub(crate) now: Instant,
    /// Requests that nobody has taken yet.
    pub(crate) requests: VecDeque<OutgoingRequest>,
    /// Events that nobody has taken yet.
    pub(crate) events: Vec<GroupEvent>,
    /// Every state that was entered.
    pub(crate) trace: Vec<GroupState>,
}

/// The next request, which must be of this API: its id and its content.
macro_rules! expect_request {
    ($member:expr, $kind:ident) => {{
        let outgoing = $member.next_request();
        match outgoing.request {
            windlass_protocol::RequestKind::$kind(request) => (outgoing.id, request),
            other => panic!("{} was expected, {other:?} came", stringify!($kind)),
        }
    }};
}
pub(crate) use expect_request;

/// The only event of this kind since the last look: its fields.
macro_rules! expect_event {
    ($member:expr, $kind:ident { $($field:ident),* }) => {{
        let mut found = Vec::new();
        $member.events.retain(|event| {
            if let windlass_group::GroupEvent::$kind { $($field,)* .. } = event {
                found.push(($($field.clone(),)*));
                return false;
            }
            true
        });
        assert_eq!(found.len(), 1, "{} of {}: {:?}", found.len(), stringify!($kind), $member.events);
        found.remove(0)
    }};
}
pub(crate) use expect_event;

#[expect(
    clippy::disallowed_methods,
    reason = "a test needs one instant to count from"
)]
pub(crate) fn start() -> Instant {
    Instant::now()
}

/// A member of group `g` that knows these strategies, with short times.
pub(crate) fn config(assignors: &[&str]) -> GroupConfig {
    let assignors = assignors.iter().map(|name| by_name(name).unwrap());
    {
        let mut config = GroupConfig::new("g", assignors.collect());
        config.session_timeout = Duration::from_secs(10);
        config.heartbeat_interval = Duration::from_secs(3);
        config.rebalance_timeout = Duration::from_secs(60);
        config.request_timeout = Duration::from_secs(30);
        config
    }
}

pub(crate) fn topics(names: &[&str]) -> BTreeSet<TopicName> {
    names.iter().map(|name| TopicName::new(name)).collect()
}

pub(crate) fn partitions(topic: &str, indexes: &[i32]) -> BTreeSet<TopicPartition> {
    let one = |index: &i32| TopicPartition::new(topic, *index);
    indexes.iter().map(one).collect()
}

pub(crate) fn cluster(counts: &[(&str, usize)]) -> Arc<Cluster> {
    let mut cluster = Cluster::default();
    for (topic, count) in counts {
        let topic_entry = Topic {
            partitions: vec![Partition::default(); *count],
            ..Topic::default()
        };
        cluster.topics.insert((*topic).into(), topic_entry);
    }
    Arc::new(cluster)
}

impl Member {
    pub(crate) fn new(config: GroupConfig) -> Self {
        let now = start();
        Self {
            machine: GroupMachine::new(config, 42, now),
            now,
            requests: VecDeque::new(),
            events: Vec::new(),
            trace: Vec::new(),
        }
    }

    /// One input, then everything drained.
    pub(crate) fn input<T>(&mut self, act: impl FnOnce(&mut GroupMachine, Instant) -> T) -> T {
        let result = act(&mut self.machine, self.now);
        while let Some(request) = self.machine.poll_request() {
            assert!(
                request.deadline > self.now,
                "{request:?} is late before it is sent"
            );
            self.requests.push_back(request);
        }
        while let Some(event) = self.machine.poll_event() {
            assert!(!event.reason().is_empty(), "{event:?} has no reason");
            if let GroupEvent::StateChanged { from, to, .. } = &event {
                assert!(to.allowed_predecessors().contains(from), "{from} → {to}");
                self.trace.push(*to);
            }
            self.events.push(event);
        }
        result
    }

    pub(crate) fn subscribe(&mut self, names: &[&str]) {
        let names = topics(names);
        self.input(|machine, now| machine.subscribe(names, now));
    }

    pub(crate) fn next_request(&mut self) -> OutgoingRequest {
        self.requests.pop_front().unwrap_or_else(|| {
            panic!(
                "no request while {}: {:?}",
                self.machine.state(),
                self.events
            )
        })
    }

    /// Nothing was asked since the last look.
    pub(crate) fn expect_silence(&self) {
        assert!(self.requests.is_empty(), "{:?}", self.requests);
    }

    pub(crate) fn answer(&mut self, id: RequestId, response: impl Into<ResponseKind>) {
        let response = response.into();
        self.input(|machine, now| machine.on_response(id, response, now));
    }

    pub(crate) fn fail(&mut self, id: RequestId, kind: FailureKind) {
        let failure = RequestFailure::new(kind, format!("{kind:?}"));
        self.input(|machine, now| machine.on_failure(id, failure, now));
    }

    pub(crate) fn done(&mut self, token: CallbackToken) {
        self.input(|machine, now| machine.on_callback_done(token, now));
    }

    pub(crate) fn show(&mut self, counts: &[(&str, usize)]) {
        let cluster = cluster(counts);
        self.input(|machine, now| machine.on_cluster(&cluster, now));
    }

    pub(crate) fn polling(&mut self, polling: bool) {
        self.input(|machine, now| machine.application_polling(polling, now));
    }

    /// Lets time pass, and wakes the machine whenever it asked for it.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(wakeup) = self
            .machine
            .poll_timeout()
            .filter(|wakeup| wakeup.at <= until)
        {
            self.now = self.now.max(wakeup.at);
            self.input(GroupMachine::handle_timeout);
        }
        self.now = until;
    }

    /// Wakes the machine at its next deadline; says what it was for.
    pub(crate) fn wake(&mut self) -> &'static str {
        let wakeup = self.machine.poll_timeout().expect("a wake-up");
        self.now = self.now.max(wakeup.at);
        self.input(GroupMachine::handle_timeout);
        wakeup.reason
    }

    pub(crate) fn state(&self) -> GroupState {
        self.machine.state()
    }

    pub(crate) fn member_id(&self) -> &str {
        self.machine.member_id().map_or("", |id| id.as_str())
    }

    /// The states entered since the last look.
    pub(crate) fn take_trace(&mut self) -> Vec<GroupState> {
        std::mem::take(&mut self.trace)
    }

    /// Answers every FindCoordinator that waits; the other requests stay.
    pub(crate) fn find_coordinator(&mut self) {
        let waiting: Vec<OutgoingRequest> = self.requests.drain(..).collect();
        let mut lookups = Vec::new();
        for outgoing in waiting {
            match outgoing.request {
                RequestKind::FindCoordinator(_) => lookups.push(outgoing),
                _ => self.requests.push_back(outgoing),
            }
        }
        assert_eq!(lookups.len(), 1, "one lookup: {lookups:?}");
        assert_eq!(lookups[0].destination, Destination::Any);
        self.answer(lookups[0].id, crate::script::coordinator_at(COORDINATOR));
    }

    /// Whatever was committed: what became of each partition, by commit.
    pub(crate) fn commit_results(
        &mut self,
    ) -> BTreeMap<u64, BTreeMap<TopicPartition, Result<(), String>>> {
        let mut results = BTreeMap::new();
        self.events.retain(|event| {
            if let GroupEvent::CommitDone {
                id, results: ended, ..
            } = event
            {
                let told = |result: &Result<(), windlass_group::CommitError>| {
                    result.as_ref().map_err(ToString::to_string).copied()
                };
                let ended = ended
                    .iter()
                    .map(|(one, result)| (one.clone(), told(result)));
                results.insert(id.0, ended.collect());
                return false;
            }
            true
        });
        results
    }
}
