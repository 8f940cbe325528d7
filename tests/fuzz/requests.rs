//! Fuzzes the controller with events of the HTTP API and with answers of services.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_edge::metrics::{MetricLog, MetricSet};
use aws_edge::stores::state::StoreError;
use breaker::{Level, PerLevel, RequestRules};
use controller::{Controller, InvokeError, LevelReader, ProbeLimit, ServiceInvoker, StateCache, StoredLevel};
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::runtime::Builder;
use tokio::time::Instant;

use crate::junk::{corrupted, json, mutated};
use crate::{Answer, fuzz, fuzz_both, states};

struct FirstStart;

impl LevelReader for FirstStart {
    async fn read(&self) -> Result<StoredLevel, StoreError> {
        Ok(StoredLevel::Nothing)
    }
}

/// The members of an object, each as its text. The controller passes on values that [`Value`] cannot hold, such as a
/// number beyond `f64` or half of a surrogate pair, so the tests parse only the members that they check.
type Members = BTreeMap<String, Box<RawValue>>;

/// A service that always answers with the same bytes.
struct Service<'a>(&'a [u8]);

impl ServiceInvoker for Service<'_> {
    async fn invoke(&self, _: Level, payload: Vec<u8>, _: Duration) -> Result<Vec<u8>, InvokeError> {
        let event: Members = serde_json::from_slice(&payload).unwrap();
        let context: Value = serde_json::from_str(event["circuitBreaker"].get()).unwrap();
        assert_eq!(context["deployment"], "bank-test", "the event names the deployment");
        Ok(self.0.to_vec())
    }
}

struct Unrecorded;

impl MetricLog for Unrecorded {
    fn record(&self, _: Timestamp, _: &MetricSet) {}
}

/// The answer that a caller gets.
struct Told {
    status: u64,
    headers: Members,
    /// Whether the body is a text, null or absent.
    has_text_or_no_body: bool,
    /// The body, if it is JSON.
    body: Value,
}

impl Told {
    fn read(answer: &RawValue) -> Self {
        let members: Members = serde_json::from_str(answer.get()).unwrap();
        let body: Option<String> = members.get("body").and_then(|body| serde_json::from_str(body.get()).ok());
        Self {
            status: members["statusCode"].get().parse().unwrap(),
            headers: serde_json::from_str(members["headers"].get()).unwrap(),
            has_text_or_no_body: members
                .get("body")
                .is_none_or(|body| body.get() == "null" || body.get().starts_with('"')),
            body: body.and_then(|body| serde_json::from_str(&body).ok()).unwrap_or_default(),
        }
    }

    /// Whether the answer is one of the controller's own errors, which all have a code and a message.
    fn is_refusal(&self) -> bool {
        self.body["error"].is_string() && self.body["message"].as_str().is_some_and(|text| !text.is_empty())
    }
}

/// Returns the caller's answer to the request `event` if the service answers `answer`.
fn answered(event: &RawValue, answer: &[u8]) -> Told {
    let five = Duration::from_secs(5);
    let controller = Controller {
        states: StateCache::new(FirstStart, Duration::from_secs(1), Level::Maintenance),
        services: Service(answer),
        rules: RequestRules { fallback: false, ..RequestRules::new(&states::policy(), PerLevel::same(five)) },
        probe_limit: ProbeLimit::new(5),
        metrics: Unrecorded,
        deployment: "bank-test".to_owned(),
        policy: states::policy(),
    };
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let told = runtime.block_on(controller.handle(event, Instant::now() + five));
    Told::read(&told)
}

fn event(method: &str, path: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "history=20",
        "headers": { "content-type": "application/json" }, "body": "{\"amount\":\"10.50\"}", "isBase64Encoded": false,
        "requestContext": { "http": { "method": method, "path": path }, "stage": "$default" }
    })
}

fn good_events() -> Vec<Value> {
    let least = json!({ "rawPath": "/account/12345", "requestContext": { "http": { "method": "GET" } } });
    vec![event("GET", "/account/12345"), event("POST", "/transfer"), least]
}

fn good_answers() -> Vec<Value> {
    vec![
        json!({ "statusCode": 200 }),
        json!({ "statusCode": 200, "headers": { "Content-Type": "application/json" }, "body": "{}" }),
        json!({ "statusCode": 503, "headers": { "X-Circuit-Breaker-Declined": "true" }, "cookies": ["a=b"] }),
        json!({ "statusCode": "200", "headers": { "Age": 1, "X-Cached": true }, "body": "QQ==", "isBase64Encoded": true }),
        json!({ "greeting": "hello" }),
        json!({ "statusCode": 404, "headers": null, "multiValueHeaders": {}, "isBase64Encoded": false }),
    ]
}

fn check_event(event: &str) -> Result<Answer, TestCaseError> {
    // Lambda refuses events that are not JSON.
    let Ok(event) = RawValue::from_string(event.to_owned()) else { return Ok(Answer::Refused) };
    let told = answered(&event, b"{\"statusCode\": 200}");
    if told.status == 200 {
        return Ok(Answer::Taken);
    }
    prop_assert!((400..500).contains(&told.status) && told.is_refusal(), "{}: {}", told.status, told.body);
    Ok(Answer::Refused)
}

fn check_answer(answer: &[u8]) -> Result<Answer, TestCaseError> {
    let event = RawValue::from_string(event("GET", "/account/12345").to_string()).unwrap();
    let told = answered(&event, answer);
    prop_assert_eq!(told.headers["X-Circuit-Breaker-Level"].get(), "\"1\"");
    prop_assert!(
        !told.headers.keys().any(|name| name.eq_ignore_ascii_case("X-Circuit-Breaker-Declined")),
        "callers never see the mark: {:?}",
        told.headers
    );
    prop_assert!((200..600).contains(&told.status), "{}", told.status);
    prop_assert!(told.has_text_or_no_body, "API Gateway takes no other body");
    let can_be_sent = |value: &RawValue| {
        serde_json::from_str::<String>(value.get()).is_ok_and(|text| !text.contains(['\r', '\n', '\0']))
    };
    prop_assert!(
        told.headers.values().all(|value| can_be_sent(value)),
        "API Gateway takes no such header: {:?}",
        told.headers
    );
    Ok(if told.is_refusal() { Answer::Refused } else { Answer::Taken })
}

#[test]
fn any_event_is_routed_or_answered_with_the_problem() {
    fuzz(&json().prop_map(|event| event.to_string()), |event| check_event(&event));
}

#[test]
fn a_mutated_event_is_routed_or_answered_with_the_problem() {
    fuzz_both(&corrupted(mutated(good_events()).prop_map(|event| event.to_string())), |event| check_event(&event));
}

#[test]
fn any_bytes_from_a_service_become_an_answer() {
    fuzz(&vec(any::<u8>(), 0..64), |answer| check_answer(&answer));
}

#[test]
fn an_answer_with_changes_is_passed_on_or_replaced() {
    let answers = corrupted(mutated(good_answers()).prop_map(|answer| answer.to_string()));
    fuzz_both(&answers, |answer| check_answer(answer.as_bytes()));
}

#[test]
fn values_that_no_parser_holds_are_passed_on() {
    for value in ["1e000000000309", "-1e999", "\"\\ud800\""] {
        let event = event("POST", "/transfer").to_string().replacen('{', &format!("{{\"extra\":{value},"), 1);
        assert_eq!(check_event(&event).unwrap(), Answer::Taken, "{event}");
        let answer = format!("{{\"statusCode\":200,\"extra\":{value}}}");
        assert_eq!(check_answer(answer.as_bytes()).unwrap(), Answer::Taken, "{answer}");
        let header = format!("{{\"statusCode\":200,\"headers\":{{\"X-Any\":{value}}}}}");
        // A number is sent as its text. Half of a surrogate pair is no text, so no header can contain it.
        let expected = if value.starts_with('"') { Answer::Refused } else { Answer::Taken };
        assert_eq!(check_answer(header.as_bytes()).unwrap(), expected, "{header}");
    }
}
