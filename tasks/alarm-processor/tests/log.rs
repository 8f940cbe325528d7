//! Tests the Lambda's log: it says where a message is invalid, and never quotes its content.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::io;
use std::sync::{Arc, Mutex};

use alarm_processor::{AlarmProcessor, ExecutionFailed, Executions, Part, parse};
use aws_edge::log_line::{CUT, LONGEST_TEXT};
use aws_edge::metrics::{MetricLog, MetricSet};
use aws_edge::telemetry::subscriber;
use aws_lambda_events::event::sqs::SqsEvent;
use breaker::TransitionRequest;
use jiff::Timestamp;
use serde_json::{Value, json};
use tracing_subscriber::filter::LevelFilter;

/// Texts that no log line may contain: parts of the secret, so that a truncated secret is found, too.
const SECRETS: [&str; 4] = ["customer", "4711", "111122223333", "account"];
const SECRET: &str = "customer 4711, account 111122223333";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A state machine whose executions fail with this cause.
struct Failing(String);

impl Executions for Failing {
    async fn run(&self, _: &TransitionRequest) -> Result<(), ExecutionFailed> {
        Err(ExecutionFailed::Unsuccessful(format!("FAILED: StateUnavailable: {}", self.0)))
    }
}

struct Unrecorded;

impl MetricLog for Unrecorded {
    fn record(&self, _: Timestamp, _: &MetricSet) {}
}

/// Returns the log lines of one record at the most verbose level.
async fn lines(body: &str, cause: &str) -> Vec<String> {
    let log = Log::default();
    let writer = log.clone();
    let logged = tracing::subscriber::set_default(subscriber(LevelFilter::TRACE, move || writer.clone()));
    let records = json!({ "Records": [
        { "messageId": "m", "body": body, "attributes": {}, "messageAttributes": {} },
    ] });
    let batch: SqsEvent = serde_json::from_value(records).unwrap();
    let executions = Failing(cause.to_owned());
    let processor = AlarmProcessor { executions, metrics: Unrecorded, deployment: "bank-test".to_owned() };
    let response = processor.handle(batch, Timestamp::UNIX_EPOCH).await;
    assert_eq!(response.batch_item_failures.len(), 1, "{body:.200} was taken");
    drop(logged);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn message(member: &str, value: Value) -> Value {
    let mut message = json!({
        "AlarmName": "level-1-error-rate", "NewStateValue": "ALARM", "StateChangeTime": "2026-09-10T14:06:12.544+0000",
    });
    message[member] = value;
    message
}

fn enveloped(message: &str) -> String {
    json!({ "Type": "Notification", "Message": message }).to_string()
}

/// Returns bodies with the secret at every place where a parser may stop, each with the part that is refused.
fn bodies(secret: &str) -> Vec<(String, Part)> {
    let long = "x".repeat(256);
    vec![
        (secret.to_owned(), Part::Body),
        (json!(secret).to_string(), Part::Body),
        (json!([secret]).to_string(), Part::Body),
        (format!("{{\"a\": {secret}}}"), Part::Body),
        (format!("{{\"{secret}"), Part::Body),
        ("111122223333".to_owned(), Part::Body),
        // The secret is the name of a member.
        (json!({ secret: 1 }).to_string(), Part::Member("AlarmName")),
        (message("AlarmName", json!({ secret: 1 })).to_string(), Part::Member("AlarmName")),
        // The secret is a number, or has another type than expected.
        (message("AlarmName", json!(111_122_223_333_u64)).to_string(), Part::Member("AlarmName")),
        (message("NewStateValue", json!(secret)).to_string(), Part::Member("NewStateValue")),
        (message("StateChangeTime", json!(secret)).to_string(), Part::Member("StateChangeTime")),
        (message("StateChangeTime", json!(4711)).to_string(), Part::Member("StateChangeTime")),
        (message("Trigger", json!(secret)).to_string(), Part::Member("Trigger")),
        (message("Trigger", json!({ "MetricName": [secret] })).to_string(), Part::Member("MetricName")),
        // The secret is in a name that is too long or has control characters.
        (message("AlarmName", json!(format!("{secret}{long}"))).to_string(), Part::Member("AlarmName")),
        (message("AlarmName", json!(format!("{secret}\n"))).to_string(), Part::Member("AlarmName")),
        (message("AlarmArn", json!(secret.repeat(100))).to_string(), Part::Member("AlarmArn")),
        // The secret is in the envelope's message.
        (enveloped(secret), Part::EnvelopedMessage),
        (enveloped(&json!(secret).to_string()), Part::EnvelopedMessage),
        (enveloped(&enveloped(secret)), Part::Member("AlarmName")),
        (json!({ "Type": "Notification", "Message": { "text": secret } }).to_string(), Part::Member("Message")),
        (json!({ "Type": secret, "Message": "{}" }).to_string(), Part::Member("Type")),
        // The secret is before an invalid escape.
        (format!("{{\"AlarmName\": \"{secret} \\ud800\", \"NewStateValue\": \"ALARM\"}}"), Part::Member("AlarmName")),
        (format!("{{\"AlarmName\": \"{secret} \\x\"}}"), Part::Body),
        (format!("{{\"AlarmName\": \"{secret} \u{7}\"}}"), Part::Body),
    ]
}

#[tokio::test]
async fn no_content_of_a_message_is_in_the_log() {
    for secret in [SECRET.to_owned(), SECRET.repeat(3_000)] {
        for (body, part) in bodies(&secret) {
            let lines = lines(&body, "").await;
            assert_eq!(lines.len(), 1, "{lines:?}");
            let refused = parse(&body).unwrap_err();
            assert_eq!(refused.part, part, "{body:.200} gave {refused}");
            let mut line: Value = serde_json::from_str(&lines[0]).unwrap();
            assert_eq!(line["error.message"], json!(refused.to_string()), "the log names the problem");
            assert!(lines[0].len() < 500, "{} bytes", lines[0].len());
            // A time may have the digits of a secret.
            assert!(line.as_object_mut().unwrap().remove("timestamp").is_some());
            for part in SECRETS {
                assert!(!line.to_string().contains(part), "{body:.200} left {part} in {line}");
            }
        }
    }
}

#[tokio::test]
async fn the_cause_of_a_failed_execution_is_bounded_in_the_log() {
    let lines = lines(&message("AlarmName", json!("level-1-error-rate")).to_string(), &"ü".repeat(100_000)).await;
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    let cause = line["error.message"].as_str().unwrap();
    assert!(cause.starts_with("the execution ended as FAILED: StateUnavailable: ü"), "{cause:.100}");
    assert!(cause.ends_with(CUT) && cause.chars().count() == LONGEST_TEXT + CUT.len());
}
