//! The `windlass` program: a consumer to look at, to script and to measure.

mod admin;
mod arguments;
mod assign;
mod broker;
mod consume;
mod demo;
mod failure;
mod groups;
mod interruption;
mod output;
mod perf;
mod produce;
mod verifiable_consumer;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Verb};
use crate::failure::Failure;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let wish = std::env::var("WINDLASS_LOG").unwrap_or_else(|_| "off".to_owned());
    let filter = match tracing_subscriber::EnvFilter::try_new(&wish) {
        Ok(filter) => filter,
        Err(error) => {
            let text = format!("WINDLASS_LOG={wish}: {error}; write windlass=debug, for one");
            return Failure::usage(text).report();
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match run(arguments.verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(verb: Verb) -> Result<(), Failure> {
    let runtime = match &verb {
        // One thread is enough for one consumer, and costs the fewest hand-overs.
        Verb::Perf(_) => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build(),
        _ => tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build(),
    };
    let runtime =
        runtime.map_err(|error| Failure::new(format!("the runtime cannot start: {error}")))?;
    let result = runtime.block_on(async {
        match verb {
            Verb::Demo(arguments) => demo::run(arguments).await,
            Verb::Broker(arguments) => broker::run(arguments).await,
            Verb::Consume(arguments) => consume::run(arguments).await,
            Verb::Produce(arguments) => produce::run(arguments).await,
            Verb::Groups(arguments) => groups::run(arguments).await,
            Verb::Assign(arguments) => assign::run(arguments).await,
            Verb::Perf(arguments) => perf::run(arguments).await,
            Verb::VerifiableConsumer(arguments) => verifiable_consumer::run(arguments).await,
        }
    });
    // A task that reads standard input cannot be cancelled; nothing is lost by not waiting for it.
    runtime.shutdown_background();
    result
}
