//! Tests malformed bodies of the queue's messages: SNS envelopes, and alarm messages as raw delivery sends them.

use std::sync::Mutex;

use alarm_processor::{AlarmProcessor, ExecutionFailed, Executions, Part, Problem, parse};
use aws_edge::metrics::{MetricLog, MetricSet};
use aws_lambda_events::event::sqs::SqsEvent;
use breaker::{InvalidKind, TransitionRequest};
use jiff::Timestamp;
use serde_json::{Value, json};

#[derive(Default)]
struct Machine(Mutex<Vec<TransitionRequest>>);

impl Executions for Machine {
    async fn run(&self, request: &TransitionRequest) -> Result<(), ExecutionFailed> {
        self.0.lock().unwrap().push(request.clone());
        Ok(())
    }
}

struct Unrecorded;

impl MetricLog for Unrecorded {
    fn record(&self, _: Timestamp, _: &MetricSet) {}
}

fn message() -> Value {
    json!({
        "AlarmName": "level-1-error-rate",
        "AlarmDescription": null,
        "AWSAccountId": "123456789012",
        "NewStateValue": "ALARM",
        "NewStateReason": "Threshold Crossed",
        "StateChangeTime": "2026-09-10T14:06:12.544+0000",
        "Region": "US East (N. Virginia)",
        "AlarmArn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:level-1-error-rate",
        "OldStateValue": "OK",
        "Trigger": {
            "MetricName": "Error", "Namespace": "CircuitBreaker/Service", "Statistic": "SUM", "Unit": null,
            "Dimensions": [{ "value": "1", "name": "ServiceLevel" }], "TreatMissingData": "", "Threshold": 5.0
        }
    })
}

fn with(member: &str, value: Value) -> String {
    let mut message = message();
    message[member] = value;
    message.to_string()
}

fn without(member: &str) -> String {
    let mut message = message();
    message.as_object_mut().unwrap().remove(member);
    message.to_string()
}

/// Returns a valid message in which one member's value is replaced by a text, which need not be JSON.
fn with_text(member: &str, text: &str) -> String {
    with(member, json!("PLACE")).replace("\"PLACE\"", text)
}

fn envelope(message: &str) -> Value {
    json!({
        "Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:us-east-1:123456789012:t",
        "Subject": "ALARM: \"level-1-error-rate\" in US East (N. Virginia)", "Message": message
    })
}

fn enveloped(message: &str) -> String {
    envelope(message).to_string()
}

fn envelope_with(member: &str, value: Value) -> String {
    let mut envelope = envelope(&message().to_string());
    envelope[member] = value;
    envelope.to_string()
}

/// A problem without the place and the words for people.
#[derive(Debug, PartialEq)]
enum Wrong {
    NoObject,
    Missing,
    OtherType,
    NotAllowed,
    Refused(InvalidKind),
}

impl From<Problem> for Wrong {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::NoObject { .. } => Self::NoObject,
            Problem::Missing => Self::Missing,
            Problem::OtherType(_) => Self::OtherType,
            Problem::NotAllowed(_) => Self::NotAllowed,
            Problem::Refused(refusal) => Self::Refused(refusal.kind().clone()),
        }
    }
}

/// Each goes back to the queue: the body, the part that is invalid, and what is wrong with it.
fn malformed() -> Vec<(String, Part, Wrong)> {
    let row = |body: &str, part, wrong| (body.to_owned(), part, wrong);
    vec![
        // Not JSON, or not an object.
        row("", Part::Body, Wrong::NoObject),
        row(" ", Part::Body, Wrong::NoObject),
        row("ALARM", Part::Body, Wrong::NoObject),
        row("{", Part::Body, Wrong::NoObject),
        row("null", Part::Body, Wrong::NoObject),
        row("7", Part::Body, Wrong::NoObject),
        row("\"ALARM\"", Part::Body, Wrong::NoObject),
        (json!([message()]).to_string(), Part::Body, Wrong::NoObject),
        row("[\"level-1-error-rate\", \"ALARM\", null, null, null]", Part::Body, Wrong::NoObject),
        (format!("\u{feff}{}", message()), Part::Body, Wrong::NoObject),
        (format!("{}{}", message(), message()), Part::Body, Wrong::NoObject),
        (message().to_string().replace('"', "'"), Part::Body, Wrong::NoObject),
        // Envelopes.
        (envelope_with("Message", Value::Null), Part::Member("Message"), Wrong::Missing),
        (envelope_with("Message", message()), Part::Member("Message"), Wrong::OtherType),
        (envelope_with("Message", json!(7)), Part::Member("Message"), Wrong::OtherType),
        (envelope_with("Message", json!("")), Part::EnvelopedMessage, Wrong::NoObject),
        (enveloped("hello"), Part::EnvelopedMessage, Wrong::NoObject),
        (enveloped("[]"), Part::EnvelopedMessage, Wrong::NoObject),
        (enveloped("{}"), Part::Member("AlarmName"), Wrong::Missing),
        (enveloped(&enveloped(&message().to_string())), Part::Member("AlarmName"), Wrong::Missing),
        (envelope_with("Type", Value::Null), Part::Member("Type"), Wrong::Missing),
        (envelope_with("Type", json!("SubscriptionConfirmation")), Part::Member("Type"), Wrong::NotAllowed),
        (envelope_with("Type", json!(["Notification"])), Part::Member("Type"), Wrong::OtherType),
        (json!({ "Message": "hello" }).to_string(), Part::Member("Type"), Wrong::Missing),
        // Messages.
        row("{}", Part::Member("AlarmName"), Wrong::Missing),
        (without("AlarmName"), Part::Member("AlarmName"), Wrong::Missing),
        (with("AlarmName", Value::Null), Part::Member("AlarmName"), Wrong::Missing),
        (with("AlarmName", json!("")), Part::Member("AlarmName"), Wrong::Refused(InvalidKind::Empty)),
        (with("AlarmName", json!("  ")), Part::Member("AlarmName"), Wrong::Refused(InvalidKind::Empty)),
        (with("AlarmName", json!(["level-1-error-rate"])), Part::Member("AlarmName"), Wrong::OtherType),
        (with("AlarmName", json!("a\nb")), Part::Member("AlarmName"), Wrong::Refused(InvalidKind::Character('\n'))),
        (
            with("AlarmName", json!("x".repeat(256))),
            Part::Member("AlarmName"),
            Wrong::Refused(InvalidKind::Length(256)),
        ),
        (with_text("AlarmName", "\"a\\ud800\""), Part::Member("AlarmName"), Wrong::OtherType),
        (with_text("AlarmName", "\"a\", \"AlarmName\": 7"), Part::Member("AlarmName"), Wrong::OtherType),
        (with("AlarmArn", json!("")), Part::Member("AlarmArn"), Wrong::Refused(InvalidKind::Empty)),
        (
            with("AlarmArn", json!("x".repeat(200_000))),
            Part::Member("AlarmArn"),
            Wrong::Refused(InvalidKind::Length(200_000)),
        ),
        (with("AlarmArn", json!({"arn": 1})), Part::Member("AlarmArn"), Wrong::OtherType),
        (without("NewStateValue"), Part::Member("NewStateValue"), Wrong::Missing),
        (with("NewStateValue", Value::Null), Part::Member("NewStateValue"), Wrong::Missing),
        (with("NewStateValue", json!("")), Part::Member("NewStateValue"), Wrong::NotAllowed),
        (with("NewStateValue", json!("alarm")), Part::Member("NewStateValue"), Wrong::NotAllowed),
        (with("NewStateValue", json!(1)), Part::Member("NewStateValue"), Wrong::OtherType),
        (with("StateChangeTime", json!("yesterday")), Part::Member("StateChangeTime"), Wrong::NotAllowed),
        (with("StateChangeTime", json!("")), Part::Member("StateChangeTime"), Wrong::NotAllowed),
        (
            with("StateChangeTime", json!("2026-02-30T14:06:12.544+0000")),
            Part::Member("StateChangeTime"),
            Wrong::NotAllowed,
        ),
        (
            with("StateChangeTime", json!("2026-13-01T14:06:12.544+0000")),
            Part::Member("StateChangeTime"),
            Wrong::NotAllowed,
        ),
        (with("StateChangeTime", json!("2026-09-10 14:06")), Part::Member("StateChangeTime"), Wrong::NotAllowed),
        (
            with("StateChangeTime", json!("99999-09-10T14:06:12+0000")),
            Part::Member("StateChangeTime"),
            Wrong::NotAllowed,
        ),
        (with("StateChangeTime", json!(1_789_048_800)), Part::Member("StateChangeTime"), Wrong::OtherType),
        (with_text("StateChangeTime", "1e400"), Part::Member("StateChangeTime"), Wrong::OtherType),
        (with("Trigger", json!("Error")), Part::Member("Trigger"), Wrong::NoObject),
        (with("Trigger", json!(["Error"])), Part::Member("Trigger"), Wrong::NoObject),
        (with("Trigger", json!({ "MetricName": 7 })), Part::Member("MetricName"), Wrong::OtherType),
        // What other services put into queues.
        (json!({ "Records": [{ "eventSource": "aws:s3" }] }).to_string(), Part::Member("AlarmName"), Wrong::Missing),
        (
            json!({ "Service": "Amazon S3", "Event": "s3:TestEvent" }).to_string(),
            Part::Member("AlarmName"),
            Wrong::Missing,
        ),
        (
            json!({ "source": "aws.cloudwatch", "detail": { "alarmName": "a" } }).to_string(),
            Part::Member("AlarmName"),
            Wrong::Missing,
        ),
    ]
}

#[test]
fn a_malformed_message_is_refused_by_the_name_of_its_member() {
    for (body, part, wrong) in malformed() {
        let Err(error) = parse(&body) else { panic!("{body:.150} was taken") };
        assert!(error.to_string().len() < 500, "{body:.150} gave {error}");
        assert_eq!((error.part, Wrong::from(error.problem)), (part, wrong), "{body:.150}");
    }
}

#[tokio::test]
async fn malformed_messages_return_and_the_good_one_is_evaluated() {
    let mut bodies: Vec<_> = malformed().into_iter().map(|(body, ..)| body).collect();
    bodies.insert(bodies.len() / 2, enveloped(&message().to_string()));
    let good = (bodies.len() / 2).to_string();
    let records: Vec<_> = bodies
        .iter()
        .enumerate()
        .map(|(index, body)| {
            json!({ "messageId": index.to_string(), "body": body, "attributes": {}, "messageAttributes": {} })
        })
        .collect();
    let batch: SqsEvent = serde_json::from_value(json!({ "Records": records })).unwrap();
    let processor =
        AlarmProcessor { executions: Machine::default(), metrics: Unrecorded, deployment: "bank-test".to_owned() };
    let response = processor.handle(batch, Timestamp::UNIX_EPOCH).await;
    let failed: Vec<_> = response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
    let bad: Vec<_> = (0..bodies.len()).map(|index| index.to_string()).filter(|id| *id != good).collect();
    assert_eq!(failed, bad);
    assert_eq!(processor.executions.0.lock().unwrap().len(), 1);
}

#[test]
fn an_odd_message_that_is_an_alarm_is_taken() {
    for body in [
        with("AlarmName", json!("x".repeat(255))),
        with("AlarmName", json!("level 1 / errors: ü \u{202e}")),
        without("AlarmArn"),
        with("AlarmArn", Value::Null),
        without("StateChangeTime"),
        with("StateChangeTime", json!("9999-01-01T00:00:00.000+0000")),
        with("StateChangeTime", json!("1969-12-31T23:59:59Z")),
        without("Trigger"),
        with("Trigger", Value::Null),
        with("Trigger", json!({ "Metrics": [{ "Id": "m1" }] })),
        with("NewStateReason", json!("x".repeat(256 * 1024))),
        with("Junk", json!({ "AlarmName": 7, "Message": [] })),
        with_text("NewStateReason", "\"half a character: \\ud800\""),
        with_text("Threshold", "1e400"),
        with_text("Junk", &format!("{}{}", "[".repeat(200), "]".repeat(200))),
        with_text("AlarmName", "7, \"AlarmName\": \"the last one counts\""),
        format!("\r\n\t {} \r\n", message()),
    ] {
        for body in [enveloped(&body), body] {
            assert!(parse(&body).is_ok_and(|alarm| alarm.went_off), "{body:.150} gave {:?}", parse(&body));
        }
    }
}
