//! Runs executions of the state machine.

use std::time::Duration;

use aws_edge::clients::Timeouts;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::config::http::HttpResponse;
use aws_sdk_sfn::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_sfn::operation::start_sync_execution::StartSyncExecutionError;
use aws_sdk_sfn::types::SyncExecutionStatus;
use breaker::TransitionRequest;

/// Timeouts of the call that waits for an execution. They are longer than the state machine's 90 s, of which an
/// execution that evaluates again uses at least 60 s, and shorter than this function's 100 s.
pub const EXECUTION_TIMEOUTS: Timeouts =
    Timeouts { attempt: Duration::from_secs(94), operation: Duration::from_secs(95) };
/// Error codes of throttled starts.
const THROTTLES: [&str; 6] = [
    "ThrottlingException",
    "Throttling",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "ExecutionLimitExceeded",
    "ServiceQuotaExceededException",
];
/// HTTP status of a throttled start, whose error code may be unknown or missing.
const TOO_MANY_REQUESTS: u16 = 429;

/// The reason why no execution evaluated an alarm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecutionFailed {
    /// Step Functions throttled the start and its retries.
    #[error("the start of the execution was throttled: {0}")]
    Throttled(String),
    /// The execution was not started for another reason.
    #[error("the execution cannot be started: {0}")]
    NotStarted(String),
    /// The execution was started and failed.
    #[error("the execution ended as {0}")]
    Unsuccessful(String),
}

/// Runs the state machine.
pub trait Executions {
    /// Runs an execution to its end, with `request` as input.
    fn run(&self, request: &TransitionRequest) -> impl Future<Output = Result<(), ExecutionFailed>> + Send;
}

/// One state machine of Step Functions.
#[derive(Clone, Debug)]
pub struct StateMachine {
    /// The client; its timeout must exceed the machine's own.
    pub client: Client,
    /// The state machine's ARN.
    pub arn: String,
}

impl Executions for StateMachine {
    async fn run(&self, request: &TransitionRequest) -> Result<(), ExecutionFailed> {
        let input = serde_json::to_string(request)
            .map_err(|error| ExecutionFailed::NotStarted(format!("the request cannot be written as JSON: {error}")))?;
        let sent = self.client.start_sync_execution().state_machine_arn(&self.arn).input(input).send().await;
        let answer = sent.map_err(|error| not_started(&error))?;
        // The call succeeds even when the execution failed.
        match answer.status() {
            SyncExecutionStatus::Succeeded => Ok(()),
            status => Err(ExecutionFailed::Unsuccessful(format!(
                "{status}: {}: {}",
                answer.error().unwrap_or("no error name"),
                answer.cause().unwrap_or("no cause")
            ))),
        }
    }
}

fn not_started(error: &SdkError<StartSyncExecutionError, HttpResponse>) -> ExecutionFailed {
    let throttled = error.code().is_some_and(|code| THROTTLES.contains(&code))
        || error.raw_response().is_some_and(|answer| answer.status().as_u16() == TOO_MANY_REQUESTS);
    let problem = DisplayErrorContext(error).to_string();
    if throttled { ExecutionFailed::Throttled(problem) } else { ExecutionFailed::NotStarted(problem) }
}
