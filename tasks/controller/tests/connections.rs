//! Connections to Lambda's front end that break, and the effect on the caller and on the level.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;
#[path = "../../shared/aws/tests/front_end/mod.rs"]
mod front_end;

use std::sync::Arc;
use std::time::Duration;

use aws_edge::clients::lambda_without_retries;
use aws_edge::connections::{Connections, tls};
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use breaker::{Level, PerLevel, PolicySettings, Probing, RequestRules, SystemState};
use common::{Recorded, Table, TestController, answer, ask, event, five_seconds, no_hurry, policy, stored};
use controller::{Controller, InvokeError, LambdaServices, ProbeLimit, StateCache, StoredLevel};
use front_end::{BOTH, FrontEnd, Reply};
use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::Instant;

type Real = Controller<&'static Table, LambdaServices, Recorded>;

fn well() -> Reply {
    Reply::answer(r#"{"statusCode":200,"body":"hello"}"#)
}

/// A controller at level 1 with the client of a Lambda, and the front end of all its services.
fn real(script: impl IntoIterator<Item = Reply>) -> (FrontEnd, Real) {
    let front_end = FrontEnd::start(BOTH, script);
    let connections = Connections::new(tls().unwrap(), front_end.trusted(), SystemTimeSource::new());
    let connector = SharedHttpConnector::new(connections);
    let config = common::stubs::config(&front_end.url()).into_builder();
    let config = config.http_client(http_client_fn(move |_, _| connector.clone())).build();
    let functions = PerLevel { full: "full".to_owned(), degraded: "degraded".to_owned(), maintenance: "m".to_owned() };
    let controller = Controller {
        states: StateCache::new(common::table(Ok(stored(1))), Duration::ZERO, Level::Maintenance),
        services: LambdaServices { client: lambda_without_retries(&config), functions },
        rules: RequestRules::new(&policy(), five_seconds()),
        probe_limit: ProbeLimit::new(0),
        metrics: Recorded::default(),
        deployment: "bank-test".to_owned(),
        policy: policy(),
    };
    (front_end, controller)
}

/// Returns the outcomes by level, and the number of lost connections.
fn told(metrics: &Recorded) -> (Vec<(String, Option<&'static str>)>, usize) {
    (metrics.outcomes(), metrics.values("ConnectionLost").len())
}

fn outcome(level: u8, outcome: &'static str) -> (String, Option<&'static str>) {
    (level.to_string(), Some(outcome))
}

async fn ask_until(controller: &Real, method: &str, answer_by: Instant) -> Value {
    let event = RawValue::from_string(event(method, "/account/1").to_string()).unwrap();
    serde_json::from_str(controller.handle(&event, answer_by).await.get()).unwrap()
}

#[tokio::test]
async fn calls_after_a_timeout_use_another_connection() {
    let (front_end, controller) = real([well(), Reply::Silence, well(), well()]);
    assert_eq!(ask_until(&controller, "POST", no_hurry()).await["statusCode"], 200);
    // The call has 700 ms, less than its timeout of 5 s.
    let soon = Instant::now() + Duration::from_millis(700);
    assert_eq!(ask_until(&controller, "POST", soon).await["statusCode"], 504);
    for _ in 0..2 {
        assert_eq!(ask_until(&controller, "POST", no_hurry()).await["statusCode"], 200);
    }
    let seen = front_end.connections();
    assert!(seen[2] != seen[0] && seen[3] != seen[0], "{seen:?}");
    // The service hung: that is a failure of the level.
    let [success, error] = ["Success", "Error"].map(|name| outcome(1, name));
    assert_eq!(told(&controller.metrics), (vec![success.clone(), error, success.clone(), success], 0));
}

#[tokio::test]
async fn a_read_is_tried_again_on_a_new_connection() {
    for method in ["GET", "HEAD"] {
        let (front_end, controller) = real([well(), Reply::HangUp, well()]);
        for _ in 0..2 {
            let answer = ask(&controller, &event(method, "/account/1")).await;
            assert_eq!(
                (&answer["statusCode"], &answer["headers"]["X-Routed-To"]),
                (&json!(200), &json!("full-service"))
            );
            assert_eq!(answer["headers"]["X-Fallback-From"], Value::Null);
        }
        let seen = front_end.connections();
        assert!(seen.len() == 3 && seen[2] != seen[1], "{seen:?}");
        assert_eq!(told(&controller.metrics), (vec![outcome(1, "Success"); 2], 1));
    }
}

#[tokio::test]
async fn no_other_method_is_tried_again() {
    for (method, status, code) in [
        ("POST", 504, "outcomeUnknown"),
        ("PUT", 504, "outcomeUnknown"),
        ("DELETE", 504, "outcomeUnknown"),
        // Safe, so that its caller may repeat it, but not retryable here.
        ("OPTIONS", 503, "serviceUnavailable"),
    ] {
        for breaks in [Reply::HangUp, Reply::CutShort] {
            let (front_end, controller) = real([breaks, well()]);
            let answer = ask(&controller, &event(method, "/transfer")).await;
            assert_eq!(answer["statusCode"], status, "{method}");
            assert!(answer["body"].as_str().unwrap().contains(code), "{answer}");
            assert_eq!(front_end.seen().len(), 1, "{method}");
            assert_eq!(told(&controller.metrics), (vec![], 1));
        }
    }
}

#[tokio::test]
async fn a_request_that_was_never_sent_is_sent_once_more() {
    for (method, status, asked, outcomes) in [
        ("POST", 503, vec![1, 1], vec![]),
        ("DELETE", 503, vec![1, 1], vec![]),
        ("GET", 200, vec![1, 1, 2], vec![outcome(2, "Success")]),
    ] {
        let unsent = Err(InvokeError::NotConnected("refused".to_owned()));
        let controller = common::with_answers(Ok(stored(1)), [unsent, answer(200), answer(200)]);
        let answer = ask(&controller, &event(method, "/transfer")).await;
        assert_eq!(answer["statusCode"], status, "{method}");
        let is_told = answer["body"].as_str().unwrap_or_default().contains("The request was not carried out.");
        assert_eq!((controller.services.asked(), is_told), (asked, status == 503), "{method}");
        assert_eq!(told(&controller.metrics), (outcomes, 2), "{method}");
    }
}

#[tokio::test]
async fn a_failure_to_connect_to_lambda_is_no_outcome() {
    let (front_end, controller) = real([well()]);
    drop(front_end);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(ask(&controller, &event("POST", "/transfer")).await["statusCode"], 503);
    assert_eq!(told(&controller.metrics), (vec![], 2));
}

#[tokio::test]
async fn a_read_that_is_lost_twice_gets_the_fallback() {
    let (front_end, controller) = real([Reply::HangUp, Reply::HangUp, well()]);
    let answer = ask(&controller, &event("GET", "/account/1")).await;
    assert_eq!((&answer["statusCode"], &answer["headers"]["X-Routed-To"]), (&json!(200), &json!("degraded-service")));
    assert_eq!(answer["headers"]["X-Fallback-From"], "full-service; connection-lost");
    assert_eq!(front_end.seen().len(), 3);
    assert_eq!(told(&controller.metrics), (vec![outcome(2, "Success")], 2));
}

#[tokio::test]
async fn a_read_that_is_always_lost_gets_503() {
    let (front_end, controller) = real([Reply::HangUp]);
    let answer = ask(&controller, &event("GET", "/account/1")).await;
    assert_eq!((&answer["statusCode"], common::waits(&answer)), (&json!(503), true));
    // Twice at the level, and twice at the next one.
    assert_eq!((front_end.seen().len(), told(&controller.metrics)), (4, (vec![], 4)));
}

#[tokio::test]
async fn a_cut_answer_is_not_asked_for_again() {
    let (front_end, controller) = real([Reply::CutShort, well()]);
    let answer = ask(&controller, &event("GET", "/account/1")).await;
    assert_eq!((&answer["statusCode"], &answer["headers"]["X-Routed-To"]), (&json!(200), &json!("degraded-service")));
    assert_eq!(answer["headers"]["X-Fallback-From"], "full-service; answer-cut-short");
    assert_eq!(front_end.seen().len(), 2);
    assert_eq!(told(&controller.metrics), (vec![outcome(2, "Success")], 1));
}

#[tokio::test]
async fn an_error_of_lambda_is_a_failure_of_the_level() {
    let (front_end, controller) = real([Reply::Error(500, "ServiceException"), well()]);
    assert_eq!(ask(&controller, &event("POST", "/transfer")).await["statusCode"], 504);
    assert_eq!((front_end.seen().len(), told(&controller.metrics)), (1, (vec![outcome(1, "Error")], 0)));
}

#[tokio::test]
async fn requests_after_a_lost_one_do_not_meet_dead_connections() {
    let (front_end, controller) = real([Reply::HangUp, well()]);
    // Concurrent invocations share no connection, and later ones open new connections.
    let reads = (0..4).map(|_| ask_until(&controller, "GET", no_hurry()));
    for answer in futures::future::join_all(reads).await {
        assert_eq!((&answer["statusCode"], &answer["headers"]["X-Fallback-From"]), (&json!(200), &Value::Null));
    }
    assert_eq!((front_end.seen().len(), told(&controller.metrics).1), (5, 1));
}

#[tokio::test]
async fn a_probe_that_is_lost_proves_nothing() {
    let production = breaker::Policy::new(PolicySettings::production()).unwrap();
    let then = Timestamp::now() - SignedDuration::from_secs(60);
    let probing = Some(Probing { from: then, percent: 100, percent_since: then, idle_since: None, refusing: None });
    let state = SystemState { current_level: Level::Degraded, probing, ..SystemState::initial(&production, then) };
    for (lost, asked) in [
        (InvokeError::ConnectionLost("reset".to_owned()), vec![1, 1, 2]),
        (InvokeError::AnswerCutShort("reset".to_owned()), vec![1, 2]),
    ] {
        let stored = Ok(StoredLevel::Known(Level::Degraded, Some(Arc::new(state.clone()))));
        let controller = common::with_answers(stored, [Err(lost), answer(200), answer(200)]);
        let unlimited = ProbeLimit::new(1_000_000);
        let controller = TestController { probe_limit: unlimited, ..common::under(production, controller) };
        let answer = ask(&controller, &event("GET", "/account/1")).await;
        assert_eq!((&answer["statusCode"], controller.services.asked()), (&json!(200), asked.clone()));
        assert_eq!(answer["headers"]["X-Fallback-From"], Value::Null);
        assert_eq!(told(&controller.metrics), (vec![outcome(2, "Success")], asked.len() - 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_try_has_the_time_that_is_left() {
    let lost = Err(InvokeError::ConnectionLost("reset".to_owned()));
    for (delay_ms, times_ms) in [(1_000, vec![5_000, 4_000]), (4_960, vec![5_000])] {
        let controller = common::with_answers(Ok(stored(1)), [lost.clone(), answer(200), answer(200)]);
        let delays = PerLevel { full: Duration::from_millis(delay_ms), ..common::at_once() };
        let controller = Controller { services: common::Services { delays, ..controller.services }, ..controller };
        let answer = ask(&controller, &event("GET", "/account/1")).await;
        assert_eq!(answer["headers"]["X-Fallback-From"], "full-service; connection-lost");
        let sent = controller.services.sent();
        let times: Vec<_> = sent.iter().filter(|sent| sent.level == 1).map(|sent| sent.time.as_millis()).collect();
        assert_eq!(times, times_ms);
        assert_eq!(controller.metrics.slow_calls(), [""; 0]);
    }
}
