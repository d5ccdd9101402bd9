//! The world of a run: cluster, members, network, time.

mod application;
mod delivery;
mod listening;
mod observation;
mod population;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash};
use std::time::{Duration, Instant};

use windlass_broker::{ClusterConfig, ClusterCore, ConnectionId};
use windlass_machine::SplitMix64;
use windlass_model::TopicPartition;

pub(crate) use self::listening::Call;
use crate::census::Census;
use crate::checker::{Checker, Violation, require};
use crate::history::{Entry, Event, Incarnation};
use crate::member::{GROUP, Member, TOPIC};
use crate::network::{Agenda, Arrival, Link};
use crate::options::Options;
use crate::silence::Silence;
use crate::upgrade::Rollout;

/// Steps within one moment after which something runs in circles.
const BUSIEST_MOMENT: u32 = 20_000;

/// Everything there is in a run.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) random: SplitMix64,
    pub(crate) start: Instant,
    pub(crate) now: Instant,
    /// When the faults begin.
    pub(crate) calm_until: Instant,
    /// When the faults stop.
    pub(crate) quiet_from: Instant,
    pub(crate) cluster: ClusterCore,
    pub(crate) members: BTreeMap<Incarnation, Member>,
    pub(crate) links: BTreeMap<ConnectionId, Link>,
    pub(crate) agenda: Agenda,
    pub(crate) checker: Checker,
    pub(crate) history: Vec<Entry>,
    pub(crate) requests: u64,
    /// Of everything that happened, to the last request.
    pub(crate) fingerprint: DefaultHasher,
    pub(crate) rollout: Rollout,
    pub(crate) census: Census,
    pub(crate) silence: Silence,
    /// The members that list nothing but cooperative strategies.
    pub(crate) cooperative: BTreeSet<Incarnation>,
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
            calm_until: start + options.calm,
            quiet_from: start + options.calm + options.troubled,
            cluster,
            members: BTreeMap::new(),
            links: BTreeMap::new(),
            agenda: Agenda::default(),
            checker: Checker::default(),
            history: Vec::new(),
            requests: 0,
            fingerprint: DefaultHasher::new(),
            rollout: Rollout::default(),
            census: Census::default(),
            silence: Silence::default(),
            cooperative: BTreeSet::new(),
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
        let second = Duration::from_secs(1);
        self.agenda.add(self.now + second * 3, Arrival::Scale);
        let upgrades_from = if self.options.upgrade_in_calm {
            self.now + second
        } else {
            self.calm_until
        };
        if self.options.course.is_upgrade() {
            self.agenda.add(upgrades_from, Arrival::Roll);
        }
        self.agenda
            .add(self.calm_until + self.options.fault_every, Arrival::Fault);
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
            Arrival::Callback { who, id } => self.listener_turn(who, id, now),
            Arrival::Produce => self.produce(now),
            Arrival::Scale => self.scale(now),
            Arrival::Roll => self.roll(now),
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
            self.start_member(now);
        }
    }

    /// In how many of a thousand messages the connection breaks.
    pub(crate) fn loss(&self) -> u64 {
        if self.now < self.calm_until {
            0
        } else {
            self.options.loss
        }
    }

    /// Takes note of an event, and holds it against the rules.
    pub(crate) fn note(&mut self, event: Event) {
        self.measure(&event);
        let entry = Entry {
            at: self.now.saturating_duration_since(self.start),
            event,
        };
        if let Err(violation) = self.checker.observe(&entry)
            && self.violation.is_none()
        {
            self.violation = Some(violation);
        }
        entry.hash(&mut self.fingerprint);
        self.history.push(entry);
    }

    /// What the event means for the waits between records.
    fn measure(&mut self, event: &Event) {
        let now = self.now;
        let silence = &mut self.silence;
        match event {
            Event::Produced { partition, offset } => silence.produced(partition, offset + 1, now),
            Event::Assigned {
                who, partitions, ..
            } => silence.assigned(*who, partitions),
            Event::Revoking {
                who, partitions, ..
            }
            | Event::Lost {
                who, partitions, ..
            } => silence.gone(*who, partitions),
            Event::HandedOut {
                who,
                partition,
                offsets,
            } => {
                let next = offsets.last().map_or(0, |last| last + 1);
                silence.handed_out(*who, partition, next, now);
            }
            Event::Killed { who } | Event::Closed { who, .. } => silence.dead(*who),
            Event::Told { .. }
            | Event::Revoked { .. }
            | Event::ListenerDone { .. }
            | Event::Overdue { .. }
            | Event::Processed { .. }
            | Event::Committed { .. }
            | Event::CommitFailed { .. } => {}
        }
    }

    /// Faults begin: what was measured until now was measured while nothing was wrong.
    pub(crate) fn end_calm(&mut self) -> Result<(), Violation> {
        let waits = self.silence.end(self.now);
        let round_trip = self.options.latency * 2;
        let allowed = waits.steady.max(round_trip) * 2;
        require(19, waits.through_rebalance <= allowed, || {
            format!(
                "a partition stayed where it was through a rebalance, and its records were waited for {:?}; without a \
                 rebalance it was at most {:?}, and there and back is {round_trip:?}",
                waits.through_rebalance, waits.steady
            )
        })
    }

    pub(crate) fn violate(&mut self, rule: u8, text: String) {
        self.violation.get_or_insert(Violation { rule, text });
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
