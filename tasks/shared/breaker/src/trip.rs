//! The rules by which the level falls: a count of failures, consecutive failures, the failure rate, the
//! rate of slow calls. Each is off at zero, and any one that is on is enough, unless the policy wants the
//! count and the rate together.

use jiff::Timestamp;

use crate::{EvidenceSummary, Level, Policy, SystemState};

/// Why the level falls, in words with the numbers; `None` where it does not.
pub(crate) fn reason(
    state: &SystemState,
    policy: &Policy,
    evidence: &EvidenceSummary,
    now: Timestamp,
) -> Option<String> {
    evidence.level.worse()?;
    let count = by_count(policy, evidence);
    let rate = by_failure_rate(state, policy, evidence, now);
    let failures = if needs_count_and_rate(state, policy, now) {
        count.zip(rate).map(|(count, rate)| format!("{count}, and {rate}"))
    } else {
        count.or(rate)
    };
    failures
        .or_else(|| by_consecutive_failures(policy, evidence))
        .or_else(|| by_slow_calls(state, policy, evidence, now))
}

/// The failures seen, for people, where none of the rules holds.
pub(crate) fn calm(policy: &Policy, evidence: &EvidenceSummary) -> String {
    match count_threshold(policy, evidence.level) {
        0 => {
            let (rate, failed) = (evidence.rate, evidence.rate.failed);
            format!("{failed} of {} calls failed at level {}{}", rate.calls, evidence.level, within_rate_window(policy))
        }
        threshold => count_text(policy, evidence, threshold),
    }
}

/// Whether count and rate trip only together: during a ramp the rate does alone, because counts are slow.
pub(crate) fn needs_count_and_rate(state: &SystemState, policy: &Policy, now: Timestamp) -> bool {
    policy.needs_count_and_rate() && state.active_ramp(now).is_none()
}

/// Minimum number of calls for a rate, at `now`.
pub(crate) fn minimum_calls(state: &SystemState, policy: &Policy, now: Timestamp) -> u32 {
    if state.active_ramp(now).is_some() { policy.ramp_minimum_calls() } else { policy.minimum_calls() }
}

/// Failures that lead from `level` to the next; 0 where the rule is off.
pub(crate) fn count_threshold(policy: &Policy, level: Level) -> u32 {
    match level {
        Level::Full => policy.level_1_failures(),
        Level::Degraded => policy.level_2_failures(),
        Level::Maintenance => 0,
    }
}

fn by_count(policy: &Policy, evidence: &EvidenceSummary) -> Option<String> {
    let threshold = count_threshold(policy, evidence.level);
    (threshold > 0 && evidence.failures() >= threshold.into()).then(|| count_text(policy, evidence, threshold))
}

fn count_text(policy: &Policy, evidence: &EvidenceSummary, threshold: u32) -> String {
    let EvidenceSummary { level, errors, carried_failures, .. } = evidence;
    let window = policy.window().map_or_else(String::new, |window| format!(" within {} s", window.as_secs()));
    let total = evidence.failures();
    if *carried_failures > 0 {
        format!(
            "{total} failures in total ({errors} at level {level}{window}, {carried_failures} carried from level 1; \
             threshold {threshold})"
        )
    } else {
        format!("{total} failures at level {level}{window} (threshold {threshold})")
    }
}

fn by_consecutive_failures(policy: &Policy, evidence: &EvidenceSummary) -> Option<String> {
    let threshold = policy.consecutive_failures()?;
    let failures = evidence.consecutive_failures;
    (failures >= threshold.into())
        .then(|| format!("{failures} consecutive failures at level {} (threshold {threshold})", evidence.level))
}

fn by_failure_rate(state: &SystemState, policy: &Policy, evidence: &EvidenceSummary, now: Timestamp) -> Option<String> {
    let percent = policy.failure_rate_percent()?;
    rate_text(state, policy, evidence, now, Rate { name: "failure rate", part: evidence.rate.failed, percent })
}

fn by_slow_calls(state: &SystemState, policy: &Policy, evidence: &EvidenceSummary, now: Timestamp) -> Option<String> {
    let (percent, slow) = (policy.slow_call_rate_percent()?, policy.slow_call()?);
    let name = &format!("rate of calls of {} ms or longer", slow.as_millis());
    rate_text(state, policy, evidence, now, Rate { name, part: evidence.rate.slow, percent })
}

struct Rate<'a> {
    name: &'a str,
    part: u64,
    percent: u32,
}

fn rate_text(
    state: &SystemState,
    policy: &Policy,
    evidence: &EvidenceSummary,
    now: Timestamp,
    Rate { name, part, percent }: Rate<'_>,
) -> Option<String> {
    let minimum = minimum_calls(state, policy, now);
    let ramp = if state.active_ramp(now).is_some() { " during the ramp" } else { "" };
    let rate = evidence.rate;
    rate.reaches(part, percent, minimum).then(|| {
        format!(
            "{name} {} % at level {}{}{ramp} ({part} of {} calls; threshold {percent} % of at least {minimum})",
            rate.percent(part),
            evidence.level,
            within_rate_window(policy),
            rate.calls,
        )
    })
}

fn within_rate_window(policy: &Policy) -> String {
    format!(" within {} s", policy.rate_reach().as_secs())
}
