//! The Lambda `write-state`.

use std::process::ExitCode;

use jiff::SignedDuration;
use lambda_runtime::{LambdaEvent, service_fn};
use platform::clients::{TASK_TIMEOUTS, sdk_config};
use platform::state_store::{DEFAULT_RETENTION_DAYS, StateTable};
use serde_json::Value;
use write_state::WriteState;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    platform::runtime::run(|environment| async move {
        let table = environment.text("STATE_TABLE", "circuit-breaker-state");
        let days = environment.number("RECORD_RETENTION_DAYS", DEFAULT_RETENTION_DAYS, 1..=3653)?;
        let config = sdk_config(TASK_TIMEOUTS).await;
        let states = StateTable::new(aws_sdk_dynamodb::Client::new(&config), table)
            .keeping_records_for(SignedDuration::from_hours(24 * days));
        let task = WriteState { states };
        lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| task.handle(event.payload))).await
    })
    .await
}
