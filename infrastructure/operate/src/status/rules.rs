//! The part of `breaker status` with the rules that are on, each with its evidence. It decides nothing: the rules are
//! in `trip.rs` and `recovery.rs` of the crate `breaker`.

use breaker::{CallCounts, EvidenceSummary, Level, Policy, ProbeSeries};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::Answer;

/// The direction of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// To the next worse level.
    Fall,
    /// To the next better level.
    Recovery,
}

/// A rule of the policy with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleStatus {
    /// Its name.
    pub rule: &'static str,
    /// Its direction.
    pub direction: Direction,
    /// Whether the rule holds. The level moves only if nothing prevents it: a hold, the cooldown, a ramp or the mode.
    /// Under `count-and-rate` the count and the rate each show their own threshold, and the level falls if both hold.
    pub holds: bool,
    /// The evidence beside the threshold, in words.
    pub text: String,
}

/// Returns the rules at the answer's level; none if the deployment's release is older and does not tell its policy.
pub fn of(answer: &Answer, now: Timestamp) -> Vec<RuleStatus> {
    let (Some(policy), Some(evidence)) = (&answer.policy, &answer.evidence) else { return Vec::new() };
    let in_ramp = answer.old_state.active_ramp(now).is_some();
    let mut rules = Vec::new();
    if evidence.level.worse().is_some() {
        rules.extend(falls(policy, evidence, in_ramp));
    }
    if evidence.level.better().is_some() {
        rules.push(recovery(policy, evidence));
    }
    rules
}

fn falls(policy: &Policy, evidence: &EvidenceSummary, in_ramp: bool) -> Vec<RuleStatus> {
    let fall = |rule, holds, text| RuleStatus { rule, direction: Direction::Fall, holds, text };
    let mut rules = Vec::new();
    let threshold = if evidence.level == Level::Full { policy.level_1_failures() } else { policy.level_2_failures() };
    if threshold > 0 {
        let (failures, carried) = (evidence.failures(), evidence.carried_failures);
        let within = policy.window().map(|window| format!(" within {} s", window.as_secs())).unwrap_or_default();
        let carried = if carried > 0 { format!(", {carried} of them carried over") } else { String::new() };
        let holds = failures >= u64::from(threshold);
        rules.push(fall("failures", holds, format!("{failures} of {threshold} failures{within}{carried}")));
    }
    if let Some(threshold) = policy.consecutive_failures() {
        let failures = evidence.consecutive_failures;
        let text = format!("{failures} of {threshold} consecutive failures");
        rules.push(fall("consecutiveFailures", failures >= u64::from(threshold), text));
    }
    let minimum = if in_ramp { policy.ramp_minimum_calls() } else { policy.minimum_calls() };
    let rate = |part: u64, percent: u32, what: &str| {
        let CallCounts { calls, .. } = evidence.rate;
        let is = evidence.rate.percent(part);
        let text = format!("{part} of {calls} calls {what} ({is} %); falls at {percent} % of at least {minimum}");
        (evidence.rate.reaches(part, percent, minimum), text)
    };
    if let Some(percent) = policy.failure_rate_percent() {
        let (holds, text) = rate(evidence.rate.failed, percent, "failed");
        rules.push(fall("failureRate", holds, text));
    }
    if let Some(percent) = policy.slow_call_rate_percent() {
        let (holds, text) = rate(evidence.rate.slow, percent, "were slow");
        rules.push(fall("slowCallRate", holds, text));
    }
    rules
}

fn recovery(policy: &Policy, evidence: &EvidenceSummary) -> RuleStatus {
    let recovery = |rule, holds, text| RuleStatus { rule, direction: Direction::Recovery, holds, text };
    // A policy that only observes sends no probes, so the current level's streak decides.
    if policy.recovers_by_probes() && !policy.observes_only() {
        return probes(policy, evidence, recovery);
    }
    let threshold = match evidence.level {
        Level::Maintenance => policy.level_3_successes(),
        _ => policy.level_2_successes(),
    };
    let streak = evidence.success_streak;
    let text = format!("{streak} of {threshold} consecutive successes");
    recovery("consecutiveSuccesses", streak >= u64::from(threshold), text)
}

fn probes(
    policy: &Policy,
    evidence: &EvidenceSummary,
    recovery: impl Fn(&'static str, bool, String) -> RuleStatus,
) -> RuleStatus {
    let threshold = policy.probe_calls();
    let Some(ProbeSeries { calls, failed, newest, .. }) = evidence.probes else {
        return recovery("probes", false, format!("no probing now; {threshold} probes prove the better level"));
    };
    let share = CallCounts { calls, failed, slow: 0 };
    let below = policy.failure_rate_percent().unwrap_or_default();
    let holds = calls >= threshold.into() && !share.reaches(failed, below, 0) && !newest.mostly_refused();
    let refused = if newest.mostly_refused() { ", and most of the newest were refused" } else { "" };
    recovery("probes", holds, format!("{calls} of {threshold} probes, {failed} of them failed{refused}"))
}
