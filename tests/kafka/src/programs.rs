//! The programs under test, built as they are now.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The programs.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The `windlass` program.
    pub windlass: PathBuf,
    /// The automation that starts and ends clusters.
    pub xtask: PathBuf,
}

impl Programs {
    /// Builds them as the tests were built. `WINDLASS_BIN` names a `windlass` that is there already.
    ///
    /// # Errors
    ///
    /// What the compiler said.
    pub fn build() -> Result<Self, String> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args([
                "build",
                "--quiet",
                "--message-format",
                "json",
                "-p",
                "xtask",
            ])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null())
            .stderr(Stdio::inherit());
        let given = std::env::var_os("WINDLASS_BIN").map(PathBuf::from);
        if given.is_none() {
            cargo.args(["-p", "windlass-cli"]);
        }
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        let output = cargo.output().map_err(|error| format!("cargo: {error}"))?;
        if !output.status.success() {
            return Err(format!("cargo build failed ({})", output.status));
        }
        let messages = String::from_utf8_lossy(&output.stdout).into_owned();
        let windlass = match given {
            Some(path) => path,
            None => executable(&messages, "windlass")?,
        };
        Ok(Self {
            windlass,
            xtask: executable(&messages, "xtask")?,
        })
    }
}

/// The path of a program among cargo's messages.
fn executable(messages: &str, name: &str) -> Result<PathBuf, String> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .ok_or_else(|| format!("cargo built no {name}"))
}
