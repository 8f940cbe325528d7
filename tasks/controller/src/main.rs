//! The Lambda `circuit-breaker-controller`.

// The futures of two SDK clients nest deeper than the compiler looks by default.
#![recursion_limit = "256"]

use std::process::ExitCode;
use std::time::SystemTime;

use aws_edge::clients::{
    ROUTING_TIMEOUTS, connect_to_lambda, dynamodb_for_routing, lambda_without_retries, sdk_config,
};
use aws_edge::connections::AgeClock;
use aws_edge::embedded_metrics::EmbeddedMetricLog;
use aws_edge::runtime::serve;
use aws_edge::stores::state::StateTable;
use controller::{Controller, LambdaServices, ProbeLimit, Settings, StateCache, answer_by};
use lambda_runtime::LambdaEvent;
use serde_json::value::RawValue;
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    aws_edge::runtime::run(|environment| async move {
        let settings = Settings::from_environment(&environment)?;
        let config = sdk_config(&environment, ROUTING_TIMEOUTS)?;
        let client = lambda_without_retries(&config);
        let table = StateTable::new(dynamodb_for_routing(&config), settings.state_table).eventually_consistent();
        let controller = Controller {
            states: StateCache::new(table, settings.state_cache_ttl, settings.fallback_level)
                .with_clock(AgeClock::of_system()),
            services: LambdaServices { client: client.clone(), functions: settings.functions },
            service_timeouts: settings.service_timeouts,
            request_fallback: settings.request_fallback,
            probe_limit: ProbeLimit::of(Some(&settings.policy)).with_clock(AgeClock::of_system()),
            metrics: EmbeddedMetricLog::default(),
            deployment: settings.deployment,
            policy: Some(settings.policy),
        };
        let ahead = async { tokio::join!(controller.states.prime(), connect_to_lambda(&client)) };
        let handler = |event: LambdaEvent<Box<RawValue>>| {
            let controller = &controller;
            async move {
                let by = answer_by(event.context.deadline(), SystemTime::now(), Instant::now());
                controller.handle(&event.payload, by).await.map_err(lambda_runtime::Error::from)
            }
        };
        serve(ahead, handler).await
    })
    .await
}
