//! What every `main.rs` shares: logs first, then a handler or a refusal to start.

use std::process::ExitCode;

use jiff::Timestamp;

use crate::settings::Environment;
use crate::telemetry;

/// Runs a Lambda's `body` (settings, clients, handler) until the environment ends.
///
/// A body that cannot start is logged once, by name of what is wrong, and ends the process: the
/// platform then reports the initialisation as failed and nothing is half served.
pub async fn run<F>(body: impl FnOnce(Environment) -> F) -> ExitCode
where
    F: Future<Output = Result<(), lambda_runtime::Error>>,
{
    let environment = Environment::of_process();
    let outcome = match telemetry::init(&environment) {
        Ok(()) => body(environment).await,
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error.message = %error, "refused to start");
            ExitCode::FAILURE
        }
    }
}

/// The time, to the millisecond: what people read and other systems store has no more.
#[must_use]
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}
