//! The Lambda `maintenance-service`.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    services::run(breaker::Level::Maintenance).await
}
