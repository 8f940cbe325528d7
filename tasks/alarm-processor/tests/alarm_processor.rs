//! Tests the Lambda with test doubles for its ports.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::sync::Mutex;

use alarm_processor::{AlarmKind, AlarmProcessor, ExecutionFailed, Executions, Part, parse};
use aws_edge::call_error::CallError;
use aws_edge::error_kind::ErrorKind;
use aws_edge::metrics::{MetricLog, MetricSet};
use aws_lambda_events::event::sqs::SqsEvent;
use breaker::TransitionRequest;
use jiff::Timestamp;
use serde_json::{Value, json};

/// A state machine that stores the requests of its executions. It fails for alarms named `broken` or `throttled`.
#[derive(Default)]
struct Machine(Mutex<Vec<TransitionRequest>>);

impl Executions for Machine {
    async fn run(&self, request: &TransitionRequest) -> Result<(), ExecutionFailed> {
        self.0.lock().unwrap().push(request.clone());
        match request {
            TransitionRequest::Alarm(request) if request.alarm.name() == "broken" => {
                Err(ExecutionFailed::Unsuccessful("FAILED: StateUnavailable".into()))
            }
            TransitionRequest::Alarm(request) if request.alarm.name() == "throttled" => {
                Err(CallError::new(ErrorKind::Throttled, "rate exceeded").into())
            }
            _ => Ok(()),
        }
    }
}

#[derive(Default)]
struct Recorded(Mutex<Vec<MetricSet>>);

impl MetricLog for Recorded {
    fn record(&self, _: Timestamp, metrics: &MetricSet) {
        self.0.lock().unwrap().push(metrics.clone());
    }
}

fn alarm(name: &str, state: &str, metric: &str) -> Value {
    json!({
        "AlarmName": name,
        "AlarmDescription": null,
        "AWSAccountId": "123456789012",
        "NewStateValue": state,
        "NewStateReason": "Threshold Crossed: 1 datapoint [8.0 (10/09/26 14:05:00)] was greater than the threshold (5.0).",
        "StateChangeTime": "2026-09-10T14:06:12.544+0000",
        "Region": "US East (N. Virginia)",
        "AlarmArn": format!("arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}"),
        "OldStateValue": "OK",
        "AlarmActions": [],
        "Trigger": { "MetricName": metric, "Namespace": "CircuitBreaker/Service", "Statistic": "SUM", "Unit": null,
            "Dimensions": [{ "value": "1", "name": "ServiceLevel" }], "TreatMissingData": "notBreaching", "Threshold": 5.0 }
    })
}

fn enveloped(message: &str) -> String {
    json!({ "Type": "Notification", "MessageId": "m", "TopicArn": "t", "Subject": "ALARM", "Message": message })
        .to_string()
}

fn processor() -> AlarmProcessor<Machine, Recorded> {
    AlarmProcessor { executions: Machine::default(), metrics: Recorded::default(), deployment: "bank-test".to_owned() }
}

async fn failed_ids(processor: &AlarmProcessor<Machine, Recorded>, bodies: &[String]) -> Vec<String> {
    let records: Vec<_> = bodies
        .iter()
        .enumerate()
        .map(|(index, body)| json!({ "messageId": index.to_string(), "body": body, "attributes": {}, "messageAttributes": {} }))
        .collect();
    let batch: SqsEvent = serde_json::from_value(json!({ "Records": records })).unwrap();
    let response = processor.handle(batch, Timestamp::UNIX_EPOCH).await;
    response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
}

fn recorded(processor: &AlarmProcessor<Machine, Recorded>) -> Vec<(&'static str, f64)> {
    let sets = processor.metrics.0.lock().unwrap();
    sets.iter().flat_map(|set| set.metrics.iter().map(|metric| (metric.name, metric.value))).collect()
}

#[tokio::test]
async fn an_alarm_starts_an_execution_with_its_name_arn_and_time() {
    let processor = processor();
    let message = alarm("level-1-error-rate", "ALARM", "Error").to_string();
    assert!(failed_ids(&processor, &[enveloped(&message)]).await.is_empty());
    let requests = processor.executions.0.lock().unwrap();
    let TransitionRequest::Alarm(request) = &requests[0] else { panic!("not an alarm") };
    assert_eq!(request.alarm.name(), "level-1-error-rate");
    assert_eq!(request.alarm.state_change_time(), Some("2026-09-10T14:06:12.544Z".parse().unwrap()));
    assert!(request.alarm.arn().unwrap().ends_with(":level-1-error-rate"));
}

#[tokio::test]
async fn only_the_records_that_failed_go_back() {
    let processor = processor();
    let bodies = [
        enveloped(&alarm("level-1-error-rate", "ALARM", "Error").to_string()),
        "{".to_owned(),
        alarm("level-3-recovery", "ALARM", "Success").to_string(),
        enveloped(&alarm("broken", "ALARM", "Error").to_string()),
        enveloped(&alarm("level-1-error-rate", "OK", "Error").to_string()),
        enveloped(&alarm("level-1-error-rate", "INSUFFICIENT_DATA", "Error").to_string()),
    ];
    assert_eq!(failed_ids(&processor, &bodies).await, ["1", "3"]);
    assert_eq!(
        recorded(&processor),
        [
            ("RecordsProcessed", 4.0),
            ("ProcessingErrors", 2.0),
            ("FailureAlarmProcessed", 1.0),
            ("RecoveryAlarmProcessed", 1.0),
        ]
    );
}

#[tokio::test]
async fn a_throttled_start_is_counted_and_its_record_goes_back() {
    let processor = processor();
    let bodies = ["throttled", "level-1-error-rate", "throttled", "broken"]
        .map(|name| enveloped(&alarm(name, "ALARM", "Error").to_string()));
    assert_eq!(failed_ids(&processor, &bodies).await, ["0", "2", "3"]);
    let metrics = recorded(&processor);
    assert_eq!(metrics.last(), Some(&("ExecutionsThrottled", 2.0)));
    assert!(metrics.contains(&("ProcessingErrors", 3.0)), "{metrics:?}");
}

#[tokio::test]
async fn an_alarm_that_did_not_go_off_starts_nothing() {
    let processor = processor();
    failed_ids(&processor, &[alarm("level-1-error-rate", "OK", "Error").to_string()]).await;
    assert!(processor.executions.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_alarm_of_an_unknown_name_is_a_hint_like_any_other() {
    let processor = processor();
    assert!(failed_ids(&processor, &[alarm("another-systems", "ALARM", "CPU").to_string()]).await.is_empty());
    assert_eq!(processor.executions.0.lock().unwrap().len(), 1);
}

#[test]
fn an_invalid_message_is_refused_by_its_invalid_part() {
    let without = |member: &str| {
        let mut message = alarm("a", "ALARM", "Error");
        message.as_object_mut().unwrap().remove(member);
        message.to_string()
    };
    let mut bad_time = alarm("a", "ALARM", "Error");
    bad_time["StateChangeTime"] = json!("yesterday");
    for (body, part) in [
        (String::new(), Part::Body),
        ("[]".to_owned(), Part::Body),
        ("null".to_owned(), Part::Body),
        (enveloped("hello"), Part::EnvelopedMessage),
        (enveloped("{\"greeting\":\"hello\"}"), Part::Member("AlarmName")),
        (json!({ "Type": "SubscriptionConfirmation", "Message": "You have chosen" }).to_string(), Part::Member("Type")),
        (json!({ "Type": "Notification", "Message": 7 }).to_string(), Part::Member("Message")),
        (without("AlarmName"), Part::Member("AlarmName")),
        (without("NewStateValue"), Part::Member("NewStateValue")),
        (alarm("a", "ON FIRE", "Error").to_string(), Part::Member("NewStateValue")),
        (alarm("", "ALARM", "Error").to_string(), Part::Member("AlarmName")),
        (bad_time.to_string(), Part::Member("StateChangeTime")),
    ] {
        let error = parse(&body).unwrap_err();
        assert_eq!(error.part, part, "{body} gave {error}");
    }
}

#[test]
fn a_metric_math_alarm_is_of_the_kind_of_its_metrics() {
    let query = |id: &str, metric: &str| json!({ "Id": id, "MetricStat": { "Metric": { "MetricName": metric }, "Period": 10, "Stat": "Sum" } });
    let hint = json!({ "Expression": "IF(FILL(errors, 0) >= 1, 1, 0)", "Id": "hint", "ReturnData": true });
    for (metrics, kind) in [
        (json!([hint, query("errors", "Error"), query("successes", "Success")]), AlarmKind::Failure),
        (json!([hint, query("slow", "SlowCall"), query("successes", "Success")]), AlarmKind::Failure),
        (json!([hint, query("successes", "Success")]), AlarmKind::Recovery),
        (json!([hint, query("m1", "Invocation")]), AlarmKind::Other),
        (json!([hint]), AlarmKind::Other),
        (json!({ "Junk": 7 }), AlarmKind::Other),
        // A list of an object's values must not be taken for the object.
        (json!([[{ "Metric": { "MetricName": "Error" } }]]), AlarmKind::Other),
        (json!([{ "MetricStat": [{ "MetricName": "Error" }] }]), AlarmKind::Other),
        (json!([{ "MetricStat": { "Metric": ["Error"] } }]), AlarmKind::Other),
    ] {
        let message = json!({ "AlarmName": "a", "NewStateValue": "ALARM", "Trigger": { "Metrics": metrics } });
        assert_eq!(parse(&message.to_string()).unwrap().kind, kind, "{message}");
    }
}

#[test]
fn plain_composite_and_metric_math_alarms_are_read() {
    let old = json!({ "AlarmName": "old", "NewStateValue": "ALARM", "StateChangeTime": "2026-09-10T14:06:12Z" });
    let composite = json!({ "AlarmName": "composite", "AlarmRule": "ALARM(a) OR ALARM(b)", "NewStateValue": "ALARM" });
    let math = json!({ "AlarmName": "math", "NewStateValue": "ALARM", "Trigger": { "Metrics": [{ "Id": "m1" }] } });
    for message in [old, composite, math] {
        let pretty = serde_json::to_string_pretty(&message).unwrap().replace('\n', "\r\n");
        let notification = parse(&enveloped(&pretty)).unwrap();
        assert_eq!((notification.kind, notification.went_off), (AlarmKind::Other, true));
    }
}
