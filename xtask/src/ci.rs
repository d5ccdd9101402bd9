//! `cargo xtask ci`: everything that has to hold before a change lands.

use std::time::Instant;

use crate::process::{self, cargo, exists, read};
use crate::{codegen, kafka, tidy};

/// The crates that know no sockets, clocks or threads.
const PURE: [&str; 6] = [
    "windlass-model",
    "windlass-protocol",
    "windlass-machine",
    "windlass-assignor",
    "windlass-group",
    "windlass-fetch",
];

/// A step: its name and what it does.
type Step = (&'static str, fn() -> Result<(), String>);

const STEPS: &[Step] = &[
    ("fmt", || {
        process::run(&mut cargo(&["fmt", "--all", "--check"]))
    }),
    ("codegen --check", || codegen::run(true)),
    ("tidy", tidy::run),
    ("pure crates are pure", pure_crates),
    ("clippy", || {
        process::run(&mut cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ]))
    }),
    ("kafka's jars", jars),
    ("test", || process::run(&mut cargo(&["test"]))),
    ("doc", || {
        process::run(
            cargo(&["doc", "--workspace", "--no-deps", "--quiet"])
                .env("RUSTDOCFLAGS", "-D warnings"),
        )
    }),
];

/// Runs all steps; the first that fails ends it.
#[expect(clippy::print_stdout, reason = "each step says its name and its time")]
pub(crate) fn run() -> Result<(), String> {
    for (name, step) in STEPS {
        println!("== {name}");
        let start = Instant::now();
        step().map_err(|problem| format!("{name}: {problem}"))?;
        println!("== {name}: {:.1} s", start.elapsed().as_secs_f32());
    }
    Ok(())
}

/// No pure crate has tokio among what it is built from; where the target is installed they also
/// build for wasm32, which has no sockets, files or threads to offer.
#[expect(clippy::print_stdout, reason = "a check that does not run says so")]
fn pure_crates() -> Result<(), String> {
    for package in PURE {
        let tree = read(&mut cargo(&[
            "tree", "-p", package, "-e", "normal", "--prefix", "none",
        ]))?;
        for forbidden in ["tokio", "mio", "socket2"] {
            if tree
                .lines()
                .any(|line| line.split_whitespace().next() == Some(forbidden))
            {
                return Err(format!("{package} depends on {forbidden}"));
            }
        }
    }
    if !wasm_installed() {
        println!("not run: the pure crates for wasm32 (the target is not installed)");
        return Ok(());
    }
    let mut arguments = vec!["check", "--quiet", "--target", "wasm32-unknown-unknown"];
    for package in PURE {
        arguments.extend(["-p", package]);
    }
    process::run(&mut cargo(&arguments))
}

fn wasm_installed() -> bool {
    let mut rustc = std::process::Command::new("rustc");
    rustc.args([
        "--print",
        "target-libdir",
        "--target",
        "wasm32-unknown-unknown",
    ]);
    read(&mut rustc).is_ok_and(|path| std::path::Path::new(path.trim()).exists())
}

/// The tests against a real Kafka need its jars. In CI they have to be had; elsewhere the tests say
/// that they did not run.
#[expect(clippy::print_stdout, reason = "a step that does not run says so")]
fn jars() -> Result<(), String> {
    let can = exists("java", "-version") && exists("mvn", "-version");
    if !can && std::env::var_os("CI").is_none() {
        println!("not run: the tests against Apache Kafka (they need Java 17 and Maven)");
        return Ok(());
    }
    kafka::run(&["fetch"])
}
