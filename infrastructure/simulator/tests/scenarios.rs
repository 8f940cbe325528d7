//! Checks scenario files: an invalid field is named.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::fs;
use std::path::Path;

use schemars::schema_for;
use simulator::{BUILT_IN, Scenario};

const GOOD: &str = r#"
description = "Level 1 fails"
minutes = 10
requestsPerSecond = 5

[level1]
failurePercent = 0.5
latencyMilliseconds = [50, 150]

[[traffic]]
atMinute = 0
factor = 1

[[traffic]]
atMinute = 5
factor = 2

[[events]]
level = 1
fromSecond = 60
untilSecond = 120
failurePercent = 100

[controlPlane]
alarmPeriodSeconds = 10
"#;

#[test]
fn every_built_in_scenario_is_valid_and_keeps_its_name() {
    for (name, text) in BUILT_IN {
        assert_eq!(Scenario::built_in(name), Scenario::parse(text));
        assert!(!Scenario::built_in(name).unwrap().description.is_empty());
    }
    let error = Scenario::built_in("outrage").unwrap_err().to_string();
    assert!(error.contains("\"outrage\"") && error.contains("slow-degradation"), "{error}");
}

#[test]
fn an_invalid_field_is_named_with_the_allowed_values() {
    Scenario::parse(GOOD).unwrap();
    for (from, to, field, remedy) in [
        ("minutes = 10", "minutes = 0", "minutes", "from 1 to 10080"),
        ("minutes = 10", "", "line", "missing field `minutes`"),
        ("minutes = 10", "minutes = \"ten\"", "minutes (line 3)", "expected u32"),
        ("requestsPerSecond = 5", "requestsPerSecond = -5", "requestsPerSecond", "from 0.001 to 50000"),
        ("requestsPerSecond = 5", "requestsPerSecond = nan", "requestsPerSecond", "from 0.001 to 50000"),
        ("requestsPerSecond", "requestPerSecond", "requestPerSecond (line 4)", "expected one of `description`"),
        ("failurePercent = 0.5", "failurePercent = 101", "level1.failurePercent", "from 0 to 100"),
        ("[50, 150]", "[150, 50]", "level1.latencyMilliseconds[1]", "from 150 to"),
        ("[50, 150]", "[50]", "level1.latencyMilliseconds", "array of length 2"),
        ("atMinute = 5", "atMinute = 0", "traffic[1].atMinute", "in order of time"),
        ("factor = 2", "factor = -2", "traffic[1].factor", "from 0 to 1000"),
        ("level = 1\n", "", "events[0] (line", "missing field `level`"),
        ("level = 1", "level = 4", "events[0].level", "use 1 (full), 2 (degraded) or 3 (maintenance)"),
        ("fromSecond = 60", "fromSecond = 700", "events[0].fromSecond", "from 0 to 600"),
        ("untilSecond = 120", "untilSecond = 60", "events[0].untilSecond", "from 61 to 600"),
        ("failurePercent = 100", "failurePercnt = 100", "events[0].failurePercnt", "expected one of `level`"),
        ("failurePercent = 100", "failurePercent = \"all\"", "events[0].failurePercent", "expected f64"),
        ("alarmPeriodSeconds = 10", "alarmPeriodSeconds = 15", "controlPlane.alarmPeriodSeconds", "10, 20, 30, 60"),
        ("minutes = 10", "minutes 10", "line 3", ""),
    ] {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        let error = Scenario::parse(&text).unwrap_err();
        assert!(error.field.starts_with(field), "{to}: {error}");
        assert!(error.problem.contains(remedy), "{to}: {error}");
    }
}

/// `UPDATE_SCHEMAS=1 cargo test --workspace --test schemas --test report_schemas --test file --test scenarios` writes
/// all schemas.
#[test]
fn the_committed_schema_is_that_of_the_type() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenario.schema.json");
    let expected = serde_json::to_string_pretty(&schema_for!(Scenario)).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, expected, "it differs: the comment of this test has the command that writes it");
}
