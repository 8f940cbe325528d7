//! Probes of the better level, the ramp after a recovery, and slow calls.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]
#![allow(clippy::unnecessary_wraps, reason = "what a double is told to answer")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use breaker::{Hold, Level, PerLevel, Policy, PolicySettings, Probing, Ramp, RequestRules, SystemState, draw};
use common::{Answer, TestController, answer, ask, at_once, event, with_answers};
use controller::{InvokeError, ProbeLimit, StoredLevel};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

fn production() -> Policy {
    Policy::new(PolicySettings::production()).unwrap()
}

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// A state that has been at `level` for a minute.
fn state(level: u8) -> SystemState {
    let then = Timestamp::now() - seconds(60);
    SystemState {
        current_level: Level::try_from(level).unwrap(),
        version: 3,
        ..SystemState::initial(&production(), then)
    }
}

/// A state in which this percentage of the retryable requests has probed for half a minute.
fn probing(level: u8, percent: u32) -> SystemState {
    let from = Timestamp::now() - seconds(30);
    SystemState {
        probing: Some(Probing { from, percent, percent_since: from, idle_since: None, refusing: None }),
        ..state(level)
    }
}

/// A state with a ramp of 100 s that began `ago` seconds ago.
fn ramping(level: u8, ago: i64) -> SystemState {
    let from = Timestamp::now() - seconds(ago);
    SystemState { ramp: Some(Ramp { from, until: from + seconds(100), first_percent: 10 }), ..state(level) }
}

fn controller(state: SystemState, answers: [Answer; 3]) -> TestController {
    let stored = StoredLevel::Known(state.current_level, Some(Arc::new(state)));
    let unlimited = ProbeLimit::new(1_000_000);
    TestController { probe_limit: unlimited, ..common::under(production(), with_answers(Ok(stored), answers)) }
}

fn all_well() -> [Answer; 3] {
    [answer(200), answer(200), answer(200)]
}

fn request(method: &str, id: &str) -> Value {
    let mut event = event(method, "/account/1");
    event["requestContext"]["requestId"] = json!(id);
    event
}

fn outcomes(expected: &[(u8, Option<&'static str>)]) -> Vec<(String, Option<&'static str>)> {
    expected.iter().map(|(level, outcome)| (level.to_string(), *outcome)).collect()
}

#[tokio::test]
async fn a_successful_probe_counts_at_the_better_level() {
    for (level, better, service) in [(2, 1, "full-service"), (3, 2, "degraded-service")] {
        let controller = controller(probing(level, 100), all_well());
        let answer = ask(&controller, &request("GET", "r")).await;
        assert_eq!((&answer["statusCode"], controller.services.asked()), (&json!(200), vec![better]));
        assert_eq!(answer["headers"]["X-Routed-To"], format!("{service}; probe"));
        assert_eq!(answer["headers"]["X-Circuit-Breaker-Level"], level.to_string());
        assert_eq!(answer["headers"]["X-Fallback-From"], Value::Null);
        assert_eq!(controller.metrics.outcomes(), outcomes(&[(better, Some("Success"))]));
        let context = controller.services.sent()[0].json()["circuitBreaker"].clone();
        assert_eq!((&context["level"], &context["probe"]), (&json!(better), &json!(true)));
        assert_eq!(context["fallbackFrom"], Value::Null);
    }
}

/// Each kind of failed probe, with its metric and its name in the header.
fn bad_probes() -> Vec<(Answer, Option<&'static str>, &'static str)> {
    vec![
        (answer(500), Some("Error"), "status-500"),
        (answer(503), Some("Error"), "status-503"),
        (Err(InvokeError::Crashed("Unhandled".into())), Some("Error"), "crash"),
        (Err(InvokeError::TimedOut), Some("Error"), "timeout"),
        (Err(InvokeError::Lost("connection closed".into())), Some("Error"), "lost"),
        (Err(InvokeError::Throttled), Some("Error"), "throttled"),
        (Err(InvokeError::NotInvoked("no such function".into())), Some("Error"), "not-invoked"),
        (Ok(b"no JSON".to_vec()), Some("Error"), "invalid-response"),
        (Err(InvokeError::AnswerTooLarge), Some("ProbeRefused"), "answer-too-large"),
    ]
}

#[tokio::test]
async fn a_failed_probe_is_answered_by_the_current_level() {
    for (failure, outcome, why) in bad_probes() {
        for method in ["GET", "HEAD"] {
            let controller = controller(probing(2, 100), [failure.clone(), answer(200), answer(200)]);
            let answer = ask(&controller, &request(method, "r")).await;
            assert_eq!((&answer["statusCode"], controller.services.asked()), (&json!(200), vec![1, 2]), "{why}");
            assert_eq!(answer["headers"]["X-Routed-To"], "degraded-service");
            assert_eq!(answer["headers"]["X-Fallback-From"], format!("full-service; {why}; probe"));
            assert_eq!(controller.metrics.outcomes(), outcomes(&[(1, outcome), (2, Some("Success"))]), "{why}");
            assert_eq!(controller.services.sent()[1].json()["circuitBreaker"]["fallbackFrom"], 1);
        }
    }
}

#[tokio::test]
async fn a_declined_answer_of_a_probe_is_the_answer() {
    let declined = json!({ "statusCode": 503, "headers": { "X-Circuit-Breaker-Declined": "true" } });
    let declined = Ok(declined.to_string().into_bytes());
    let controller = controller(probing(2, 100), [declined, answer(200), answer(200)]);
    let answer = ask(&controller, &request("GET", "r")).await;
    assert_eq!(
        (&answer["statusCode"], &answer["headers"]["X-Routed-To"]),
        (&json!(503), &json!("full-service; probe"))
    );
    assert_eq!(controller.metrics.outcomes(), outcomes(&[(1, Some("Success"))]));
}

#[tokio::test(start_paused = true)]
async fn after_a_probe_the_current_level_has_its_whole_timeout() {
    let mut controller = controller(probing(2, 100), all_well());
    let long = Duration::from_secs(14);
    controller.rules = RequestRules { service_timeouts: PerLevel::same(long), read_timeout: None, ..controller.rules };
    controller.services.delays = PerLevel { full: Duration::from_mins(1), ..at_once() };
    ask(&controller, &request("GET", "r")).await;
    assert_eq!(controller.services.sent()[1].time, long);
}

#[tokio::test]
async fn if_the_current_level_fails_too_the_probe_changes_nothing() {
    for fallback in [true, false] {
        let mut controller = controller(probing(2, 100), [answer(500), answer(502), answer(200)]);
        controller.rules.fallback = fallback;
        let answer = ask(&controller, &request("GET", "r")).await;
        let (status, routed_to) = if fallback { (200, "maintenance-service") } else { (502, "degraded-service") };
        assert_eq!((&answer["statusCode"], &answer["headers"]["X-Routed-To"]), (&json!(status), &json!(routed_to)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_probe_is_cut_off_and_the_current_level_answers() {
    for delay in [1_501, 60_000] {
        let mut controller = controller(probing(2, 100), all_well());
        controller.services.delays = PerLevel { full: Duration::from_millis(delay), ..at_once() };
        let begun = tokio::time::Instant::now();
        let answer = ask(&controller, &request("GET", "r")).await;
        assert_eq!(begun.elapsed().as_millis(), 1_500, "the preset's slow call, and not the time budget of a read");
        assert_eq!(
            (&answer["statusCode"], &answer["headers"]["X-Fallback-From"]),
            (&json!(200), &json!("full-service; timeout; probe"))
        );
        assert_eq!(controller.metrics.outcomes(), outcomes(&[(1, Some("Error")), (2, Some("Success"))]));
        assert_eq!(controller.metrics.slow_calls(), ["1"]);
        assert_eq!(controller.services.sent()[1].time, Duration::from_secs(2), "the current level has its whole time");
    }
}

#[tokio::test(start_paused = true)]
async fn if_no_call_is_slow_a_probe_has_the_levels_own_timeout() {
    let settings =
        PolicySettings { slow_call_milliseconds: 0, slow_call_rate_percent: 0, ..PolicySettings::production() };
    let mut controller = common::under(Policy::new(settings).unwrap(), controller(probing(2, 100), all_well()));
    controller.rules.read_timeout = None;
    controller.services.delays = PerLevel { full: Duration::from_secs(9), ..at_once() };
    let answer = ask(&controller, &request("GET", "r")).await;
    assert_eq!(answer["headers"]["X-Fallback-From"], "full-service; timeout; probe");
    assert_eq!(controller.services.sent()[0].time, Duration::from_secs(5));
    assert!(controller.metrics.slow_calls().is_empty());
}

#[tokio::test]
async fn without_time_for_the_current_level_after_it_no_probe_is_sent() {
    let controller = controller(probing(2, 100), all_well());
    let event = serde_json::value::RawValue::from_string(request("GET", "r").to_string()).unwrap();
    let by = tokio::time::Instant::now() + Duration::from_millis(3_400);
    controller.handle(&event, by).await;
    assert_eq!(controller.services.asked(), [2]);
}

#[tokio::test]
async fn only_get_and_head_probe() {
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get"] {
        let controller = controller(probing(2, 100), all_well());
        ask(&controller, &request(method, "r")).await;
        assert_eq!(controller.services.asked(), [2], "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_environment_sends_no_more_probes_a_second_than_it_may() {
    let controller = TestController { probe_limit: ProbeLimit::new(3), ..controller(probing(2, 100), all_well()) };
    let ask_ten = async || {
        for n in 0..10 {
            ask(&controller, &request("GET", &n.to_string())).await;
        }
        std::mem::take(&mut *controller.services.sent.lock().unwrap()).iter().map(|sent| sent.level).collect::<Vec<_>>()
    };
    assert_eq!(ask_ten().await, [1, 1, 1, 2, 2, 2, 2, 2, 2, 2]);
    assert_eq!(ask_ten().await, [2; 10]);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(ask_ten().await[..4], [1, 1, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_requests_id_alone_chooses_whether_it_probes() {
    let controller = controller(probing(2, 25), all_well());
    let mut probes = 0;
    for n in 0..2_000 {
        let id = format!("request-{n}=");
        ask(&controller, &request("GET", &id)).await;
        let level = controller.services.sent.lock().unwrap().pop().unwrap().level;
        assert_eq!(level == 1, draw(&id) < 2_500, "{id}");
        probes += u32::from(level == 1);
    }
    // Five standard deviations.
    assert!((403..=597).contains(&probes), "{probes} of 2,000 at 25 %");
}

fn hold(level: Level, minutes: i64) -> Hold {
    let expires_at = Timestamp::now() + SignedDuration::from_mins(minutes);
    Hold { level, reason: "a drill".into(), requested_by: "alice".into(), expires_at, execution: None }
}

#[tokio::test]
async fn nothing_probes_during_a_hold_or_before_its_time() {
    let begins = |seconds_from_now| {
        let from = Timestamp::now() + seconds(seconds_from_now);
        Some(Probing { from, percent: 100, percent_since: from, idle_since: None, refusing: None })
    };
    for (what, state, level) in [
        ("held", SystemState { hold: Some(hold(Level::Degraded, 5)), ..probing(2, 100) }, 2),
        ("a hold that is over", SystemState { hold: Some(hold(Level::Degraded, -5)), ..probing(2, 100) }, 1),
        ("the cooldown lasts", SystemState { probing: begins(20), ..state(2) }, 2),
        ("not probing", state(2), 2),
        ("during a ramp", SystemState { ramp: ramping(2, 99).ramp, ..probing(2, 100) }, 2),
        ("at level 1", SystemState { probing: begins(-20), ..state(1) }, 1),
    ] {
        let controller = controller(state, all_well());
        // A request that the level itself takes during the ramp.
        let id = (0..1_000).map(|n: u32| n.to_string()).find(|id| draw(id) < 5_000).unwrap();
        ask(&controller, &request("GET", &id)).await;
        assert_eq!(controller.services.asked(), [level], "{what}");
    }
}

#[tokio::test]
async fn with_only_the_level_known_nothing_probes_or_ramps() {
    let controller = with_answers(Ok(StoredLevel::Known(Level::Degraded, None)), all_well());
    ask(&controller, &request("GET", "r")).await;
    assert_eq!(controller.services.asked(), [2]);
}

#[tokio::test]
async fn a_ramps_share_of_all_requests_grows_with_time() {
    for (ago, percent) in [(0, 10), (5, 10), (25, 25), (50, 50), (90, 90), (100, 100)] {
        for method in ["GET", "POST"] {
            let controller = controller(ramping(1, ago), all_well());
            let mut taken = 0;
            for n in 0..1_000 {
                let answer = ask(&controller, &request(method, &format!("{n}="))).await;
                let level = controller.services.sent.lock().unwrap().pop().unwrap().level;
                taken += i32::from(level == 1);
                let service = if level == 1 { "full-service" } else { "degraded-service" };
                assert_eq!(answer["headers"]["X-Routed-To"], service);
                assert_eq!(answer["headers"]["X-Circuit-Breaker-Level"], "1");
            }
            // Five standard deviations, and what the share grows by while the test runs.
            assert!((taken - percent * 10).abs() <= 90, "{taken} of 1,000 after {ago} s");
        }
    }
}

#[tokio::test]
async fn a_hold_ends_a_ramp_and_all_requests_go_to_the_level() {
    let controller = controller(SystemState { hold: Some(hold(Level::Full, 5)), ..ramping(1, 0) }, all_well());
    for n in 0..100 {
        ask(&controller, &request("POST", &n.to_string())).await;
    }
    assert_eq!(controller.services.asked(), [1; 100]);
}

#[tokio::test]
async fn the_worse_level_of_a_ramp_counts_and_falls_back() {
    let id = (0..1_000).map(|n: u32| n.to_string()).find(|id| draw(id) > 9_000).unwrap();
    let controller = controller(ramping(1, 0), [answer(200), Err(InvokeError::TimedOut), answer(200)]);
    let answer = ask(&controller, &request("GET", &id)).await;
    assert_eq!(answer["headers"]["X-Routed-To"], "maintenance-service");
    assert_eq!(answer["headers"]["X-Fallback-From"], "degraded-service; timeout");
    assert_eq!(controller.metrics.outcomes(), outcomes(&[(2, Some("Error")), (3, Some("Success"))]));
    let answer = ask(&controller, &request("POST", &id)).await;
    assert_eq!((&answer["statusCode"], &answer["headers"]["X-Routed-To"]), (&json!(504), &json!("degraded-service")));
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["level"], 2, "the level whose service was asked");
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_is_recorded_with_its_outcome() {
    let well = |status| answer(status);
    for (delay, answered, outcome, slow) in [
        (1_499, well(200), Some("Success"), false),
        (1_500, well(200), Some("Success"), true),
        (1_500, well(500), Some("Error"), true),
        (1_500, well(404), None, false),
    ] {
        let mut controller = controller(state(1), [answered, well(200), well(200)]);
        controller.services.delays = PerLevel { full: Duration::from_millis(delay), ..at_once() };
        ask(&controller, &request("POST", "r")).await;
        assert_eq!(controller.metrics.outcomes(), outcomes(&[(1, outcome)]));
        assert_eq!(!controller.metrics.slow_calls().is_empty(), slow, "{delay} ms, {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn if_no_call_is_slow_none_is_recorded_as_slow() {
    let mut controller = common::under(common::policy(), controller(state(1), all_well()));
    controller.services.delays = PerLevel { full: Duration::from_secs(4), ..at_once() };
    ask(&controller, &request("GET", "r")).await;
    assert!(controller.metrics.slow_calls().is_empty());
}
