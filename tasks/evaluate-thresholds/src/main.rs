//! The Lambda `evaluate-thresholds`.

use std::process::ExitCode;

use evaluate_thresholds::EvaluateThresholds;
use lambda_runtime::{LambdaEvent, service_fn};
use platform::clients::{TASK_TIMEOUTS, sdk_config};
use platform::metric_reader::ServiceMetrics;
use platform::state_store::StateTable;
use serde_json::Value;

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
        lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
            task.handle(event.payload, platform::runtime::now())
        }))
        .await
    })
    .await
}
