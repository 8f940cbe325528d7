//! Starting the state machine.

use aws_sdk_sfn::Client;
use aws_sdk_sfn::error::DisplayErrorContext;
use aws_sdk_sfn::types::SyncExecutionStatus;
use breaker::TransitionRequest;

/// An execution that was not started, or did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExecutionFailed(pub String);

/// Runs the state machine.
pub trait Executions {
    /// Runs it to its end with `request` as input.
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
            .map_err(|error| ExecutionFailed(format!("the request cannot be written as JSON: {error}")))?;
        let answer =
            self.client.start_sync_execution().state_machine_arn(&self.arn).input(input).send().await.map_err(
                |error| ExecutionFailed(format!("the execution cannot be started: {}", DisplayErrorContext(&error))),
            )?;
        // The call succeeds even when the execution failed.
        match answer.status() {
            SyncExecutionStatus::Succeeded => Ok(()),
            status => Err(ExecutionFailed(format!(
                "the execution ended as {status}: {}: {}",
                answer.error().unwrap_or("no error name"),
                answer.cause().unwrap_or("no cause")
            ))),
        }
    }
}
