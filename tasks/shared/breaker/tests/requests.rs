//! Inputs of executions, valid and invalid.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use breaker::{Level, TransitionRequest};
use serde_json::{Value, json};

fn refusal(input: Value) -> String {
    TransitionRequest::parse(input).unwrap_err().to_string()
}

#[test]
fn each_trigger_is_read() {
    for input in [
        json!({"trigger": "schedule"}),
        json!({"trigger": "alarm", "alarm": {"name": "level-1-error-rate"}}),
        json!({"trigger": "release", "reason": "over", "requestedBy": "alice"}),
    ] {
        assert!(TransitionRequest::parse(input).is_ok());
    }
    let force =
        json!({"trigger": "force", "targetLevel": 2, "reason": "drill", "requestedBy": "alice", "holdMinutes": 30});
    let Ok(TransitionRequest::Force(force)) = TransitionRequest::parse(force) else { panic!("not a force") };
    assert_eq!((force.target_level, force.hold_minutes), (Level::Degraded, Some(30)));
}

#[test]
fn what_is_written_can_be_read_again() {
    let input = json!({"trigger": "force", "targetLevel": 3, "reason": "drill", "requestedBy": "alice"});
    let request = TransitionRequest::parse(input.clone()).unwrap();
    assert_eq!(serde_json::to_value(&request).unwrap(), input);
    assert_eq!(serde_json::from_value::<TransitionRequest>(input).unwrap(), request);
}

#[test]
fn a_missing_field_is_named() {
    assert!(refusal(json!({})).starts_with("`trigger` is missing"));
    assert!(refusal(json!({"trigger": "force", "reason": "x", "requestedBy": "y"})).contains("targetLevel"));
    assert!(refusal(json!({"trigger": "force", "targetLevel": 1, "requestedBy": "y"})).contains("reason"));
    assert!(refusal(json!({"trigger": "alarm"})).contains("alarm"));
}

#[test]
fn an_unknown_field_is_named() {
    assert!(refusal(json!({"trigger": "schedule", "levle": 1})).contains("levle"));
    let nested = json!({"trigger": "alarm", "alarm": {"name": "a", "colour": "red"}});
    assert!(refusal(nested).contains("colour"));
}

#[test]
fn a_field_of_a_wrong_type_is_named() {
    let force =
        |level: Value| refusal(json!({"trigger": "force", "targetLevel": level, "reason": "x", "requestedBy": "y"}));
    for level in [json!("two"), json!(4), json!(0), json!(-1), json!(1.5), json!(null), json!([1])] {
        assert!(force(level.clone()).starts_with("`targetLevel`"), "{}", force(level));
    }
    assert!(refusal(json!({"trigger": 7})).starts_with("`trigger`"));
    assert!(refusal(json!({"trigger": "alarm", "alarm": {"name": 7}})).starts_with("`alarm.name`"));
    for input in [json!(null), json!([]), json!("force"), json!(1)] {
        assert!(refusal(input).contains("not a JSON object"));
    }
}

#[test]
fn text_that_is_empty_too_long_or_not_plain_is_refused() {
    let force = |reason: &str| {
        TransitionRequest::parse(json!({"trigger": "force", "targetLevel": 1, "reason": reason, "requestedBy": "y"}))
    };
    for reason in [String::new(), "  ".to_owned(), "x".repeat(501), "a\u{0}b".to_owned(), "a\nb".to_owned()] {
        assert!(force(&reason).unwrap_err().to_string().starts_with("`reason`"));
    }
    assert!(force(&"ü".repeat(500)).is_ok());
}

#[test]
fn a_hold_always_ends() {
    let force = |minutes: Value| {
        let input =
            json!({"trigger": "force", "targetLevel": 1, "reason": "x", "requestedBy": "y", "holdMinutes": minutes});
        TransitionRequest::parse(input)
    };
    for minutes in [json!(0), json!(4321), json!(-5), json!("30")] {
        assert!(force(minutes).unwrap_err().to_string().starts_with("`holdMinutes`"));
    }
    assert!(force(json!(4320)).is_ok());
}
