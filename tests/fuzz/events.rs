//! The events of the HTTP API.

use std::time::Duration;

use breaker::{Level, Stored};
use controller::{Controller, InvokeError, ServiceInvoker, StateCache};
use jiff::Timestamp;
use platform::metrics::{MetricLog, MetricSet};
use platform::state_store::{StateReader, StoreError};
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::junk::{garbled, json, mutated};
use crate::{Answer, fuzz, fuzz_both, states};

struct States;

impl StateReader for States {
    async fn read(&self) -> Result<Stored, StoreError> {
        Ok(Stored::Nothing)
    }
}

/// Answers with the event that it was sent, so that a test sees what arrived.
struct Echo;

impl ServiceInvoker for Echo {
    async fn invoke(&self, _: Level, payload: Vec<u8>) -> Result<Vec<u8>, InvokeError> {
        Ok(format!("{{\"statusCode\": 200, \"sent\": {}}}", String::from_utf8(payload).unwrap()).into_bytes())
    }
}

struct Unrecorded;

impl MetricLog for Unrecorded {
    fn record(&self, _: Timestamp, _: &MetricSet) {}
}

fn good() -> Vec<Value> {
    let event = |method: &str, path: &str| {
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "a=b",
            "headers": { "content-type": "application/json" }, "body": "{\"amount\":\"10.50\"}", "isBase64Encoded": false,
            "requestContext": { "http": { "method": method, "path": path }, "stage": "$default" }
        })
    };
    let least = json!({ "rawPath": "/account/12345", "requestContext": { "http": { "method": "GET" } } });
    vec![event("GET", "/account/12345"), event("POST", "/transfer"), event("GET", "/circuit-breaker"), least]
}

fn check(event: &str) -> Result<Answer, TestCaseError> {
    // Lambda itself lets nothing in that is not JSON.
    let Ok(event) = RawValue::from_string(event.to_owned()) else { return Ok(Answer::Refused) };
    let controller = Controller {
        states: StateCache::new(States, Duration::from_secs(1), Level::Maintenance),
        services: Echo,
        metrics: Unrecorded,
        deployment: "bank-test".to_owned(),
        policy: states::policy(),
    };
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(controller.handle(&event));
    prop_assert!(answer.is_ok(), "{answer:?}");
    let answer: Value = serde_json::from_str(answer.unwrap().get()).unwrap();
    match answer["statusCode"].as_u64() {
        Some(200) => Ok(Answer::Taken),
        Some(400 | 405) => {
            prop_assert!(answer["body"].as_str().is_some_and(|body| body.contains("message")), "{answer}");
            Ok(Answer::Refused)
        }
        _ => Err(TestCaseError::fail(answer.to_string())),
    }
}

#[test]
fn any_json_is_routed_or_answered_with_what_is_wrong() {
    fuzz(&json().prop_map(|event| event.to_string()), |event| check(&event));
}

#[test]
fn an_event_with_changes_is_routed_or_answered_with_what_is_wrong() {
    fuzz_both(&garbled(mutated(good()).prop_map(|event| event.to_string())), |event| check(&event));
}
