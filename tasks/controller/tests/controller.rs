//! The Lambda with doubles at its ports.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]
#![allow(clippy::unnecessary_wraps, reason = "what a double is told to answer")]

use std::sync::Mutex;
use std::time::Duration;

use breaker::{Level, Policy, PolicySettings, SystemState};
use controller::{Controller, InvokeError, ServiceInvoker, StateCache};
use jiff::Timestamp;
use platform::metrics::{MetricLog, MetricSet};
use platform::state_store::{StateReader, StoreError, Stored};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Answers reads from a script; the last answer repeats.
struct States(Mutex<Vec<Result<Stored, StoreError>>>);

impl StateReader for States {
    async fn read(&self) -> Result<Stored, StoreError> {
        let mut script = self.0.lock().unwrap();
        if script.len() > 1 { script.remove(0) } else { script[0].clone() }
    }
}

/// Remembers what it was sent and answers the same thing each time.
struct Services {
    answer: Result<Vec<u8>, InvokeError>,
    sent: Mutex<Vec<(Level, Value)>>,
}

impl ServiceInvoker for Services {
    async fn invoke(&self, level: Level, payload: Vec<u8>) -> Result<Vec<u8>, InvokeError> {
        self.sent.lock().unwrap().push((level, serde_json::from_slice(&payload).unwrap()));
        self.answer.clone()
    }
}

#[derive(Default)]
struct Recorded(Mutex<Vec<MetricSet>>);

impl MetricLog for Recorded {
    fn record(&self, _: Timestamp, metrics: &MetricSet) {
        self.0.lock().unwrap().push(metrics.clone());
    }
}

type TestController = Controller<States, Services, Recorded>;

fn policy() -> Policy {
    Policy::new(PolicySettings::default()).unwrap()
}

fn at_level(level: u8) -> Result<Stored, StoreError> {
    let state = SystemState {
        current_level: Level::try_from(level).unwrap(),
        version: 3,
        ..SystemState::initial(&policy(), Timestamp::UNIX_EPOCH)
    };
    Ok(Stored::State(Box::new(state)))
}

fn controller(states: Vec<Result<Stored, StoreError>>, answer: Result<Vec<u8>, InvokeError>) -> TestController {
    Controller {
        states: StateCache::new(States(Mutex::new(states)), Duration::ZERO, Level::Maintenance),
        services: Services { answer, sent: Mutex::default() },
        metrics: Recorded::default(),
        deployment: "bank-test".to_owned(),
        policy: policy(),
    }
}

fn answer(status: u16) -> Result<Vec<u8>, InvokeError> {
    Ok(json!({ "statusCode": status, "headers": { "Content-Type": "text/plain" }, "body": "hello" })
        .to_string()
        .into_bytes())
}

fn event(method: &str, path: &str) -> Value {
    json!({
        "version": "2.0", "rawPath": path, "rawQueryString": "a=1&a=2", "cookies": ["c=1"],
        "headers": { "x-custom": "kept" }, "body": "AAEC", "isBase64Encoded": true,
        "requestContext": { "http": { "method": method, "path": path }, "requestId": "r" }
    })
}

async fn ask(controller: &TestController, event: &Value) -> Value {
    let event = RawValue::from_string(event.to_string()).unwrap();
    serde_json::from_str(controller.handle(&event).await.unwrap().get()).unwrap()
}

/// `Success`, `Error` or nothing, as recorded for the service.
fn outcome(controller: &TestController) -> Option<&'static str> {
    let recorded = controller.metrics.0.lock().unwrap();
    let set = recorded.iter().find(|set| set.namespace == "CircuitBreaker/Service").unwrap();
    set.metrics.iter().map(|metric| metric.name).find(|name| ["Success", "Error"].contains(name))
}

#[tokio::test]
async fn each_level_has_its_service_and_the_answer_says_which() {
    for (level, service) in [(1, "full-service"), (2, "degraded-service"), (3, "maintenance-service")] {
        let controller = controller(vec![at_level(level)], answer(200));
        let answer = ask(&controller, &event("GET", "/account/1")).await;
        assert_eq!(controller.services.sent.lock().unwrap()[0].0.number(), level);
        assert_eq!(answer["headers"]["X-Routed-To"], service);
        assert_eq!(answer["headers"]["X-Circuit-Breaker-Level"], level.to_string());
    }
}

#[tokio::test]
async fn the_request_passes_unchanged_plus_the_breakers_context() {
    let controller = controller(vec![at_level(2)], answer(200));
    let event = event("GET", "/account/1");
    ask(&controller, &event).await;
    let (_, mut sent) = controller.services.sent.lock().unwrap()[0].clone();
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
    let controller = controller(vec![at_level(1)], Ok(service.to_string().into_bytes()));
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
        let controller = controller(vec![at_level(1)], answer(status));
        assert_eq!(ask(&controller, &event("GET", "/account/1")).await["statusCode"], status);
        assert_eq!(outcome(&controller), expected, "{status}");
        assert_eq!(controller.services.sent.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_level_that_declines_by_design_succeeds_and_the_marker_is_stripped() {
    let service =
        json!({ "statusCode": 503, "headers": { "X-Circuit-Breaker-Declined": "true", "Retry-After": "60" } });
    let controller = controller(vec![at_level(2)], Ok(service.to_string().into_bytes()));
    let answer = ask(&controller, &event("POST", "/transfer")).await;
    assert_eq!(outcome(&controller), Some("Success"));
    assert_eq!(answer["headers"]["Retry-After"], "60");
    assert_eq!(answer["headers"]["X-Circuit-Breaker-Declined"], Value::Null);
}

#[tokio::test]
async fn a_crash_a_throttle_and_nonsense_are_503_with_retry_after_and_one_failure() {
    for broken in [
        Err(InvokeError::Crashed("Unhandled".into())),
        Err(InvokeError::Throttled),
        Err(InvokeError::NotInvoked("no such function".into())),
        Ok(b"null".to_vec()),
        Ok(b"{".to_vec()),
        Ok(br#"{"greeting":"hello"}"#.to_vec()),
        Ok(br#"{"statusCode":"200"}"#.to_vec()),
        Ok(br#"{"statusCode":99}"#.to_vec()),
        Ok(br#"{"statusCode":200,"headers":[]}"#.to_vec()),
    ] {
        let controller = controller(vec![at_level(1)], broken);
        let answer = ask(&controller, &event("POST", "/transfer")).await;
        assert_eq!((answer["statusCode"].clone(), outcome(&controller)), (json!(503), Some("Error")));
        assert_eq!(answer["headers"]["Retry-After"], "5");
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["error"], "serviceUnavailable");
    }
}

#[tokio::test]
async fn a_timeout_is_503_for_safe_methods_and_504_outcome_unknown_for_the_others() {
    for (method, status, code) in [("GET", 503, "serviceUnavailable"), ("POST", 504, "outcomeUnknown")] {
        let controller = controller(vec![at_level(1)], Err(InvokeError::TimedOut));
        let answer = ask(&controller, &event(method, "/transfer")).await;
        assert_eq!(answer["statusCode"], status);
        assert!(answer["body"].as_str().unwrap().contains(code));
        assert_eq!(outcome(&controller), Some("Error"));
    }
}

#[tokio::test]
async fn a_request_too_large_is_neutral() {
    let controller = controller(vec![at_level(1)], Err(InvokeError::TooLarge));
    assert_eq!(ask(&controller, &event("POST", "/transfer")).await["statusCode"], 413);
    assert_eq!(outcome(&controller), None);
}

#[tokio::test]
async fn the_last_known_level_serves_on_while_the_table_is_down_or_holds_garbage() {
    for trouble in [Err(StoreError("no answer".into())), Ok(Stored::Lost)] {
        let controller = controller(vec![at_level(2), trouble], answer(200));
        for _ in 0..3 {
            let answer = ask(&controller, &event("GET", "/account/1")).await;
            assert_eq!(answer["headers"]["X-Circuit-Breaker-Level"], "2");
        }
    }
}

#[tokio::test]
async fn with_no_state_ever_read_the_fallback_level_answers_and_a_first_start_is_level_1() {
    for (stored, level) in
        [(Err(StoreError("no answer".into())), "3"), (Ok(Stored::Lost), "3"), (Ok(Stored::Nothing), "1")]
    {
        let controller = controller(vec![stored], answer(200));
        assert_eq!(ask(&controller, &event("GET", "/account/1")).await["headers"]["X-Circuit-Breaker-Level"], level);
    }
}

#[tokio::test]
async fn the_status_tells_level_counts_reason_and_thresholds_and_asks_no_service() {
    let controller = controller(vec![at_level(2)], answer(200));
    let answer = ask(&controller, &event("GET", "/circuit-breaker")).await;
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    let breaker = &body["circuitBreaker"];
    assert_eq!(breaker["currentLevel"], 2);
    assert_eq!((&breaker["status"], &breaker["activeService"]), (&json!("degraded"), &json!("degraded-service")));
    assert_eq!(breaker["state"]["transitionReason"], "Initial state");
    assert_eq!(breaker["thresholds"]["level1To2Failures"], 5);
    assert_eq!(body["metadata"]["deployment"], "bank-test");
    assert!(controller.services.sent.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_breaker_cannot_be_changed_over_http() {
    let controller = controller(vec![at_level(2)], answer(200));
    assert_eq!(ask(&controller, &event("POST", "/circuit-breaker")).await["statusCode"], 405);
}

#[tokio::test]
async fn something_that_is_no_http_event_is_a_400() {
    let controller = controller(vec![at_level(1)], answer(200));
    for event in [json!({}), json!(null), json!([]), json!({ "rawPath": 7 })] {
        assert_eq!(ask(&controller, &event).await["statusCode"], 400);
    }
    assert!(controller.services.sent.lock().unwrap().is_empty());
}

#[tokio::test]
async fn every_request_records_the_seeds_controller_metrics() {
    let controller = controller(vec![at_level(2)], answer(200));
    ask(&controller, &event("GET", "/account/1")).await;
    let recorded = controller.metrics.0.lock().unwrap();
    let set = recorded.iter().find(|set| set.namespace == "CircuitBreaker/Controller").unwrap();
    let names: Vec<_> = set.metrics.iter().map(|metric| metric.name).collect();
    assert_eq!(names, ["Invocation", "CurrentLevel", "ResponseTime", "FailureCount", "SuccessCount"]);
    assert_eq!(set.dimensions, [("Deployment", "bank-test".to_owned())]);
}

#[test]
fn the_lambda_refuses_to_start_with_an_absurd_variable_and_says_which() {
    for (variable, value) in [("LEVEL_1_FAILURE_THRESHOLD", "0"), ("FALLBACK_LEVEL", "9"), ("DEPLOYMENT", "")] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_controller"))
            .env("DEPLOYMENT", "bank-test")
            .env(variable, value)
            .output()
            .unwrap();
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains(variable));
    }
}
