//! The Lambda `emit-metrics`.

use std::process::ExitCode;

use emit_metrics::EmitMetrics;
use lambda_runtime::LambdaEvent;
use platform::clients::{TASK_TIMEOUTS, connect_to_cloudwatch, sdk_config};
use platform::metric_writer::CloudWatch;
use platform::runtime::serve;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    platform::runtime::run(|environment| async move {
        let deployment = environment.required("DEPLOYMENT")?;
        let client = aws_sdk_cloudwatch::Client::new(&sdk_config(&environment, TASK_TIMEOUTS)?);
        let task = EmitMetrics { metrics: CloudWatch(client.clone()), deployment };
        let handler = |event: LambdaEvent<Value>| task.handle(event.payload, platform::runtime::now());
        serve(connect_to_cloudwatch(&client), handler).await
    })
    .await
}
