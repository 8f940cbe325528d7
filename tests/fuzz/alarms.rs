//! Fuzzes the bodies of the queue's messages.

use alarm_processor::parse;
use breaker::{AlarmRequest, TransitionRequest};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::junk::{corrupted, json, mutated};
use crate::{Answer, fuzz, fuzz_both};

fn good() -> Vec<Value> {
    let simple = json!({
        "AlarmName": "level-1-error-rate", "AlarmArn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:a",
        "NewStateValue": "ALARM", "OldStateValue": "OK", "StateChangeTime": "2026-09-10T14:06:12.544+0000",
        "AlarmDescription": null, "Trigger": { "MetricName": "Error", "Dimensions": [], "Threshold": 5.0 }
    });
    let composite = json!({ "AlarmName": "both", "AlarmRule": "ALARM(a) OR ALARM(b)", "NewStateValue": "OK" });
    let enveloped =
        |message: &Value| json!({ "Type": "Notification", "MessageId": "m", "Message": message.to_string() });
    vec![enveloped(&simple), enveloped(&composite), simple, composite]
}

fn check(body: &str) -> Result<Answer, TestCaseError> {
    match parse(body) {
        Ok(notification) => {
            let request = TransitionRequest::Alarm(AlarmRequest { alarm: notification.hint, dry_run: false });
            let input = serde_json::to_value(&request).unwrap();
            prop_assert_eq!(TransitionRequest::parse(input), Ok(request), "the state machine accepts it too");
            Ok(Answer::Taken)
        }
        Err(error) => {
            let sentence = error.to_string();
            let named = sentence.contains('`') || sentence.contains("the body");
            prop_assert!(named && sentence.chars().count() < 1_000, "{sentence}");
            Ok(Answer::Refused)
        }
    }
}

#[test]
fn any_text_is_an_alarm_or_is_refused_with_the_problem() {
    fuzz(&prop_oneof![any::<String>(), json().prop_map(|json| json.to_string())], |body| check(&body));
}

#[test]
fn a_mutated_alarm_message_is_read_or_refused() {
    fuzz_both(&corrupted(mutated(good()).prop_map(|message| message.to_string())), |body| check(&body));
}

#[test]
fn a_mutated_message_in_an_envelope_is_read_or_refused() {
    let enveloped = corrupted(mutated(good()).prop_map(|message| message.to_string()))
        .prop_map(|message| json!({ "Type": "Notification", "Message": message }).to_string());
    fuzz_both(&enveloped, |body| check(&body));
}
