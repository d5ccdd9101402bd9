//! The notation under `schema/` against Kafka's own message definitions, which lie as JSON inside
//! the `kafka-clients` jar: every field of every version in both directions. And bodies made up
//! from the notation (those that the crate's round trips hold the codec to) against Kafka's own
//! Java classes: they must read them, and write the same bytes.
//!
//! The jar is where `cargo xtask kafka` puts it, or where `WINDLASS_KAFKA_CLIENTS_JAR` says. Where
//! there is none the tests say so in one line; with `CI` set they fail.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking, its helpers too"
)]

#[path = "kafka_definitions/definition.rs"]
mod definition;
#[path = "kafka_definitions/fact.rs"]
mod fact;
#[path = "kafka_definitions/jar.rs"]
mod jar;
#[path = "kafka_definitions/judge.rs"]
mod judge;
#[path = "../../../xtask/src/codegen/notation.rs"]
#[expect(dead_code, reason = "the generator needs more of it than this test")]
mod notation;
#[path = "../src/message_tests/wire_sample.rs"]
#[expect(dead_code, reason = "the round trips need more of it than this test")]
mod wire_sample;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use definition::Definition;
use jar::Jar;
use notation::{Api, Direction};
use windlass_protocol::ErrorCode;

#[test]
fn every_field_is_as_kafka_defines_it() {
    let Some(path) = jar_or_excuse() else {
        return;
    };
    let jar = Jar::open(&path);
    let mut versions = 0;
    let mut fields = 0;
    let mut differences = Vec::new();
    for api in apis() {
        for direction in [Direction::Request, Direction::Response] {
            let definition = Definition::read(&jar, &api.name, direction);
            compare_head(&api, &definition, &mut differences);
            for version in api.versions.min..=api.versions.max {
                fields += compare_version(&api, direction, version, &definition, &mut differences);
            }
        }
        versions += usize::try_from(api.versions.max - api.versions.min + 1).unwrap();
    }
    say(&format!(
        "{versions} (API, version) pairs in both directions, {fields} fields, {} differences",
        differences.len()
    ));
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(
        versions >= 169 && fields >= 2_728,
        "far too little was compared"
    );
}

#[test]
fn kafkas_classes_agree_on_bytes_and_error_codes() {
    let Some(path) = jar_or_excuse() else {
        return;
    };
    if !judge::has_java() {
        excuse("no JDK to run Kafka's classes with");
        return;
    }
    let samples = judge::samples(&apis());
    let verdict = judge::judge(&path, &samples);
    say(&format!(
        "{} bodies judged by Kafka's classes, {} differences",
        verdict.judged,
        verdict.differences.len()
    ));
    assert!(verdict.differences.is_empty(), "{:#?}", verdict.differences);
    assert_eq!(verdict.judged, samples.lines().count());
    for (code, (name, retriable)) in &verdict.errors {
        let ours = ErrorCode(*code);
        assert_eq!(
            (ours.name(), ours.is_retriable()),
            (name.as_str(), *retriable)
        );
    }
    assert!(verdict.errors.len() >= 135, "far too little was compared");
}

fn jar_or_excuse() -> Option<PathBuf> {
    let path = Jar::find();
    if path.is_none() {
        excuse("no kafka-clients jar (run `cargo xtask kafka up` once)");
    }
    path
}

/// A test that cannot run says so, and fails where it must run.
fn excuse(reason: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "CI needs this test: {reason}"
    );
    say(&format!("not run: {reason}"));
}

/// Prints a line past the test harness, which keeps what passing tests print to itself.
fn say(line: &str) {
    let line = format!("kafka_definitions: {line}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

fn apis() -> Vec<Api> {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    let mut apis = Vec::new();
    for entry in fs::read_dir(schema).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        apis.push(Api::parse(&text).unwrap());
    }
    apis.sort_by_key(|api| api.key);
    apis
}

/// Key, supported versions and flexible versions.
fn compare_head(api: &Api, definition: &Definition, differences: &mut Vec<String>) {
    if definition.key != api.key {
        differences.push(format!("{}: key {}", api.name, definition.key));
    }
    for version in api.versions.min..=api.versions.max {
        if !definition.is_valid(version) {
            differences.push(format!("{} {version}: Kafka does not have it", api.name));
        }
        if definition.is_flexible(version) != api.is_flexible(version) {
            differences.push(format!("{} {version}: flexible or not?", api.name));
        }
    }
}

/// Compares one version's fields, in the order of the wire, and says how many there are.
fn compare_version(
    api: &Api,
    direction: Direction,
    version: i16,
    definition: &Definition,
    differences: &mut Vec<String>,
) -> usize {
    let place = format!("{}{direction:?} {version}", api.name);
    let form = api
        .forms(direction)
        .find(|form| form.versions.contains(version))
        .expect("every version has a form");
    let ours = fact::of_notation(api, &form.fields, version);
    let theirs = definition.facts(version);
    for (our, their) in ours.iter().zip(&theirs) {
        if our != their {
            differences.push(format!("{place}: ours {our:?}, Kafka's {their:?}"));
            return ours.len();
        }
    }
    if ours.len() != theirs.len() {
        differences.push(format!(
            "{place}: {} fields, Kafka has {}",
            ours.len(),
            theirs.len()
        ));
    }
    ours.len()
}
