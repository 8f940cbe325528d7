//! The status function: JSON and page, from sources of which each may fail alone.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use aws_edge::stores::state::StoreError;
use breaker::{CorruptState, InvalidAttribute, Level, Policy, PolicySettings, Stored, SystemState, TransitionRecord};
use common::{Bank, NOW, at};
use serde_json::{Value, json};
use status::Records;

#[tokio::test]
async fn the_status_shows_the_state_and_what_callers_get() {
    let bank = Bank::at_level(Level::Degraded).failing(Level::Degraded, 152, 98);
    let body = bank.json("").await;
    let breaker = &body["circuitBreaker"];
    assert_eq!((&breaker["currentLevel"], &breaker["status"]), (&json!(2), &json!("degraded")));
    assert_eq!(breaker["activeService"], "degraded-service");
    let observed = &breaker["observed"];
    assert_eq!(
        (&observed["health"], &observed["failed"], &observed["requests"]),
        (&json!("failing"), &json!(152), &json!(250))
    );
    assert_eq!(observed["levels"][0]["level"], 2);
    assert_eq!(breaker["thresholds"]["level1To2Failures"], 5);
    assert_eq!(body["controllers"]["highestLevel"], 2.0);
    let metadata = &body["metadata"];
    assert_eq!((&metadata["deployment"], &metadata["stateSource"]), (&json!("bank-test"), &json!("table")));
    assert_eq!((&metadata["account"], &metadata["region"]), (&json!("123456789012"), &json!("eu-central-1")));
    assert_eq!(body["unavailable"], json!([]));
}

#[tokio::test]
async fn a_level_of_1_does_not_make_callers_healthy() {
    let bank = Bank::at_level(Level::Full).failing(Level::Full, 152, 98);
    let breaker = bank.json("").await["circuitBreaker"].take();
    assert_eq!((&breaker["status"], &breaker["observed"]["health"]), (&json!("healthy"), &json!("failing")));
}

#[tokio::test]
async fn without_the_table_the_level_is_the_controllers() {
    let bank = Bank { stored: Err(StoreError::Invalid("no answer".to_owned())), ..Bank::at_level(Level::Degraded) };
    let bank = bank.failing(Level::Degraded, 0, 50);
    let body = bank.json("history=3").await;
    let breaker = &body["circuitBreaker"];
    assert_eq!((&breaker["currentLevel"], &breaker["state"]), (&json!(2), &Value::Null));
    assert_eq!(body["metadata"]["stateSource"], "controllers");
    assert_eq!(body["unavailable"][0]["source"], "state");

    let silent = Bank { metrics_fail: true, ..bank };
    let body = silent.json("").await;
    let breaker = &body["circuitBreaker"];
    for absent in ["currentLevel", "status", "activeService", "observed", "state"] {
        assert_eq!(breaker[absent], Value::Null, "{absent}");
    }
    assert_eq!((&body["metadata"]["stateSource"], &body["controllers"]), (&json!("unknown"), &Value::Null));
}

#[tokio::test]
async fn a_missing_state_is_no_first_start() {
    for (stored, level, source) in [
        (Stored::Nothing, 1, "firstStart"),
        (Stored::Lost, 2, "controllers"),
        (Stored::Unreadable(CorruptState(InvalidAttribute::new("currentLevel", "is 4"))), 2, "controllers"),
    ] {
        let bank = Bank { stored: Ok(stored), ..Bank::at_level(Level::Degraded) }.failing(Level::Degraded, 0, 50);
        let body = bank.json("").await;
        assert_eq!(
            (&body["circuitBreaker"]["currentLevel"], &body["metadata"]["stateSource"]),
            (&json!(level), &json!(source))
        );
    }
}

#[tokio::test]
async fn each_source_may_fail_alone() {
    let whole = || Bank::at_level(Level::Full).failing(Level::Full, 0, 10);
    for (source, bank) in [
        ("metrics", Bank { metrics_fail: true, ..whole() }),
        ("alarms", Bank { alarms_fail: true, ..whole() }),
        ("alarmHistory", Bank { changes_fail: true, ..whole() }),
        ("records", Bank { records: None, ..whole() }),
    ] {
        let body = bank.json("history=5").await;
        let sources: Vec<_> = body["unavailable"].as_array().unwrap().iter().map(|one| one["source"].clone()).collect();
        assert_eq!((sources, &body["circuitBreaker"]["currentLevel"]), (vec![json!(source)], &json!(1)));
        assert_eq!(body["historyError"].is_string(), source == "records");
        assert!(bank.page("").await.contains("cannot be read"), "{source}");
    }
}

#[tokio::test]
async fn sources_are_read_once_however_many_look() {
    let bank = Bank::at_level(Level::Full);
    let function = bank.function();
    for query in ["", "hours=1", "history=3", "hours=6", "hours=6"] {
        bank.ask_of(&function, "GET /circuit-breaker", query, "text/html").await;
    }
    assert_eq!(bank.reads(), [("state", 5), ("metrics", 2), ("alarms", 1), ("changes", 2), ("records", 1)]);
}

#[tokio::test]
async fn the_history_is_as_long_as_it_is_asked_for() {
    let record = |epoch| TransitionRecord { epoch, ..TransitionRecord::first_start(at(epoch), "arn:execution") };
    let records = Records { transitions: (0..=9).rev().map(record).collect(), left_out: 2, ..Records::default() };
    let bank = Bank { records: Some(records), ..Bank::at_level(Level::Full) };
    let body = bank.json("history=2").await;
    let epochs: Vec<_> = body["history"].as_array().unwrap().iter().map(|record| record["epoch"].clone()).collect();
    assert_eq!((epochs, &body["historyLeftOut"]), (vec![json!(9), json!(8)], &json!(2)));
    assert_eq!(bank.json("history=100").await["history"].as_array().unwrap().len(), 10);
    assert_eq!(bank.json("").await.get("history"), None);
}

#[tokio::test]
async fn an_invalid_query_is_refused_by_its_name() {
    for (query, code) in [("history=all", "badHistory"), ("hours=2", "badHours")] {
        let answer = Bank::at_level(Level::Full).ask("GET /circuit-breaker", query, "application/json").await;
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!((&answer["statusCode"], &body["error"]), (&json!(400), &json!(code)));
    }
}

#[tokio::test]
async fn head_has_the_headers_and_no_body() {
    let bank = Bank::at_level(Level::Degraded);
    for path in ["/circuit-breaker", "/openapi.json"] {
        let [got, head] = ["GET", "HEAD"].map(|method| format!("{method} {path}"));
        let got = bank.ask(&got, "", "application/json").await;
        let head = bank.ask(&head, "", "application/json").await;
        assert_eq!((&got["statusCode"], &got["headers"]), (&head["statusCode"], &head["headers"]));
        assert!(head["body"] == "" && got["body"] != "");
    }
    let status = bank.ask("GET /circuit-breaker", "", "*/*").await;
    assert_eq!(status["headers"]["X-Circuit-Breaker-Level"], "2");
    let description = bank.ask("GET /openapi.json", "", "*/*").await;
    let description: Value = serde_json::from_str(description["body"].as_str().unwrap()).unwrap();
    assert_eq!(description["openapi"], "3.1.0");
}

#[tokio::test]
async fn an_event_of_another_route_is_refused() {
    let bank = Bank::at_level(Level::Full);
    for route in ["$default", "POST /circuit-breaker", "GET /account/1"] {
        assert_eq!(bank.ask(route, "", "*/*").await["statusCode"], 400, "{route}");
    }
    let answer = bank.function().handle(json!({"Records": []}), NOW).await.unwrap();
    assert_eq!(answer.status_code, 400);
}

#[tokio::test]
async fn the_status_names_the_preset_and_every_threshold() {
    let settings = PolicySettings { failure_rate_percent: 35, ..PolicySettings::production() };
    let settings = PolicySettings { mode: breaker::Mode::ObserveOnly, ..settings };
    let bank = Bank { policy: Policy::new(settings).unwrap(), ..Bank::at_level(Level::Full) };
    let told = bank.json("").await["circuitBreaker"].take();
    assert_eq!(
        told["policy"],
        json!({
            "preset": "production", "mode": "observe-only", "recoveryEvidence": "probes", "tripWhen": "any",
            "overrides": { "mode": "observe-only", "rates.failure_percent": "35" }
        })
    );
    let thresholds = &told["thresholds"];
    assert_eq!((&thresholds["failureRatePercent"], &thresholds["level1To2Failures"]), (&json!(35), &Value::Null));
    assert_eq!((&thresholds["slowCallMilliseconds"].is_u64(), &thresholds["probeCalls"]), (&true, &json!(20)));
}

#[tokio::test]
async fn the_status_tells_of_probes_refusals_and_the_ramp() {
    let production = Policy::new(PolicySettings::production()).unwrap();
    let with = |state: SystemState| Bank {
        stored: Ok(Stored::State(Box::new(state))),
        policy: production,
        ..Bank::at_level(Level::Degraded)
    };
    let state = async |state| with(state).json("").await["circuitBreaker"]["state"].take();
    let told = state(common::probing(None, None)).await;
    let probing = &told["probing"];
    assert_eq!(
        (&probing["active"], &probing["level"], &probing["percentOfSafeRequests"]),
        (&json!(true), &json!(1), &json!(7))
    );
    assert_eq!(probing["note"], Value::Null);
    let told = state(common::probing(Some(at(100)), None)).await;
    assert!(told["probing"]["note"].as_str().unwrap().contains("rest on level 2"));
    let told = state(common::probing(None, Some(at(200)))).await;
    let note = told["probing"]["note"].as_str().unwrap();
    assert!(note.contains("level 1 refuses most probes since") && note.contains("force level 1"), "{note}");
    let told = state(common::ramping()).await;
    let share = told["ramp"]["percentOfRequests"].as_f64().unwrap();
    assert!((50.0..60.0).contains(&share) && told["ramp"]["restToLevel"] == 2, "{told}");
}
