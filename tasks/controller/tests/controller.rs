//! The Lambda with doubles at its ports.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]
#![allow(clippy::unnecessary_wraps, reason = "what a double is told to answer")]

mod common;

use std::time::Duration;

use aws_edge::stores::state::StoreError;
use breaker::Level;
use common::{TTL, TestController, answer, ask, controller, event, stored};
use controller::{StateCache, StoredLevel};
use serde_json::{Value, json};

/// `Success`, `Error` or nothing, as recorded for the service that was asked first.
fn outcome(controller: &TestController) -> Option<&'static str> {
    controller.metrics.outcomes()[0].1
}

#[tokio::test]
async fn each_level_has_its_service_and_the_answer_says_which() {
    for (level, service) in [(1, "full-service"), (2, "degraded-service"), (3, "maintenance-service")] {
        let controller = controller(Ok(stored(level)), answer(200));
        let answer = ask(&controller, &event("GET", "/account/1")).await;
        assert_eq!(controller.services.asked(), [level]);
        assert_eq!(answer["headers"]["X-Routed-To"], service);
        assert_eq!(answer["headers"]["X-Circuit-Breaker-Level"], level.to_string());
    }
}

#[tokio::test]
async fn the_request_passes_unchanged_plus_the_breakers_context() {
    let controller = controller(Ok(stored(2)), answer(200));
    let event = event("GET", "/account/1");
    ask(&controller, &event).await;
    let mut sent = controller.services.sent()[0].json();
    let context = sent.as_object_mut().unwrap().remove("circuitBreaker").unwrap();
    assert_eq!(sent, event);
    assert_eq!(context, json!({ "level": 2, "status": "degraded", "epoch": 0, "deployment": "bank-test" }));
}

#[tokio::test]
async fn the_answer_comes_back_unchanged_plus_the_breakers_headers() {
    let service = json!({
        "statusCode": 201, "headers": { "X-Mine": "kept", "x-routed-to": "a lie" }, "cookies": ["a=b"],
        "body": "AAEC", "isBase64Encoded": true
    });
    let controller = controller(Ok(stored(1)), Ok(service.to_string().into_bytes()));
    let answer = ask(&controller, &event("GET", "/account/1")).await;
    assert_eq!(
        answer,
        json!({
            "statusCode": 201, "cookies": ["a=b"], "body": "AAEC", "isBase64Encoded": true,
            "headers": { "X-Mine": "kept", "X-Routed-To": "full-service", "X-Circuit-Breaker-Level": "1" }
        })
    );
}

#[tokio::test]
async fn each_answer_has_one_outcome() {
    for (status, expected) in [
        (200, Some("Success")),
        (302, Some("Success")),
        (404, None),
        (429, None),
        (500, Some("Error")),
        (503, Some("Error")),
    ] {
        let controller = controller(Ok(stored(1)), answer(status));
        assert_eq!(ask(&controller, &event("POST", "/transfer")).await["statusCode"], status);
        assert_eq!(controller.metrics.outcomes(), [("1".to_owned(), expected)], "{status}");
        assert_eq!(controller.services.asked(), [1]);
    }
}

#[tokio::test]
async fn a_declined_request_succeeds_without_its_marker() {
    let service =
        json!({ "statusCode": 503, "headers": { "X-Circuit-Breaker-Declined": "true", "Retry-After": "60" } });
    let controller = controller(Ok(stored(2)), Ok(service.to_string().into_bytes()));
    let answer = ask(&controller, &event("POST", "/transfer")).await;
    assert_eq!(outcome(&controller), Some("Success"));
    assert_eq!(answer["headers"]["Retry-After"], "60");
    assert_eq!(answer["headers"]["X-Circuit-Breaker-Declined"], Value::Null);
}

#[tokio::test]
async fn the_last_known_level_serves_while_the_table_fails() {
    for trouble in [Err(StoreError::Invalid("no answer".into())), Ok(StoredLevel::Lost), Ok(StoredLevel::Nothing)] {
        let table = common::table(Ok(stored(2)));
        let controller = TestController {
            states: controller::StateCache::new(table, std::time::Duration::ZERO, breaker::Level::Maintenance),
            ..controller(Ok(stored(2)), answer(200))
        };
        for _ in 0..3 {
            let answer = ask(&controller, &event("GET", "/account/1")).await;
            assert_eq!(answer["headers"]["X-Circuit-Breaker-Level"], "2");
            table.answers(trouble.clone());
        }
        assert!(table.reads() > 1);
    }
}

#[tokio::test]
async fn the_fallback_level_answers_if_no_state_was_ever_read() {
    for (stored, level) in [
        (Err(StoreError::Invalid("no answer".into())), "3"),
        (Ok(StoredLevel::Lost), "3"),
        (Ok(StoredLevel::Nothing), "1"),
    ] {
        let controller = controller(stored, answer(200));
        assert_eq!(ask(&controller, &event("GET", "/account/1")).await["headers"]["X-Circuit-Breaker-Level"], level);
    }
}

#[tokio::test]
async fn a_state_with_only_a_valid_level_is_routed_by_it() {
    let controller = controller(Ok(StoredLevel::Known(breaker::Level::Degraded, None)), answer(200));
    assert_eq!(ask(&controller, &event("GET", "/account/1")).await["headers"]["X-Routed-To"], "degraded-service");
    assert_eq!(controller.services.sent()[0].json()["circuitBreaker"]["epoch"], Value::Null);
}

#[tokio::test]
async fn input_that_is_no_http_event_is_a_400() {
    let controller = controller(Ok(stored(1)), answer(200));
    let with_context = |context: Value| {
        let mut event = event("GET", "/account/1");
        event["circuitBreaker"] = context;
        event
    };
    for event in [
        json!({}),
        json!(null),
        json!([]),
        json!(["/account/1", [["GET"]], null]),
        json!({ "rawPath": "/account/1", "requestContext": [{ "method": "GET" }, "id"] }),
        json!({ "rawPath": "/account/1", "requestContext": [["GET"]] }),
        json!({ "rawPath": "/account/1", "requestContext": { "http": ["GET"] } }),
        json!({ "rawPath": "/account/1", "requestContext": { "http": [] } }),
        json!({ "rawPath": 7 }),
        with_context(json!({ "level": 1 })),
        with_context(json!(null)),
    ] {
        assert_eq!(ask(&controller, &event).await["statusCode"], 400);
    }
    assert!(controller.services.asked().is_empty());
}

#[tokio::test]
async fn every_request_records_the_seeds_controller_metrics() {
    let controller = controller(Ok(stored(2)), answer(200));
    ask(&controller, &event("GET", "/account/1")).await;
    let set = controller.metrics.sets("CircuitBreaker/Controller").remove(0);
    let names: Vec<_> = set.metrics.iter().map(|metric| metric.name).collect();
    let seeds = ["Invocation", "CurrentLevel", "ResponseTime", "FailureCount", "SuccessCount"];
    assert_eq!(names, [&seeds[..], &["StateAgeSeconds"]].concat());
    assert_eq!(set.dimensions, [("Deployment", "bank-test".to_owned())]);
}

#[test]
fn the_lambda_refuses_to_start_without_a_deployment_and_says_so() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_controller")).env("DEPLOYMENT", "").output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("DEPLOYMENT"));
}

#[tokio::test]
async fn the_controllers_own_answers_name_no_service() {
    let mut too_large = event("POST", "/transfer");
    too_large["body"] = json!("x".repeat(controller::PAYLOAD_LIMIT));
    let controller = controller(Ok(stored(3)), answer(200));
    for (event, status) in [(json!({}), 400), (too_large, 413)] {
        let answer = ask(&controller, &event).await;
        assert_eq!((&answer["statusCode"], &answer["headers"]["X-Routed-To"]), (&json!(status), &json!("controller")));
        assert_eq!(answer["headers"]["X-Circuit-Breaker-Level"], "3");
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["level"], Value::Null, "{body}");
    }
    assert!(controller.services.asked().is_empty());
}

/// A check of a deployment sends such an event, because it invokes no service and records no outcome.
#[tokio::test]
async fn an_event_that_is_no_request_names_the_levels_source() {
    for (stored, level, source) in [
        (Ok(stored(2)), "2", "table"),
        (Ok(StoredLevel::Nothing), "1", "firstStart"),
        (Err(StoreError::Invalid("no answer".into())), "3", "fallback"),
    ] {
        let headers = ask(&controller(stored, answer(200)), &json!({})).await["headers"].take();
        let told = (&headers["X-Circuit-Breaker-Level"], &headers["X-Circuit-Breaker-State-Source"]);
        assert_eq!(told, (&json!(level), &json!(source)));
    }
}

#[tokio::test(start_paused = true)]
async fn failed_reads_and_the_states_age_are_metrics() {
    let table = common::table(Ok(stored(2)));
    let controller = common::TestController {
        states: StateCache::new(table, TTL, Level::Maintenance),
        ..controller(Ok(stored(2)), answer(200))
    };
    let request = event("GET", "/account/1");
    ask(&controller, &request).await;
    ask(&controller, &request).await;
    // The second request found a fresh state, whose age is not recorded.
    assert_eq!(controller.metrics.values("StateAgeSeconds"), [0.0]);
    table.fails();
    for _ in 0..2 {
        tokio::time::advance(Duration::from_secs(30)).await;
        ask(&controller, &request).await;
        ask(&controller, &request).await;
    }
    assert_eq!(controller.metrics.values("StateAgeSeconds"), [0.0, 30.0, 30.0, 60.0, 60.0]);
    assert_eq!(controller.metrics.values("StateReadErrors"), [1.0, 1.0]);
    let sets = controller.metrics.sets("CircuitBreaker/Controller");
    assert!(sets.iter().all(|set| set.dimensions == [("Deployment", "bank-test".to_owned())]));
}
