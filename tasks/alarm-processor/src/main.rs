//! The Lambda `alarm-processor`.

use std::convert::Infallible;
use std::process::ExitCode;

use alarm_processor::{AlarmProcessor, EXECUTION_TIMEOUTS, StateMachine};
use aws_edge::clients::{connect_to_step_functions, sdk_config, step_functions};
use aws_edge::embedded_metrics::EmbeddedMetricLog;
use aws_edge::runtime::serve;
use aws_lambda_events::event::sqs::SqsEvent;
use jiff::Timestamp;
use lambda_runtime::LambdaEvent;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    aws_edge::runtime::run(|environment| async move {
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
