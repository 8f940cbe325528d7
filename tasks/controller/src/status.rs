//! What `GET /circuit-breaker` tells.

use breaker::Policy;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::state_cache::Current;

/// The status as JSON.
#[must_use]
pub fn status(current: &Current, policy: &Policy, deployment: &str, now: Timestamp) -> Value {
    let level = current.level;
    let state = current.state.as_ref().map(|state| {
        json!({
            "failureCount": state.failure_count,
            "successCount": state.success_count,
            "lastTransition": state.last_transition,
            "lastUpdated": state.last_updated,
            "transitionReason": state.transition_reason,
            "version": state.version,
            "epoch": state.epoch,
            "hold": state.active_hold(now),
        })
    });
    json!({
        "circuitBreaker": {
            "currentLevel": level,
            "activeService": level.service(),
            "status": level.status(),
            "state": state,
            "thresholds": {
                "level1To2Failures": policy.level_1_failures(),
                "level2To3TotalFailures": policy.level_2_failures(),
                "level3To2ConsecutiveSuccesses": policy.level_3_successes(),
                "level2To1ConsecutiveSuccesses": policy.level_2_successes(),
                "failureWindowSeconds": policy.window().map(|window| window.as_secs()),
                "recoveryCooldownSeconds": policy.cooldown().as_secs(),
                "evidenceSettleSeconds": policy.settle().as_secs(),
            },
        },
        "metadata": {
            "timestamp": now,
            "deployment": deployment,
            "stateSource": current.source,
            "stateAgeSeconds": current.age.map(|age| age.as_secs_f64()),
        },
    })
}
