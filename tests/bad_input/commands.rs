//! Tests malformed inputs of executions: operators' commands, the schedule's and the alarm processor's.

use std::sync::atomic::Ordering;

use aws_edge::task_error::TaskError;
use aws_edge::task_input::{self, InvalidInput};
use breaker::contract::ErrorName;
use breaker::{InvalidKind, RefusedCommand, TransitionRequest};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::doubles::{evaluate, item, task};

const FORCE: &[(&str, &str)] =
    &[("trigger", "\"force\""), ("targetLevel", "3"), ("reason", "\"drill\""), ("requestedBy", "\"alice\"")];
const RELEASE: &[(&str, &str)] = &[("trigger", "\"release\""), ("reason", "\"over\""), ("requestedBy", "\"alice\"")];
const SCHEDULE: &[(&str, &str)] = &[("trigger", "\"schedule\"")];

/// Returns a valid input as JSON text, with one field added or replaced.
fn with(good: &[(&str, &str)], field: &str, value: &str) -> String {
    let mut fields: Vec<_> = good.iter().filter(|(name, _)| *name != field).copied().collect();
    fields.push((field, value));
    object(&fields)
}

fn without(good: &[(&str, &str)], field: &str) -> String {
    object(&good.iter().filter(|(name, _)| *name != field).copied().collect::<Vec<_>>())
}

fn object(fields: &[(&str, &str)]) -> String {
    let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
    format!("{{{}}}", fields.join(", "))
}

fn force(field: &str, value: &str) -> String {
    with(FORCE, field, value)
}

fn release(field: &str, value: &str) -> String {
    with(RELEASE, field, value)
}

fn alarm(alarm: &str) -> String {
    object(&[("trigger", "\"alarm\""), ("alarm", alarm)])
}

fn text(length: usize) -> String {
    format!("\"{}\"", "x".repeat(length))
}

fn nested(depth: usize) -> String {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
}

fn unknown(whole: &str) -> InvalidKind {
    InvalidKind::Unknown(whole.to_owned())
}

fn is(json: &str) -> InvalidKind {
    InvalidKind::Value(serde_json::from_str(json).unwrap())
}

/// Each is refused: the input, the field that is invalid, what is found in it.
#[allow(clippy::too_many_lines, reason = "a table")]
fn malformed() -> Vec<(String, &'static str, InvalidKind)> {
    vec![
        // Not an object, or not one with a trigger.
        ("null".to_owned(), "trigger", InvalidKind::NoObject),
        ("[]".to_owned(), "trigger", InvalidKind::NoObject),
        ("\"force\"".to_owned(), "trigger", InvalidKind::NoObject),
        ("7".to_owned(), "trigger", InvalidKind::NoObject),
        ("[{\"trigger\": \"schedule\"}]".to_owned(), "trigger", InvalidKind::NoObject),
        ("{}".to_owned(), "trigger", InvalidKind::Missing),
        (without(FORCE, "trigger"), "trigger", InvalidKind::Missing),
        (force("trigger", "null"), "trigger", is("null")),
        (force("trigger", "[\"force\"]"), "trigger", is("[\"force\"]")),
        (force("trigger", "\"\""), "trigger", is("\"\"")),
        (force("trigger", "\"Force\""), "trigger", is("\"Force\"")),
        (force("trigger", "\"recover\""), "trigger", is("\"recover\"")),
        (force("trigger", "\"a\\u202eb\""), "trigger", is("\"a\\u202eb\"")),
        // Fields that are missing.
        (without(FORCE, "targetLevel"), "targetLevel", InvalidKind::Missing),
        (without(FORCE, "reason"), "reason", InvalidKind::Missing),
        (without(FORCE, "requestedBy"), "requestedBy", InvalidKind::Missing),
        (without(RELEASE, "reason"), "reason", InvalidKind::Missing),
        (without(RELEASE, "requestedBy"), "requestedBy", InvalidKind::Missing),
        ("{\"trigger\": \"alarm\"}".to_owned(), "alarm", InvalidKind::Missing),
        (alarm("{}"), "alarm.name", InvalidKind::Missing),
        // Unknown fields.
        (force("levle", "2"), "levle", unknown("a force")),
        (force("TargetLevel", "2"), "TargetLevel", unknown("a force")),
        (force("", "2"), "", unknown("a force")),
        (force("constructor", "{\"prototype\": {}}"), "constructor", unknown("a force")),
        (release("holdMinutes", "30"), "holdMinutes", unknown("a release")),
        (release("targetLevel", "1"), "targetLevel", unknown("a release")),
        (with(SCHEDULE, "reason", "\"x\""), "reason", unknown("a schedule")),
        (alarm("{\"name\": \"a\", \"colour\": \"red\"}"), "alarm.colour", unknown("`alarm`")),
        (
            force(&"x".repeat(5_000), "1"),
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...",
            unknown("a force"),
        ),
        // Levels that are none.
        (force("targetLevel", "0"), "targetLevel", is("0")),
        (force("targetLevel", "4"), "targetLevel", is("4")),
        (force("targetLevel", "-1"), "targetLevel", is("-1")),
        (force("targetLevel", "-0"), "targetLevel", is("-0")),
        (force("targetLevel", "2.5"), "targetLevel", is("2.5")),
        (force("targetLevel", "1.0"), "targetLevel", is("1.0")),
        (force("targetLevel", "258"), "targetLevel", is("258")),
        (force("targetLevel", "\"2\""), "targetLevel", is("\"2\"")),
        (force("targetLevel", "\"two\""), "targetLevel", is("\"two\"")),
        (force("targetLevel", "true"), "targetLevel", is("true")),
        (force("targetLevel", "null"), "targetLevel", is("null")),
        (force("targetLevel", "[2]"), "targetLevel", is("[2]")),
        (force("targetLevel", "{\"level\": 2}"), "targetLevel", is("{\"level\": 2}")),
        // Texts.
        (force("reason", "\"\""), "reason", InvalidKind::Empty),
        (force("reason", "\" \\u00a0\\u3000 \""), "reason", InvalidKind::Empty),
        (force("reason", "\"\\u200d\""), "reason", InvalidKind::Empty),
        (force("reason", &text(501)), "reason", InvalidKind::Length(501)),
        (force("reason", &text(256 * 1024)), "reason", InvalidKind::Length(262_144)),
        (force("reason", "null"), "reason", is("null")),
        (force("reason", "42"), "reason", is("42")),
        (force("reason", "[\"a\", \"b\"]"), "reason", is("[\"a\", \"b\"]")),
        (force("reason", "\"a\\nb\""), "reason", InvalidKind::Character('\u{a}')),
        (force("reason", "\"a\\u0000b\""), "reason", InvalidKind::Character('\u{0}')),
        (force("reason", "\"a\\u001b[2Jb\""), "reason", InvalidKind::Character('\u{1b}')),
        (force("reason", "\"a\\u0085b\""), "reason", InvalidKind::Character('\u{85}')),
        (force("reason", "\"a\\u2028b\""), "reason", InvalidKind::Character('\u{2028}')),
        (force("reason", "\"a\\u202eb\""), "reason", InvalidKind::Character('\u{202e}')),
        (force("reason", "\"a\\u200bb\""), "reason", InvalidKind::Character('\u{200b}')),
        (force("reason", "\"\\ufeffa\""), "reason", InvalidKind::Character('\u{feff}')),
        (force("reason", "\"a\\udb40\\udc41\""), "reason", InvalidKind::Character('\u{e0041}')),
        (force("requestedBy", "\"\""), "requestedBy", InvalidKind::Empty),
        (force("requestedBy", &text(201)), "requestedBy", InvalidKind::Length(201)),
        (force("requestedBy", "\"ali\\u2066ce\""), "requestedBy", InvalidKind::Character('\u{2066}')),
        (force("requestedBy", "{\"name\": \"alice\"}"), "requestedBy", is("{\"name\": \"alice\"}")),
        (release("requestedBy", "null"), "requestedBy", is("null")),
        (release("reason", "\"\\t\""), "reason", InvalidKind::Empty),
        // Numbers and flags.
        (force("holdMinutes", "0"), "holdMinutes", is("0")),
        (force("holdMinutes", "4321"), "holdMinutes", is("4321")),
        (force("holdMinutes", "-5"), "holdMinutes", is("-5")),
        (force("holdMinutes", "30.0"), "holdMinutes", is("30.0")),
        (force("holdMinutes", "0.5"), "holdMinutes", is("0.5")),
        (force("holdMinutes", "4294967297"), "holdMinutes", is("4294967297")),
        (force("holdMinutes", "\"30\""), "holdMinutes", is("\"30\"")),
        (force("holdMinutes", "null"), "holdMinutes", is("null")),
        (force("expectedEpoch", "null"), "expectedEpoch", is("null")),
        (force("expectedEpoch", "-1"), "expectedEpoch", is("-1")),
        (force("expectedEpoch", "1.0"), "expectedEpoch", is("1.0")),
        (force("expectedEpoch", "18446744073709551616"), "expectedEpoch", is("18446744073709551616")),
        (release("expectedEpoch", "\"2\""), "expectedEpoch", is("\"2\"")),
        (force("expectedHold", "null"), "expectedHold", is("null")),
        (force("expectedHold", "7"), "expectedHold", is("7")),
        (force("expectedHold", "\"\""), "expectedHold", InvalidKind::Empty),
        (release("expectedHold", "\"a\\nb\""), "expectedHold", InvalidKind::Character('\u{a}')),
        (force("repair", "\"yes\""), "repair", is("\"yes\"")),
        (force("repair", "null"), "repair", is("null")),
        (force("dryRun", "1"), "dryRun", is("1")),
        (release("dryRun", "\"true\""), "dryRun", is("\"true\"")),
        (with(SCHEDULE, "dryRun", "null"), "dryRun", is("null")),
        (with(SCHEDULE, "looks", "0"), "looks", is("0")),
        (with(SCHEDULE, "looks", "5"), "looks", is("5")),
        (with(SCHEDULE, "looks", "256"), "looks", is("256")),
        (with(SCHEDULE, "looks", "1.5"), "looks", is("1.5")),
        (with(SCHEDULE, "looks", "\"4\""), "looks", is("\"4\"")),
        (with(SCHEDULE, "looks", "null"), "looks", is("null")),
        (force("looks", "2"), "looks", unknown("a force")),
        // Junk.
        (force("junk", &nested(50)), "junk", unknown("a force")),
        (force("targetLevel", &nested(100)), "targetLevel", is(&nested(100))),
        // Alarms that a person wrote by hand.
        (alarm("null"), "alarm", is("null")),
        (alarm("[\"level-1-error-rate\"]"), "alarm", is("[\"level-1-error-rate\"]")),
        (alarm("\"level-1-error-rate\""), "alarm", is("\"level-1-error-rate\"")),
        (alarm("{\"name\": \"\"}"), "alarm.name", InvalidKind::Empty),
        (alarm("{\"name\": null}"), "alarm.name", is("null")),
        (alarm(&format!("{{\"name\": {}}}", text(256))), "alarm.name", InvalidKind::Length(256)),
        (alarm("{\"name\": \"a\\u0007\"}"), "alarm.name", InvalidKind::Character('\u{7}')),
        (alarm("{\"name\": \"a\", \"arn\": \"\"}"), "alarm.arn", InvalidKind::Empty),
        (alarm("{\"name\": \"a\", \"arn\": 7}"), "alarm.arn", is("7")),
        (alarm("{\"name\": \"a\", \"stateChangeTime\": \"yesterday\"}"), "alarm.stateChangeTime", is("\"yesterday\"")),
        (
            alarm("{\"name\": \"a\", \"stateChangeTime\": \"2026-02-30T00:00:00Z\"}"),
            "alarm.stateChangeTime",
            is("\"2026-02-30T00:00:00Z\""),
        ),
        (
            alarm("{\"name\": \"a\", \"stateChangeTime\": \"2026-09-10T25:00:00Z\"}"),
            "alarm.stateChangeTime",
            is("\"2026-09-10T25:00:00Z\""),
        ),
        (
            alarm("{\"name\": \"a\", \"stateChangeTime\": \"2026-09-10T14:06:12\"}"),
            "alarm.stateChangeTime",
            is("\"2026-09-10T14:06:12\""),
        ),
        (
            alarm("{\"name\": \"a\", \"stateChangeTime\": \"10000-01-01T00:00:00Z\"}"),
            "alarm.stateChangeTime",
            is("\"10000-01-01T00:00:00Z\""),
        ),
        (alarm("{\"name\": \"a\", \"stateChangeTime\": 1789048800}"), "alarm.stateChangeTime", is("1789048800")),
    ]
}

/// JSON that this system does not read, and the field that holds it.
fn beyond_limits() -> Vec<(String, &'static str)> {
    vec![
        (force("reason", "\"a\\ud800b\""), "request.reason"),
        (force("reason", "\"\\udc00\\ud800\""), "request.reason"),
        (force("holdMinutes", "1e400"), "request.holdMinutes"),
        (force("junk", &nested(200)), "request.junk"),
        (force("reason", &nested(100_000)), "request.reason"),
    ]
}

fn shown(error: &TaskError) -> bool {
    error.message.chars().count() <= 2_100 && !error.message.chars().any(char::is_control)
}

/// Returns the input as the task gets it, inside of the event.
fn read(input: &str) -> Result<Value, InvalidInput> {
    let event = RawValue::from_string(format!("{{\"request\": {input}}}")).unwrap();
    task_input::read(&event).map(|mut event| event["request"].take())
}

#[test]
fn malformed_input_is_refused_by_field_and_kind() {
    for (input, field, kind) in malformed() {
        let refusal = TransitionRequest::parse(read(&input).unwrap()).unwrap_err();
        assert_eq!((refusal.field(), refusal.kind()), (field, &kind), "{input:.150}");
        assert!(!refusal.allowed().is_empty(), "{input:.150}");
        // A person reads the sentence: no character of the input may be invisible or reverse what follows it.
        let hidden = |c: char| {
            c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!refusal.to_string().contains(hidden), "{refusal}");
    }
}

#[test]
fn json_beyond_the_limits_is_refused_by_field() {
    for (input, field) in beyond_limits() {
        let Err(InvalidInput::BeyondLimits(invalid)) = read(&input) else { panic!("{input:.150} was read") };
        assert!(invalid.attribute.starts_with(field), "{input:.150}: {invalid}");
    }
}

#[tokio::test]
async fn a_malformed_input_is_refused_before_anything_is_read() {
    let inputs = malformed().into_iter().map(|(input, ..)| input);
    for input in inputs.chain(beyond_limits().into_iter().map(|(input, _)| input)) {
        let task = task(item());
        let error = evaluate(&task, &input).await.unwrap_err();
        assert_eq!(error.name, ErrorName::InvalidRequest, "{input:.150}");
        assert!(shown(&error), "{error}");
        let refusal = read(&input).map(TransitionRequest::parse);
        if let Ok(refused) = refusal {
            assert_eq!(error.message, refused.unwrap_err().to_string(), "people read the refusal");
        }
        assert_eq!(task.states.reads.load(Ordering::Relaxed), 0, "{input:.150}");
    }
}

#[tokio::test]
async fn a_command_for_another_epoch_is_refused() {
    let error = evaluate(&task(item()), &force("expectedEpoch", "1")).await.unwrap_err();
    let expected = RefusedCommand::OtherEpoch { expected: 1, found: 2 };
    assert_eq!((error.name, error.message), (ErrorName::InvalidRequest, expected.to_string()));
}

#[test]
fn a_refusal_says_what_the_field_allows() {
    for (input, allowed) in [
        (without(FORCE, "trigger"), "\"alarm\", \"schedule\", \"force\" or \"release\""),
        (without(FORCE, "targetLevel"), "1 (full), 2 (degraded) or 3 (maintenance)"),
        (without(FORCE, "reason"), "a text of 1 to 500 characters that says why"),
        (without(FORCE, "requestedBy"), "a text of 1 to 200 characters that says who"),
        (alarm("{}"), "the alarm's name, a text of 1 to 255 characters"),
        (force("reason", "\"\""), "1 to 500 characters"),
        (force("reason", "\"a\\nb\""), "plain text on one line"),
        (force("holdMinutes", "0"), "a whole number from 1 to 4320, because a hold always ends, or leave it out"),
        (force("repair", "1"), "true or false, or leave it out"),
        (with(SCHEDULE, "reason", "\"x\""), "`looks`, `dryRun`"),
        (alarm("{\"name\": \"a\", \"colour\": \"red\"}"), "`name`, `arn`, `stateChangeTime`"),
    ] {
        let refusal = TransitionRequest::parse(read(&input).unwrap()).unwrap_err();
        assert_eq!(refusal.allowed(), allowed, "{input}");
    }
}

#[tokio::test]
async fn an_odd_input_that_breaks_no_rule_is_taken() {
    for input in [
        force("reason", &format!("\"{}\"", "ü".repeat(500))),
        force("reason", "\"  spaces around  \""),
        force("reason", "\"family \\ud83d\\udc68\\u200d\\ud83d\\udc69\""),
        force("reason", "\"</script> '; DROP TABLE state; -- ${jndi:x} {% $x %}\""),
        force("requestedBy", "\"مریم\\u200cبانو\""),
        force("holdMinutes", "1"),
        force("holdMinutes", "4320"),
        force("expectedEpoch", "2"),
        force("targetLevel", "2"),
        with(SCHEDULE, "dryRun", "true"),
        with(SCHEDULE, "looks", "4"),
        "{\"trigger\": \"release\", \"trigger\": \"schedule\"}".to_owned(),
        alarm("{\"name\": \"a\", \"stateChangeTime\": \"9999-01-01T00:00:00Z\"}"),
        alarm("{\"name\": \"a\", \"stateChangeTime\": \"-001000-01-01T00:00:00Z\"}"),
        alarm("{\"name\": \"name with / signs: $, ü and \\u202e\"}"),
    ] {
        let answer = evaluate(&task(item()), &input).await;
        assert!(answer.is_ok(), "{input} gave {answer:?}");
    }
}
