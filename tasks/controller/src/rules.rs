//! What the status tells of the rules in force, and of a recovery under way.

use std::collections::BTreeMap;

use breaker::{DRAWS, Level, Mode, Policy, Preset, RecoveryEvidence, SystemState, TripWhen};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

/// The preset, what differs from it, and whether automation moves the level.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatus {
    /// The preset.
    pub preset: Preset,
    /// The settings that differ from it, by name.
    pub overrides: BTreeMap<&'static str, String>,
    /// Whether automation moves the level.
    pub mode: Mode,
    /// What a recovery rests on.
    pub recovery_evidence: RecoveryEvidence,
    /// Which of the rules about failures it takes to fall.
    pub trip_when: TripWhen,
}

impl PolicyStatus {
    /// That of `policy`.
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

/// Every threshold; null where its rule is off.
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
    /// How long a failure counts; null where it counts for ever.
    pub failure_window_seconds: Option<i64>,
    /// Failures in a row that lead to the next level.
    pub consecutive_failures: Option<u32>,
    /// The share of calls that fail that leads to the next level.
    pub failure_rate_percent: Option<u32>,
    /// Calls that a share is of, at least.
    pub minimum_calls: u32,
    /// How long a call counts for a share.
    pub failure_rate_window_seconds: i64,
    /// From when on a call is slow.
    pub slow_call_milliseconds: Option<u64>,
    /// The share of calls that are slow that leads to the next level.
    pub slow_call_rate_percent: Option<u32>,
    /// How long after a transition no recovery happens, before any doubling.
    pub recovery_cooldown_seconds: i64,
    /// How old an outcome must be before a recovery may rest on it.
    pub evidence_settle_seconds: i64,
    /// Probes of the better level that a recovery rests on.
    pub probe_calls: Option<u32>,
    /// The share of safe requests that probing begins with.
    pub probe_percent: Option<u32>,
    /// Probes a second that each environment of the controller sends at most.
    pub probe_limit_per_second: Option<u32>,
    /// How long no probe may be seen until recoveries rest on the current level.
    pub probe_idle_seconds: Option<i64>,
    /// How long a level takes to take over after a recovery.
    pub ramp_seconds: Option<i64>,
    /// Calls that a share is of, at least, during a ramp.
    pub ramp_minimum_calls: Option<u32>,
}

impl Thresholds {
    /// Those of `policy`.
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
    /// Whether it has begun, and no hold forbids it.
    pub active: bool,
    /// The level that is probed.
    pub level: Option<Level>,
    /// When it begins or began.
    pub since: Timestamp,
    /// The share of safe requests that probes.
    pub percent_of_safe_requests: u32,
    /// Since when it is that share.
    pub percent_since: Timestamp,
    /// Since when no probe was seen, once that is so long that recoveries rest on the current level.
    pub idle_since: Option<Timestamp>,
    /// Time from which the better level has refused most probes (4xx), while it does (UTC); null otherwise.
    pub refused_since: Option<Timestamp>,
    /// What follows from either of these times, and what an operator can do; null without any of them.
    pub note: Option<String>,
}

impl ProbingStatus {
    /// That of `state`; none where nothing is to be probed.
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

/// What an operator can do if `level` refuses most probes.
pub fn refusal_advice(level: Level) -> String {
    format!(
        "check the authorization and the routing of level {level}, or force level {level} if you know that what it \
         refuses is right to be refused"
    )
}

/// How the level takes over after a recovery.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RampStatus {
    /// When it began.
    pub since: Timestamp,
    /// When the level has taken over.
    pub until: Timestamp,
    /// The share of all requests that the level takes now.
    pub percent_of_requests: f64,
    /// The level that takes the rest.
    pub rest_to_level: Option<Level>,
}

impl RampStatus {
    /// That of `state`; none where no ramp is under way.
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
