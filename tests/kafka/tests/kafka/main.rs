//! Groups on a real Apache Kafka: members come, stop, are killed; nodes die and come back.

mod groups;
mod nodes;

use std::path::PathBuf;

use windlass_test_kafka::program::{has_java, windlass};

/// The windlass program, if these tests can run. Without Java they cannot, and say so; in CI that is
/// a failure.
#[expect(clippy::print_stderr, reason = "a test that does not run says so")]
fn program() -> Option<PathBuf> {
    if !has_java() {
        assert!(
            std::env::var_os("CI").is_none(),
            "Apache Kafka needs Java 17 and Maven"
        );
        eprintln!("not run: Apache Kafka needs Java 17 and Maven");
        return None;
    }
    Some(windlass().unwrap_or_else(|error| panic!("the program builds: {error}")))
}

/// How many records the larger tests use.
fn records() -> u64 {
    std::env::var("WINDLASS_RECORDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(60_000)
}
