//! The Lambda `write-state`.

use std::process::ExitCode;

use aws_edge::clients::{TASK_TIMEOUTS, connect_to_dynamodb, sdk_config};
use aws_edge::runtime::serve;
use aws_edge::stores::state::StateTable;
use aws_edge::task_error::TaskError;
use lambda_runtime::LambdaEvent;
use serde_json::Value;
use write_state::{WriteState, record_retention};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    aws_edge::runtime::run(|environment| async move {
        let table = environment.text("STATE_TABLE", "circuit-breaker-state");
        let client = aws_sdk_dynamodb::Client::new(&sdk_config(&environment, TASK_TIMEOUTS)?);
        let states = StateTable::new(client.clone(), table).keeping_records_for(record_retention(&environment));
        let task = WriteState { states };
        let handler = |event: LambdaEvent<Value>| {
            let task = &task;
            async move { task.handle(event.payload).await.inspect_err(TaskError::log) }
        };
        serve(connect_to_dynamodb(&client), handler).await
    })
    .await
}
