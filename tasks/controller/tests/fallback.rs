//! A failed read is answered by the next level's service within the same request.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]
#![allow(clippy::unnecessary_wraps, reason = "what a double is told to answer")]

mod common;

use std::time::Duration;

use common::{Answer, TestController, answer, ask, event, stored, with_answers};
use controller::InvokeError;
use serde_json::{Value, json};

/// Each kind of failure with its name in the header.
fn failures() -> Vec<(Answer, &'static str)> {
    vec![
        (answer(500), "status-500"),
        (answer(503), "status-503"),
        (answer(504), "status-504"),
        (Err(InvokeError::Crashed("Unhandled".into())), "crash"),
        (Err(InvokeError::TimedOut), "timeout"),
        (Err(InvokeError::Lost("connection closed".into())), "lost"),
        (Err(InvokeError::Throttled), "throttled"),
        (Err(InvokeError::NotInvoked("no such function".into())), "not-invoked"),
        (Ok(b"no JSON".to_vec()), "invalid-response"),
    ]
}

fn declined() -> Answer {
    let answer = json!({ "statusCode": 503, "headers": { "X-Circuit-Breaker-Declined": "true", "Retry-After": "60" } });
    Ok(answer.to_string().into_bytes())
}

/// A controller at `level` whose services give these answers, by level.
fn at_level(level: u8, answers: [Answer; 3]) -> TestController {
    with_answers(Ok(stored(level)), answers)
}

fn outcomes(expected: &[(u8, Option<&'static str>)]) -> Vec<(String, Option<&'static str>)> {
    expected.iter().map(|(level, outcome)| (level.to_string(), *outcome)).collect()
}

#[tokio::test]
async fn fallback_and_declined_answers_have_metrics_of_their_own() {
    let told = async |answers: [Answer; 3]| {
        let controller = at_level(1, answers);
        ask(&controller, &event("GET", "/account/1")).await;
        let sets = controller.metrics.sets("CircuitBreaker/Service");
        sets.iter().map(|set| set.metrics.iter().map(|metric| metric.name).next_back().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(told([answer(200), answer(200), answer(200)]).await, ["Success"]);
    assert_eq!(told([declined(), answer(200), answer(200)]).await, ["Declined"]);
    assert_eq!(told([answer(500), answer(200), answer(200)]).await, ["Error", "Fallback"]);
    assert_eq!(told([answer(500), declined(), answer(200)]).await, ["Error", "Fallback"], "one request counts once");
    assert_eq!(told([answer(500), answer(500), answer(200)]).await, ["Error", "Error"], "the fallback failed too");
}

#[tokio::test]
async fn a_failed_get_or_head_is_answered_by_the_next_levels_service() {
    for (failure, why) in failures() {
        for (method, level, from, by) in [
            ("GET", 1, "full-service", "degraded-service"),
            ("HEAD", 1, "full-service", "degraded-service"),
            ("GET", 2, "degraded-service", "maintenance-service"),
        ] {
            let mut answers = [answer(200), answer(200), answer(200)];
            answers[usize::from(level) - 1] = failure.clone();
            let controller = at_level(level, answers);
            let answer = ask(&controller, &event(method, "/account/1")).await;
            assert_eq!(answer["statusCode"], 200);
            assert_eq!(answer["headers"]["X-Routed-To"], by);
            assert_eq!(answer["headers"]["X-Fallback-From"], format!("{from}; {why}"));
            assert_eq!(answer["headers"]["X-Circuit-Breaker-Level"], level.to_string());
            // The failure counts at the level that failed, and the answer at its own.
            let expected = outcomes(&[(level, Some("Error")), (level + 1, Some("Success"))]);
            assert_eq!(controller.metrics.outcomes(), expected);
            assert_eq!(controller.services.asked(), [level, level + 1]);
        }
    }
}

#[tokio::test]
async fn only_get_and_head_are_sent_twice() {
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "PROPFIND"] {
        for (failure, _) in failures() {
            let controller = at_level(1, [failure, answer(200), answer(200)]);
            let answer = ask(&controller, &event(method, "/transfer")).await;
            assert!(answer["statusCode"].as_u64().unwrap() >= 500);
            assert_eq!(controller.services.asked(), [1], "{method}");
            assert_eq!(answer["headers"]["X-Fallback-From"], Value::Null);
            assert_eq!(answer["headers"]["X-Routed-To"], "full-service");
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_no_failure_is_passed_on() {
    for (answered, status, outcome) in
        [(answer(200), 200, Some("Success")), (answer(404), 404, None), (declined(), 503, Some("Success"))]
    {
        let controller = at_level(1, [answered, answer(200), answer(200)]);
        let answer = ask(&controller, &event("GET", "/account/1")).await;
        assert_eq!((answer["statusCode"].clone(), controller.services.asked()), (json!(status), vec![1]));
        assert_eq!(controller.metrics.outcomes(), outcomes(&[(1, outcome)]));
    }
}

#[tokio::test]
async fn if_the_fallback_fails_too_the_caller_gets_the_first_error() {
    for (second, _) in failures() {
        let controller = at_level(1, [answer(502), second, answer(200)]);
        let answer = ask(&controller, &event("GET", "/account/1")).await;
        assert_eq!((&answer["statusCode"], &answer["body"]), (&json!(502), &json!("hello")));
        assert_eq!(answer["headers"]["X-Routed-To"], "full-service");
        assert_eq!(answer["headers"]["X-Fallback-From"], Value::Null);
        // One fallback only, not one for each level.
        assert_eq!(controller.metrics.outcomes(), outcomes(&[(1, Some("Error")), (2, Some("Error"))]));
    }
    let controller = at_level(1, [Err(InvokeError::TimedOut), answer(500), answer(200)]);
    let answer = ask(&controller, &event("GET", "/account/1")).await;
    assert_eq!((&answer["statusCode"], common::waits(&answer)), (&json!(503), true));
}

#[tokio::test]
async fn a_fallback_that_declines_or_refuses_is_the_answer() {
    for (second, status, outcome) in [(declined(), 503, Some("Success")), (answer(404), 404, None)] {
        let controller = at_level(1, [answer(500), second, answer(200)]);
        let answer = ask(&controller, &event("GET", "/account/1")).await;
        assert_eq!(answer["statusCode"], status);
        assert_eq!(answer["headers"]["X-Fallback-From"], "full-service; status-500");
        assert_eq!(answer["headers"]["X-Circuit-Breaker-Declined"], Value::Null);
        assert_eq!(controller.metrics.outcomes(), outcomes(&[(1, Some("Error")), (2, outcome)]));
    }
}

#[tokio::test]
async fn level_3_has_no_fallback() {
    let controller = at_level(3, [answer(200), answer(200), answer(500)]);
    assert_eq!(ask(&controller, &event("GET", "/account/1")).await["statusCode"], 500);
    assert_eq!(controller.services.asked(), [3]);
}

#[tokio::test]
async fn the_fallback_can_be_switched_off() {
    let mut controller = at_level(1, [answer(500), answer(200), answer(200)]);
    controller.rules.fallback = false;
    assert_eq!(ask(&controller, &event("GET", "/account/1")).await["statusCode"], 500);
    assert_eq!(controller.services.asked(), [1]);
}

#[tokio::test]
async fn the_fallback_service_gets_the_same_request_and_context() {
    let controller = at_level(1, [answer(500), answer(200), answer(200)]);
    let event = event("GET", "/account/1");
    ask(&controller, &event).await;
    let contexts: Vec<_> = controller
        .services
        .sent()
        .iter()
        .map(|sent| {
            let mut json = sent.json();
            let context = json.as_object_mut().unwrap().remove("circuitBreaker").unwrap();
            assert_eq!(json, event);
            context
        })
        .collect();
    assert_eq!(contexts[0], json!({ "level": 1, "status": "healthy", "epoch": 0, "deployment": "bank-test" }));
    assert_eq!(
        contexts[1],
        json!({ "level": 2, "status": "degraded", "epoch": 0, "deployment": "bank-test", "fallbackFrom": 1 })
    );
}

#[tokio::test]
async fn no_service_can_set_the_breakers_headers() {
    let liar =
        json!({ "statusCode": 200, "headers": { "x-fallback-from": "me", "X-ROUTED-TO": "me", "X-Mine": "kept" } });
    let controller = at_level(1, [Ok(liar.to_string().into_bytes()), answer(200), answer(200)]);
    let answer = ask(&controller, &event("GET", "/account/1")).await;
    let expected = json!({ "X-Mine": "kept", "X-Routed-To": "full-service", "X-Circuit-Breaker-Level": "1" });
    assert_eq!(answer["headers"], expected);
}

#[tokio::test(start_paused = true)]
async fn each_service_gets_its_timeout_or_the_time_left() {
    let controller = at_level(1, [answer(500), answer(500), answer(200)]);
    let event = serde_json::value::RawValue::from_string(event("GET", "/account/1").to_string()).unwrap();
    for (left, first, second) in [(28_000, 5_000, 5_000), (8_000, 4_000, 5_000), (3_000, 1_500, 3_000)] {
        let by = tokio::time::Instant::now() + Duration::from_millis(left);
        controller.handle(&event, by).await;
        let times: Vec<_> = controller.services.sent.lock().unwrap().drain(..).map(|sent| sent.time).collect();
        assert_eq!(times, [first, second].map(Duration::from_millis));
    }
}
