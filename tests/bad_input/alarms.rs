//! Tests malformed bodies of the queue's messages: SNS envelopes, and alarm messages as raw delivery sends them.

use std::sync::Mutex;

use alarm_processor::{AlarmProcessor, ExecutionFailed, Executions, parse};
use aws_edge::metrics::{MetricLog, MetricSet};
use aws_lambda_events::event::sqs::SqsEvent;
use breaker::TransitionRequest;
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

/// Returns the bodies that return to the queue, each with a part of the error about it.
fn malformed() -> Vec<(String, &'static str)> {
    let row = |body: &str, says| (body.to_owned(), says);
    vec![
        // Not JSON, or not an object.
        row("", "the body is no JSON object"),
        row(" ", "the body is no JSON object"),
        row("ALARM", "the body is no JSON object"),
        row("{", "the body is no JSON object"),
        row("null", "the body is no JSON object"),
        row("7", "the body is no JSON object"),
        row("\"ALARM\"", "the body is no JSON object"),
        (json!([message()]).to_string(), "the body is no JSON object"),
        row("[\"level-1-error-rate\", \"ALARM\", null, null, null]", "the body is no JSON object"),
        (format!("\u{feff}{}", message()), "the body is no JSON object"),
        (format!("{}{}", message(), message()), "the body is no JSON object"),
        (message().to_string().replace('"', "'"), "the body is no JSON object"),
        // Envelopes.
        (envelope_with("Message", Value::Null), "`Message` is missing"),
        (envelope_with("Message", message()), "`Message`: expected a string (line 1, column 0)"),
        (envelope_with("Message", json!(7)), "`Message`"),
        (envelope_with("Message", json!("")), "`Message` of the SNS envelope is no JSON object"),
        (enveloped("hello"), "`Message` of the SNS envelope is no JSON object"),
        (enveloped("[]"), "`Message` of the SNS envelope is no JSON object"),
        (enveloped("{}"), "`AlarmName` is missing"),
        (enveloped(&enveloped(&message().to_string())), "`AlarmName` is missing"),
        (envelope_with("Type", Value::Null), "`Type` is missing"),
        (
            envelope_with("Type", json!("SubscriptionConfirmation")),
            "`Type` of the SNS envelope is not \"Notification\"",
        ),
        (envelope_with("Type", json!(["Notification"])), "`Type`"),
        (json!({ "Message": "hello" }).to_string(), "`Type` is missing"),
        // Messages.
        row("{}", "`AlarmName` is missing"),
        (without("AlarmName"), "`AlarmName` is missing"),
        (with("AlarmName", Value::Null), "`AlarmName` is missing"),
        (with("AlarmName", json!("")), "`AlarmName` is empty: use 1 to 255 characters"),
        (with("AlarmName", json!("  ")), "`AlarmName` is empty"),
        (with("AlarmName", json!(["level-1-error-rate"])), "`AlarmName`: expected a string"),
        (with("AlarmName", json!("a\nb")), "`AlarmName` contains the control character U+000A"),
        (with("AlarmName", json!("x".repeat(256))), "`AlarmName` has 256 characters: use 1 to 255"),
        (with_text("AlarmName", "\"a\\ud800\""), "`AlarmName`"),
        (with_text("AlarmName", "\"a\", \"AlarmName\": 7"), "`AlarmName`: expected a string (line 1, column 1)"),
        (with("AlarmArn", json!("")), "`AlarmArn` is empty: use 1 to 2048 characters"),
        (with("AlarmArn", json!("x".repeat(200_000))), "`AlarmArn` has 200000 characters: use 1 to 2048"),
        (with("AlarmArn", json!({"arn": 1})), "`AlarmArn`: expected a string"),
        (without("NewStateValue"), "`NewStateValue` is missing"),
        (with("NewStateValue", Value::Null), "`NewStateValue` is missing"),
        (with("NewStateValue", json!("")), "`NewStateValue` is not ALARM, OK or INSUFFICIENT_DATA"),
        (with("NewStateValue", json!("alarm")), "`NewStateValue` is not ALARM"),
        (with("NewStateValue", json!(1)), "`NewStateValue`: expected a string"),
        (with("StateChangeTime", json!("yesterday")), "`StateChangeTime` is no time such as"),
        (with("StateChangeTime", json!("")), "`StateChangeTime` is no time such as"),
        (with("StateChangeTime", json!("2026-02-30T14:06:12.544+0000")), "`StateChangeTime` is no time such as"),
        (with("StateChangeTime", json!("2026-13-01T14:06:12.544+0000")), "`StateChangeTime` is no time such as"),
        (with("StateChangeTime", json!("2026-09-10 14:06")), "`StateChangeTime` is no time such as"),
        (with("StateChangeTime", json!("99999-09-10T14:06:12+0000")), "`StateChangeTime` is no time such as"),
        (with("StateChangeTime", json!(1_789_048_800)), "`StateChangeTime`: expected a string"),
        (with_text("StateChangeTime", "1e400"), "`StateChangeTime`"),
        (with("Trigger", json!("Error")), "`Trigger` is no JSON object"),
        (with("Trigger", json!(["Error"])), "`Trigger` is no JSON object"),
        (with("Trigger", json!({ "MetricName": 7 })), "`MetricName`: expected a string"),
        // Messages that other services put into queues.
        (json!({ "Records": [{ "eventSource": "aws:s3" }] }).to_string(), "`AlarmName` is missing"),
        (json!({ "Service": "Amazon S3", "Event": "s3:TestEvent" }).to_string(), "`AlarmName` is missing"),
        (json!({ "source": "aws.cloudwatch", "detail": { "alarmName": "a" } }).to_string(), "`AlarmName` is missing"),
    ]
}

#[test]
fn a_malformed_message_is_refused_by_the_name_of_its_member() {
    let wrong: Vec<_> = malformed()
        .into_iter()
        .filter_map(|(body, says)| match parse(&body) {
            Ok(notification) => Some(format!("{body:.150} was taken: {notification:?}")),
            Err(error) if error.to_string().contains(says) && error.to_string().len() < 500 => None,
            Err(error) => Some(format!("{body:.150} gave {error}, not {says}")),
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn malformed_messages_return_and_the_good_one_is_evaluated() {
    let mut bodies: Vec<_> = malformed().into_iter().map(|(body, _)| body).collect();
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
