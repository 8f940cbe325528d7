//! Probes that the better level refuses, and how much of the callers' time probes take.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use breaker::{Level, PerLevel, Policy, PolicySettings, Probing, SystemState};
use common::{Answer, TestController, answer, ask, at_once, event, with_answers};
use controller::{InvokeError, ProbeLimit, StoredLevel};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

fn production() -> Policy {
    Policy::new(PolicySettings::production()).unwrap()
}

/// A state that has been at `level` for a minute, and in which each retryable request has probed for half a minute.
fn probing(level: u8) -> SystemState {
    let seconds_ago = |seconds| Timestamp::now() - SignedDuration::from_secs(seconds);
    let from = seconds_ago(30);
    let probing = Probing { from, percent: 100, percent_since: from, idle_since: None, refusing: None };
    SystemState {
        current_level: Level::try_from(level).unwrap(),
        version: 3,
        probing: Some(probing),
        ..SystemState::initial(&production(), seconds_ago(60))
    }
}

fn controller(state: SystemState, answers: [Answer; 3]) -> TestController {
    let stored = StoredLevel::Known(state.current_level, Some(Arc::new(state)));
    let controller = common::under(production(), with_answers(Ok(stored), answers));
    TestController { probe_limit: ProbeLimit::from(&production()), ..controller }
}

fn outcomes(expected: &[(u8, Option<&'static str>)]) -> Vec<(String, Option<&'static str>)> {
    expected.iter().map(|(level, outcome)| (level.to_string(), *outcome)).collect()
}

fn get() -> Value {
    event("GET", "/account/1")
}

#[tokio::test]
async fn a_refused_probe_is_recorded_and_the_current_level_answers() {
    for method in ["GET", "HEAD"] {
        for status in [400, 401, 403, 404, 405, 413, 429, 499] {
            for (level, better, service) in [(2, 1, "degraded-service"), (3, 2, "maintenance-service")] {
                let mut answers = [answer(200), answer(200), answer(200)];
                answers[usize::from(better) - 1] = answer(status);
                let controller = controller(probing(level), answers);
                let answer = ask(&controller, &event(method, "/account/1")).await;
                let headers = &answer["headers"];
                assert_eq!((&answer["statusCode"], &headers["X-Routed-To"]), (&json!(200), &json!(service)));
                assert_eq!(headers["X-Fallback-From"], Value::Null, "no caller sees a refusal");
                let expected = outcomes(&[(better, Some("ProbeRefused")), (level, Some("Success"))]);
                assert_eq!(controller.metrics.outcomes(), expected, "{status}");
            }
        }
    }
}

#[tokio::test]
async fn a_probe_that_is_too_large_is_refused_too() {
    for (problem, code) in
        [(InvokeError::AnswerTooLarge, "answer-too-large"), (InvokeError::TooLarge, "request-too-large")]
    {
        assert_eq!(problem.code(), code);
        let controller = controller(probing(2), [Err(problem), answer(200), answer(200)]);
        let answer = ask(&controller, &get()).await;
        assert_eq!((&answer["statusCode"], controller.services.asked()), (&json!(200), vec![1, 2]));
        let expected = outcomes(&[(1, Some("ProbeRefused")), (2, Some("Success"))]);
        assert_eq!(controller.metrics.outcomes(), expected, "{code}");
    }
}

#[tokio::test]
async fn a_refusal_has_the_dimensions_of_the_probed_level_alone() {
    let controller = controller(probing(2), [answer(401), answer(200), answer(200)]);
    ask(&controller, &get()).await;
    let sets = controller.metrics.sets("CircuitBreaker/Service");
    let expected = [("Deployment", "bank-test"), ("ServiceLevel", "1"), ("ServiceType", "full")];
    assert_eq!(sets[0].dimensions, expected.map(|(name, value)| (name, value.to_owned())));
    let names: Vec<_> = sets[0].metrics.iter().map(|metric| metric.name).collect();
    assert_eq!(names, ["ResponseTime", "ProbeRefused"], "neither success, failure nor slow call");
    assert!((sets[0].metrics[1].value - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn only_probes_are_recorded_as_refused() {
    // The current level refuses: the caller sees it, and it is no outcome.
    let controller = controller(probing(2), [answer(401), answer(404), answer(200)]);
    assert_eq!(ask(&controller, &get()).await["statusCode"], 404);
    assert_eq!(controller.metrics.outcomes(), outcomes(&[(1, Some("ProbeRefused")), (2, None)]));
    for method in ["OPTIONS", "POST", "DELETE"] {
        let controller = self::controller(probing(2), [answer(401), answer(404), answer(200)]);
        ask(&controller, &event(method, "/account/1")).await;
        assert_eq!(controller.metrics.outcomes(), outcomes(&[(2, None)]), "{method} does not probe");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_probe_an_environment_rests_nine_times_as_long() {
    let mut controller = controller(probing(2), [answer(200), answer(200), answer(200)]);
    controller.services.delays = PerLevel { full: Duration::from_mins(1), ..at_once() };
    let begun = tokio::time::Instant::now();
    let mut probes = Vec::new();
    while begun.elapsed() < Duration::from_secs(70) {
        let before = begun.elapsed();
        ask(&controller, &get()).await;
        let asked = std::mem::take(&mut *controller.services.sent.lock().unwrap());
        probes.extend((asked[0].level == 1).then_some(before.as_secs()));
        tokio::time::advance(Duration::from_millis(500)).await;
    }
    assert_eq!(probes, [0, 15, 30, 45, 60], "1.5 s of each 15");
}

#[tokio::test(start_paused = true)]
async fn a_slow_refusal_costs_no_more_time_than_a_failure() {
    let mut controller = controller(probing(2), [answer(401), answer(200), answer(200)]);
    controller.services.delays = PerLevel { full: Duration::from_millis(800), ..at_once() };
    let ask_at = async |seconds| {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        ask(&controller, &get()).await;
        std::mem::take(&mut *controller.services.sent.lock().unwrap())[0].level
    };
    assert_eq!([ask_at(0).await, ask_at(0).await, ask_at(7).await, ask_at(1).await], [1, 2, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn no_second_probe_starts_while_one_is_under_way() {
    let mut controller = controller(probing(2), [answer(200), answer(200), answer(200)]);
    controller.services.delays = PerLevel { full: Duration::from_secs(1), ..at_once() };
    let (first, second) = (get(), get());
    let both = tokio::join!(ask(&controller, &first), ask(&controller, &second));
    let routed = [&both.0, &both.1].map(|answer| answer["headers"]["X-Routed-To"].clone());
    assert_eq!(routed, ["full-service; probe", "degraded-service"]);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_probe_does_not_prevent_the_next_one() {
    let mut controller = controller(probing(2), [answer(200), answer(200), answer(200)]);
    controller.services.delays = PerLevel { full: Duration::from_mins(1), ..at_once() };
    let first = get();
    assert!(tokio::time::timeout(Duration::from_secs(1), ask(&controller, &first)).await.is_err());
    tokio::time::advance(Duration::from_secs(9)).await;
    controller.services.delays = at_once();
    assert_eq!(ask(&controller, &get()).await["headers"]["X-Routed-To"], "full-service; probe");
}
