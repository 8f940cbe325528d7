//! The state machine in Step Functions.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_edge::call_error::CallError;
use aws_edge::error_kind::ErrorKind;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::SyncExecutionStatus;
use breaker::TransitionRequest;

use super::errors::call_error;
use crate::ports::{Executed, StateMachine};

/// A dry run may take as long as the state machine may (90 s).
const DRY_RUN: Duration = Duration::from_secs(100);

/// The state machine of a deployment.
#[derive(Clone, Debug)]
pub struct Machine {
    client: Client,
    arn: String,
}

impl Machine {
    /// Returns the state machine with this ARN.
    #[must_use]
    pub fn new(config: &SdkConfig, arn: &str) -> Self {
        Self { client: aws_edge::clients::step_functions(config), arn: arn.to_owned() }
    }

    /// Returns the log group of its executions.
    #[must_use]
    pub fn log_group(&self) -> String {
        format!("/aws/vendedlogs/states/{}", self.arn.rsplit(':').next().unwrap_or_default())
    }
}

impl StateMachine for Machine {
    async fn dry_run(&self, request: &TransitionRequest) -> Result<Executed, CallError> {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(DRY_RUN).operation_timeout(DRY_RUN).build();
        let overrides = aws_sdk_sfn::config::Builder::new().timeout_config(timeouts);
        let call = self.client.start_sync_execution().state_machine_arn(&self.arn).input(input(request)?);
        let sent = call.customize().config_override(overrides).send().await;
        let answer = sent.map_err(|error| call_error("no dry run could be made", error))?;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        if *answer.status() != SyncExecutionStatus::Succeeded {
            let status = answer.status().as_str().to_owned();
            // An execution that ran out of time has a status and no error.
            let error = answer.error().map_or(status, str::to_owned);
            let cause = answer.cause().unwrap_or("no cause was given").to_owned();
            return Ok(Executed::Failed { error, cause });
        }
        let output = serde_json::from_str(&text(answer.output()));
        output.map(|answer| Executed::Answered(Box::new(answer))).map_err(|error| {
            let sentence = format!("the state machine's answer cannot be read ({error}): is it of another release?");
            CallError::new(ErrorKind::Invalid, error).described(sentence)
        })
    }

    async fn start(&self, name: &str, request: &TransitionRequest) -> Result<(), CallError> {
        let call = self.client.start_execution().state_machine_arn(&self.arn).name(name).input(input(request)?);
        call.send().await.map(drop).map_err(|error| call_error("the start was not confirmed", error))
    }
}

fn input(request: &TransitionRequest) -> Result<String, CallError> {
    serde_json::to_string(request).map_err(|error| {
        let sentence = format!("the request cannot be written as JSON: {error}");
        CallError::new(ErrorKind::Refused, error).described(sentence)
    })
}
