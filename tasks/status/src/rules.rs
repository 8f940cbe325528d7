//! The part of the status about the policy in force and about a recovery under way. It shows the rules and decides
//! nothing: the rules are in `trip.rs` and `recovery.rs` of the crate `breaker`.

use std::collections::BTreeMap;

use breaker::{DRAWS, Level, Mode, Policy, Preset, RecoveryEvidence, SystemState, TripWhen};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

/// The policy without its numbers: the preset, the settings that differ from it, and the mode.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatus {
    /// The preset.
    pub preset: Preset,
    /// The settings that differ from the preset, by name.
    pub overrides: BTreeMap<&'static str, String>,
    /// Whether automation moves the level.
    pub mode: Mode,
    /// The evidence that a recovery rests on.
    pub recovery_evidence: RecoveryEvidence,
    /// Which rules about failures must hold for a fall.
    pub trip_when: TripWhen,
}

impl PolicyStatus {
    /// Returns the status of `policy`.
    pub fn of(policy: &Policy) -> Self {
        let settings = policy.settings();
        Self {
            preset: settings.preset,
            overrides: settings.overrides().into_iter().collect(),
            mode: settings.mode,
            recovery_evidence: settings.recovery_evidence,
            trip_when: settings.trip_when,
        }
    }
}

/// The thresholds; a threshold is null if its rule is off.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Thresholds {
    /// Failures at level 1 that lead to level 2.
    #[serde(rename = "level1To2Failures")]
    pub level_1_to_2_failures: Option<u32>,
    /// Failures in total that lead from level 2 to level 3.
    #[serde(rename = "level2To3TotalFailures")]
    pub level_2_to_3_total_failures: Option<u32>,
    /// Consecutive successes that lead from level 3 to level 2.
    #[serde(rename = "level3To2ConsecutiveSuccesses")]
    pub level_3_to_2_consecutive_successes: u32,
    /// Consecutive successes that lead from level 2 to level 1.
    #[serde(rename = "level2To1ConsecutiveSuccesses")]
    pub level_2_to_1_consecutive_successes: u32,
    /// Time for which a failure counts, in seconds; null if failures count since the last transition.
    pub failure_window_seconds: Option<i64>,
    /// Consecutive failures that lead to the next level.
    pub consecutive_failures: Option<u32>,
    /// Failure rate that leads to the next level, in percent.
    pub failure_rate_percent: Option<u32>,
    /// Minimum number of calls for a rate to count.
    pub minimum_calls: u32,
    /// Time for which a call counts for a rate, in seconds.
    pub failure_rate_window_seconds: i64,
    /// Duration from which on a call is slow, in milliseconds.
    pub slow_call_milliseconds: Option<u64>,
    /// Rate of slow calls that leads to the next level, in percent.
    pub slow_call_rate_percent: Option<u32>,
    /// Cooldown before any doubling, in seconds.
    pub recovery_cooldown_seconds: i64,
    /// Minimum age of the outcomes that a recovery rests on, in seconds.
    pub evidence_settle_seconds: i64,
    /// Number of probes of the better level that a recovery rests on.
    pub probe_calls: Option<u32>,
    /// Share of retryable requests (GET, HEAD) that probes at first, in percent.
    pub probe_percent: Option<u32>,
    /// Maximum number of probes a second of each controller environment.
    pub probe_limit_per_second: Option<u32>,
    /// Time without any probe after which recoveries rest on the current level, in seconds.
    pub probe_idle_seconds: Option<i64>,
    /// Duration of the ramp after a recovery, in seconds.
    pub ramp_seconds: Option<i64>,
    /// Minimum number of calls for a rate to count during a ramp.
    pub ramp_minimum_calls: Option<u32>,
}

impl Thresholds {
    /// Returns the thresholds of `policy`.
    pub fn of(policy: &Policy) -> Self {
        let seconds = |duration: Option<SignedDuration>| duration.map(|duration| duration.as_secs());
        let unless_off = |count: u32| (count > 0).then_some(count);
        let milliseconds = |duration: SignedDuration| u64::try_from(duration.as_millis()).unwrap_or_default();
        let probes = policy.recovers_by_probes();
        Self {
            level_1_to_2_failures: unless_off(policy.level_1_failures()),
            level_2_to_3_total_failures: unless_off(policy.level_2_failures()),
            level_3_to_2_consecutive_successes: policy.level_3_successes(),
            level_2_to_1_consecutive_successes: policy.level_2_successes(),
            failure_window_seconds: seconds(policy.window()),
            consecutive_failures: policy.consecutive_failures(),
            failure_rate_percent: policy.failure_rate_percent(),
            minimum_calls: policy.minimum_calls(),
            failure_rate_window_seconds: policy.rate_window().as_secs(),
            slow_call_milliseconds: policy.slow_call().map(milliseconds),
            slow_call_rate_percent: policy.slow_call_rate_percent(),
            recovery_cooldown_seconds: policy.cooldown().as_secs(),
            evidence_settle_seconds: policy.settle().as_secs(),
            probe_calls: probes.then(|| policy.probe_calls()),
            probe_percent: probes.then(|| policy.probe_percent()),
            probe_limit_per_second: probes.then(|| policy.probe_limit_per_second()),
            probe_idle_seconds: probes.then(|| policy.probe_idle().as_secs()),
            ramp_seconds: seconds(policy.ramp()),
            ramp_minimum_calls: policy.ramp().map(|_| policy.ramp_minimum_calls()),
        }
    }
}

/// How the better level is probed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProbingStatus {
    /// Whether probing has begun and no hold prevents it.
    pub active: bool,
    /// The level that is probed.
    pub level: Option<Level>,
    /// Time at which probing begins or began (UTC).
    pub since: Timestamp,
    /// Share of retryable requests (GET, HEAD) that probes, in percent.
    pub percent_of_safe_requests: u32,
    /// Time from which on this share applies (UTC).
    pub percent_since: Timestamp,
    /// Time of the newest probe (UTC), once it is so old that recoveries rest on the current level; null otherwise.
    pub idle_since: Option<Timestamp>,
    /// Time from which the better level has refused most probes (4xx), while it does (UTC); null otherwise.
    pub refused_since: Option<Timestamp>,
    /// The consequence of idle or refused probes, and what an operator can do; null if neither is the case.
    pub note: Option<String>,
}

impl ProbingStatus {
    /// Returns the status of probing in `state`; `None` if no level is probed.
    pub fn of(state: &SystemState, now: Timestamp) -> Option<Self> {
        let probing = state.probing.as_ref()?;
        let active = state.active_probing(now).is_some();
        let (idle_since, level) = (probing.idle_since, state.current_level);
        let refused_since = probing.refusing.filter(|_| active).map(|refusing| refusing.since);
        let idle = idle_since
            .map(|since| format!("no probe was seen since {since}, so recoveries rest on level {level} until one is"));
        let refused = refused_since.zip(level.better()).map(|(since, better)| {
            format!(
                "level {better} refuses most probes since {since}, so it does not recover: {}",
                refusal_advice(better)
            )
        });
        Some(Self {
            active,
            level: level.better(),
            since: probing.from,
            percent_of_safe_requests: probing.percent,
            percent_since: probing.percent_since,
            idle_since,
            refused_since,
            note: refused.or(idle),
        })
    }
}

/// Returns what an operator can do if `level` refuses most probes.
pub fn refusal_advice(level: Level) -> String {
    format!(
        "check the authorization and the routing of level {level}, or force level {level} if you know that what it \
         refuses is right to be refused"
    )
}

/// The ramp after a recovery.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RampStatus {
    /// Time at which the ramp began (UTC).
    pub since: Timestamp,
    /// Time at which the level takes all requests (UTC).
    pub until: Timestamp,
    /// Share of all requests that the level takes now, in percent.
    pub percent_of_requests: f64,
    /// The level that takes the rest.
    pub rest_to_level: Option<Level>,
}

impl RampStatus {
    /// Returns the status of the ramp in `state`; `None` if no ramp is under way.
    pub fn of(state: &SystemState, now: Timestamp) -> Option<Self> {
        let ramp = state.active_ramp(now)?;
        Some(Self {
            since: ramp.from,
            until: ramp.until,
            percent_of_requests: f64::from(ramp.share(now)) * 100.0 / f64::from(DRAWS),
            rest_to_level: state.current_level.worse(),
        })
    }
}
