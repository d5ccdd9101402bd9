//! A cluster and runs of the program against it.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;
use windlass_test_consumer::Scene;

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    #[expect(dead_code, reason = "shown where a test fails")]
    pub(crate) stderr: String,
}

/// The program with its brokers.
pub(crate) fn command(scene: &Scene, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
    command
        .args(arguments)
        .args(["--bootstrap", &scene.cluster.bootstrap_servers()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs the program to its end, for at most twenty seconds.
pub(crate) async fn run(scene: &Scene, arguments: &[&str]) -> Run {
    let output = timeout(Duration::from_secs(20), command(scene, arguments).output())
        .await
        .unwrap_or_else(|_| panic!("{arguments:?} does not end"))
        .unwrap_or_else(|error| panic!("{arguments:?} does not start: {error}"));
    Run {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
