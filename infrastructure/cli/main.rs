//! `cargo run`: the bank circuit breaker on this machine.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    local::cli::run().await
}
