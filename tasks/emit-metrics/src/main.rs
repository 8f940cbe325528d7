//! The Lambda `emit-metrics`.

use std::process::ExitCode;

use aws_edge::clients::{TASK_TIMEOUTS, connect_to_cloudwatch, sdk_config};
use aws_edge::runtime::serve;
use aws_edge::stores::metrics::CloudWatch;
use aws_edge::task_error::TaskError;
use emit_metrics::EmitMetrics;
use lambda_runtime::LambdaEvent;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    aws_edge::runtime::run(|environment| async move {
        let deployment = environment.required("DEPLOYMENT")?;
        let client = aws_sdk_cloudwatch::Client::new(&sdk_config(&environment, TASK_TIMEOUTS)?);
        let task = EmitMetrics { metrics: CloudWatch(client.clone()), deployment };
        let handler = |event: LambdaEvent<Value>| {
            let task = &task;
            async move { task.handle(event.payload, aws_edge::runtime::now()).await.inspect_err(TaskError::log) }
        };
        serve(connect_to_cloudwatch(&client), handler).await
    })
    .await
}
