//! Steady traffic through the controller's binary, with and without faults: no request is lost, memory does not grow,
//! and no handle is left open. The test runs on Linux only, because it reads `/proc`.
//!
//! `SOAK_SECONDS=30 cargo test -p controller --test soak -- --ignored --nocapture`

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use std::time::{Duration, Instant};

use breaker::Level;
use common::environment::Environment;
use common::event;
use common::stubs::{DynamoDb, Lambda, Reply, dynamodb_error, item, well};
use serde_json::{Value, json};

/// Duration of each condition.
const PHASE: Duration = Duration::from_secs(1);
/// Pause between two requests. It keeps the traffic well below the capacity of one environment.
const PAUSE: Duration = Duration::from_millis(2);
/// Maximum growth of memory between the second fifth of the time and the last: pages that are temporarily in use.
const GROWTH_KIB: u64 = 2_048;

/// A condition, and the answer that requests get under it.
struct Phase {
    name: &'static str,
    dynamodb: Reply,
    full_service: Reply,
    get: (u16, &'static str),
    post: u16,
}

fn phases() -> Vec<Phase> {
    let well_routed = (200, "full-service");
    let fallen_back = (200, "degraded-service");
    let phase = |name, dynamodb, full_service, get, post| Phase { name, dynamodb, full_service, get, post };
    let failing = Reply::json(200, &json!({ "statusCode": 500, "body": "no" }));
    let crash = Reply::Now(200, vec![("x-amz-function-error", "Unhandled")], b"{}".to_vec());
    vec![
        phase("well", item(1), well(), well_routed, 200),
        phase("DynamoDB hangs", Reply::Never, well(), well_routed, 200),
        phase("the service hangs", item(1), Reply::Never, fallen_back, 504),
        phase("DynamoDB fails", dynamodb_error(500, "InternalServerError"), well(), well_routed, 200),
        phase("the service fails", item(1), failing, fallen_back, 500),
        phase("everything hangs", Reply::Never, Reply::Never, fallen_back, 504),
        phase("the service crashes", item(1), crash, fallen_back, 504),
        phase("the state is corrupt", Reply::json(200, &json!({ "Item": {} })), well(), well_routed, 200),
    ]
}

fn check(phase: &Phase, method: &str, answer: &Value) {
    let status = answer["statusCode"].as_u64().unwrap();
    if method == "POST" {
        assert_eq!(status, u64::from(phase.post), "{}: {answer}", phase.name);
    } else {
        let routed_to = answer["headers"]["X-Routed-To"].as_str().unwrap();
        assert_eq!((status, routed_to), (u64::from(phase.get.0), phase.get.1), "{}: {answer}", phase.name);
    }
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values[values.len() / 2]
}

#[tokio::test]
#[ignore = "takes SOAK_SECONDS, 600 where it is unset; has a command of its own"]
async fn traffic_goes_on_without_a_loss_or_a_leak() {
    let seconds = std::env::var("SOAK_SECONDS").map_or(600, |seconds| seconds.parse().unwrap());
    let total = Duration::from_secs(seconds);
    let dynamodb = DynamoDb::start(item(1));
    let lambda = Lambda::start([well(), well(), well()]);
    lambda.forget_what_was_sent();
    let mut environment = Environment::start(
        &dynamodb.stub.address,
        &lambda.stub.address,
        &[("BREAKER_CONFIG", r#"{"request_path.service_timeout_milliseconds":100}"#)],
    );
    let mut large = event("POST", "/upload");
    large["body"] = json!("x".repeat(256 * 1024));
    let requests = [event("GET", "/account/1"), event("POST", "/transfer"), event("GET", "/account/2"), large];

    let begun = Instant::now();
    let mut sent = 0_usize;
    let mut samples = Vec::new();
    for phase in phases().iter().cycle() {
        dynamodb.answers(phase.dynamodb.clone());
        lambda.answers(Level::Full, phase.full_service.clone());
        let phase_begun = Instant::now();
        while phase_begun.elapsed() < PHASE {
            // The large request is rare.
            let kind = if sent % 50 == 49 { 3 } else { sent % 3 };
            let request = &requests[kind];
            sent += 1;
            let answer = environment.invoke(request, Duration::from_secs(29)).await.unwrap();
            check(phase, request["requestContext"]["http"]["method"].as_str().unwrap(), &answer);
            tokio::time::sleep(PAUSE).await;
        }
        samples.push((begun.elapsed(), environment.memory_kib(), u64::try_from(environment.open_handles()).unwrap()));
        if begun.elapsed() >= total {
            break;
        }
    }

    assert!(environment.is_running());
    environment.end().await;
    assert_eq!(environment.recorded("Invocation"), u64::try_from(sent).unwrap());

    // The first fifth is for warming up.
    let fifth = |n: u32| total / 5 * (n - 1)..total / 5 * n;
    let within = |n, value: fn(&(Duration, u64, u64)) -> u64| {
        let values: Vec<_> = samples.iter().filter(|(at, ..)| fifth(n).contains(at)).map(value).collect();
        assert!(!values.is_empty(), "too short: set SOAK_SECONDS to 30 or more");
        median(values)
    };
    let (memory_before, memory_after) = (within(2, |sample| sample.1), within(5, |sample| sample.1));
    let (handles_before, handles_after) = (within(2, |sample| sample.2), within(5, |sample| sample.2));
    println!(
        "{sent} requests in {:.0} s: memory {memory_before} KiB, then {memory_after} KiB; \
         handles {handles_before}, then {handles_after}",
        begun.elapsed().as_secs_f64()
    );
    assert!(memory_after <= memory_before + GROWTH_KIB, "memory grew from {memory_before} to {memory_after} KiB");
    assert!(handles_after <= handles_before + 2, "handles grew from {handles_before} to {handles_after}");
}
