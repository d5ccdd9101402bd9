//! What the tests need that this repository does not bring.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the foreign clients are.
#[derive(Debug)]
pub(crate) struct Requirements {
    /// The class path of Kafka's tools.
    pub(crate) class_path: String,
    /// The script that is a client of librdkafka.
    pub(crate) script: PathBuf,
}

impl Requirements {
    /// Looks for Java, Kafka's tools, Python and librdkafka; tells what is missing.
    pub(crate) fn find() -> Result<Self, String> {
        let python = Command::new("python3")
            .args(["-c", "import confluent_kafka"])
            .output();
        if !python.is_ok_and(|output| output.status.success()) {
            return Err("python3 has no package confluent-kafka".to_owned());
        }
        let java = Command::new("java").arg("-version").output();
        if !java.is_ok_and(|output| output.status.success()) {
            return Err("there is no java".to_owned());
        }
        let script = Path::new(env!("CARGO_TARGET_TMPDIR")).join("librdkafka.py");
        std::fs::write(&script, include_str!("librdkafka.py"))
            .map_err(|error| format!("the script cannot be written: {error}"))?;
        Ok(Self {
            class_path: xtask(&["kafka", "classpath"])?,
            script,
        })
    }

    /// Lets librdkafka make a topic or records.
    pub(crate) fn librdkafka(&self, arguments: &[&str]) {
        let mut python = Command::new("python3");
        let output = python.arg(&self.script).args(arguments).output().unwrap();
        assert!(
            output.status.success(),
            "librdkafka {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// Runs `cargo xtask`, and gives the last line it prints.
pub(crate) fn xtask(arguments: &[&str]) -> Result<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(env!("CARGO"))
        .current_dir(root)
        .arg("xtask")
        .args(arguments)
        .output()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let last = complaint.trim_end().lines().last().unwrap_or_default();
        return Err(format!("cargo xtask {}: {last}", arguments.join(" ")));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text
        .trim_end()
        .lines()
        .last()
        .unwrap_or_default()
        .to_owned())
}

/// Says that a test did not run; where it has to run, that is a failure.
pub(crate) fn not_run(name: &str, reason: &str) {
    let is_set = |variable| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    let must = is_set("CI") && std::env::var("WINDLASS_INTEROP").is_ok_and(|value| value == "1");
    assert!(!must, "not run: {name}: {reason}");
    say(&format!("not run: {name}: {reason}"));
}

/// A line that is seen even if the test passes.
pub(crate) fn say(line: &str) {
    let line = format!("interop: {line}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
