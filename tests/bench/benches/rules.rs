//! Measures `decide` on the longest evidence that a level is likely to have: `cargo bench -p bench --bench rules`.

use std::hint::black_box;

use anyhow::Result;
use breaker::{Bucket, Evidence, Policy, PolicySettings, SystemState, TransitionRequest, decide};
use criterion::{BenchmarkId, Criterion, Throughput};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// Seconds of evidence: one window, and the 170 minutes for which evidence is read by the second.
const LENGTHS: [i64; 2] = [300, 10_200];

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    let policy = Policy::new(PolicySettings::default())?;
    let request = TransitionRequest::parse(json!({ "trigger": "schedule" }))?;
    let now: Timestamp = "2026-09-10T14:06:12Z".parse()?;
    let mut group = criterion.benchmark_group("decide");
    for seconds in LENGTHS {
        let begin = now - SignedDuration::from_secs(seconds);
        let state = SystemState { version: 1, evidence_since: begin, ..SystemState::initial(&policy, begin) };
        // One request in a hundred fails, so every second bucket has an error.
        let buckets = (0..seconds).map(|second| Bucket {
            successes: 49,
            errors: u64::from(second % 2 == 0),
            ..Bucket::empty(begin + SignedDuration::from_secs(second), 1)
        });
        let evidence = Evidence::new(buckets.collect());
        group.throughput(Throughput::Elements(seconds.unsigned_abs()));
        group.bench_with_input(BenchmarkId::from_parameter(seconds), &evidence, |bencher, evidence| {
            bencher.iter(|| decide(&state, &policy, black_box(&request), black_box(evidence), now));
        });
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}
