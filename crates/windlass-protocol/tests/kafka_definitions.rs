//! The notation under `schema/` against Kafka's own message definitions, which lie as JSON inside
//! the `kafka-clients` jar: every field of every version in both directions.
//!
//! The jar is where `cargo xtask kafka` puts it, or where `WINDLASS_KAFKA_CLIENTS_JAR` says. Where
//! there is none the test says so in one line; with `CI` set it fails.

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
#[path = "../../../xtask/src/codegen/notation.rs"]
#[expect(dead_code, reason = "the generator needs more of it than this test")]
mod notation;

use std::fs;
use std::path::Path;

use definition::Definition;
use jar::Jar;
use notation::{Api, Direction};

#[test]
fn every_field_is_as_kafka_defines_it() {
    let Some(path) = Jar::find() else {
        assert!(
            std::env::var_os("CI").is_none(),
            "no kafka-clients jar, and CI needs it: run `cargo xtask kafka up` first"
        );
        println!("not run: no kafka-clients jar (run `cargo xtask kafka up` once)");
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
    println!(
        "{versions} (API, version) pairs in both directions, {fields} fields, {} differences",
        differences.len()
    );
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(
        versions >= 169 && fields >= 2_728,
        "far too little was compared"
    );
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
