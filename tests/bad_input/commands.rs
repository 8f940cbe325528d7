//! Tests malformed inputs of executions: operators' commands, the schedule's and the alarm processor's.

use std::sync::atomic::Ordering;

use aws_edge::task_error::TaskError;
use breaker::contract::ErrorName;

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

/// Returns inputs that are refused as `InvalidRequest`, each with the field that the cause names and a part of its
/// advice.
#[allow(clippy::too_many_lines, reason = "a table")]
fn malformed() -> Vec<(String, &'static str, &'static str)> {
    let row = |input: &str, field, remedy| (input.to_owned(), field, remedy);
    vec![
        // Not an object, or not one with a trigger.
        row("null", "trigger", "not a JSON object"),
        row("[]", "trigger", "not a JSON object"),
        row("\"force\"", "trigger", "not a JSON object"),
        row("7", "trigger", "not a JSON object"),
        row("[{\"trigger\": \"schedule\"}]", "trigger", "not a JSON object"),
        row("{}", "trigger", "use \"alarm\", \"schedule\", \"force\" or \"release\""),
        (without(FORCE, "trigger"), "trigger", "is missing"),
        (force("trigger", "null"), "trigger", "is not a text"),
        (force("trigger", "[\"force\"]"), "trigger", "is not a text"),
        (force("trigger", "\"\""), "trigger", "use \"alarm\""),
        (force("trigger", "\"Force\""), "trigger", "is \"Force\", which is not a trigger"),
        (force("trigger", "\"recover\""), "trigger", "use \"alarm\""),
        (force("trigger", "\"a\\u202eb\""), "trigger", "\"a\\u{202e}b\""),
        // Fields that are missing.
        (without(FORCE, "targetLevel"), "targetLevel", "add 1 (full), 2 (degraded) or 3 (maintenance)"),
        (without(FORCE, "reason"), "reason", "add a text of 1 to 500 characters that says why"),
        (without(FORCE, "requestedBy"), "requestedBy", "add a text of 1 to 200 characters that says who"),
        (without(RELEASE, "reason"), "reason", "is missing"),
        (without(RELEASE, "requestedBy"), "requestedBy", "is missing"),
        row("{\"trigger\": \"alarm\"}", "alarm", "add an object with the alarm's `name`"),
        (alarm("{}"), "alarm.name", "is missing"),
        // Unknown fields.
        (force("levle", "2"), "levle", "use `targetLevel`, `reason`, `requestedBy`"),
        (force("TargetLevel", "2"), "TargetLevel", "is no field of a force"),
        (force("", "2"), "", "is no field of a force"),
        (force("constructor", "{\"prototype\": {}}"), "constructor", "is no field of a force"),
        (release("holdMinutes", "30"), "holdMinutes", "is no field of a release"),
        (release("targetLevel", "1"), "targetLevel", "use `reason`, `requestedBy`, `expectedEpoch`, `expectedHold`"),
        (with(SCHEDULE, "reason", "\"x\""), "reason", "is no field of a schedule: use `looks`, `dryRun`"),
        (alarm("{\"name\": \"a\", \"colour\": \"red\"}"), "alarm.colour", "use `name`, `arn`, `stateChangeTime`"),
        (
            force(&"x".repeat(5_000), "1"),
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...",
            "is no field of a force: use `targetLevel`",
        ),
        // Invalid levels.
        (force("targetLevel", "0"), "targetLevel", "use 1 (full), 2 (degraded) or 3 (maintenance)"),
        (force("targetLevel", "4"), "targetLevel", "is 4: use 1 (full)"),
        (force("targetLevel", "-1"), "targetLevel", "is -1: use 1 (full)"),
        (force("targetLevel", "-0"), "targetLevel", "use 1 (full)"),
        (force("targetLevel", "2.5"), "targetLevel", "is 2.5: use 1 (full)"),
        (force("targetLevel", "1.0"), "targetLevel", "is 1.0: use 1 (full)"),
        (force("targetLevel", "258"), "targetLevel", "is 258: use 1 (full)"),
        (force("targetLevel", "\"2\""), "targetLevel", "is the text \"2\": use 1 (full)"),
        (force("targetLevel", "\"two\""), "targetLevel", "is the text \"two\": use 1 (full)"),
        (force("targetLevel", "true"), "targetLevel", "is true: use 1 (full)"),
        (force("targetLevel", "null"), "targetLevel", "is null: use 1 (full)"),
        (force("targetLevel", "[2]"), "targetLevel", "is a list: use 1 (full)"),
        (force("targetLevel", "{\"level\": 2}"), "targetLevel", "is an object: use 1 (full)"),
        // Texts.
        (force("reason", "\"\""), "reason", "is empty: use 1 to 500 characters"),
        (force("reason", "\" \\u00a0\\u3000 \""), "reason", "is empty"),
        (force("reason", "\"\\u200d\""), "reason", "is empty"),
        (force("reason", &text(501)), "reason", "has 501 characters: use 1 to 500"),
        (force("reason", &text(256 * 1024)), "reason", "has 262144 characters: use 1 to 500"),
        (force("reason", "null"), "reason", "is null: use a text of 1 to 500 characters"),
        (force("reason", "42"), "reason", "is 42: use a text"),
        (force("reason", "[\"a\", \"b\"]"), "reason", "is a list: use a text"),
        (force("reason", "\"a\\nb\""), "reason", "U+000A: use plain text on one line"),
        (force("reason", "\"a\\u0000b\""), "reason", "U+0000: use plain text"),
        (force("reason", "\"a\\u001b[2Jb\""), "reason", "U+001B: use plain text"),
        (force("reason", "\"a\\u0085b\""), "reason", "U+0085: use plain text"),
        (force("reason", "\"a\\u2028b\""), "reason", "U+2028: use plain text"),
        (force("reason", "\"a\\u202eb\""), "reason", "U+202E: use plain text"),
        (force("reason", "\"a\\u200bb\""), "reason", "U+200B: use plain text"),
        (force("reason", "\"\\ufeffa\""), "reason", "U+FEFF: use plain text"),
        (force("reason", "\"a\\udb40\\udc41\""), "reason", "U+E0041: use plain text"),
        (force("reason", "\"a\\ud800b\""), "request.reason", "whole characters"),
        (force("reason", "\"\\udc00\\ud800\""), "request.reason", "whole characters"),
        (force("requestedBy", "\"\""), "requestedBy", "is empty: use 1 to 200 characters"),
        (force("requestedBy", &text(201)), "requestedBy", "has 201 characters: use 1 to 200"),
        (force("requestedBy", "\"ali\\u2066ce\""), "requestedBy", "U+2066: use plain text"),
        (force("requestedBy", "{\"name\": \"alice\"}"), "requestedBy", "is an object: use a text"),
        (release("requestedBy", "null"), "requestedBy", "is null: use a text"),
        (release("reason", "\"\\t\""), "reason", "is empty"),
        // Numbers and flags.
        (force("holdMinutes", "0"), "holdMinutes", "is 0: use a whole number from 1 to 4320"),
        (force("holdMinutes", "4321"), "holdMinutes", "because a hold always ends"),
        (force("holdMinutes", "-5"), "holdMinutes", "is -5: use a whole number from 1 to 4320"),
        (force("holdMinutes", "30.0"), "holdMinutes", "is 30.0: use a whole number"),
        (force("holdMinutes", "0.5"), "holdMinutes", "is 0.5: use a whole number"),
        (force("holdMinutes", "4294967297"), "holdMinutes", "use a whole number from 1 to 4320"),
        (force("holdMinutes", "1e400"), "request.holdMinutes", "use numbers of at most 64 bits"),
        (force("holdMinutes", "\"30\""), "holdMinutes", "is the text \"30\": use a whole number"),
        (force("holdMinutes", "null"), "holdMinutes", "is null: use a whole number from 1 to 4320"),
        (force("expectedEpoch", "null"), "expectedEpoch", "is null: use the epoch that you saw"),
        (force("expectedEpoch", "-1"), "expectedEpoch", "is -1: use the epoch that you saw"),
        (force("expectedEpoch", "1.0"), "expectedEpoch", "is 1.0: use the epoch that you saw"),
        (force("expectedEpoch", "18446744073709551616"), "expectedEpoch", "use the epoch that you saw"),
        (force("expectedEpoch", "1"), "expectedEpoch", "the state is at epoch 2"),
        (release("expectedEpoch", "\"2\""), "expectedEpoch", "is the text \"2\": use the epoch that you saw"),
        (force("expectedHold", "null"), "expectedHold", "is null: use the ARN of the execution that set the hold"),
        (force("expectedHold", "7"), "expectedHold", "is 7: use the ARN of the execution"),
        (force("expectedHold", "\"\""), "expectedHold", "is empty: use 1 to 2048 characters"),
        (release("expectedHold", "\"a\\nb\""), "expectedHold", "contains the control character U+000A"),
        (force("repair", "\"yes\""), "repair", "is the text \"yes\": use true or false, or leave it out"),
        (force("repair", "null"), "repair", "is null: use true or false, or leave it out"),
        (force("dryRun", "1"), "dryRun", "is 1: use true or false, or leave it out"),
        (release("dryRun", "\"true\""), "dryRun", "use true or false"),
        (with(SCHEDULE, "dryRun", "null"), "dryRun", "use true or false"),
        (with(SCHEDULE, "looks", "0"), "looks", "use a whole number from 1 to 4"),
        (with(SCHEDULE, "looks", "5"), "looks", "use a whole number from 1 to 4"),
        (with(SCHEDULE, "looks", "256"), "looks", "use a whole number from 1 to 4"),
        (with(SCHEDULE, "looks", "1.5"), "looks", "use a whole number from 1 to 4"),
        (with(SCHEDULE, "looks", "\"4\""), "looks", "use a whole number from 1 to 4"),
        (with(SCHEDULE, "looks", "null"), "looks", "use a whole number from 1 to 4"),
        (force("looks", "2"), "looks", "is no field of a force"),
        // Deeply nested values.
        (force("junk", &nested(50)), "junk", "is no field of a force"),
        (force("junk", &nested(200)), "request.junk", "at most 100 levels of nesting"),
        (force("targetLevel", &nested(100)), "targetLevel", "is a list: use 1 (full)"),
        (force("reason", &nested(100_000)), "request.reason", "at most 100 levels of nesting"),
        // Invalid alarms, as a person would write them by hand.
        (alarm("null"), "alarm", "is null: use an object with the alarm's `name`"),
        (alarm("[\"level-1-error-rate\"]"), "alarm", "is a list: use an object with the alarm's `name`"),
        (alarm("\"level-1-error-rate\""), "alarm", "is the text \"level-1-error-rate\": use an object"),
        (alarm("{\"name\": \"\"}"), "alarm.name", "is empty: use 1 to 255 characters"),
        (alarm("{\"name\": null}"), "alarm.name", "is null: use the alarm's name"),
        (alarm(&format!("{{\"name\": {}}}", text(256))), "alarm.name", "has 256 characters: use 1 to 255"),
        (alarm("{\"name\": \"a\\u0007\"}"), "alarm.name", "U+0007: use plain text"),
        (alarm("{\"name\": \"a\", \"arn\": \"\"}"), "alarm.arn", "is empty: use 1 to 2048 characters"),
        (alarm("{\"name\": \"a\", \"arn\": 7}"), "alarm.arn", "is 7: use the alarm's ARN"),
        (alarm("{\"name\": \"a\", \"stateChangeTime\": \"yesterday\"}"), "alarm.stateChangeTime", "use a time such as"),
        (alarm("{\"name\": \"a\", \"stateChangeTime\": \"2026-02-30T00:00:00Z\"}"), "alarm.stateChangeTime", "a time"),
        (alarm("{\"name\": \"a\", \"stateChangeTime\": \"2026-09-10T25:00:00Z\"}"), "alarm.stateChangeTime", "a time"),
        (alarm("{\"name\": \"a\", \"stateChangeTime\": \"2026-09-10T14:06:12\"}"), "alarm.stateChangeTime", "a time"),
        (alarm("{\"name\": \"a\", \"stateChangeTime\": \"10000-01-01T00:00:00Z\"}"), "alarm.stateChangeTime", "a time"),
        (
            alarm("{\"name\": \"a\", \"stateChangeTime\": 1789048800}"),
            "alarm.stateChangeTime",
            "is 1789048800: use a time",
        ),
    ]
}

fn shown(error: &TaskError) -> bool {
    error.message.chars().count() <= 2_100 && !error.message.chars().any(char::is_control)
}

#[tokio::test]
async fn malformed_input_is_refused_by_field_with_the_fix() {
    let mut wrong = Vec::new();
    for (input, field, remedy) in malformed() {
        let shortened: String = input.chars().take(150).collect();
        match evaluate(&task(item()), &input).await {
            Ok(evaluation) => wrong.push(format!("{shortened} was taken: {}", evaluation.reason)),
            Err(error) => {
                let named =
                    error.message.contains(&format!("`{field}`")) || error.message.contains(&format!("{field}[0]"));
                let named = named && error.message.contains(remedy);
                if error.name != ErrorName::InvalidRequest || !named || !shown(&error) {
                    wrong.push(format!("{shortened} gave {error}, not `{field}` and {remedy}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_malformed_input_is_refused_before_anything_is_read() {
    for (input, ..) in malformed().into_iter().filter(|(_, _, remedy)| *remedy != "the state is at epoch 2") {
        let task = task(item());
        assert!(evaluate(&task, &input).await.is_err());
        assert_eq!(task.states.reads.load(Ordering::Relaxed), 0, "{input}");
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
