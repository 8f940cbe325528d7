//! The rules by which the level falls: a count of failures, consecutive failures, the failure rate, the rate of slow
//! calls. Each is off at zero, and any one that is on is enough. If the policy wants the count and the rate together,
//! neither of these two is enough alone; the other two rules are. `cause/trip.rs` has their texts.

use jiff::Timestamp;

use crate::cause::{CallRate, Calm, ConsecutiveFailures, FailureCount, RecentFailures, SlowCalls, TripCause};
use crate::level::Level;
use crate::policy::Policy;
use crate::state::SystemState;
use crate::summary::EvidenceSummary;

/// Returns the rule by which the level falls; `None` if no rule holds.
pub(crate) fn cause(
    state: &SystemState,
    policy: &Policy,
    evidence: &EvidenceSummary,
    now: Timestamp,
) -> Option<TripCause> {
    evidence.level.worse()?;
    let count = count(policy, evidence).filter(|count| evidence.failures() >= count.threshold.into());
    let rate = failure_rate(state, policy, evidence, now);
    let failures = if needs_count_and_rate(state, policy, now) {
        count.zip(rate).map(|(count, rate)| TripCause::CountAndRate { count, rate })
    } else {
        count.map(TripCause::FailureCount).or_else(|| rate.map(TripCause::FailureRate))
    };
    failures
        .or_else(|| consecutive_failures(policy, evidence).map(TripCause::ConsecutiveFailures))
        .or_else(|| slow_calls(state, policy, evidence, now).map(TripCause::SlowCalls))
}

/// Returns the failures that were seen while no rule holds.
pub(crate) fn calm(policy: &Policy, evidence: &EvidenceSummary) -> Calm {
    let EvidenceSummary { level, rate, .. } = *evidence;
    let window_seconds = policy.rate_reach().as_secs();
    count(policy, evidence).map_or(
        Calm::RecentFailures(RecentFailures { level, failed: rate.failed, calls: rate.calls, window_seconds }),
        Calm::FailureCount,
    )
}

/// Whether the level falls only if the count and the rate both hold. During a ramp the rate is enough, because counts
/// need longer.
pub(crate) fn needs_count_and_rate(state: &SystemState, policy: &Policy, now: Timestamp) -> bool {
    policy.needs_count_and_rate() && state.active_ramp(now).is_none()
}

/// Minimum number of calls for a rate to count at `now`.
pub(crate) fn minimum_calls(state: &SystemState, policy: &Policy, now: Timestamp) -> u32 {
    if state.active_ramp(now).is_some() { policy.ramp_minimum_calls() } else { policy.minimum_calls() }
}

/// Failures that lead from `level` to the next worse level; 0 if the rule is off.
pub(crate) fn count_threshold(policy: &Policy, level: Level) -> u32 {
    match level {
        Level::Full => policy.level_1_failures(),
        Level::Degraded => policy.level_2_failures(),
        Level::Maintenance => 0,
    }
}

/// Returns the count of failures; `None` if its rule is off.
fn count(policy: &Policy, evidence: &EvidenceSummary) -> Option<FailureCount> {
    let EvidenceSummary { level, errors, carried_failures: carried, .. } = *evidence;
    let threshold = Some(count_threshold(policy, level)).filter(|threshold| *threshold > 0)?;
    let window_seconds = policy.window().map(|window| window.as_secs());
    Some(FailureCount { level, errors, carried, window_seconds, threshold })
}

fn consecutive_failures(policy: &Policy, evidence: &EvidenceSummary) -> Option<ConsecutiveFailures> {
    let threshold = policy.consecutive_failures()?;
    let EvidenceSummary { level, consecutive_failures: failures, .. } = *evidence;
    (failures >= threshold.into()).then_some(ConsecutiveFailures { level, failures, threshold })
}

fn failure_rate(state: &SystemState, policy: &Policy, evidence: &EvidenceSummary, now: Timestamp) -> Option<CallRate> {
    let percent = policy.failure_rate_percent()?;
    call_rate(state, policy, evidence, (evidence.rate.failed, percent), now)
}

fn slow_calls(state: &SystemState, policy: &Policy, evidence: &EvidenceSummary, now: Timestamp) -> Option<SlowCalls> {
    let (percent, slow) = (policy.slow_call_rate_percent()?, policy.slow_call()?);
    let rate = call_rate(state, policy, evidence, (evidence.rate.slow, percent), now)?;
    Some(SlowCalls { slow_milliseconds: i64::try_from(slow.as_millis()).unwrap_or(i64::MAX), rate })
}

/// Returns the rate of the `counted` calls if it reaches its threshold.
fn call_rate(
    state: &SystemState,
    policy: &Policy,
    evidence: &EvidenceSummary,
    (counted, threshold_percent): (u64, u32),
    now: Timestamp,
) -> Option<CallRate> {
    let minimum_calls = minimum_calls(state, policy, now);
    let rate = evidence.rate;
    rate.reaches(counted, threshold_percent, minimum_calls).then(|| CallRate {
        level: evidence.level,
        window_seconds: policy.rate_reach().as_secs(),
        in_ramp: state.active_ramp(now).is_some(),
        counted,
        calls: rate.calls,
        percent: rate.percent(counted),
        threshold_percent,
        minimum_calls,
    })
}
