//! The Lambda `alarm-processor`.

use std::convert::Infallible;
use std::process::ExitCode;

use alarm_processor::{AlarmProcessor, EXECUTION_TIMEOUTS, StateMachine};
use aws_lambda_events::event::sqs::SqsEvent;
use jiff::Timestamp;
use lambda_runtime::LambdaEvent;
use platform::clients::{connect_to_step_functions, sdk_config, step_functions};
use platform::embedded_metrics::EmbeddedMetricLog;
use platform::runtime::serve;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    platform::runtime::run(|environment| async move {
        let deployment = environment.required("DEPLOYMENT")?;
        let arn = environment.required("STATE_MACHINE_ARN")?;
        let client = step_functions(&sdk_config(&environment, EXECUTION_TIMEOUTS)?);
        let executions = StateMachine { client: client.clone(), arn };
        let processor = AlarmProcessor { executions, metrics: EmbeddedMetricLog::default(), deployment };
        let handler = |event: LambdaEvent<SqsEvent>| async {
            Ok::<_, Infallible>(processor.handle(event.payload, Timestamp::now()).await)
        };
        serve(connect_to_step_functions(&client), handler).await
    })
    .await
}
