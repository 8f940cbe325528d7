//! The Lambda `circuit-breaker-controller`.

// The futures of two SDK clients nest deeper than the compiler looks by default.
#![recursion_limit = "256"]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use aws_edge::clients::{
    ROUTING_TIMEOUTS, connect_to_lambda, dynamodb_for_first_read, dynamodb_for_routing, lambda_without_retries,
    sdk_config,
};
use aws_edge::connections::AgeClock;
use aws_edge::embedded_metrics::EmbeddedMetricLog;
use aws_edge::runtime::serve_at_once;
use aws_edge::shutdown::Shutdown;
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
        let first =
            StateTable::new(dynamodb_for_first_read(&config), settings.state_table.clone()).eventually_consistent();
        let table = StateTable::new(dynamodb_for_routing(&config), settings.state_table).eventually_consistent();
        let controller = Arc::new(Controller {
            states: StateCache::new(table, settings.state_cache_ttl, settings.fallback_level)
                .with_clock(AgeClock::of_system()),
            services: LambdaServices { client: client.clone(), functions: settings.functions },
            rules: settings.rules,
            probe_limit: ProbeLimit::from(&settings.policy).with_clock(AgeClock::of_system()),
            metrics: EmbeddedMetricLog::default(),
            deployment: settings.deployment,
            policy: settings.policy,
        });
        let mut shutdown = Shutdown::register(&environment).await;
        let ahead = async { tokio::join!(controller.states.prime_by(&first), connect_to_lambda(&client)) };
        let served_by = Arc::clone(&controller);
        let handler = move |event: LambdaEvent<Box<RawValue>>| {
            let controller = Arc::clone(&served_by);
            async move {
                let by = answer_by(event.context.deadline(), SystemTime::now(), Instant::now());
                Ok::<_, lambda_runtime::Error>(controller.handle(&event.payload, by).await)
            }
        };
        tokio::select! {
            served = serve_at_once(ahead, handler) => served,
            () = shutdown.requested() => {
                controller.metrics.write_pending();
                Ok(())
            }
            () = controller.metrics.write_each_second() => Ok(()),
        }
    })
    .await
}
