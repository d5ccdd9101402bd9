//! The world of a run: cluster, members, network, time.

mod application;
mod delivery;
mod population;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use windlass_broker::{ClusterConfig, ClusterCore, ConnectionId};
use windlass_machine::SplitMix64;
use windlass_model::TopicPartition;

use crate::checker::{Checker, Expectation, Violation};
use crate::history::{Entry, Event, Incarnation};
use crate::member::{GROUP, Member, TOPIC};
use crate::network::{Agenda, Arrival, Link};
use crate::options::Options;

/// Steps within one moment after which something runs in circles.
const BUSIEST_MOMENT: u32 = 20_000;

/// Everything there is in a run.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) random: SplitMix64,
    pub(crate) start: Instant,
    pub(crate) now: Instant,
    /// When the faults stop.
    pub(crate) quiet_from: Instant,
    pub(crate) last_fault: Instant,
    pub(crate) cluster: ClusterCore,
    pub(crate) members: BTreeMap<Incarnation, Member>,
    pub(crate) links: BTreeMap<ConnectionId, Link>,
    pub(crate) agenda: Agenda,
    pub(crate) checker: Checker,
    pub(crate) history: Vec<Entry>,
    pub(crate) requests: u64,
    /// Commits that are on their way: what they would store, and for whom.
    commits: BTreeMap<(ConnectionId, i32), (Incarnation, BTreeMap<TopicPartition, i64>)>,
    /// Records on their way into the log, by the number of their request.
    producing: BTreeMap<i32, (TopicPartition, i64)>,
    incarnations: u32,
    connections: u64,
    violation: Option<Violation>,
}

impl World {
    pub(crate) fn new(options: Options, start: Instant) -> Self {
        let mut config = ClusterConfig::default();
        config.nodes = options.nodes;
        let mut cluster = ClusterCore::new(config, options.seed, start);
        cluster.create_topic(TOPIC, options.partitions);
        Self {
            random: SplitMix64::new(options.seed ^ 0x5eed),
            start,
            now: start,
            quiet_from: start + options.troubled,
            last_fault: start,
            cluster,
            members: BTreeMap::new(),
            links: BTreeMap::new(),
            agenda: Agenda::default(),
            checker: Checker::new(Expectation {
                commits_on_revoke: true,
            }),
            history: Vec::new(),
            requests: 0,
            commits: BTreeMap::new(),
            producing: BTreeMap::new(),
            incarnations: 0,
            connections: 0,
            violation: None,
            options,
        }
    }

    /// Lets the first members come, and the first records, and the first fault.
    pub(crate) fn open(&mut self) {
        for slot in 0..self.options.members {
            self.start_in_slot(slot, self.now);
        }
        self.agenda.add(self.now, Arrival::Produce);
        self.agenda
            .add(self.now + self.options.fault_every, Arrival::Fault);
    }

    /// Lets time pass, event by event.
    pub(crate) fn advance_to(&mut self, until: Instant) -> Result<(), Violation> {
        let mut moment = self.now;
        let mut steps = 0;
        while let Some(next) = self.next_moment().filter(|next| *next <= until) {
            self.now = next.max(self.now);
            steps = if self.now == moment { steps + 1 } else { 0 };
            moment = self.now;
            if steps > BUSIEST_MOMENT {
                return Err(Violation {
                    rule: 17,
                    text: format!("time stands still: {}", self.describe_members()),
                });
            }
            self.step();
            if let Some(violation) = self.violation.take() {
                return Err(violation);
            }
        }
        self.now = until;
        Ok(())
    }

    fn next_moment(&self) -> Option<Instant> {
        let cluster = self.cluster.poll_timeout().map(|wakeup| wakeup.at);
        let members = self
            .members
            .values()
            .filter_map(|member| member.core.poll_timeout());
        let members = members.map(|wakeup| wakeup.at).min();
        [self.agenda.next_at(), cluster, members]
            .into_iter()
            .flatten()
            .min()
    }

    /// One thing that is due.
    fn step(&mut self) {
        let now = self.now;
        if let Some(arrival) = self.agenda.take_due(now) {
            self.arrive(arrival, now);
        } else if self
            .cluster
            .poll_timeout()
            .is_some_and(|wakeup| wakeup.at <= now)
        {
            self.cluster.handle_timeout(now);
            self.drain_cluster(now);
        } else {
            let due = self
                .members
                .iter()
                .find(|(_, member)| {
                    member
                        .core
                        .poll_timeout()
                        .is_some_and(|wakeup| wakeup.at <= now)
                })
                .map(|(who, _)| *who);
            if let Some(who) = due {
                if let Some(member) = self.members.get_mut(&who) {
                    member.core.handle_timeout(now);
                }
                self.drain_member(who, now);
            }
        }
    }

    fn arrive(&mut self, arrival: Arrival, now: Instant) {
        match arrival {
            Arrival::Request {
                connection,
                correlation_id,
                version,
                request,
            } => {
                self.deliver_request(connection, correlation_id, version, *request, now);
            }
            Arrival::Response {
                connection,
                correlation_id,
                response,
            } => {
                self.deliver_response(connection, correlation_id, *response, now);
            }
            Arrival::Broken { connection } => self.break_link(connection, now),
            Arrival::Hangup { connection } => {
                self.cluster.on_disconnect(connection);
                self.drain_cluster(now);
            }
            Arrival::Deadline {
                connection,
                correlation_id,
            } => self.time_out(connection, correlation_id, now),
            Arrival::Application { who, turn } => self.application_turn(who, turn, now),
            Arrival::Callback { who, id } => {
                if let Some(member) = self.members.get_mut(&who) {
                    member.core.on_callback_done(id, Ok(()), now);
                    self.drain_member(who, now);
                }
            }
            Arrival::Produce => self.produce(now),
            Arrival::Fault => self.fault(now),
            Arrival::Revive { node } => {
                self.cluster.restart_node(node, now);
                self.drain_cluster(now);
            }
            Arrival::Heal { who } => {
                if let Some(member) = self.members.get_mut(&who) {
                    member.cut_off = false;
                }
            }
            Arrival::Return { slot } => self.start_in_slot(slot, now),
        }
    }

    /// Ends every fault that lasts.
    pub(crate) fn heal(&mut self) {
        let now = self.now;
        for node in 1..=self.options.nodes {
            if !self.cluster.is_alive(node) {
                self.cluster.restart_node(node, now);
            }
        }
        self.drain_cluster(now);
        for member in self.members.values_mut() {
            member.cut_off = false;
        }
        self.options.loss = 0;
        if self.members.values().all(|member| member.wants_to_stop) {
            self.start_in_slot(0, now);
        }
    }

    /// Takes note of an event, and holds it against the rules.
    pub(crate) fn note(&mut self, event: Event) {
        let entry = Entry {
            at: self.now.saturating_duration_since(self.start),
            event,
        };
        if let Err(violation) = self.checker.observe(&entry)
            && self.violation.is_none()
        {
            self.violation = Some(violation);
        }
        self.history.push(entry);
    }

    pub(crate) fn violate(&mut self, rule: u8, text: String) {
        self.violation.get_or_insert(Violation { rule, text });
    }

    /// Whether something went wrong so lately that what follows from it may not be over.
    pub(crate) fn is_excused(&self, now: Instant) -> bool {
        let aftermath =
            self.options.session_timeout + self.options.max_poll_interval + Duration::from_secs(10);
        now.saturating_duration_since(self.last_fault) < aftermath
    }

    pub(crate) fn latency(&mut self) -> Duration {
        let most = u64::try_from(self.options.latency.as_micros()).unwrap_or(1000);
        Duration::from_micros(100 + self.random.below(most.max(1)))
    }

    pub(crate) fn produced(&self) -> usize {
        self.history
            .iter()
            .filter(|entry| matches!(entry.event, Event::Produced { .. }))
            .count()
    }

    pub(crate) fn rebalances(&self) -> i32 {
        self.cluster
            .group(GROUP)
            .map_or(0, |group| group.generation)
    }

    pub(crate) fn describe_members(&self) -> String {
        let members: Vec<String> = self
            .members
            .values()
            .map(|member| {
                let state = member.core.group().map(|group| group.state().to_string());
                format!(
                    "{} {:?} {} owns {} wakes for {:?}",
                    member.who,
                    member.activity,
                    state.unwrap_or_default(),
                    member.core.fetch().assigned().count(),
                    member.core.poll_timeout().map(|wakeup| wakeup.reason),
                )
            })
            .collect();
        let group = self.cluster.group(GROUP);
        let broker =
            group.map(|group| format!("{:?} with {} members", group.state, group.members.len()));
        format!(
            "{}; the broker has it {}",
            members.join("; "),
            broker.unwrap_or_default()
        )
    }
}
