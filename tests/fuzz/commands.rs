//! Fuzzes the inputs of executions.

use aws_edge::task_input::{self, InvalidInput};
use breaker::TransitionRequest;
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::junk::{corrupted, json, mutated};
use crate::{Answer, fuzz, fuzz_both};

pub fn good() -> Vec<Value> {
    vec![
        json!({"trigger": "schedule"}),
        json!({"trigger": "schedule", "looks": 4, "dryRun": true}),
        json!({"trigger": "alarm", "alarm": {"name": "level-1-error-rate"}}),
        json!({"trigger": "alarm", "alarm": {"name": "a", "arn": "arn:a", "stateChangeTime": "2026-09-10T14:06:12Z"}}),
        json!({"trigger": "force", "targetLevel": 2, "reason": "drill", "requestedBy": "alice"}),
        json!({"trigger": "force", "targetLevel": 3, "reason": "drill", "requestedBy": "alice", "holdMinutes": 30,
            "expectedEpoch": 4, "expectedHold": "arn:a", "repair": true, "dryRun": true}),
        json!({"trigger": "release", "reason": "over", "requestedBy": "alice", "expectedEpoch": 4,
            "expectedHold": "none"}),
    ]
}

/// Whether a request keeps the bounds that the documentation promises.
fn keeps_the_bounds(request: &TransitionRequest) -> bool {
    let text = |text: &str, most: usize| {
        (1..=most).contains(&text.chars().count()) && !text.trim().is_empty() && !text.contains(char::is_control)
    };
    let plain = |said: &str, most| text(said, most) && !said.contains(['\u{202e}', '\u{200b}', '\u{2028}', '\u{feff}']);
    match request {
        TransitionRequest::Schedule(request) => request.looks.is_none_or(|looks| (1..=4).contains(&looks)),
        TransitionRequest::Alarm(request) => {
            text(request.alarm.name(), 255) && request.alarm.arn().is_none_or(|arn| text(arn, 2048))
        }
        TransitionRequest::Force(request) => {
            plain(&request.reason, 500)
                && plain(&request.requested_by, 200)
                && request.hold_minutes.is_none_or(|minutes| (1..=4320).contains(&minutes))
        }
        TransitionRequest::Release(request) => plain(&request.reason, 500) && plain(&request.requested_by, 200),
    }
}

fn check(input: &Value) -> Result<Answer, TestCaseError> {
    let parsed = TransitionRequest::parse(input.clone());
    let read = serde_json::from_value::<TransitionRequest>(input.clone());
    prop_assert_eq!(read.map_err(|error| error.to_string()), parsed.clone().map_err(|error| error.to_string()));
    match parsed {
        Ok(request) => {
            prop_assert!(keeps_the_bounds(&request), "{request:?}");
            prop_assert!(!input.to_string().contains(":null"), "a null was taken for a field left out");
            let written = serde_json::to_value(&request).unwrap();
            prop_assert_eq!(TransitionRequest::parse(written), Ok(request));
            Ok(Answer::Taken)
        }
        Err(refusal) => {
            prop_assert!(!refusal.allowed().is_empty(), "{refusal:?}");
            let sentence = refusal.to_string();
            prop_assert!(sentence.contains(&format!("`{}`", refusal.field())), "no field is named: {sentence}");
            prop_assert!(sentence.chars().count() < 1_000 && !sentence.contains(char::is_control), "{sentence:?}");
            Ok(Answer::Refused)
        }
    }
}

#[test]
fn any_json_is_a_request_or_refused_by_the_name_of_a_field() {
    fuzz(&json(), |input| check(&input));
}

#[test]
fn a_mutated_request_is_read_or_refused_by_field() {
    fuzz_both(&mutated(good()), |input| check(&input));
}

#[test]
fn any_text_of_an_event_is_read_or_refused() {
    let texts = prop_oneof![any::<String>(), corrupted(mutated(good()).prop_map(|input| input.to_string()))];
    fuzz_both(&texts, |event| {
        // Lambda refuses events that are not JSON.
        let Ok(event) = RawValue::from_string(event) else { return Ok(Answer::Refused) };
        match task_input::read(&event) {
            Ok(input) => check(&input),
            Err(error) => {
                prop_assert!(matches!(error, InvalidInput::BeyondLimits(_)), "{error}");
                Ok(Answer::Refused)
            }
        }
    });
}
