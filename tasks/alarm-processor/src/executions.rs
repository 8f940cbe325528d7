//! Runs executions of the state machine.

use std::time::Duration;

use aws_edge::call_error::CallError;
use aws_edge::clients::Timeouts;
use aws_edge::error_kind::ErrorKind;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::SyncExecutionStatus;
use breaker::TransitionRequest;

/// Timeouts of the call that waits for an execution. They are longer than the state machine's 90 s, of which an
/// execution that evaluates again may use 60 s and more, and shorter than this function's 100 s.
pub const EXECUTION_TIMEOUTS: Timeouts =
    Timeouts { attempt: Duration::from_secs(94), operation: Duration::from_secs(95) };

/// The reason why no execution evaluated an alarm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecutionFailed {
    /// The execution was not started, retries included.
    #[error("the execution cannot be started: {0}")]
    NotStarted(#[from] CallError),
    /// The execution was started and failed.
    #[error("the execution ended as {0}")]
    Unsuccessful(String),
}

impl ExecutionFailed {
    /// The kind of the failure.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NotStarted(error) => error.kind(),
            Self::Unsuccessful(_) => ErrorKind::Failed,
        }
    }
}

/// Runs the state machine.
pub trait Executions {
    /// Runs an execution to its end, with `request` as input.
    fn run(&self, request: &TransitionRequest) -> impl Future<Output = Result<(), ExecutionFailed>> + Send;
}

/// One state machine of Step Functions.
#[derive(Clone, Debug)]
pub struct StateMachine {
    /// The client; its timeout must exceed the state machine's.
    pub client: Client,
    /// The state machine's ARN.
    pub arn: String,
}

impl Executions for StateMachine {
    async fn run(&self, request: &TransitionRequest) -> Result<(), ExecutionFailed> {
        let input = serde_json::to_string(request).map_err(|error| CallError::new(ErrorKind::Refused, error))?;
        let sent = self.client.start_sync_execution().state_machine_arn(&self.arn).input(input).send().await;
        let answer = sent.map_err(CallError::from)?;
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
