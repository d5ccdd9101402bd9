//! `cargo xtask ci`: everything that has to hold before a change lands.

use std::time::Instant;

use crate::process::{self, cargo, exists, read};
use crate::{codegen, kafka, tidy};

/// The crates that know no sockets, clocks or threads.
const PURE: [&str; 7] = [
    "windlass-model",
    "windlass-protocol",
    "windlass-machine",
    "windlass-assignor",
    "windlass-group",
    "windlass-fetch",
    "windlass-core",
];

/// The crates that may be built without their default features.
const WITH_FEATURES: [&str; 3] = ["windlass-protocol", "windlass-broker", "windlass"];

/// A step: its name and what it does.
type Step = (&'static str, fn() -> Result<(), String>);

const STEPS: &[Step] = &[
    ("fmt", || run_cargo(&["fmt", "--all", "--check"])),
    ("codegen --check", || codegen::run(true)),
    ("tidy", tidy::run),
    ("pure crates", pure_crates),
    ("clippy", || clippy(&["--workspace", "--all-targets"])),
    ("clippy, crate by crate", crate_by_crate),
    ("kafka's jars", jars),
    ("test", || run_cargo(&["test"])),
    ("doc", || {
        let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--quiet"]);
        process::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
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

fn run_cargo(arguments: &[&str]) -> Result<(), String> {
    process::run(&mut cargo(arguments))
}

fn clippy(what: &[&str]) -> Result<(), String> {
    let mut command = cargo(&["clippy", "--quiet"]);
    process::run(command.args(what).args(["--", "-D", "warnings"]))
}

/// In the whole workspace each crate gets the features that any other asks for. Here the pure ones
/// are built, with their tests, as somebody builds them who has nothing else; and those that have
/// features, without them.
fn crate_by_crate() -> Result<(), String> {
    for package in PURE {
        clippy(&["-p", package, "--all-targets"])?;
    }
    for package in WITH_FEATURES {
        clippy(&["-p", package, "--no-default-features"])?;
    }
    Ok(())
}

/// No pure crate has sockets among what it and its tests are built from; where the target is
/// installed they also build for wasm32, which has no sockets, files or threads to offer.
#[expect(clippy::print_stdout, reason = "a check that does not run says so")]
fn pure_crates() -> Result<(), String> {
    for package in PURE {
        let tree = read(&mut cargo(&[
            "tree",
            "-p",
            package,
            "-e",
            "normal,build,dev",
            "--prefix",
            "none",
        ]))?;
        if let Some(name) = forbidden(&tree) {
            return Err(format!("{package} depends on {name}"));
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
    run_cargo(&arguments)
}

/// What a pure crate may not depend on, in a list of packages, one a line.
fn forbidden(tree: &str) -> Option<&str> {
    let mut names = tree.lines().filter_map(|line| line.split(' ').next());
    names.find(|name| ["tokio", "mio", "socket2", "async-std", "smol"].contains(name))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_on_sockets_is_found() {
        assert_eq!(forbidden("nom v8.0.0\nbytes v1.12.2 (*)\n"), None);
        assert_eq!(forbidden("nom v8.0.0\ntokio v1.54.1\n"), Some("tokio"));
    }

    #[test]
    fn pure_crates_are_what_tidy_calls_pure() {
        for package in PURE {
            assert!(tidy::is_pure(&format!("crates/{package}/src/lib.rs")));
        }
    }
}
