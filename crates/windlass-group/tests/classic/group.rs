//! Several members and one coordinator: who owns what, at every step and in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use windlass_group::{CommitMode, GroupConfig, GroupEvent, GroupState, LeaveMode};
use windlass_model::{OffsetAndMetadata, TopicPartition};
use windlass_protocol::{ErrorCode, RequestKind};

use crate::member::{COORDINATOR, Member, config, partitions};
use crate::script::{coordinator_at, heartbeat};
use crate::test_coordinator::TestCoordinator;

/// A group whose applications poll, commit what they give up, and never dawdle.
struct Group {
    coordinator: TestCoordinator,
    members: Vec<Member>,
    /// Members that are gone without a word.
    dead: BTreeSet<usize>,
    /// What each member was told to give up, and what it was told is lost, since the last look.
    revoked: BTreeMap<usize, BTreeSet<TopicPartition>>,
    lost: BTreeMap<usize, BTreeSet<TopicPartition>>,
    /// How often each member joined since the last look.
    rebalances: BTreeMap<usize, u32>,
    topic_size: usize,
}

impl Group {
    fn new() -> Self {
        Self {
            coordinator: TestCoordinator::default(),
            members: Vec::new(),
            dead: BTreeSet::new(),
            revoked: BTreeMap::new(),
            lost: BTreeMap::new(),
            rebalances: BTreeMap::new(),
            topic_size: 6,
        }
    }

    /// A group of members that came one after the other.
    fn of(strategies: &[&str], count: usize) -> Self {
        let mut group = Self::new();
        for _ in 0..count {
            group.add(config(strategies));
        }
        group.forget();
        group
    }

    /// Adds a member and waits until the group has settled.
    fn add(&mut self, settings: GroupConfig) -> usize {
        let mut member = Member::new(settings);
        member.polling(true);
        member.show(&[("orders", self.topic_size)]);
        member.subscribe(&["orders"]);
        self.members.push(member);
        self.settle();
        self.members.len() - 1
    }

    fn forget(&mut self) {
        self.revoked.clear();
        self.lost.clear();
        self.rebalances.clear();
    }

    /// Heartbeats until every living member is stable and nothing is said any more.
    fn settle(&mut self) {
        for _ in 0..12 {
            self.run();
            for (place, member) in self.members.iter_mut().enumerate() {
                if !self.dead.contains(&place) {
                    member.pass(Duration::from_secs(1));
                }
            }
        }
        self.run();
        self.check_disjoint();
    }

    /// Carries requests and answers until all is quiet; every callback is finished at once.
    fn run(&mut self) {
        loop {
            let mut quiet = true;
            for place in 0..self.members.len() {
                if self.dead.contains(&place) {
                    continue;
                }
                while let Some(outgoing) = self.members[place].requests.pop_front() {
                    quiet = false;
                    match outgoing.request {
                        RequestKind::FindCoordinator(_) => {
                            self.members[place].answer(outgoing.id, coordinator_at(COORDINATOR));
                        }
                        request => self.coordinator.ask((place, outgoing.id), request),
                    }
                }
                quiet &= !self.serve(place);
                self.check_disjoint();
            }
            for ((place, id), response) in self.coordinator.take_answers() {
                quiet = false;
                if !self.dead.contains(&place) {
                    self.members[place].answer(id, response);
                }
            }
            if quiet {
                return;
            }
        }
    }

    /// Does what the member asks of its application; says whether it asked for anything.
    fn serve(&mut self, place: usize) -> bool {
        let events = std::mem::take(&mut self.members[place].events);
        let asked = !events.is_empty();
        for event in events {
            match event {
                GroupEvent::Revoke {
                    token, partitions, ..
                } => {
                    self.revoked.entry(place).or_default().extend(partitions);
                    self.members[place].done(token);
                }
                GroupEvent::Lost {
                    token, partitions, ..
                } => {
                    self.lost.entry(place).or_default().extend(partitions);
                    self.members[place].done(token);
                }
                GroupEvent::Assigned { token, .. } => self.members[place].done(token),
                GroupEvent::ComputeAssignment { token, job, .. } => {
                    let result = job.run();
                    self.members[place]
                        .input(|machine, now| machine.on_assignment_computed(token, result, now));
                }
                GroupEvent::MetadataNeeded { .. } => {
                    let shown = [("orders", self.topic_size)];
                    self.members[place].show(&shown);
                }
                GroupEvent::StateChanged {
                    to: GroupState::CompletingRebalance,
                    ..
                } => {
                    *self.rebalances.entry(place).or_default() += 1;
                }
                _ => {}
            }
        }
        asked
    }

    fn owned(&self, place: usize) -> BTreeSet<TopicPartition> {
        self.members[place].machine.owned()
    }

    /// No partition has two owners that are alive.
    fn check_disjoint(&self) {
        let mut owners = BTreeMap::new();
        for place in (0..self.members.len()).filter(|place| !self.dead.contains(place)) {
            for one in self.owned(place) {
                let other = owners.insert(one.clone(), place);
                assert_eq!(other, None, "{one} has two owners");
            }
        }
    }

    /// How much each living member owns, and that together they own everything.
    fn shares(&self) -> Vec<usize> {
        let living = (0..self.members.len()).filter(|place| !self.dead.contains(place));
        let shares: Vec<usize> = living.map(|place| self.owned(place).len()).collect();
        assert_eq!(shares.iter().sum::<usize>(), self.topic_size, "{shares:?}");
        shares
    }

    fn leave(&mut self, place: usize) {
        let member = &mut self.members[place];
        let deadline = member.now + Duration::from_secs(10);
        member.input(|machine, now| machine.leave(LeaveMode::Default, deadline, "closed", now));
        self.settle();
    }
}

#[test]
fn members_that_come_and_go_share_evenly() {
    for strategies in [
        &["range"][..],
        &["roundrobin"],
        &["sticky"],
        &["cooperative-sticky"],
    ] {
        let mut group = Group::of(strategies, 1);
        assert_eq!(group.shares(), [6], "{strategies:?}");
        group.add(config(strategies));
        assert_eq!(group.shares(), [3, 3], "{strategies:?}");
        group.add(config(strategies));
        assert_eq!(group.shares(), [2, 2, 2], "{strategies:?}");
        group.leave(0);
        assert_eq!(group.shares(), [0, 3, 3], "{strategies:?}");
    }
}

#[test]
fn eight_members_of_six_partitions_leave_two_idle() {
    let group = Group::of(&["range"], 8);
    let mut shares = group.shares();
    shares.sort_unstable();
    assert_eq!(shares, [0, 0, 1, 1, 1, 1, 1, 1]);
}

#[test]
fn a_cooperative_group_gives_up_only_what_moves() {
    let mut group = Group::of(&["cooperative-sticky"], 2);
    let before = [group.owned(0), group.owned(1)];
    group.add(config(&["cooperative-sticky"]));
    assert_eq!(group.shares(), [2, 2, 2]);
    for (place, before) in before.iter().enumerate() {
        let kept = group.owned(place);
        assert!(kept.is_subset(before), "nothing came to member {place}");
        let gone: BTreeSet<_> = before.difference(&kept).cloned().collect();
        assert_eq!(group.revoked[&place], gone);
    }
    assert!(group.lost.is_empty());
}

#[test]
fn an_eager_group_gives_up_everything() {
    let mut group = Group::of(&["sticky"], 2);
    let before = [group.owned(0), group.owned(1)];
    group.add(config(&["sticky"]));
    assert_eq!(
        [&group.revoked[&0], &group.revoked[&1]],
        [&before[0], &before[1]]
    );
    for (place, before) in before.iter().enumerate() {
        assert!(
            group.owned(place).is_subset(before),
            "sticky: what stays, stays with {place}"
        );
    }
}

#[test]
fn the_dead_are_replaced() {
    for strategies in [&["range"][..], &["cooperative-sticky"]] {
        let mut group = Group::of(strategies, 3);
        let id = group.members[1].member_id().to_owned();
        group.dead.insert(1);
        group.coordinator.expel(&id);
        group.settle();
        assert_eq!(group.shares(), [3, 3]);
        // It was not dead after all: it learns that it lost everything, and joins anew.
        group.forget();
        let stale = group.owned(1);
        group.dead.remove(&1);
        let interval = Duration::from_secs(3);
        group.members[1].pass(interval);
        let (beat, _) = crate::member::expect_request!(group.members[1], Heartbeat);
        group.members[1].answer(beat, heartbeat(ErrorCode::UNKNOWN_MEMBER_ID));
        assert!(group.members[1].machine.owned().is_empty());
        group.settle();
        assert_eq!(group.lost[&1], stale);
        assert_eq!(group.shares(), [2, 2, 2]);
        assert_ne!(group.members[1].member_id(), id);
    }
}

#[test]
fn a_static_member_that_comes_back_disturbs_nobody() {
    let fixed = |name: &str| {
        let mut config = config(&["range"]);
        config.group_instance_id = Some(name.into());
        config
    };
    let mut group = Group::new();
    for name in ["a", "b", "c"] {
        group.add(fixed(name));
    }
    // The first one leads: it comes back as the leader that has nothing to assign (KIP-814).
    for (place, name) in [(0, "a"), (2, "c")] {
        let owned = group.owned(place);
        let generation = group.coordinator.generation;
        group.leave(place);
        group.dead.insert(place);
        group.forget();
        let back = group.add(fixed(name));
        assert_eq!(group.owned(back), owned);
        assert_eq!(group.coordinator.generation, generation, "no rebalance");
        assert_eq!(group.rebalances.keys().copied().collect::<Vec<_>>(), [back]);
        assert!(group.revoked.is_empty() && group.lost.is_empty());
    }
}

#[test]
fn the_second_holder_of_an_instance_id_fences_the_first() {
    let fixed = || {
        let mut config = config(&["range"]);
        config.group_instance_id = Some("a".into());
        config
    };
    let mut group = Group::new();
    let first = group.add(fixed());
    let mut member = Member::new(fixed());
    member.polling(true);
    member.show(&[("orders", 6)]);
    member.subscribe(&["orders"]);
    group.members.push(member);
    // Until the first one's heartbeat both believe to own the same: that is what fencing is for.
    let interval = Duration::from_secs(3);
    group.dead.insert(first);
    group.run();
    group.dead.remove(&first);
    group.members[first].pass(interval);
    let outgoing = group.members[first].next_request();
    group
        .coordinator
        .ask((first, outgoing.id), outgoing.request);
    let (_, response) = group.coordinator.take_answers().remove(0);
    group.members[first].answer(outgoing.id, response);
    assert_eq!(group.members[first].state(), GroupState::Fatal);
    group.settle();
    assert_eq!(group.shares(), [0, 6]);
}

#[test]
fn strategies_change_by_a_rolling_bounce() {
    let mut group = Group::of(&["range"], 2);
    assert_eq!(group.coordinator.protocol, "range");
    for _ in 0..2 {
        group.leave(0);
        group.members.remove(0);
        group.add(config(&["roundrobin", "range"]));
    }
    assert_eq!(group.coordinator.protocol, "roundrobin");
    assert_eq!(group.shares(), [3, 3]);
}

#[test]
fn an_eager_group_becomes_cooperative_in_two_bounces() {
    let mut group = Group::of(&["range"], 3);
    for strategies in [
        &["cooperative-sticky", "range"][..],
        &["cooperative-sticky"],
    ] {
        for _ in 0..3 {
            group.leave(0);
            group.members.remove(0);
            group.add(config(strategies));
            assert_eq!(group.shares(), [2, 2, 2], "{strategies:?}");
        }
    }
    assert_eq!(group.coordinator.protocol, "cooperative-sticky");
    group.forget();
    group.add(config(&["cooperative-sticky"]));
    let moved: usize = group.revoked.values().map(BTreeSet::len).sum();
    assert_eq!(moved, 1, "{:?}", group.revoked);
}

#[test]
fn added_partitions_are_shared_out() {
    for strategies in [&["range"][..], &["cooperative-sticky"]] {
        let mut group = Group::of(strategies, 3);
        group.topic_size = 9;
        for member in &mut group.members {
            member.show(&[("orders", 9)]);
        }
        group.settle();
        assert_eq!(group.shares(), [3, 3, 3]);
    }
}

#[test]
fn a_new_coordinator_costs_no_rebalance() {
    let mut group = Group::of(&["range"], 3);
    let generation = group.coordinator.generation;
    for place in 0..3 {
        let member = &mut group.members[place];
        member.take_trace();
        member.pass(Duration::from_secs(3));
        let (id, _) = crate::member::expect_request!(member, Heartbeat);
        member.answer(id, heartbeat(ErrorCode::NOT_COORDINATOR));
    }
    group.settle();
    assert_eq!(group.shares(), [2, 2, 2]);
    assert_eq!(group.coordinator.generation, generation);
    assert!(
        group
            .members
            .iter_mut()
            .all(|member| member.take_trace().is_empty())
    );
}

#[test]
fn commits_of_all_members_arrive() {
    let mut group = Group::of(&["cooperative-sticky"], 3);
    for place in 0..3 {
        let offsets = group.owned(place).into_iter();
        let offsets: BTreeMap<_, _> = offsets
            .map(|one| (one, OffsetAndMetadata::new(9)))
            .collect();
        let member = &mut group.members[place];
        member.input(|machine, now| machine.commit(offsets, CommitMode::Async, now));
    }
    group.run();
    let stored: BTreeSet<_> = group.coordinator.offsets.keys().cloned().collect();
    assert_eq!(stored, partitions("orders", &[0, 1, 2, 3, 4, 5]));
}
