//! Kafka's own Java classes as judges of bytes and of error codes.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::notation::Api;
use crate::wire_sample::{Choices, sample};

/// Made-up bodies of every API, version and direction; the first round is as small as can be.
const ROUNDS: u64 = 20;

/// What the judges said.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) judged: usize,
    pub(crate) differences: Vec<String>,
    /// Name and whether it is retriable, by code.
    pub(crate) errors: BTreeMap<i16, (String, bool)>,
}

/// Whether there is a Java that can run a source file.
pub(crate) fn has_java() -> bool {
    Command::new("javac")
        .arg("-version")
        .output()
        .is_ok_and(|output| output.status.success())
}

/// The lines the judges are given.
pub(crate) fn samples(apis: &[Api]) -> String {
    let mut text = String::new();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..ROUNDS {
        for api in apis {
            for form in &api.messages {
                for version in form.versions.min..=form.versions.max {
                    let length = if round == 0 { 0 } else { 600 };
                    let choices: Vec<u8> = (0..length).map(|_| next_byte(&mut state)).collect();
                    let body = sample(api, form, version, &mut Choices::new(&choices));
                    write!(text, "{}{:?} {version} ", api.name, form.direction).unwrap();
                    for byte in body {
                        write!(text, "{byte:02x}").unwrap();
                    }
                    text.push('\n');
                }
            }
        }
    }
    text
}

/// A linear congruential generator: the same samples in every run.
fn next_byte(state: &mut u64) -> u8 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    let [.., high] = state.to_le_bytes();
    high
}

/// Gives the samples to Kafka's classes in the jar's folder.
pub(crate) fn judge(jar: &Path, samples: &str) -> Verdict {
    let name = format!("windlass-judge-{}.txt", std::process::id());
    let file = env::temp_dir().join(name);
    fs::write(&file, samples).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka_definitions/Judge.java");
    let class_path = format!("{}/*", jar.parent().unwrap().display());
    let mut java = Command::new("java");
    java.args(["-cp", &class_path]).arg(source).arg(&file);
    let output = java.output().unwrap();
    fs::remove_file(&file).unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the judge failed:\n{complaints}");
    read_verdict(&String::from_utf8(output.stdout).unwrap())
}

fn read_verdict(text: &str) -> Verdict {
    let mut verdict = Verdict::default();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["judged", count] => verdict.judged = count.parse().unwrap(),
            ["error", code, name, retriable] => {
                let fact = ((*name).to_owned(), retriable.parse().unwrap());
                verdict.errors.insert(code.parse().unwrap(), fact);
            }
            _ => verdict.differences.push(line.to_owned()),
        }
    }
    verdict
}
