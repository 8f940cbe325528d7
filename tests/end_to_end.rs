//! Tests the whole chain on a local AWS. Each test starts its own local AWS.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::collections::BTreeSet;

use breaker::{Level, TransitionRecord, TransitionRequest};
use local::demo::{Cycle, force};
use local::progress::Progress;
use local::stack::LocalStack;
use local::watch::Watch;
use serde_json::{Value, json};

use common::{System, alarm_message, eventually, execute_on, quick};

mod common;

/// Metrics that exist only during a fault or a hold, so that this cycle does not emit them.
const NOT_EMITTED_HERE: [&str; 7] = [
    "ConnectionLost",
    "ExecutionsThrottled",
    "HoldMinutesLeft",
    "NotificationMissing",
    "ProbesRefused",
    "StateAgeSeconds",
    "StateUnknown",
];

async fn emitted_metrics(stack: &LocalStack) -> BTreeSet<(String, String, Vec<(String, String)>)> {
    let client = aws_sdk_cloudwatch::Client::new(stack.sdk());
    let metrics = client.list_metrics().send().await.unwrap();
    let dimensions = |metric: &aws_sdk_cloudwatch::types::Metric| {
        let mut dimensions: Vec<_> = metric
            .dimensions()
            .iter()
            .map(|dimension| (dimension.name().unwrap().to_owned(), dimension.value().unwrap().to_owned()))
            .collect();
        dimensions.sort();
        dimensions
    };
    metrics
        .metrics()
        .iter()
        .map(|metric| {
            (metric.namespace().unwrap().to_owned(), metric.metric_name().unwrap().to_owned(), dimensions(metric))
        })
        .collect()
}

async fn is_shown(system: &System, record: &TransitionRecord, health: &str) {
    let status = system.status().await;
    assert_eq!(status["circuitBreaker"]["currentLevel"], record.to.number());
    assert_eq!(status["circuitBreaker"]["status"], health);
    assert_eq!(status["circuitBreaker"]["state"]["transitionReason"], record.reason);
    let state = system.watch().state().await.unwrap();
    assert!(state.epoch >= record.epoch && state.version >= state.epoch);
}

#[tokio::test(flavor = "multi_thread")]
async fn alarms_lead_to_level_3_and_evaluations_lead_back() {
    let system = System::start(&quick()).await;
    let System { stack, deployment, gateway, .. } = &system;
    // Without the schedule only alarms can move the level.
    system.without_schedule().await;
    let mut cycle = Cycle::new(stack, deployment, gateway.address()).unwrap();
    for (epoch, level, health) in [(1, 2, "degraded"), (2, 3, "maintenance")] {
        let record = cycle.expect("failing traffic", true, level).await.unwrap();
        assert_eq!((record.epoch, record.to.number()), (epoch, level));
        assert!(matches!(record.request, Some(TransitionRequest::Alarm(_))), "{:?}", record.request);
        assert!(record.evidence.is_some() && record.policy.is_some());
        is_shown(&system, &record, health).await;
    }
    for (epoch, level, health) in [(3, 2, "degraded"), (4, 1, "healthy")] {
        let record = tokio::select! {
            record = cycle.expect("good traffic", false, level) => record.unwrap(),
            () = system.looks() => unreachable!("the evaluations never end"),
        };
        assert_eq!((record.epoch, record.to.number()), (epoch, level));
        assert!(record.evidence.is_some() && record.request.is_some() && record.policy.is_some());
        is_shown(&system, &record, health).await;
    }
    assert_eq!(system.history().await[0].reason, "First start");
    system.queue_is_empty().await;
    assert!(system.processor_sum("FailureAlarmProcessed").await >= 2.0, "an alarm started each fall");
    assert!(system.processor_sum("ProcessingErrors").await < 0.5, "no alarm needed a second try");

    let expected = [
        ("CircuitBreaker/Service", &["Success", "Error", "ResponseTime"][..]),
        ("CircuitBreaker/Controller", &["Invocation", "CurrentLevel", "FailureCount", "SuccessCount", "ResponseTime"]),
        (
            "CircuitBreaker/AlarmProcessor",
            &["RecordsProcessed", "ProcessingErrors", "FailureAlarmProcessed", "RecoveryAlarmProcessed"],
        ),
        ("CircuitBreaker/Transitions", &["Evaluation", "CurrentLevel", "Transition"]),
    ];
    let emitted = emitted_metrics(stack).await;
    for (namespace, names) in expected {
        for name in names {
            assert!(
                emitted.iter().any(|(space, metric, _)| space == namespace && metric == name),
                "{namespace} {name}"
            );
        }
    }
    let alarms = stack.alarms();
    assert_eq!(alarms.len(), 35, "four level alarms and the alarms for people");
    for alarm in alarms {
        for series in alarm.definition.watched.series() {
            let metric = series.metric.clone();
            if NOT_EMITTED_HERE.contains(&metric.name.as_str()) {
                continue;
            }
            if !metric.namespace.starts_with("AWS/") {
                let dimensions = metric.dimensions.into_iter().collect();
                assert!(
                    emitted.contains(&(metric.namespace, metric.name, dimensions)),
                    "{} watches a metric that is not emitted",
                    alarm.name
                );
            }
        }
    }
}

/// The origin whose pages may call the API, and another.
const ORIGINS: [&str; 2] = ["https://www.bank.example", "https://www.other.example"];

/// A browser's page of the named origin may read answers, and that of another may not. The preflight reaches no
/// function, so it has no outcome.
async fn only_pages_of_the_named_origin_may_call(system: &System) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/account/12345", system.gateway.address());
    for (origin, allowed) in ORIGINS.into_iter().zip([Some(ORIGINS[0]), None]) {
        let preflight = client.request(reqwest::Method::OPTIONS, &url).header("Origin", origin);
        let preflight = preflight.header("Access-Control-Request-Method", "GET").send().await.unwrap();
        let answer = client.get(&url).header("Origin", origin).send().await.unwrap();
        // A browser looks at the headers alone. AWS answers the preflight of another origin with 204, the local AWS with 403.
        assert!(allowed.is_none() || preflight.status() == 204, "{origin}: {}", preflight.status());
        assert_eq!(answer.status(), 200, "{origin}");
        assert_eq!(preflight.headers().get("x-circuit-breaker-level"), None, "the controller answered a preflight");
        for headers in [preflight.headers(), answer.headers()] {
            let told = headers.get("access-control-allow-origin").map(|value| value.to_str().unwrap());
            assert_eq!(told, allowed, "{origin}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_force_a_level_and_bad_input_is_refused_by_name() {
    let system = System::start(&quick().with("api.cors.origins", &format!("[{:?}]", ORIGINS[0]))).await;
    only_pages_of_the_named_origin_may_call(&system).await;
    let System { stack, deployment, .. } = &system;
    let watch = system.watch();
    let refused = async |input: Value| system.execute(&input).await.unwrap_err();
    for (input, field) in [
        (json!({"trigger": "force", "targetLevel": 2, "requestedBy": "alice"}), "reason"),
        (json!({"trigger": "schedule", "levle": 1}), "levle"),
        (json!({"trigger": "force", "targetLevel": "two", "reason": "x", "requestedBy": "y"}), "targetLevel"),
        (json!({"trigger": "force", "targetLevel": 4, "reason": "x", "requestedBy": "y"}), "targetLevel"),
        (json!([]), "trigger"),
    ] {
        let refusal = TransitionRequest::parse(input.clone()).unwrap_err();
        assert_eq!(refusal.field(), field);
        assert_eq!(refused(input).await, ("InvalidRequest".to_owned(), refusal.to_string()));
    }
    assert!(watch.record(1).await.unwrap().is_none(), "nothing was changed");

    force(stack, deployment, 3, "a drill").await.unwrap();
    let record = system.transition(1).await;
    assert_eq!((record.from, record.to), (Level::Full, Level::Maintenance));
    assert_eq!(record.reason, "forced from level 1 to level 3 by demonstration: a drill");
    system.routed(3, "table").await;

    let dry_run = json!({"trigger": "force", "targetLevel": 1, "reason": "x", "requestedBy": "y", "dryRun": true});
    let answer = system.execute(&dry_run).await.unwrap();
    assert_eq!((&answer["outcome"], &answer["dryRun"]), (&json!("transition"), &json!(true)));
    assert_eq!(watch.state().await.unwrap().current_level, Level::Maintenance);
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_messages_end_in_the_dead_letter_queue() {
    let system = System::start(&quick()).await;
    // The queue differs from the deployed one only in the time until it delivers a message again.
    system.messages_come_back_after(5).await;
    system.corrupt_state().await;
    let (poison, alarm) = ("{\"AlarmName\": 7}", alarm_message(&system, "level-1-error-rate", 0));
    system.send(poison).await;
    system.send(&alarm).await;
    let mut dead = BTreeSet::new();
    eventually("two dead letters", async || {
        let received = system.queues().receive_message().queue_url(system.deployment.output("DeadLetterQueueUrl"));
        let received = received.send().await.unwrap();
        dead.extend(received.messages().iter().map(|message| message.body().unwrap().to_owned()));
        (dead.len() == 2).then_some(())
    })
    .await;
    assert_eq!(dead, BTreeSet::from([poison.to_owned(), alarm]));
    assert!(system.processor_sum("ProcessingErrors").await > 5.5, "each was tried three times");
    assert!(system.processor_sum("RecordsProcessed").await < 0.5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_deployment_stays_while_another_falls() {
    let failing = System::start(&quick()).await;
    let other = quick().with("deployment.project", "other-bank");
    let healthy = failing.stack.deploy(&Progress::quiet(), &other).await.unwrap();
    let mut cycle = Cycle::new(&failing.stack, &failing.deployment, failing.gateway.address()).unwrap();
    cycle.expect("traffic", true, 2).await.unwrap();

    // In this test only the schedule starts executions. Its first evaluation writes a state.
    let watch = Watch::new(failing.stack.sdk(), healthy.output("StateTableName"));
    let state = eventually("the schedule's evaluation", async || watch.state().await.ok()).await;
    assert_eq!((state.current_level, state.epoch), (Level::Full, 0));
    let look = json!({"trigger": "schedule"});
    let answer = execute_on(&failing.stack, &healthy, None, &look).await.unwrap();
    assert_eq!((&answer["to"], &answer["evidence"]["errors"]), (&json!(1), &json!(0)));
}
