//! Automation of the workspace.

mod bench;
mod ci;
mod codegen;
mod kafka;
mod process;
mod tidy;

use std::env;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask VERB

  ci                      everything that has to hold before a change lands
  codegen [--check]       generate the codec's messages, or check that they are current
  tidy                    the rules of the tree that no compiler checks
  kafka up [--nodes 1|3] [--name NAME]
                          start Apache Kafka; prints its bootstrap address
  kafka down|status|kill|stop|restart|fetch|classpath|run
                          what goes with it: `cargo xtask kafka` explains
  sim ARGS…               run the simulator (--seeds A..B, --replay SEED)
  bench [NAME]            criterion benches
  fuzz TARGET [ARGS…]     fuzz with cargo-fuzz (needs a nightly toolchain)";

#[expect(
    clippy::print_stderr,
    reason = "a command-line program reports on stderr"
)]
fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["ci"] => ci::run(),
        ["codegen"] => codegen::run(false),
        ["codegen", "--check"] => codegen::run(true),
        ["tidy"] => tidy::run(),
        ["kafka", rest @ ..] => kafka::run(rest),
        ["sim", rest @ ..] => bench::simulate(rest),
        ["bench", rest @ ..] => bench::bench(rest),
        ["fuzz", target, rest @ ..] => bench::fuzz(target, rest),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
