//! Measures the controller's own work on a request, from event to answer, with ports that answer at once:
//! `cargo bench -p bench --bench controller`.

use std::hint::black_box;
use std::time::Duration;

use anyhow::Result;
use aws_edge::embedded_metrics::EmbeddedMetricLog;
use aws_edge::stores::state::StoreError;
use breaker::{Level, PerLevel, Policy, PolicySettings, RequestRules, Stored, SystemState};
use controller::{Controller, InvokeError, LevelReader, ProbeLimit, ServiceInvoker, StateCache, StoredLevel, level_of};
use criterion::{BenchmarkId, Criterion, Throughput};
use jiff::Timestamp;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use tokio::time::Instant;

/// Bytes of the request's body and of the answer's: small, a large page, and near Lambda's limit.
const BODIES: [usize; 3] = [64, 64 * 1024, 4 * 1024 * 1024];

/// Timeout of a request and of its service, longer than either takes.
const TIME: Duration = Duration::from_secs(5);

struct State(SystemState);

impl LevelReader for State {
    async fn read(&self) -> Result<StoredLevel, StoreError> {
        level_of(Stored::State(Box::new(self.0.clone())))
    }
}

struct Service(Vec<u8>);

impl ServiceInvoker for Service {
    async fn invoke(&self, _: Level, payload: Vec<u8>, _: Duration) -> Result<Vec<u8>, InvokeError> {
        black_box(payload);
        Ok(self.0.clone())
    }
}

fn event(body: &str) -> Result<Box<RawValue>> {
    Ok(to_raw_value(&json!({
        "version": "2.0",
        "routeKey": "POST /transfer",
        "rawPath": "/transfer",
        "rawQueryString": "",
        "headers": { "content-type": "application/json", "host": "api.example.com", "user-agent": "curl/8.5.0" },
        "requestContext": { "http": { "method": "POST", "path": "/transfer", "protocol": "HTTP/1.1" }, "stage": "$default" },
        "body": body,
        "isBase64Encoded": false,
    }))?)
}

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let policy = Policy::new(PolicySettings::default())?;
    let state = SystemState { version: 1, ..SystemState::initial(&policy, Timestamp::now()) };
    let mut group = criterion.benchmark_group("controller");
    for bytes in BODIES {
        let body = "x".repeat(bytes);
        let answer = json!({ "statusCode": 200, "headers": { "Content-Type": "text/plain" }, "body": body });
        let controller = Controller {
            states: StateCache::new(State(state.clone()), Duration::from_hours(1), Level::Maintenance),
            rules: RequestRules::new(&policy, PerLevel::same(TIME)),
            probe_limit: ProbeLimit::from(&policy),
            services: Service(answer.to_string().into_bytes()),
            metrics: EmbeddedMetricLog::new(std::io::sink()),
            deployment: "bank-bench".to_owned(),
            policy,
        };
        let event = event(&body)?;
        group.throughput(Throughput::Bytes(event.get().len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(bytes), &event, |bencher, event| {
            bencher.iter(|| runtime.block_on(controller.handle(black_box(event), Instant::now() + TIME)));
        });
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}
