//! The Lambda `status`.

// The futures of two SDK clients nest deeper than the compiler looks by default.
#![recursion_limit = "256"]

use std::process::ExitCode;

use aws_edge::clients::{connect_to_cloudwatch, connect_to_dynamodb, sdk_config};
use aws_edge::runtime::serve;
use aws_edge::stores::state::StateTable;
use lambda_runtime::LambdaEvent;
use serde_json::Value;
use status::{CloudWatch, RecordTable, Settings, StatusFunction, TIMEOUTS};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    aws_edge::runtime::run(|environment| async move {
        let settings = Settings::from_environment(&environment)?;
        let config = sdk_config(&environment, TIMEOUTS)?;
        let dynamodb = aws_sdk_dynamodb::Client::new(&config);
        let cloudwatch = aws_sdk_cloudwatch::Client::new(&config);
        let function = StatusFunction::new(
            StateTable::new(dynamodb.clone(), settings.state_table.clone()),
            RecordTable::new(dynamodb.clone(), settings.state_table),
            CloudWatch::new(cloudwatch.clone(), &settings.place.project, &settings.place.environment),
            settings.policy,
            settings.place,
        );
        let handler = |event: LambdaEvent<Value>| {
            let function = &function;
            // Boxed, or the compiler gives up on how deep the futures are nested.
            async move {
                let answer = Box::pin(function.handle(event.payload, aws_edge::runtime::now())).await;
                answer.map_err(lambda_runtime::Error::from)
            }
        };
        let ahead = async { tokio::join!(connect_to_dynamodb(&dynamodb), connect_to_cloudwatch(&cloudwatch)) };
        serve(ahead, handler).await
    })
    .await
}
