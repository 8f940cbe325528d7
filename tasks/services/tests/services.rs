//! The services with doubles at their ports.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::sync::Mutex;

use breaker::Level;
use jiff::Timestamp;
use platform::metrics::{MetricLog, MetricSet};
use serde_json::{Value, json};
use services::{Response, Service, Simulation};

/// No chance, no waiting.
struct Steady {
    fails: bool,
}

impl Simulation for Steady {
    fn fails(&self) -> bool {
        self.fails
    }
    async fn work(&self) {}
    async fn hang(&self) {}
}

#[derive(Default)]
struct Recorded(Mutex<Vec<MetricSet>>);

impl MetricLog for Recorded {
    fn record(&self, _: Timestamp, metrics: &MetricSet) {
        self.0.lock().unwrap().push(metrics.clone());
    }
}

fn service(level: Level) -> Service<Steady, Recorded> {
    Service {
        level,
        simulation: Steady { fails: false },
        metrics: Recorded::default(),
        deployment: "bank-test".to_owned(),
        fault_injection: true,
    }
}

fn event(method: &str, path: &str, body: Option<&str>) -> Value {
    json!({ "rawPath": path, "headers": {}, "body": body, "requestContext": { "http": { "method": method } } })
}

async fn ask(level: Level, method: &str, path: &str, body: Option<&str>) -> (u16, Value) {
    let response = service(level).handle(event(method, path, body)).await.unwrap();
    (response.status_code, serde_json::from_str(&response.body).unwrap())
}

fn outcome(service: &Service<Steady, Recorded>) -> Option<&'static str> {
    let recorded = service.metrics.0.lock().unwrap();
    recorded[0].metrics.iter().map(|metric| metric.name).find(|name| ["Success", "Error"].contains(name))
}

const TRANSFER: &str = r#"{"fromAccount":"1","toAccount":"2","amount":"10.50"}"#;

#[tokio::test]
async fn level_1_does_everything() {
    let (status, account) = ask(Level::Full, "GET", "/account/12345", None).await;
    assert_eq!((status, &account["sampleData"], &account["dataSource"]), (200, &json!(true), &json!("live")));
    assert_eq!(ask(Level::Full, "GET", "/account/12345/transactions", None).await.0, 200);
    let (status, receipt) = ask(Level::Full, "POST", "/transfer", Some(TRANSFER)).await;
    assert_eq!((status, &receipt["amount"]), (200, &json!("10.50")));
}

#[tokio::test]
async fn level_2_answers_reads_from_a_cached_view_and_declines_transfers() {
    let (status, account) = ask(Level::Degraded, "GET", "/account/12345", None).await;
    assert_eq!((status, &account["dataSource"]), (200, &json!("cache")));
    assert!(!account["limitations"].as_array().unwrap().is_empty());
    let declined = service(Level::Degraded).handle(event("POST", "/transfer", Some(TRANSFER))).await.unwrap();
    assert_eq!(declined.status_code, 503);
    assert!(
        declined.headers.contains_key("Retry-After") && declined.headers.contains_key("X-Circuit-Breaker-Declined")
    );
}

#[tokio::test]
async fn level_3_answers_minimally_and_declines_the_rest() {
    let (status, account) = ask(Level::Maintenance, "GET", "/account/12345", None).await;
    assert_eq!((status, account.get("balance")), (200, None));
    assert_eq!(ask(Level::Maintenance, "GET", "/account/12345/transactions", None).await.0, 503);
    assert_eq!(ask(Level::Maintenance, "POST", "/transfer", Some(TRANSFER)).await.0, 503);
}

#[tokio::test]
async fn the_data_of_an_account_is_the_same_each_time_and_at_each_level() {
    let (_, first) = ask(Level::Full, "GET", "/account/12345", None).await;
    let (_, again) = ask(Level::Full, "GET", "/account/12345", None).await;
    let (_, cached) = ask(Level::Degraded, "GET", "/account/12345", None).await;
    let (_, other) = ask(Level::Full, "GET", "/account/54321", None).await;
    assert_eq!(first, again);
    assert_eq!(first["balance"], cached["balance"]);
    assert_ne!(first["balance"], other["balance"]);
}

#[tokio::test]
async fn bad_requests_are_4xx_and_no_outcome() {
    for (method, path, body, status) in [
        ("GET", "/account/a%20b", None, 400),
        ("GET", "/account/12345678901234567890123456789012345", None, 400),
        ("POST", "/transfer", Some("{"), 400),
        ("POST", "/transfer", None, 400),
        ("POST", "/test", Some(r#"{"error":"yes"}"#), 400),
        ("GET", "/nothing", None, 404),
        ("DELETE", "/account/1", None, 405),
        ("GET", "/transfer", None, 405),
    ] {
        let service = service(Level::Full);
        let response = service.handle(event(method, path, body)).await.unwrap();
        assert_eq!(response.status_code, status, "{method} {path}");
        assert_eq!(outcome(&service), None);
    }
}

#[tokio::test]
async fn failures_happen_by_chance_or_on_purpose() {
    let by_chance = Service { simulation: Steady { fails: true }, ..service(Level::Full) };
    assert_eq!(by_chance.handle(event("GET", "/account/1", None)).await.unwrap().status_code, 500);
    assert_eq!(outcome(&by_chance), Some("Error"));
    assert_eq!(ask(Level::Full, "POST", "/test", Some(r#"{"error":true}"#)).await.0, 500);
    assert_eq!(ask(Level::Full, "POST", "/test", Some(r#"{"error":false}"#)).await.0, 200);
    let mut simulated = event("GET", "/account/1", None);
    simulated["headers"] = json!({ "x-simulate-failure": "true" });
    assert_eq!(service(Level::Degraded).handle(simulated.clone()).await.unwrap().status_code, 500);
    simulated["headers"] = json!({ "X-Simulate-Failure": "crash" });
    assert!(service(Level::Full).handle(simulated).await.is_err());
}

#[tokio::test]
async fn failures_on_purpose_need_fault_injection() {
    let mut simulated = event("GET", "/account/1", None);
    simulated["headers"] = json!({ "x-simulate-failure": "true" });
    let guarded =
        |event| async { Service { fault_injection: false, ..service(Level::Full) }.handle(event).await.unwrap() };
    let status = |response: Response| response.status_code;
    assert_eq!(status(guarded(simulated).await), 200);
    assert_eq!(status(guarded(event("POST", "/test", Some(r#"{"error":true}"#))).await), 403);
}

#[tokio::test]
async fn only_a_direct_invocation_records_its_own_outcome() {
    let direct = service(Level::Full);
    direct.handle(event("GET", "/account/1", None)).await.unwrap();
    assert_eq!(outcome(&direct), Some("Success"));
    let routed = service(Level::Full);
    let mut event = event("GET", "/account/1", None);
    event["circuitBreaker"] = json!({ "level": 1 });
    routed.handle(event).await.unwrap();
    assert!(routed.metrics.0.lock().unwrap().is_empty());
}
