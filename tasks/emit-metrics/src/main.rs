//! The Lambda `emit-metrics`.

use std::process::ExitCode;

use emit_metrics::EmitMetrics;
use lambda_runtime::{LambdaEvent, service_fn};
use platform::clients::{TASK_TIMEOUTS, sdk_config};
use platform::metric_writer::CloudWatch;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    platform::runtime::run(|environment| async move {
        let deployment = environment.required("DEPLOYMENT")?;
        let config = sdk_config(TASK_TIMEOUTS).await;
        let task = EmitMetrics { metrics: CloudWatch(aws_sdk_cloudwatch::Client::new(&config)), deployment };
        lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
            task.handle(event.payload, platform::runtime::now())
        }))
        .await
    })
    .await
}
