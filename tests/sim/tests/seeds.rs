//! Some seeds with every test run; `cargo xtask sim --seeds A..B` runs as many as there is time for.

use windlass_test_sim::run;

/// Every run of these seeds keeps every rule.
#[test]
fn the_first_seeds_keep_every_rule() {
    let mut produced = 0;
    for seed in 0..32 {
        match run(seed) {
            Ok(report) => produced += report.produced,
            Err(failure) => panic!("{failure}"),
        }
    }
    // A simulation in which nothing happens would keep every rule as well.
    assert!(produced > 100_000, "only {produced} records were produced");
}

/// One seed is one run: to the last record and the moment of the last request.
#[test]
fn a_seed_is_repeatable() {
    for seed in [7, 20, 33] {
        let first = run(seed).unwrap_or_else(|failure| panic!("{failure}"));
        let second = run(seed).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(first.fingerprint, second.fingerprint, "seed {seed}");
        assert_eq!(first, second, "seed {seed}");
    }
}
