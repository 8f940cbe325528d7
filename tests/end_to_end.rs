//! The whole chain on a local AWS: each test has a stack of its own.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sfn::types::SyncExecutionStatus;
use aws_sdk_sqs::types::QueueAttributeName;
use breaker::Level;
use local::demo::{Cycle, force, options};
use local::deployment::{DeployOptions, Deployment};
use local::gateway::Gateway;
use local::progress::Progress;
use local::stack::LocalStack;
use local::watch::Watch;
use serde_json::{Value, json};

/// Longer than anything takes, on a busy machine too; a condition that comes is not waited for.
const DEADLINE: Duration = Duration::from_mins(3);

/// Waits until `condition` gives something.
async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(begun.elapsed() < DEADLINE, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn deployed(options: &DeployOptions) -> (LocalStack, Deployment) {
    let progress = Progress::quiet();
    let stack = LocalStack::start(&progress).await.unwrap();
    let deployment = stack.deploy(&progress, options).await.unwrap();
    (stack, deployment)
}

fn quick() -> DeployOptions {
    options().with("RecoveryCooldownSeconds", "1").with("EvidenceSettleSeconds", "1")
}

async fn status(address: &str) -> Value {
    reqwest::get(format!("{address}/circuit-breaker")).await.unwrap().json().await.unwrap()
}

/// Runs the state machine to its end; gives its output, or its error and cause.
async fn execute(stack: &LocalStack, deployment: &Deployment, input: &Value) -> Result<Value, (String, String)> {
    let answer = platform::clients::step_functions(stack.sdk())
        .start_sync_execution()
        .state_machine_arn(deployment.output("StateMachineArn"))
        .input(input.to_string())
        .send()
        .await
        .unwrap();
    match answer.status() {
        SyncExecutionStatus::Succeeded => Ok(serde_json::from_str(answer.output().unwrap()).unwrap()),
        _ => Err((answer.error().unwrap_or_default().to_owned(), answer.cause().unwrap_or_default().to_owned())),
    }
}

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

#[tokio::test(flavor = "multi_thread")]
async fn the_level_falls_to_3_and_comes_back_and_every_alarm_has_a_metric() {
    let (stack, deployment) = deployed(&quick()).await;
    let gateway = Gateway::start(0, &deployment.api).await.unwrap();
    let mut cycle = Cycle::new(&stack, &deployment, gateway.address()).unwrap();
    let phases = [(true, 2, "degraded"), (true, 3, "maintenance"), (false, 2, "degraded"), (false, 1, "healthy")];
    for (epoch, (fail, level, health)) in (1_u64..).zip(phases) {
        let record = cycle.expect("traffic", fail, level).await.unwrap();
        assert_eq!((record.epoch, record.to.number()), (epoch, level));
        assert!(record.evidence.is_some() && record.policy.is_some() && record.request.is_some());
        let status = status(gateway.address()).await;
        assert_eq!(status["circuitBreaker"]["currentLevel"], level);
        assert_eq!(status["circuitBreaker"]["status"], health);
        assert_eq!(status["circuitBreaker"]["state"]["transitionReason"], record.reason);
        let state = cycle.watch().state().await.unwrap();
        assert!(state.epoch >= epoch && state.version >= state.epoch);
    }
    assert_eq!(cycle.watch().record(0).await.unwrap().unwrap().reason, "First start");

    let expected = [
        ("CircuitBreaker/Service", &["Success", "Error", "ResponseTime"][..]),
        ("CircuitBreaker/Controller", &["Invocation", "CurrentLevel", "FailureCount", "SuccessCount", "ResponseTime"]),
        (
            "CircuitBreaker/AlarmProcessor",
            &["RecordsProcessed", "ProcessingErrors", "FailureAlarmProcessed", "RecoveryAlarmProcessed"],
        ),
        ("CircuitBreaker/Transitions", &["Evaluation", "CurrentLevel", "Transition"]),
    ];
    let emitted = emitted_metrics(&stack).await;
    for (namespace, names) in expected {
        for name in names {
            assert!(
                emitted.iter().any(|(space, metric, _)| space == namespace && metric == name),
                "{namespace} {name}"
            );
        }
    }
    let alarms = stack.alarms();
    assert_eq!(alarms.len(), 27, "four level alarms, and those that call people");
    for alarm in alarms {
        let metric = alarm.definition.series.metric;
        // Emitted while a hold is in force, and while a state cannot be read: neither is the case here.
        if ["HoldMinutesLeft", "StateAgeSeconds"].contains(&metric.name.as_str()) {
            continue;
        }
        if !metric.namespace.starts_with("AWS/") {
            let dimensions = metric.dimensions.into_iter().collect();
            assert!(emitted.contains(&(metric.namespace, metric.name, dimensions)), "{} watches nothing", alarm.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_force_a_level_and_bad_input_is_refused_by_name() {
    let (stack, deployment) = deployed(&quick()).await;
    let watch = Watch::new(stack.sdk(), deployment.output("StateTableName"));
    let refused = async |input: Value| execute(&stack, &deployment, &input).await.unwrap_err();
    for (input, field) in [
        (json!({"trigger": "force", "targetLevel": 2, "requestedBy": "alice"}), "reason"),
        (json!({"trigger": "schedule", "levle": 1}), "levle"),
        (json!({"trigger": "force", "targetLevel": "two", "reason": "x", "requestedBy": "y"}), "targetLevel"),
        (json!({"trigger": "force", "targetLevel": 4, "reason": "x", "requestedBy": "y"}), "targetLevel"),
        (json!([]), "trigger"),
    ] {
        let (error, cause) = refused(input).await;
        assert_eq!(error, "InvalidRequest");
        assert!(cause.contains(field), "{cause}");
    }
    assert!(watch.record(1).await.unwrap().is_none(), "nothing was changed");

    force(&stack, &deployment, 3, "a drill").await.unwrap();
    let record = eventually("the transition", async || watch.record(1).await.unwrap()).await;
    assert_eq!((record.from, record.to), (Level::Full, Level::Maintenance));
    assert_eq!(record.reason, "forced from level 1 to level 3 by demonstration: a drill");
    let gateway = Gateway::start(0, &deployment.api).await.unwrap();
    assert_eq!(status(gateway.address()).await["circuitBreaker"]["currentLevel"], 3);

    let rehearsal = json!({"trigger": "force", "targetLevel": 1, "reason": "x", "requestedBy": "y", "dryRun": true});
    let answer = execute(&stack, &deployment, &rehearsal).await.unwrap();
    assert_eq!((&answer["outcome"], &answer["dryRun"]), (&json!("transition"), &json!(true)));
    assert_eq!(watch.state().await.unwrap().current_level, Level::Maintenance);

    aws_sdk_dynamodb::Client::new(stack.sdk())
        .update_item()
        .table_name(deployment.output("StateTableName"))
        .key("pk", AttributeValue::S("system-state".to_owned()))
        .update_expression("SET currentLevel = :garbage")
        .expression_attribute_values(":garbage", AttributeValue::S("first".to_owned()))
        .send()
        .await
        .unwrap();
    let (error, cause) = refused(json!({"trigger": "schedule"})).await;
    assert_eq!(error, "StateUnavailable");
    assert!(cause.contains("currentLevel"), "{cause}");
    let answer = reqwest::get(format!("{}/account/1", gateway.address())).await.unwrap();
    assert_eq!(answer.headers()["x-circuit-breaker-level"], "3", "the last known level, never garbage");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_message_ends_in_the_dead_letter_queue() {
    let (stack, deployment) = deployed(&quick()).await;
    let queues = aws_sdk_sqs::Client::new(stack.sdk());
    let (queue, dead) = (deployment.output("AlarmQueueUrl"), deployment.output("DeadLetterQueueUrl"));
    // Only how soon a message comes back differs from what is deployed.
    queues
        .set_queue_attributes()
        .queue_url(queue)
        .attributes(QueueAttributeName::VisibilityTimeout, "1")
        .send()
        .await
        .unwrap();
    queues.send_message().queue_url(queue).message_body("{\"AlarmName\": 7}").send().await.unwrap();
    let body = eventually("the dead letter", async || {
        let received = queues.receive_message().queue_url(dead).send().await.unwrap();
        received.messages().first().and_then(|message| message.body().map(str::to_owned))
    })
    .await;
    assert_eq!(body, "{\"AlarmName\": 7}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_deployments_the_healthy_one_stays_at_level_1_while_the_other_falls() {
    let (stack, failing) = deployed(&quick()).await;
    let other = DeployOptions { project: "other-bank".to_owned(), ..quick() };
    let healthy = stack.deploy(&Progress::quiet(), &other).await.unwrap();
    let gateway = Gateway::start(0, &failing.api).await.unwrap();
    let mut cycle = Cycle::new(&stack, &failing, gateway.address()).unwrap();
    cycle.expect("traffic", true, 2).await.unwrap();

    let answer = execute(&stack, &healthy, &json!({"trigger": "schedule"})).await.unwrap();
    assert_eq!((&answer["to"], &answer["evidence"]["errors"]), (&json!(1), &json!(0)));
    let state = Watch::new(stack.sdk(), healthy.output("StateTableName")).state().await.unwrap();
    assert_eq!((state.current_level, state.epoch), (Level::Full, 0));
}
