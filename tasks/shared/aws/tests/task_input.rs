//! A task's input has objects at every depth, never lists of their values.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use aws_edge::task_input;
use breaker::StateWrite;
use serde_json::{Value, json};

/// A write with all its optional parts.
fn write() -> Value {
    let time = "2026-09-10T14:06:12Z";
    let counts = json!({ "calls": 9, "failed": 5, "slow": 0 });
    json!({
        "expected": { "kind": "version", "version": 4, "epoch": 2 },
        "state": {
            "currentLevel": 2, "failureCount": 0, "successCount": 0, "lastTransition": time, "lastUpdated": time,
            "transitionReason": "drill", "version": 5, "epoch": 3, "evidenceSince": time, "carriedFailures": 0,
            "backoff": { "doublings": 1 }, "execution": "arn:execution", "schemaVersion": 1,
            "probing": { "from": time, "percent": 5, "percentSince": time },
            "ramp": { "from": time, "until": time, "firstPercent": 10 },
            "hold": { "level": 2, "reason": "drill", "requestedBy": "alice", "expiresAt": time },
        },
        "transition": {
            "epoch": 3, "version": 5, "from": 1, "to": 2, "at": time, "reason": "alarm", "execution": "arn:execution",
            "request": { "trigger": "alarm", "alarm": { "name": "level-1-error-rate" } },
            "evidence": {
                "level": 1, "since": time, "errors": 5, "carriedFailures": 0, "successStreak": 0, "rate": counts,
            },
        },
        "command": {
            "name": "drill", "version": 5, "epoch": 3, "from": 1, "to": 2, "at": time, "outcome": "transition",
            "reason": "drill", "execution": "arn:execution",
            "request": { "trigger": "release", "reason": "over", "requestedBy": "alice" },
        },
    })
}

#[test]
fn a_list_is_no_object_at_any_place() {
    let time = "2026-09-10T14:06:12Z";
    assert!(task_input::typed::<StateWrite>(write()).is_ok());
    for (place, list) in [
        ("", json!([write()["expected"], write()["state"], null, null])),
        ("/expected", json!(["version", 4, 2])),
        ("/expected", json!(["firstStart"])),
        ("/state/backoff", json!([1, null])),
        ("/state/backoff", json!([1])),
        ("/state/probing", json!([time, 5, time])),
        ("/state/ramp", json!([time, time, 10])),
        ("/state/hold", json!([2, "drill", "alice", time])),
        ("/transition/request", json!(["alarm", { "name": "level-1-error-rate" }])),
        ("/transition/request", json!(["schedule"])),
        ("/transition/request/alarm", json!(["level-1-error-rate"])),
        ("/transition/evidence", json!([1, time, 5, 0, 0, 0, [9, 5, 0], null])),
        ("/transition/evidence/rate", json!([9, 5, 0])),
        ("/command/request", json!(["release", "over", "alice"])),
        ("/command/request", json!([])),
    ] {
        let mut input = write();
        *input.pointer_mut(place).unwrap() = list;
        let error = task_input::typed::<StateWrite>(input).unwrap_err();
        let path = place.trim_start_matches('/').replace('/', ".");
        // serde does not tell the path inside of an enum with an internal tag.
        let told = &error.attribute().attribute;
        assert!(told.is_empty() == place.is_empty() && path.starts_with(told.as_str()), "{place}: {error}");
    }
}
