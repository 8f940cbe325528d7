//! Inputs of executions, valid and invalid.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use breaker::{InvalidKind, Level, TransitionRecord, TransitionRequest};
use serde_json::{Value, json};

/// Returns the field that is refused, and what was found in it.
fn refusal(input: Value) -> (String, InvalidKind) {
    let refusal = TransitionRequest::parse(input).unwrap_err();
    (refusal.field().to_owned(), refusal.kind().clone())
}

fn missing(field: &str) -> (String, InvalidKind) {
    (field.to_owned(), InvalidKind::Missing)
}

fn unknown(field: &str, whole: &str) -> (String, InvalidKind) {
    (field.to_owned(), InvalidKind::Unknown(whole.to_owned()))
}

fn value(field: &str, value: Value) -> (String, InvalidKind) {
    (field.to_owned(), InvalidKind::Value(value))
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
fn a_written_request_is_read_back() {
    let input = json!({"trigger": "force", "targetLevel": 3, "reason": "drill", "requestedBy": "alice"});
    let request = TransitionRequest::parse(input.clone()).unwrap();
    assert_eq!(serde_json::to_value(&request).unwrap(), input);
    assert_eq!(serde_json::from_value::<TransitionRequest>(input).unwrap(), request);
}

#[test]
fn a_missing_field_is_named() {
    assert_eq!(refusal(json!({})), missing("trigger"));
    assert_eq!(refusal(json!({"trigger": "force", "reason": "x", "requestedBy": "y"})), missing("targetLevel"));
    assert_eq!(refusal(json!({"trigger": "force", "targetLevel": 1, "requestedBy": "y"})), missing("reason"));
    assert_eq!(refusal(json!({"trigger": "alarm"})), missing("alarm"));
    assert_eq!(refusal(json!({"trigger": "alarm", "alarm": {}})), missing("alarm.name"));
}

#[test]
fn an_unknown_field_is_named() {
    assert_eq!(refusal(json!({"trigger": "schedule", "levle": 1})), unknown("levle", "a schedule"));
    let nested = json!({"trigger": "alarm", "alarm": {"name": "a", "colour": "red"}});
    assert_eq!(refusal(nested), unknown("alarm.colour", "`alarm`"));
}

#[test]
fn a_field_of_a_wrong_type_is_named() {
    let force =
        |level: Value| refusal(json!({"trigger": "force", "targetLevel": level, "reason": "x", "requestedBy": "y"}));
    for level in [json!("two"), json!(4), json!(0), json!(-1), json!(1.5), json!(null), json!([1])] {
        assert_eq!(force(level.clone()), value("targetLevel", level));
    }
    assert_eq!(refusal(json!({"trigger": 7})), value("trigger", json!(7)));
    assert_eq!(refusal(json!({"trigger": "alarm", "alarm": {"name": 7}})), value("alarm.name", json!(7)));
    for input in [json!(null), json!([]), json!("force"), json!(1)] {
        assert_eq!(refusal(input), ("trigger".to_owned(), InvalidKind::NoObject));
    }
}

#[test]
fn text_that_is_empty_too_long_or_not_plain_is_refused() {
    let force = |reason: &str| json!({"trigger": "force", "targetLevel": 1, "reason": reason, "requestedBy": "y"});
    for (reason, kind) in [
        ("", InvalidKind::Empty),
        ("  ", InvalidKind::Empty),
        ("x".repeat(501).as_str(), InvalidKind::Length(501)),
        ("a\u{0}b", InvalidKind::Character('\0')),
        ("a\nb", InvalidKind::Character('\n')),
    ] {
        assert_eq!(refusal(force(reason)), ("reason".to_owned(), kind));
    }
    assert!(TransitionRequest::parse(force(&"ü".repeat(500))).is_ok());
}

#[test]
fn a_hold_always_ends() {
    let force = |minutes: Value| json!({"trigger": "force", "targetLevel": 1, "reason": "x", "requestedBy": "y", "holdMinutes": minutes});
    for minutes in [json!(0), json!(4321), json!(-5), json!("30")] {
        assert_eq!(refusal(force(minutes.clone())), value("holdMinutes", minutes));
    }
    assert!(TransitionRequest::parse(force(json!(4320))).is_ok());
}

/// A later release may refuse a text that this one accepts.
#[test]
fn a_record_with_a_text_that_is_refused_today_is_read() {
    let at = "2026-09-10T14:06:12Z";
    let request = json!({"trigger": "force", "targetLevel": 3, "reason": "", "requestedBy": "alice"});
    assert!(serde_json::from_value::<TransitionRequest>(request.clone()).is_err());
    let record = json!({
        "epoch": 3, "version": 5, "from": 1, "to": 3, "at": at, "reason": "forced", "request": request,
        "execution": "arn:execution"
    });
    let read: TransitionRecord = serde_json::from_value(record.clone()).unwrap();
    assert!(matches!(&read.request, Some(TransitionRequest::Force(force)) if force.reason.is_empty()));
    assert_eq!(serde_json::to_value(read).unwrap(), record);
}
