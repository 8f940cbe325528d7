//! What the status tells of the rules in force, and of a recovery under way.

use breaker::{DRAWS, Policy, SystemState};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

/// The preset, what differs from it, and whether automation moves the level.
pub fn policy(policy: &Policy) -> Value {
    let settings = policy.settings();
    let overrides: Map<_, _> =
        settings.overrides().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    json!({
        "preset": settings.preset.word(),
        "overrides": overrides,
        "mode": settings.mode.word(),
        "recoveryEvidence": settings.recovery_evidence.word(),
        "tripWhen": settings.trip_when.word(),
    })
}

/// Every threshold; null where its rule is off.
pub fn thresholds(policy: &Policy) -> Value {
    let seconds = |duration: Option<SignedDuration>| duration.map(|duration| duration.as_secs());
    let unless_off = |count: u32| (count > 0).then_some(count);
    json!({
        "level1To2Failures": unless_off(policy.level_1_failures()),
        "level2To3TotalFailures": unless_off(policy.level_2_failures()),
        "level3To2ConsecutiveSuccesses": policy.level_3_successes(),
        "level2To1ConsecutiveSuccesses": policy.level_2_successes(),
        "failureWindowSeconds": seconds(policy.window()),
        "consecutiveFailures": policy.consecutive_failures(),
        "failureRatePercent": policy.failure_rate_percent(),
        "minimumCalls": policy.minimum_calls(),
        "failureRateWindowSeconds": policy.rate_window().as_secs(),
        "slowCallMilliseconds": policy.slow_call().map(|slow| slow.as_millis()),
        "slowCallRatePercent": policy.slow_call_rate_percent(),
        "recoveryCooldownSeconds": policy.cooldown().as_secs(),
        "evidenceSettleSeconds": policy.settle().as_secs(),
        "probeCalls": policy.recovers_by_probes().then(|| policy.probe_calls()),
        "probePercent": policy.recovers_by_probes().then(|| policy.probe_percent()),
        "probeLimitPerSecond": policy.recovers_by_probes().then(|| policy.probe_limit_per_second()),
        "probeIdleSeconds": policy.recovers_by_probes().then(|| policy.probe_idle().as_secs()),
        "rampSeconds": seconds(policy.ramp()),
        "rampMinimumCalls": policy.ramp().map(|_| policy.ramp_minimum_calls()),
    })
}

/// How the better level is probed, null where it is not to be; one that has yet to begin is not `active`.
pub fn probing(state: &SystemState, now: Timestamp) -> Value {
    let Some(probing) = &state.probing else { return Value::Null };
    let note = probing.idle_since.map(|since| {
        format!("no probe was seen since {since}, so recoveries rest on level {} until one is", state.current_level)
    });
    json!({
        "active": state.active_probing(now).is_some(),
        "level": state.current_level.better(),
        "since": probing.from,
        "percentOfSafeRequests": probing.percent,
        "percentSince": probing.percent_since,
        "idleSince": probing.idle_since,
        "note": note,
    })
}

/// The ramp that is under way, null where none is.
pub fn ramp(state: &SystemState, now: Timestamp) -> Value {
    let Some(ramp) = state.active_ramp(now) else { return Value::Null };
    json!({
        "since": ramp.from,
        "until": ramp.until,
        "percentOfRequests": f64::from(ramp.share(now)) * 100.0 / f64::from(DRAWS),
        "restToLevel": state.current_level.worse(),
    })
}
