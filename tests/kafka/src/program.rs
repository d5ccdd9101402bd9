//! Running programs of the workspace.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The root of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs a verb of xtask and gives back what it printed.
///
/// # Errors
///
/// What it said when it failed.
pub fn xtask(words: &[&str]) -> Result<String, String> {
    let mut command = cargo(&["run", "--quiet", "--package", "xtask", "--"]);
    read(command.args(words))
}

/// Builds the windlass program, and says where it is.
///
/// # Errors
///
/// What the build said when it failed.
pub fn windlass() -> Result<PathBuf, String> {
    let messages = read(
        cargo(&[
            "build",
            "--quiet",
            "--package",
            "windlass-cli",
            "--message-format",
            "json",
        ])
        .stderr(Stdio::inherit()),
    )?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "windlass")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .ok_or_else(|| "the build named no program".to_owned())
}

/// Whether Java and Maven are there; without them these tests cannot run.
#[must_use]
pub fn has_java() -> bool {
    ["java", "mvn"].iter().all(|program| {
        let mut command = Command::new(program);
        command
            .arg("-version")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    })
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

fn read(command: &mut Command) -> Result<String, String> {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{command:?} cannot be started: {error}"))?;
    if status.success() {
        Ok(String::from_utf8_lossy(&stdout).into_owned())
    } else {
        Err(format!(
            "{command:?} failed: {}",
            String::from_utf8_lossy(&stderr)
        ))
    }
}
