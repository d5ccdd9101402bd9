//! A world that answers as it likes, and watches what must never happen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use windlass_group::{
    Answering, AssignmentJob, AssignmentToken, CallbackToken, CommitMode, GroupConfig, GroupEvent,
    GroupMachine, GroupState, LeaveMode,
};
use windlass_machine::{FailureKind, OutgoingRequest, RequestFailure, RequestId};
use windlass_machine::{RequestOwner, SplitMix64};
use windlass_model::{Generation, OffsetAndMetadata, TopicPartition};
use windlass_protocol::{RequestKind, ResponseKind};

use crate::member::{cluster, partitions, start, topics};
use crate::reply;

/// Something that happens to the machine. The numbers choose among what is there at that moment.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Subscribe(u8),
    Unsubscribe,
    Leave(u8),
    Rejoin,
    Polling(bool),
    Commit(u8, bool),
    FetchOffsets(u8),
    /// An answer to one of the requests under way, honest or not, as the second number says.
    Answer(u8, u16),
    Fail(u8, u8),
    /// The application finishes a callback: mostly the newest.
    CallbackDone(u8),
    AssignmentDone(bool),
    Cluster(u8),
    /// Time passes, and the machine is woken when it wants to be.
    Pass(u16),
}

/// A commit that has not ended.
#[derive(Debug)]
struct OpenCommit {
    /// Whether each partition has been owned ever since.
    kept: BTreeMap<TopicPartition, bool>,
    /// What the coordinator stored while its generation held.
    stored: BTreeSet<TopicPartition>,
    is_manual: bool,
}

/// A request that has not been answered.
#[derive(Debug)]
struct Open {
    outgoing: OutgoingRequest,
    generation: i32,
}

#[derive(Debug)]
pub(crate) struct World {
    machine: GroupMachine,
    now: Instant,
    random: SplitMix64,
    open: Vec<Open>,
    /// The JoinGroup that the machine waits for.
    join: Option<RequestId>,
    tokens: Vec<CallbackToken>,
    jobs: Vec<(AssignmentToken, AssignmentJob)>,
    commits: BTreeMap<u64, OpenCommit>,
    questions: BTreeSet<u64>,
    must_leave: bool,
    /// What is not owned is assigned by hand otherwise.
    subscribes: bool,
    owned: BTreeSet<TopicPartition>,
    /// What the application was asked to give up and has not, by the newest token.
    giving_up: BTreeSet<TopicPartition>,
    generation: i32,
    /// Every change of state that was seen.
    pub(crate) transitions: BTreeSet<(GroupState, GroupState)>,
}

impl World {
    pub(crate) fn new(config: GroupConfig, seed: u64) -> Self {
        let now = start();
        Self {
            machine: GroupMachine::new(config, seed, now),
            now,
            random: SplitMix64::new(seed),
            open: Vec::new(),
            join: None,
            tokens: Vec::new(),
            jobs: Vec::new(),
            commits: BTreeMap::new(),
            questions: BTreeSet::new(),
            must_leave: false,
            subscribes: false,
            owned: BTreeSet::new(),
            giving_up: BTreeSet::new(),
            generation: 0,
            transitions: BTreeSet::new(),
        }
    }

    pub(crate) fn take(&mut self, step: Step) {
        match step {
            Step::Subscribe(which) => {
                let names = [&["a"][..], &["b"], &["a", "b"], &[]][usize::from(which % 4)];
                let names = topics(names);
                self.must_leave |= names.is_empty();
                self.subscribes = !names.is_empty();
                self.input(|machine, now| machine.subscribe(names, now));
            }
            Step::Unsubscribe => {
                self.subscribes = false;
                self.must_leave = true;
                self.input(GroupMachine::unsubscribe);
            }
            Step::Leave(which) => {
                let modes = [LeaveMode::Default, LeaveMode::Leave, LeaveMode::Remain];
                let mode = modes[usize::from(which % 3)];
                let deadline = self.now + Duration::from_secs(u64::from(which));
                self.must_leave = true;
                self.subscribes = false;
                self.input(|machine, now| machine.leave(mode, deadline, "a step", now));
            }
            Step::Rejoin => self.input(|machine, now| machine.request_rejoin("a step", now)),
            Step::Polling(polls) => {
                self.input(|machine, now| machine.application_polling(polls, now));
            }
            Step::Commit(which, is_sync) => self.commit(which, is_sync),
            Step::FetchOffsets(which) => {
                let asked = partitions("a", &[i32::from(which % 3)]);
                let deadline = self.now + Duration::from_secs(u64::from(which));
                let how = Answering::AtOnce;
                let id = self.ask(|one, now| one.fetch_offsets(asked, how, deadline, now));
                self.questions.insert(id.0);
                self.settle_events();
            }
            Step::Answer(which, how) => self.answer(which, how),
            Step::Fail(which, kind) => self.fail(which, kind),
            Step::CallbackDone(which) => self.callback_done(which),
            Step::AssignmentDone(well) => self.assignment_done(well),
            Step::Cluster(count) => {
                let shown = cluster(&[
                    ("a", usize::from(count % 4)),
                    ("b", usize::from(count / 4 % 3)),
                ]);
                self.input(|machine, now| machine.on_cluster(&shown, now));
            }
            Step::Pass(millis) => self.pass(Duration::from_millis(u64::from(millis) * 4)),
        }
        self.check_wakeup();
        assert_eq!(self.machine.counters().unexpected_inputs, 0);
    }

    fn commit(&mut self, which: u8, is_sync: bool) {
        let offsets: BTreeMap<_, _> =
            partitions("a", &[i32::from(which % 4), i32::from(which / 4 % 4)])
                .into_iter()
                .map(|one| (one, OffsetAndMetadata::new(i64::from(which))))
                .collect();
        let deadline = self.now + Duration::from_secs(u64::from(which));
        let mode = if is_sync {
            CommitMode::Sync { deadline }
        } else {
            CommitMode::Async
        };
        let is_manual = !self.subscribes && offsets.keys().any(|one| !self.owned.contains(one));
        let kept = offsets
            .keys()
            .map(|one| (one.clone(), self.owned.contains(one)))
            .collect();
        let id = self.ask(|machine, now| machine.commit(offsets, mode, now));
        self.commits.insert(
            id.0,
            OpenCommit {
                kept,
                stored: BTreeSet::new(),
                is_manual,
            },
        );
        self.settle_events();
    }

    fn answer(&mut self, which: u8, how: u16) {
        if self.open.is_empty() {
            // An answer that nobody asked for.
            let response = windlass_protocol::messages::HeartbeatResponse::default().into();
            let id = RequestId::new(RequestOwner::Group, u64::from(which));
            let late = self.machine.counters().late_answers;
            self.input(|machine, now| machine.on_response(id, response, now));
            assert_eq!(self.machine.counters().late_answers, late + 1);
            return;
        }
        let open = self.open.remove(usize::from(which) % self.open.len());
        let response = reply::to(
            &open.outgoing.request,
            how,
            &mut self.generation,
            &mut self.random,
        );
        self.note_stored(&open, &response);
        let id = open.outgoing.id;
        self.join.take_if(|join| *join == id);
        self.input(|machine, now| machine.on_response(id, response, now));
    }

    /// What is stored under the generation that holds is stored, whatever comes later.
    fn note_stored(&mut self, open: &Open, response: &ResponseKind) {
        let current = Generation::to_wire(self.machine.generation());
        let ResponseKind::OffsetCommit(response) = response else {
            return;
        };
        if open.generation != current {
            return;
        }
        for topic in &response.topics {
            for partition in topic
                .partitions
                .iter()
                .filter(|one| one.error_code.is_none())
            {
                let one = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                for commit in self.commits.values_mut() {
                    commit.stored.insert(one.clone());
                }
            }
        }
    }

    fn fail(&mut self, which: u8, kind: u8) {
        if self.open.is_empty() {
            return;
        }
        let open = self.open.remove(usize::from(which) % self.open.len());
        let kinds = [
            FailureKind::Disconnected,
            FailureKind::TimedOut,
            FailureKind::Undecodable,
            FailureKind::Closed,
            FailureKind::Disconnected,
            FailureKind::TimedOut,
            FailureKind::Unencodable,
            FailureKind::AuthenticationFailed,
        ];
        self.give_up(&open.outgoing, kinds[usize::from(kind) % kinds.len()]);
    }

    fn give_up(&mut self, outgoing: &OutgoingRequest, kind: FailureKind) {
        let id = outgoing.id;
        self.join.take_if(|join| *join == id);
        let failure = RequestFailure::new(kind, "a step");
        self.input(|machine, now| machine.on_failure(id, failure, now));
    }

    fn callback_done(&mut self, which: u8) {
        let Some(newest) = self.tokens.last().copied() else {
            return;
        };
        let token = if which < 200 {
            newest
        } else {
            self.tokens[usize::from(which) % self.tokens.len()]
        };
        self.tokens.retain(|one| *one != token);
        self.input(|machine, now| machine.on_callback_done(token, now));
    }

    fn assignment_done(&mut self, well: bool) {
        if let Some((token, job)) = self.jobs.pop() {
            let result = if well {
                job.run()
            } else {
                Err(windlass_assignor::AssignError::TooLarge)
            };
            self.input(|machine, now| machine.on_assignment_computed(token, result, now));
        }
    }

    /// Time passes: wake-ups and the deadlines of requests come in order.
    fn pass(&mut self, duration: Duration) {
        let until = self.now + duration;
        loop {
            let wakeup = self.machine.poll_timeout().map(|wakeup| wakeup.at);
            let expiry = self.open.iter().map(|open| open.outgoing.deadline).min();
            let Some(next) = wakeup
                .into_iter()
                .chain(expiry)
                .min()
                .filter(|at| *at <= until)
            else {
                break;
            };
            self.now = self.now.max(next);
            if wakeup == Some(next) {
                self.input(GroupMachine::handle_timeout);
                let again = self.machine.poll_timeout();
                assert!(
                    again.is_none_or(|again| again.at > self.now),
                    "busy: {again:?}"
                );
            } else if let Some(place) = self
                .open
                .iter()
                .position(|one| one.outgoing.deadline == next)
            {
                let open = self.open.remove(place);
                self.give_up(&open.outgoing, FailureKind::TimedOut);
            }
        }
        self.now = until;
    }

    /// The application goes, and nothing is answered any more: everything must end all the same.
    pub(crate) fn end(&mut self) {
        let deadline = self.now + Duration::from_secs(30);
        self.must_leave = true;
        self.input(|machine, now| machine.leave(LeaveMode::Leave, deadline, "the end", now));
        self.pass(Duration::from_secs(30));
        assert_eq!(self.machine.state(), GroupState::Unsubscribed);
        assert!(!self.must_leave, "leaving was never reported");
        // Commits by hand may have been given longer.
        self.pass(Duration::from_secs(300));
        assert!(self.commits.is_empty(), "{:?}", self.commits);
        assert!(self.questions.is_empty(), "{:?}", self.questions);
        assert!(self.owned.is_empty(), "{:?}", self.owned);
        assert!(self.open.is_empty(), "{:?}", self.open);
        assert_eq!(self.machine.poll_timeout(), None, "at rest");
    }

    fn input(&mut self, act: impl FnOnce(&mut GroupMachine, Instant)) {
        self.ask(act);
        self.settle_events();
    }

    fn ask<T>(&mut self, act: impl FnOnce(&mut GroupMachine, Instant) -> T) -> T {
        act(&mut self.machine, self.now)
    }

    /// Drains everything, and checks it.
    fn settle_events(&mut self) {
        while let Some(event) = self.machine.poll_event() {
            assert!(!event.reason().is_empty(), "{event:?}");
            self.see(event);
        }
        while let Some(outgoing) = self.machine.poll_request() {
            self.see_request(outgoing);
        }
        // What the application had too long to give up goes without a word.
        let machine_owns = self.machine.owned();
        for gone in self.owned.difference(&machine_owns) {
            assert!(self.giving_up.contains(gone), "{gone} vanished");
        }
        assert!(
            machine_owns.is_subset(&self.owned),
            "{machine_owns:?} > {:?}",
            self.owned
        );
        self.owned = machine_owns;
        for commit in self.commits.values_mut() {
            for (one, kept) in &mut commit.kept {
                *kept &= self.owned.contains(one);
            }
        }
    }

    fn see(&mut self, event: GroupEvent) {
        match event {
            GroupEvent::StateChanged { from, to, .. } => {
                assert!(to.allowed_predecessors().contains(&from), "{from} → {to}");
                self.transitions.insert((from, to));
                self.join = None;
            }
            GroupEvent::CoordinatorLost { .. } => self.join = None,
            GroupEvent::Revoke {
                token, partitions, ..
            } => {
                assert!(
                    partitions.is_subset(&self.owned),
                    "{partitions:?} is not all ours"
                );
                self.giving_up = partitions;
                self.tokens.push(token);
            }
            GroupEvent::Lost {
                token, partitions, ..
            } => {
                assert!(!partitions.is_empty() && partitions.is_subset(&self.owned));
                self.owned.retain(|one| !partitions.contains(one));
                for commit in self.commits.values_mut() {
                    commit
                        .kept
                        .iter_mut()
                        .for_each(|(one, kept)| *kept &= !partitions.contains(one));
                }
                self.giving_up.clear();
                self.tokens.push(token);
            }
            GroupEvent::Assigned {
                token,
                added,
                owned,
                ..
            } => {
                self.owned.retain(|one| !self.giving_up.contains(one));
                self.giving_up.clear();
                assert!(self.owned.is_disjoint(&added), "{added:?} is not new");
                let both: BTreeSet<_> = self.owned.union(&added).cloned().collect();
                assert_eq!(both, owned, "something vanished");
                self.owned = owned;
                self.tokens.push(token);
            }
            GroupEvent::ComputeAssignment { token, job, .. } => self.jobs.push((token, job)),
            GroupEvent::CommitDone { id, results, .. } => {
                let commit = self.commits.remove(&id.0);
                let Some(commit) = commit else {
                    // It ended inside the call that made it: nothing can be stored so soon.
                    assert!(results.values().all(Result::is_err), "{results:?}");
                    return;
                };
                for (one, result) in results {
                    let kept = commit.kept.get(&one).copied().unwrap_or(false);
                    let may = commit.is_manual || kept || commit.stored.contains(&one);
                    assert!(result.is_err() || may, "{one} was stored in another tenure");
                }
            }
            GroupEvent::OffsetsFetched { id, .. } => {
                self.questions.remove(&id.0);
            }
            GroupEvent::Left { .. } => self.must_leave = false,
            _ => {}
        }
    }

    fn see_request(&mut self, outgoing: OutgoingRequest) {
        assert!(outgoing.deadline >= self.now, "{outgoing:?}");
        let mut generation = -1;
        match &outgoing.request {
            RequestKind::JoinGroup(_) => {
                assert_eq!(self.join, None, "two joins at a time");
                self.join = Some(outgoing.id);
            }
            RequestKind::OffsetCommit(request) => {
                generation = request.generation_id_or_member_epoch;
                let is_manual = generation == -1;
                let committing = self
                    .open
                    .iter()
                    .any(|open| matches!(open.outgoing.request, RequestKind::OffsetCommit(_)));
                assert!(!committing, "commits must not overtake each other");
                if is_manual {
                    assert_eq!(request.member_id, "");
                } else {
                    let now = Generation::to_wire(self.machine.generation());
                    assert_eq!(generation, now, "committed under an old generation");
                    let id = self.machine.member_id().map_or("", |id| id.as_str());
                    assert_eq!(request.member_id, id);
                    for topic in &request.topics {
                        for partition in &topic.partitions {
                            let one =
                                TopicPartition::new(topic.name.as_str(), partition.partition_index);
                            assert!(self.owned.contains(&one), "{one} is not ours");
                        }
                    }
                }
            }
            RequestKind::Heartbeat(request) => {
                assert!(
                    request.generation_id >= 0,
                    "a heartbeat without a generation"
                );
                assert!(!request.member_id.is_empty());
            }
            RequestKind::LeaveGroup(request) => {
                assert!(!request.members[0].member_id.is_empty());
            }
            _ => {}
        }
        self.open.push(Open {
            outgoing,
            generation,
        });
    }

    /// Unless somebody else has to act, the machine must know when it goes on.
    fn check_wakeup(&self) {
        let others_act = !self.open.is_empty() || !self.tokens.is_empty() || !self.jobs.is_empty();
        let at_rest = self.machine.state().is_at_rest()
            && self.commits.is_empty()
            && self.questions.is_empty();
        if at_rest && self.tokens.is_empty() {
            // Only the pause before the next lookup outlives the wish for it.
            let pause = "coordinator is looked for again";
            let wakeup = self.machine.poll_timeout();
            assert!(wakeup.is_none_or(|one| one.reason == pause), "{wakeup:?}");
        }
        assert!(
            others_act || at_rest || self.machine.poll_timeout().is_some(),
            "asleep for ever while {}",
            self.machine.state()
        );
    }
}
