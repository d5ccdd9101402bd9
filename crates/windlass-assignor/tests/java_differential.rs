//! Our plans beside those of Kafka's own assignors, over random groups: range and round-robin the
//! same, sticky and cooperative-sticky at least as good.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod judge;

use std::io::Write as _;
use std::sync::Once;

use judge::case::{Case, Shape, any_case, sparse_case};
use judge::java::{Java, program};
use judge::score::{Owners, Score, adopt, as_sets, claimants, owners, score, subscribed};
use proptest::strategy::{BoxedStrategy, Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use windlass_assignor::{Assignment, Members, by_name};
use windlass_model::Cluster;

const SHAPES: [(Shape, usize); 4] = [
    (Shape::SMALL, 3_000),
    (
        Shape {
            racks: false,
            ..Shape::SMALL
        },
        1_500,
    ),
    (
        Shape {
            odd_claims: false,
            ..Shape::SMALL
        },
        1_000,
    ),
    (
        Shape {
            topics: 8,
            partitions: 20,
            members: 12,
            racks: true,
            odd_claims: true,
        },
        1_000,
    ),
];

/// All tests here miss the same thing; it is said once.
static SAID: Once = Once::new();

/// Starts the program; where it cannot run, says so outside of the captured output, and fails where a
/// run is required.
fn start() -> Option<Java> {
    match program() {
        Ok(command) => Some(Java::start(command)),
        Err(missing) => {
            assert!(std::env::var_os("CI").is_none(), "not run: {missing}");
            SAID.call_once(|| {
                say(&format!(
                    "not run: the comparison with Kafka's assignors, {missing}"
                ));
            });
            None
        }
    }
}

fn say(line: &str) {
    // Not `eprintln!`, which the test runner keeps to itself while tests pass.
    let mut stderr = std::io::stderr();
    stderr.write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn each_case(mut check: impl FnMut(&Case, &Cluster, &Members)) -> usize {
    let mut runner = TestRunner::deterministic();
    let mut strategies: Vec<(BoxedStrategy<Case>, usize)> = SHAPES
        .into_iter()
        .map(|(shape, number)| (any_case(shape).boxed(), number))
        .collect();
    strategies.push((sparse_case(false).boxed(), 1_000));
    strategies.push((sparse_case(true).boxed(), 500));
    let mut count = 0;
    for (cases, number) in strategies {
        for _ in 0..number {
            let case = cases.new_tree(&mut runner).unwrap().current();
            check(&case, &case.cluster(), &case.members());
            count += 1;
        }
    }
    count
}

#[test]
fn range_and_round_robin_are_the_same_as_javas() {
    let Some(mut java) = start() else { return };
    let count = each_case(|case, cluster, members| {
        for name in ["range", "roundrobin"] {
            let ours = by_name(name)
                .unwrap()
                .assign_validated(cluster, members)
                .unwrap();
            let theirs = java.assign(name, cluster, members).unwrap();
            assert_eq!(as_sets(&ours), as_sets(&theirs), "{name}, {case:?}");
        }
    });
    say(&format!(
        "range and roundrobin: {count} cases each, all the same as Java's"
    ));
}

/// How our plans compare.
#[derive(Debug, Default)]
struct Tally {
    java_throws: usize,
    java_plan_is_not_valid: usize,
    java_hands_out_what_another_holds: usize,
    java_unsettled_after_five_rounds: usize,
    balance_better: usize,
    balance_better_at_more_moves: usize,
    balance_same_and_fewer_moves: usize,
    same: usize,
    of_those_fewer_rack_mismatches: usize,
    of_those_more_rack_mismatches: usize,
}

impl Tally {
    /// Enters a case in which both plans are valid; fails where ours is worse.
    fn compare(&mut self, ours: &Score, theirs: &Score, case: &Case) {
        assert_eq!((ours.unassigned, theirs.unassigned), (0, 0), "{case:?}");
        assert!(
            ours.loads <= theirs.loads,
            "ours {ours:?}, Java's {theirs:?}: {case:?}"
        );
        if ours.loads < theirs.loads {
            self.balance_better += 1;
            self.balance_better_at_more_moves += usize::from(ours.moves > theirs.moves);
            return;
        }
        assert!(
            ours.moves <= theirs.moves,
            "ours {ours:?}, Java's {theirs:?}: {case:?}"
        );
        if ours.moves < theirs.moves {
            self.balance_same_and_fewer_moves += 1;
            return;
        }
        self.same += 1;
        self.of_those_fewer_rack_mismatches += usize::from(ours.mismatches < theirs.mismatches);
        self.of_those_more_rack_mismatches += usize::from(ours.mismatches > theirs.mismatches);
    }
}

#[test]
fn sticky_is_never_worse_than_javas() {
    let Some(mut java) = start() else { return };
    let mut tally = Tally::default();
    let strategy = by_name("sticky").unwrap();
    let count = each_case(|case, cluster, members| {
        let ours = strategy.assign_validated(cluster, members).unwrap();
        let ours = score(cluster, members, &owners(&ours));
        match java.assign("sticky", cluster, members) {
            Err(_) => tally.java_throws += 1,
            Ok(theirs) if theirs.validate(cluster, members).is_err() => {
                tally.java_plan_is_not_valid += 1;
            }
            Ok(theirs) => {
                let theirs = score(cluster, members, &owners(&theirs));
                tally.compare(&ours, &theirs, case);
            }
        }
    });
    say(&format!("sticky: {count} cases, {tally:#?}"));
}

/// How a group gets on that goes on with a strategy until nothing is withheld.
enum Rounds {
    Settled(Owners),
    Threw,
    Invalid,
    HandedOutTwice,
    Unsettled,
}

fn rounds(
    cluster: &Cluster,
    start: &Members,
    mut assign: impl FnMut(&Members) -> Result<Assignment, String>,
) -> Rounds {
    let mut members = start.clone();
    for round in 0..5 {
        let Ok(plan) = assign(&members) else {
            return Rounds::Threw;
        };
        if plan.validate(cluster, &members).is_err() {
            return Rounds::Invalid;
        }
        let plan = owners(&plan);
        let claims = claimants(&members);
        let stolen = plan.iter().any(|(partition, owner)| {
            claims
                .get(partition)
                .is_some_and(|claims| !claims.contains_key(owner))
        });
        if stolen {
            return Rounds::HandedOutTwice;
        }
        if plan.len() == subscribed(cluster, &members).len() {
            return Rounds::Settled(plan);
        }
        members = adopt(&members, &plan, 10 + round);
    }
    Rounds::Unsettled
}

#[test]
fn cooperative_sticky_is_never_worse_than_javas() {
    let Some(mut java) = start() else { return };
    let mut tally = Tally::default();
    let name = "cooperative-sticky";
    let strategy = by_name(name).unwrap();
    let count = each_case(|case, cluster, members| {
        let ours = rounds(cluster, members, |members| {
            strategy
                .assign(cluster, members)
                .map_err(|error| error.to_string())
        });
        let Rounds::Settled(ours) = ours else {
            panic!("ours does not settle: {case:?}");
        };
        match rounds(cluster, members, |members| {
            java.assign(name, cluster, members)
        }) {
            Rounds::Threw => tally.java_throws += 1,
            Rounds::Invalid => tally.java_plan_is_not_valid += 1,
            Rounds::HandedOutTwice => tally.java_hands_out_what_another_holds += 1,
            Rounds::Unsettled => tally.java_unsettled_after_five_rounds += 1,
            Rounds::Settled(theirs) => tally.compare(
                &score(cluster, members, &ours),
                &score(cluster, members, &theirs),
                case,
            ),
        }
    });
    say(&format!("cooperative-sticky: {count} cases, {tally:#?}"));
}
