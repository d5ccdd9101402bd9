//! Verbs that hand over to cargo: the simulator, benches, fuzzing.

use crate::process::{cargo, root, run};

/// `cargo xtask sim`.
pub(crate) fn simulate(arguments: &[&str]) -> Result<(), String> {
    let mut command = cargo(&[
        "run",
        "--quiet",
        "--release",
        "-p",
        "windlass-test-sim",
        "--",
    ]);
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

/// `cargo xtask fuzz`.
pub(crate) fn fuzz(target: &str, arguments: &[&str]) -> Result<(), String> {
    let mut command = cargo(&["+nightly", "fuzz", "run", target]);
    // Cargo's own variables name the stable toolchain this program was built with.
    command
        .env_remove("CARGO")
        .env_remove("RUSTUP_TOOLCHAIN")
        .current_dir(root().join("tests/fuzz"));
    run(command.args(arguments))
}
