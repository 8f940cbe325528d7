//! The Lambda `circuit-breaker-controller`.

// The futures of two SDK clients nest deeper than the compiler looks by default.
#![recursion_limit = "256"]

use std::process::ExitCode;
use std::time::Duration;

use controller::{Controller, LambdaServices, Settings, StateCache};
use lambda_runtime::{LambdaEvent, service_fn};
use platform::clients::{Timeouts, lambda_without_retries, sdk_config};
use platform::metrics::EmbeddedMetricLog;
use platform::state_store::StateTable;
use serde_json::value::RawValue;

/// Reading the state must never cost a request more than this.
const STATE_TIMEOUTS: Timeouts =
    Timeouts { attempt: Duration::from_millis(150), operation: Duration::from_millis(300) };

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    platform::runtime::run(|environment| async move {
        let settings = Settings::from_environment(&environment)?;
        let config = sdk_config(STATE_TIMEOUTS).await;
        let table = StateTable::new(aws_sdk_dynamodb::Client::new(&config), settings.state_table);
        let controller = Controller {
            states: StateCache::new(table.eventually_consistent(), settings.state_cache_ttl, settings.fallback_level),
            services: LambdaServices {
                client: lambda_without_retries(&config, settings.service_timeout),
                functions: settings.functions,
            },
            metrics: EmbeddedMetricLog,
            deployment: settings.deployment,
            policy: settings.policy,
        };
        let handler = service_fn(|event: LambdaEvent<Box<RawValue>>| {
            let controller = &controller;
            async move { controller.handle(&event.payload).await.map_err(lambda_runtime::Error::from) }
        });
        lambda_runtime::run(handler).await
    })
    .await
}
