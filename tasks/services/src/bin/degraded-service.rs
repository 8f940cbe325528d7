//! The Lambda `degraded-service`.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    services::run(breaker::Level::Degraded).await
}
