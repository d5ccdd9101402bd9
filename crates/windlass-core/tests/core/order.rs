//! Whatever an application and its group do, in whatever order: nothing is committed that was not given
//! out, and nothing is taken back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use windlass_core::{CommitWhat, Intent, Progress, SeekTo};
use windlass_model::{OffsetAndMetadata, TopicPartition};
use windlass_protocol::RequestKind;

use crate::cluster::{PARTITIONS, partition};
use crate::scene::{Place, Scene};

#[derive(Clone, Debug)]
enum Operation {
    /// A broker answers one of the open requests.
    Answer(usize),
    Fail(usize),
    Pass(u64),
    /// The group moves on, and gives this member these partitions.
    Rebalance(Vec<i32>),
    /// The coordinator strikes the member off.
    Forget,
    Poll,
    Recv(usize),
    /// The application drops the future of its poll.
    GiveUp,
    Commit {
        waits: bool,
    },
    /// Offsets of the application's own, of what it was given.
    CommitOffsets(i32),
    Pause(Vec<i32>),
    Resume(Vec<i32>),
    SeekBack(i32, i64),
    Subscribe,
    Unsubscribe,
    Assign(Vec<i32>),
    /// The listener returns, after it did something or not.
    Return(Listening),
}

#[derive(Clone, Copy, Debug)]
enum Listening {
    Idle,
    Commits,
    SeeksBack(i32, i64),
}

fn operation() -> impl Strategy<Value = Operation> {
    let index = || 0..PARTITIONS;
    let some = move || vec(index(), 0..4);
    prop_oneof![
        30 => (0..4_usize).prop_map(Operation::Answer),
        1 => (0..4_usize).prop_map(Operation::Fail),
        6 => (1..4000_u64).prop_map(Operation::Pass),
        3 => some().prop_map(Operation::Rebalance),
        1 => Just(Operation::Forget),
        8 => Just(Operation::Poll),
        12 => (1..12_usize).prop_map(Operation::Recv),
        3 => Just(Operation::GiveUp),
        4 => any::<bool>().prop_map(|waits| Operation::Commit { waits }),
        2 => index().prop_map(Operation::CommitOffsets),
        2 => some().prop_map(Operation::Pause),
        2 => some().prop_map(Operation::Resume),
        2 => (index(), 0..9_i64).prop_map(|(index, by)| Operation::SeekBack(index, by)),
        2 => Just(Operation::Subscribe),
        1 => Just(Operation::Unsubscribe),
        1 => some().prop_map(Operation::Assign),
        6 => prop_oneof![
            Just(Listening::Idle),
            Just(Listening::Commits),
            (index(), 0..9_i64).prop_map(|(index, by)| Listening::SeeksBack(index, by)),
        ]
        .prop_map(Operation::Return),
    ]
}

fn set(indexes: &[i32]) -> BTreeSet<TopicPartition> {
    indexes.iter().copied().map(partition).collect()
}

/// What the application knows, and what may be committed on account of it.
struct World {
    scene: Scene,
    /// Every record that was given out, ever.
    given: BTreeMap<TopicPartition, BTreeSet<i64>>,
    /// Of these, what the application came back from.
    done: BTreeMap<TopicPartition, BTreeSet<i64>>,
    /// What the group held last.
    held: BTreeMap<TopicPartition, i64>,
    /// The lowest offset that the application chose by itself.
    sought: BTreeMap<TopicPartition, i64>,
    /// Whether it wants to read anything.
    reads: bool,
    /// Whether partitions come by the group.
    subscribed: bool,
    /// Whether only what the application is done with is ever committed.
    by_timer: bool,
}

impl World {
    fn new(strategy: &'static str, by_timer: bool) -> Self {
        let mut scene = Scene::new(strategy, by_timer);
        scene.cluster.share = (0..PARTITIONS).map(partition).collect();
        let mut world = Self {
            scene,
            given: BTreeMap::new(),
            done: BTreeMap::new(),
            held: BTreeMap::new(),
            sought: BTreeMap::new(),
            reads: false,
            subscribed: false,
            by_timer,
        };
        world.subscribe();
        world
    }

    fn subscribe(&mut self) {
        self.subscribed = true;
        self.reads = true;
        self.scene
            .ask(Intent::Subscribe(BTreeSet::from(["events".into()])));
    }

    fn come_back(&mut self) {
        self.done.clone_from(&self.given);
    }

    fn give(&mut self, records: impl IntoIterator<Item = Place>) {
        for (partition, offset) in records {
            assert!(self.reads, "{partition} is handed out, and nobody wants it");
            self.given.entry(partition).or_default().insert(offset);
        }
    }

    /// Goes back by so much from what was given last.
    fn back_from_given(&mut self, index: i32, by: i64) -> Option<(TopicPartition, i64)> {
        let partition = partition(index);
        let last = *self.given.get(&partition)?.last()?;
        let to = (last + 1 - by).max(0);
        let lowest = self.sought.entry(partition.clone()).or_insert(to);
        *lowest = to.min(*lowest);
        Some((partition, to))
    }

    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Answer(which) => self.scene.answer(*which),
            Operation::Fail(which) => self.scene.fail(*which),
            Operation::Pass(time) => self.scene.pass(Duration::from_millis(*time)),
            Operation::Rebalance(share) => {
                self.scene.cluster.share = set(share);
                self.scene.cluster.rebalances = true;
            }
            Operation::Forget => self.scene.cluster.forgotten = true,
            Operation::Poll => {
                self.come_back();
                let records = self.scene.poll();
                self.give(records);
            }
            Operation::Recv(times) => {
                for _ in 0..*times {
                    self.come_back();
                    let record = self.scene.recv();
                    self.give(record);
                }
            }
            Operation::GiveUp => self.scene.give_up_poll(),
            Operation::Commit { .. } | Operation::CommitOffsets(_) => self.commit(operation),
            Operation::Pause(_) | Operation::Resume(_) => self.stop_or_go(operation),
            Operation::SeekBack(..) | Operation::Return(_) => self.seek_or_return(operation),
            Operation::Subscribe => self.subscribe(),
            Operation::Unsubscribe => {
                self.subscribed = false;
                self.reads = false;
                self.scene.application.come_back();
                self.come_back();
                let progress = self.scene.application.progress();
                self.scene.application.drop_all();
                self.scene.submit(Intent::Unsubscribe, &progress);
            }
            Operation::Assign(indexes) => {
                let partitions = set(indexes);
                self.reads = true;
                // It ends a subscription, as `Unsubscribe` does.
                if std::mem::take(&mut self.subscribed) {
                    self.scene.application.come_back();
                    self.come_back();
                }
                let progress = self.scene.application.progress();
                self.scene.application.keep_only(&partitions);
                self.scene.submit(Intent::Assign(partitions), &progress);
            }
        }
        self.check();
    }

    /// The application commits. Where a timer does that, it alone does.
    fn commit(&mut self, operation: &Operation) {
        if self.by_timer {
            return;
        }
        let now = self.scene.now;
        let intent = match operation {
            Operation::Commit { waits } => Intent::Commit {
                what: CommitWhat::HandedOut,
                retry_until: waits.then(|| now + Duration::from_secs(30)),
            },
            Operation::CommitOffsets(index) => {
                let Some((partition, offset)) = self.back_from_given(*index, 0) else {
                    return;
                };
                // It may stand before that, and commit where it stands next.
                self.sought.insert(partition.clone(), 0);
                let offsets = BTreeMap::from([(partition, OffsetAndMetadata::new(offset))]);
                Intent::Commit {
                    what: CommitWhat::Offsets(offsets),
                    retry_until: None,
                }
            }
            _ => return,
        };
        self.scene.ask(intent);
    }

    fn stop_or_go(&mut self, operation: &Operation) {
        let (Operation::Pause(indexes) | Operation::Resume(indexes)) = operation else {
            return;
        };
        let mut partitions = set(indexes);
        partitions.retain(|one| self.scene.core.fetch().is_assigned(one));
        if let Operation::Resume(_) = operation {
            self.scene.ask(Intent::Resume(partitions));
            return;
        }
        let progress = self.scene.application.progress();
        let returned = self.scene.application.give_back(&partitions);
        let pause = Intent::Pause {
            partitions,
            returned,
        };
        self.scene.submit(pause, &progress);
    }

    fn seek_or_return(&mut self, operation: &Operation) {
        match operation {
            Operation::SeekBack(index, by) => {
                if let Some((partition, to)) = self.back_from_given(*index, *by) {
                    let progress = self.scene.application.progress();
                    let moved = BTreeSet::from([partition.clone()]);
                    self.scene.application.drop_partitions(&moved);
                    let to = SeekTo::Offset(OffsetAndMetadata::new(to));
                    self.scene.submit(Intent::Seek(partition, to), &progress);
                }
            }
            Operation::Return(listening) => {
                let Some((id, _)) = self.scene.calls.pop_front() else {
                    return;
                };
                let intent = match listening {
                    Listening::Commits => Some(Intent::Commit {
                        what: CommitWhat::Finished,
                        retry_until: Some(self.scene.now + Duration::from_secs(30)),
                    }),
                    Listening::SeeksBack(index, by) => {
                        let back = self.back_from_given(*index, *by);
                        back.map(|(partition, to)| {
                            Intent::Seek(partition, SeekTo::Offset(OffsetAndMetadata::new(to)))
                        })
                    }
                    Listening::Idle => None,
                };
                if let Some(intent) = intent {
                    self.scene.submit(intent, &Progress::default());
                }
                self.scene
                    .input(|core, now| core.on_callback_done(id, Ok(()), now));
            }
            _ => {}
        }
    }

    /// Looks at every commit that was sent.
    fn check(&mut self) {
        for request in std::mem::take(&mut self.scene.sent) {
            let RequestKind::OffsetCommit(commit) = request else {
                continue;
            };
            for one in commit.topics.iter().flat_map(|topic| &topic.partitions) {
                let (partition, offset) = (partition(one.partition_index), one.committed_offset);
                let covered = match self.by_timer {
                    true => self.done.get(&partition),
                    false => self.given.get(&partition),
                };
                let missing =
                    (0..offset).find(|below| !covered.is_some_and(|all| all.contains(below)));
                assert_eq!(missing, None, "{partition} is committed up to {offset}");
            }
        }
        self.check_stored();
    }

    /// Looks at what the group holds now.
    fn check_stored(&mut self) {
        for (partition, offset) in &self.scene.cluster.stored {
            let before = self.held.insert(partition.clone(), *offset).unwrap_or(0);
            let sought = self.sought.get(partition).copied().unwrap_or(before);
            assert!(
                *offset >= before.min(sought),
                "{partition} goes back from {before} to {offset}"
            );
        }
    }

    /// Nothing more happens, and the application reads on: everything comes in the end.
    fn come_to_rest(&mut self) {
        self.apply(&Operation::Unsubscribe);
        self.scene.calm_down(400);
        self.check();
        self.scene.cluster.rebalances = false;
        self.scene.cluster.share = (0..PARTITIONS).map(partition).collect();
        self.subscribe();
        for _ in 0..120 {
            self.scene.calm_down(12);
            self.apply(&Operation::Poll);
            let assigned = self.scene.assigned();
            let progress = Progress::default();
            self.scene.submit(Intent::Resume(assigned), &progress);
        }
        for index in 0..PARTITIONS {
            let given = self.given.get(&partition(index)).map_or(0, BTreeSet::len);
            assert_eq!(
                given, 80,
                "records of partition {index} were never given out"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_is_committed_that_was_not_given_out(
        operations in vec(operation(), 1..150),
        strategy in prop_oneof![Just("range"), Just("cooperative-sticky")],
        by_timer in any::<bool>(),
    ) {
        let mut world = World::new(strategy, by_timer);
        for operation in &operations {
            world.apply(operation);
        }
        world.come_to_rest();
    }
}

#[test]
fn what_an_unsubscribed_application_was_handed_is_not_taken_for_given() {
    use Operation::{Answer, Assign, Pass, Poll, Rebalance, Recv, Return, Unsubscribe};
    let mut world = World::new("cooperative-sticky", true);
    let mut play = |operations: &[Operation]| {
        for operation in operations {
            world.apply(operation);
        }
    };
    play(&[Answer(0), Answer(1), Answer(1)]);
    play(&[Rebalance(vec![2]), Pass(3000), Answer(0), Answer(0)]);
    play(&[Answer(0), Return(Listening::Idle)]);
    play(&[Answer(0), Answer(0), Answer(0), Answer(0), Answer(0)]);
    // The listener is at work on two partitions that go; the third is here.
    play(&[Answer(0), Rebalance(vec![]), Pass(1), Unsubscribe]);
    play(&[Rebalance(vec![]), Answer(0), Answer(0), Recv(1)]);
    play(&[Assign(vec![]), Answer(0), Answer(0), Poll]);
    world.come_to_rest();
}
