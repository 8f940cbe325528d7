//! Tests the services with test doubles for their ports.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::sync::Mutex;

use aws_edge::config::{BasePath, Config};
use aws_edge::metrics::{MetricLog, MetricSet};
use breaker::Level;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use services::{Response, Service, Simulation};

/// A simulation without random failures and without waiting.
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
        base_path: BasePath::default(),
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
async fn level_2_serves_cached_reads_and_declines_transfers() {
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
async fn reads_at_worse_levels_have_an_age() {
    for (level, path, aged) in [
        (Level::Full, "/account/1", false),
        (Level::Degraded, "/account/1", true),
        (Level::Degraded, "/account/1/transactions", true),
        (Level::Maintenance, "/account/1", true),
    ] {
        let response = service(level).handle(event("GET", path, None)).await.unwrap();
        let age = response.headers.get("Age").map(|age| age.parse::<u32>().unwrap());
        assert_eq!(age.is_some_and(|age| age < 300), aged, "{path} at level {level}");
    }
}

#[tokio::test]
async fn an_accounts_data_is_the_same_at_each_level() {
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
async fn a_failure_on_purpose_can_be_of_one_level() {
    let mut simulated = event("GET", "/account/1", None);
    simulated["headers"] = json!({ "x-simulate-failure": "2" });
    for (level, status) in [(Level::Full, 200), (Level::Degraded, 500), (Level::Maintenance, 200)] {
        assert_eq!(service(level).handle(simulated.clone()).await.unwrap().status_code, status, "level {level}");
    }
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

#[tokio::test]
async fn an_invalid_request_never_fails_by_chance() {
    for (method, path, body, status) in [
        ("GET", "/nothing", None, 404),
        ("DELETE", "/account/1", None, 405),
        ("GET", "/account/a_b", None, 400),
        ("POST", "/transfer", Some("{"), 400),
    ] {
        let unlucky = Service { simulation: Steady { fails: true }, ..service(Level::Full) };
        let response = unlucky.handle(event(method, path, body)).await.unwrap();
        assert_eq!(response.status_code, status, "{method} {path}");
        assert_eq!(outcome(&unlucky), None, "{method} {path}");
    }
}

/// The controller records the crash of a routed request, so a record by the service would count the crash twice.
#[tokio::test]
async fn a_crash_is_recorded_by_the_service_only_if_direct() {
    let mut crash = event("GET", "/account/1", None);
    crash["headers"] = json!({ "x-simulate-failure": "crash" });
    let direct = service(Level::Full);
    assert!(direct.handle(crash.clone()).await.is_err());
    assert_eq!(outcome(&direct), Some("Error"));
    crash["circuitBreaker"] = json!({ "level": 1 });
    let routed = service(Level::Full);
    assert!(routed.handle(crash).await.is_err());
    assert!(routed.metrics.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn optional_members_may_be_missing_or_null() {
    let context = json!({ "http": { "method": "GET" } });
    for event in [
        json!({ "rawPath": "/account/1", "requestContext": context }),
        json!({
            "rawPath": "/account/1", "requestContext": context,
            "headers": null, "body": null, "isBase64Encoded": null, "circuitBreaker": null,
        }),
    ] {
        let direct = service(Level::Full);
        assert_eq!(direct.handle(event).await.unwrap().status_code, 200);
        assert_eq!(outcome(&direct), Some("Success"));
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused_with_the_reason() {
    for (path, body, encoded, reason) in [
        ("/transfer", Some("not base64!"), true, "base64"),
        ("/transfer", Some("/w=="), true, "UTF-8"),
        ("/test", Some("/w=="), true, "UTF-8"),
        ("/transfer", None, false, "missing"),
        ("/transfer", Some(""), false, "missing"),
    ] {
        let mut event = event("POST", path, body);
        event["isBase64Encoded"] = json!(encoded);
        let response = service(Level::Full).handle(event).await.unwrap();
        assert_eq!(response.status_code, 400, "{path} {body:?}");
        assert!(response.body.contains(reason), "{}", response.body);
    }
    assert_eq!(ask(Level::Full, "POST", "/test", None).await.0, 200);
}

#[tokio::test]
async fn a_wrong_method_gets_the_allowed_one() {
    for (method, path, allowed) in [
        ("POST", "/account/1", "GET"),
        ("PUT", "/account/1/transactions", "GET"),
        ("GET", "/transfer", "POST"),
        ("GET", "/test", "POST"),
    ] {
        let response = service(Level::Full).handle(event(method, path, None)).await.unwrap();
        assert_eq!((response.status_code, response.headers["Allow"].as_str()), (405, allowed), "{method} {path}");
    }
}

proptest! {
    #[test]
    fn every_valid_account_has_one_set_of_data_at_every_level(id in "[A-Za-z0-9-]{1,34}") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let read = |level, path: String| runtime.block_on(ask(level, "GET", &path, None));
        let account = |level| read(level, format!("/account/{id}"));
        let recent = |level| read(level, format!("/account/{id}/transactions")).1["transactions"].clone();
        prop_assert_eq!(account(Level::Full), account(Level::Full));
        prop_assert_eq!(&account(Level::Full).1["balance"], &account(Level::Degraded).1["balance"]);
        for level in Level::ALL {
            let (status, account) = account(level);
            prop_assert_eq!((status, &account["accountId"], &account["sampleData"]), (200, &json!(id), &json!(true)));
        }
        let (all, cached) = (recent(Level::Full), recent(Level::Degraded));
        prop_assert_eq!(&all.as_array().unwrap()[..3], cached.as_array().unwrap().as_slice());
    }

    #[test]
    fn an_id_with_any_other_character_or_length_is_refused(id in "[A-Za-z0-9-]{0,10}[_.~!é ][A-Za-z0-9-]{0,10}|[a-z]{35,60}") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        prop_assert_eq!(runtime.block_on(ask(Level::Full, "GET", &format!("/account/{id}"), None)).0, 400);
    }
}

#[tokio::test]
async fn a_base_path_is_removed_if_it_is_there() {
    let base_path = Config::from_iter([("api.base_path", "/bank")]).base_path().unwrap();
    let service = Service { base_path, ..service(Level::Full) };
    for path in ["/account/1", "/bank/account/1"] {
        assert_eq!(service.handle(event("GET", path, None)).await.unwrap().status_code, 200, "{path}");
    }
    let other = service.handle(event("GET", "/banking/account/1", None)).await.unwrap();
    assert_eq!(other.status_code, 404);
}
