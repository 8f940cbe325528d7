//! The Lambda `evaluate-thresholds`.

use std::process::ExitCode;

use evaluate_thresholds::EvaluateThresholds;
use lambda_runtime::{LambdaEvent, service_fn};
use platform::clients::{TASK_TIMEOUTS, sdk_config};
use platform::metric_reader::ServiceMetrics;
use platform::state_store::StateTable;
use platform::task_input;
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    platform::runtime::run(|environment| async move {
        let policy = platform::policy::from_environment(&environment)?;
        let deployment = environment.required("DEPLOYMENT")?;
        let table = environment.text("STATE_TABLE", "circuit-breaker-state");
        let config = sdk_config(TASK_TIMEOUTS).await;
        let task = EvaluateThresholds {
            states: StateTable::new(aws_sdk_dynamodb::Client::new(&config), table),
            evidence: ServiceMetrics::new(aws_sdk_cloudwatch::Client::new(&config), deployment),
            policy,
        };
        let handler = service_fn(|event: LambdaEvent<Box<RawValue>>| {
            let task = &task;
            // Boxed, or the compiler gives up on how deep the futures are nested.
            async move { Box::pin(task.handle(task_input::read(&event.payload)?, platform::runtime::now())).await }
        });
        lambda_runtime::run(handler).await
    })
    .await
}
