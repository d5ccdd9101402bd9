//! Groups of consumers against a real Apache Kafka.
//!
//! `cargo test -p windlass-test-kafka --test kafka [NAME…]` runs the tests whose names contain one of
//! the words. `WINDLASS_BOOTSTRAP` names a cluster to use in place of one of our own;
//! A measurement runs only by its whole name.
//! `WINDLASS_RECORDS` and `WINDLASS_ROUNDS` make the tests larger. Without Java or Maven nothing
//! runs, which with `CI` set is a failure.

#![expect(
    clippy::unwrap_used,
    reason = "what cannot be done fails the test that asks for it"
)]
#![expect(clippy::print_stdout, reason = "this is a test harness of its own")]

mod application;
mod crashes;
mod foreign;
mod main_job;
mod nodes;
mod poll_interval;
mod silences;
mod stage;
mod static_members;
mod trail;
mod upgrade;
mod view;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use self::stage::{NotRun, Stage};

/// A test: what it shows, and the function that returns what it saw.
type Test = (&'static str, fn(&Stage) -> Result<String, NotRun>);

/// The longest comes first, so that the others run beside it.
const TESTS: &[Test] = &[
    (
        "a_group_outlives_its_nodes_without_a_rebalance",
        nodes::a_group_outlives_its_nodes_without_a_rebalance,
    ),
    (
        "members_share_a_topic_through_stops_and_crashes",
        main_job::members_share_a_topic_through_stops_and_crashes,
    ),
    (
        "two_of_eight_members_of_six_partitions_are_idle",
        main_job::two_of_eight_members_of_six_partitions_are_idle,
    ),
    (
        "two_groups_have_offsets_of_their_own",
        main_job::two_groups_have_offsets_of_their_own,
    ),
    (
        "java_and_windlass_share_a_group_by_range",
        foreign::java_and_windlass_share_a_group_by_range,
    ),
    (
        "java_and_windlass_share_a_group_by_round_robin",
        foreign::java_and_windlass_share_a_group_by_round_robin,
    ),
    (
        "java_and_windlass_move_only_what_must_move",
        foreign::java_and_windlass_move_only_what_must_move,
    ),
    (
        "a_static_member_is_restarted_unnoticed",
        static_members::a_static_member_is_restarted_unnoticed,
    ),
    (
        "a_double_of_a_static_member_fences_it",
        static_members::a_double_of_a_static_member_fences_it,
    ),
    (
        "a_member_that_stays_away_loses_its_partitions_and_rejoins",
        poll_interval::a_member_that_stays_away_loses_its_partitions_and_rejoins,
    ),
    (
        "a_group_goes_from_eager_to_cooperative_in_two_bounces",
        upgrade::a_group_goes_from_eager_to_cooperative_in_two_bounces,
    ),
    (
        "commits_by_hand_lose_nothing_when_killed",
        crashes::commits_by_hand_lose_nothing_when_killed,
    ),
    (
        "commits_by_timer_stop_at_what_was_come_back_from",
        crashes::commits_by_timer_stop_at_what_was_come_back_from,
    ),
];

/// What is measured, where it is asked for by its name.
const MEASUREMENTS: &[Test] = &[(
    "what_does_not_move_is_not_silent",
    silences::what_does_not_move_is_not_silent,
)];

/// How many tests run at a time: most of a test is waiting.
const AT_A_TIME: usize = 2;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some((application::WORD, orders)) = words
        .split_first()
        .map(|(word, rest)| (word.as_str(), rest))
    {
        return application::run(orders);
    }
    let names: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let chosen = |test: &&Test| names.is_empty() || names.iter().any(|name| test.0.contains(*name));
    let measured = MEASUREMENTS
        .iter()
        .filter(|test| names.iter().any(|name| **name == test.0));
    let tests: Vec<Test> = TESTS
        .iter()
        .filter(chosen)
        .chain(measured)
        .copied()
        .collect();
    if words.iter().any(|word| word == "--list") {
        tests.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    if tests.is_empty() {
        return ExitCode::SUCCESS;
    }
    let stage = match Stage::set() {
        Ok(stage) => stage,
        Err(NotRun(reason)) => {
            println!("not run: the tests against Apache Kafka ({reason})");
            return exit_code(std::env::var_os("CI").is_none());
        }
    };
    exit_code(run(&stage, &tests))
}

/// Runs the tests; whether all passed.
fn run(stage: &Stage, tests: &[Test]) -> bool {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(test) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if !run_one(stage, test) {
                        failed.lock().unwrap().push(test.0);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    println!(
        "{} of {} tests against Apache Kafka passed {failed:?}",
        tests.len() - failed.len(),
        tests.len()
    );
    failed.is_empty()
}

/// Runs a test in a thread of its name, so that its panic says which test it was.
fn run_one(stage: &Stage, (name, test): &Test) -> bool {
    let start = Instant::now();
    let outcome = thread::scope(|scope| {
        let builder = thread::Builder::new().name((*name).to_owned());
        builder.spawn_scoped(scope, || test(stage)).unwrap().join()
    });
    let seconds = start.elapsed().as_secs_f32();
    match &outcome {
        Ok(Ok(seen)) => println!("test {name} ... ok in {seconds:.1} s: {seen}"),
        Ok(Err(NotRun(reason))) => {
            println!("not run: {name} ({reason})");
            return std::env::var_os("CI").is_none();
        }
        Err(_) => println!("test {name} ... FAILED after {seconds:.1} s"),
    }
    outcome.is_ok()
}

fn exit_code(is_fine: bool) -> ExitCode {
    if is_fine {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
