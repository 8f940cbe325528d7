//! The Lambda `evaluate-thresholds`.

// The futures of two SDK clients nest deeper than the compiler looks by default.
#![recursion_limit = "256"]

use std::process::ExitCode;

use aws_edge::clients::{
    TASK_TIMEOUTS, cloudwatch_for_evidence, connect_to_cloudwatch, connect_to_dynamodb, sdk_config,
};
use aws_edge::config::{Config, PolicyInUse};
use aws_edge::runtime::serve;
use aws_edge::stores::evidence::ServiceMetrics;
use aws_edge::stores::state::StateTable;
use aws_edge::task_error::TaskError;
use aws_edge::task_input;
use evaluate_thresholds::EvaluateThresholds;
use lambda_runtime::LambdaEvent;
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    aws_edge::runtime::run(|environment| async move {
        let policy = PolicyInUse::new(&Config::from_environment(&environment));
        let deployment = environment.required("DEPLOYMENT")?;
        let table = environment.text("STATE_TABLE", "circuit-breaker-state");
        let config = sdk_config(&environment, TASK_TIMEOUTS)?;
        let (dynamodb, cloudwatch) = (aws_sdk_dynamodb::Client::new(&config), cloudwatch_for_evidence(&config));
        let task = EvaluateThresholds {
            states: StateTable::new(dynamodb.clone(), table),
            evidence: ServiceMetrics::new(cloudwatch.clone(), deployment),
            policy,
        };
        let handler = |event: LambdaEvent<Box<RawValue>>| {
            let task = &task;
            // Boxed, or the compiler gives up on how deep the futures are nested.
            async move {
                let handled =
                    async { Box::pin(task.handle(task_input::read(&event.payload)?, aws_edge::runtime::now())).await };
                handled.await.inspect_err(TaskError::log)
            }
        };
        let ahead = async { tokio::join!(connect_to_dynamodb(&dynamodb), connect_to_cloudwatch(&cloudwatch)) };
        serve(ahead, handler).await
    })
    .await
}
