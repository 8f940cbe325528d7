//! `cargo run --release -p bench`: the results of infrastructure/docs/performance.md.

mod artifacts;
mod at_once;
mod aws;
mod candidate;
mod cli;
mod environment;
mod events;
mod goals;
mod machine;
mod measure;
mod runtime_api;
mod statistics;
mod table;
mod tls;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Options;

// One thread, so that the stubs use one core and the measured process has the other.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match table::run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
