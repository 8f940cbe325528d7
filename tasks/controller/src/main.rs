//! The Lambda `circuit-breaker-controller`.

// The futures of two SDK clients nest deeper than the compiler looks by default.
#![recursion_limit = "256"]

use std::process::ExitCode;
use std::time::SystemTime;

use controller::{Controller, LambdaServices, Settings, StateCache, answer_by};
use lambda_runtime::{LambdaEvent, service_fn};
use platform::clients::{ROUTING_TIMEOUTS, dynamodb_for_routing, lambda_without_retries, sdk_config};
use platform::metrics::EmbeddedMetricLog;
use platform::state_store::StateTable;
use serde_json::value::RawValue;
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    platform::runtime::run(|environment| async move {
        let settings = Settings::from_environment(&environment)?;
        let config = sdk_config(ROUTING_TIMEOUTS).await;
        let table = StateTable::new(dynamodb_for_routing(&config), settings.state_table).eventually_consistent();
        let controller = Controller {
            history: table.clone(),
            states: StateCache::new(table, settings.state_cache_ttl, settings.fallback_level),
            services: LambdaServices { client: lambda_without_retries(&config), functions: settings.functions },
            service_timeouts: settings.service_timeouts,
            request_fallback: settings.request_fallback,
            metrics: EmbeddedMetricLog,
            deployment: settings.deployment,
            policy: settings.policy,
            commands: settings.commands,
        };
        let handler = service_fn(|event: LambdaEvent<Box<RawValue>>| {
            let controller = &controller;
            async move {
                let by = answer_by(event.context.deadline(), SystemTime::now(), Instant::now());
                controller.handle(&event.payload, by).await.map_err(lambda_runtime::Error::from)
            }
        });
        // The first read of the state begins while the environment still has all of its start-up's share.
        let ((), ended) = tokio::join!(Box::pin(controller.states.prime()), lambda_runtime::run(handler));
        ended
    })
    .await
}
