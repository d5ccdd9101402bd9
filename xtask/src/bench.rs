//! Verbs that hand over to cargo: the simulator, benches, fuzzing.

use std::fs;

use crate::process::{cargo, root, run, target};

/// `cargo xtask sim`: in the simulator's own profile, optimised and with its assertions on.
pub(crate) fn simulate(arguments: &[&str]) -> Result<(), String> {
    let mut command = cargo(&["run", "--quiet", "--profile", "sim"]);
    command.args(["-p", "windlass-test-sim", "--"]);
    run(command.args(arguments))
}

/// `cargo xtask bench`.
pub(crate) fn bench(arguments: &[&str]) -> Result<(), String> {
    let mut command = cargo(&[
        "bench",
        "-p",
        "windlass-protocol",
        "-p",
        "windlass-assignor",
    ]);
    run(command.args(arguments))
}

/// `cargo xtask fuzz`: what is found goes to a folder of its own, so that the committed corpus does
/// not grow by itself; the arguments go to libFuzzer.
pub(crate) fn fuzz(name: &str, arguments: &[&str]) -> Result<(), String> {
    let found = target().join("fuzz").join(name);
    fs::create_dir_all(&found).map_err(|error| format!("{}: {error}", found.display()))?;
    // Cargo's own variables name the stable toolchain this program was built with.
    let mut command = std::process::Command::new("cargo");
    command
        .args(["+nightly", "fuzz", "run", "--fuzz-dir", "tests/fuzz", name])
        .arg(found)
        .arg(format!("tests/fuzz/corpus/{name}"))
        .args(["--", "-malloc_limit_mb=64", "-rss_limit_mb=1024"])
        .args(arguments)
        .env_remove("CARGO")
        .env_remove("RUSTUP_TOOLCHAIN")
        .current_dir(root());
    run(&mut command)
}
