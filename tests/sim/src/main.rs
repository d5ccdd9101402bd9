//! The simulator's command line: `--seeds A..B`, or `--replay SEED`.

use std::process::ExitCode;

use windlass_test_sim::{Options, Report, run};

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program talks"
)]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let seeds = match words.as_slice() {
        ["--replay", seed] => seed.parse().ok().map(|seed: u64| seed..seed + 1),
        ["--seeds", range] => range
            .split_once("..")
            .and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?)),
        _ => None,
    };
    let Some(seeds) = seeds else {
        eprintln!("usage: cargo xtask sim --seeds A..B | --replay SEED");
        return ExitCode::from(2);
    };
    let replay = words.first() == Some(&"--replay");
    let mut total = Report::default();
    let mut upgrades = 0;
    let mut failures = Vec::new();
    let count = seeds.end - seeds.start;
    for seed in seeds {
        match run(seed) {
            Ok(report) => {
                if replay {
                    println!("seed {seed}: {}\n{report:?}", Options::from_seed(seed));
                }
                total.produced += report.produced;
                total.duplicates += report.duplicates;
                total.census.eager += report.census.eager;
                total.census.cooperative += report.census.cooperative;
                total.census.mixed += report.census.mixed;
                upgrades += u64::from(report.upgraded);
                total.waits.add(&report.waits);
                total.requests += report.requests;
                total.settled_after_ms = total.settled_after_ms.max(report.settled_after_ms);
            }
            Err(failure) => {
                println!("{failure}\n");
                failures.push(seed);
            }
        }
    }
    println!(
        "{count} seeds, {} violations {failures:?}; {} records, {} processed again with good reason, \
         {} requests, at most {} ms until all was read after the last fault",
        failures.len(),
        total.produced,
        total.duplicates,
        total.requests,
        total.settled_after_ms
    );
    println!(
        "{upgrades} rolling upgrades; {} rebalances: {} eager, {} cooperative, {} in between",
        total.census.eager + total.census.cooperative + total.census.mixed,
        total.census.eager,
        total.census.cooperative,
        total.census.mixed,
    );
    println!(
        "while nothing was wrong, {} partitions stayed where they were through a rebalance: at most {} ms without \
         records that were asked for, against {} ms without a rebalance",
        total.waits.retained,
        total.waits.through_rebalance.as_millis(),
        total.waits.steady.as_millis(),
    );
    if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
