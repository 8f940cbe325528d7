//! The answer of `GET /circuit-breaker` to programs.

use breaker::{Hold, Level, TransitionRecord};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::observed::Observed;
use crate::rules::{PolicyStatus, ProbingStatus, RampStatus, Thresholds};
use crate::view::{LevelSource, View};

/// The answer of `GET /circuit-breaker` to programs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status<'a> {
    /// The state of the breaker.
    pub circuit_breaker: BreakerStatus<'a>,
    /// What the controllers reported in the last five minutes; null if the metrics cannot be read.
    pub controllers: Option<ControllersStatus>,
    /// Names of the alarms that are on, without project and environment; null if they cannot be read.
    pub alarms_on: Option<Vec<&'a str>>,
    /// The sources that cannot be read now.
    pub unavailable: Vec<Unavailable>,
    /// Data about the answer.
    pub metadata: StatusMetadata<'a>,
    /// The newest transitions, newest first, at most ten seconds old; absent if `history` asks for none or they cannot
    /// be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<&'a [TransitionRecord]>,
    /// Number of requested records that are invalid and therefore left out; absent if none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_left_out: Option<u64>,
    /// The reason why the history cannot be shown; absent if it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_error: Option<String>,
}

/// The level, what callers get, and what may move the level.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BreakerStatus<'a> {
    /// The level that requests are routed to; null if neither the table nor the controllers tell it.
    pub current_level: Option<Level>,
    /// The service of that level; null if the level is null.
    pub active_service: Option<&'a str>,
    /// The health that goes with the level: `healthy`, `degraded` or `maintenance`; null if the level is null. It does
    /// not tell whether calls succeed: `observed` does.
    pub status: Option<&'a str>,
    /// What callers get, by the metrics of the last minutes; null if the metrics cannot be read.
    pub observed: Option<Observed>,
    /// The state; null if it is not known.
    pub state: Option<StateStatus<'a>>,
    /// The policy in force, without its numbers.
    pub policy: PolicyStatus,
    /// The numbers of the policy.
    pub thresholds: Thresholds,
}

/// What the controllers reported in their metrics.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ControllersStatus {
    /// The lowest level that one routed by; null if none had a request.
    pub lowest_level: Option<f64>,
    /// The highest level that one routed by; null if none had a request.
    pub highest_level: Option<f64>,
    /// Age of the oldest state that one routed by, in seconds; null if none reported it.
    pub oldest_state_seconds: Option<f64>,
}

/// A source that cannot be read now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unavailable {
    /// The source: `state`, `metrics`, `alarms`, `alarmHistory` or `records`.
    pub source: &'static str,
    /// The reason.
    pub reason: String,
}

/// The state, as the status shows it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StateStatus<'a> {
    /// Failures towards the next fall that the last evaluation saw.
    pub failure_count: u64,
    /// The streak of successes that the last evaluation saw.
    pub success_count: u64,
    /// Time of the last transition (UTC).
    pub last_transition: Timestamp,
    /// Time of the last write of the state (UTC).
    pub last_updated: Timestamp,
    /// Reason of the last transition, with the numbers.
    pub transition_reason: &'a str,
    /// Number of writes.
    pub version: u64,
    /// Number of transitions.
    pub epoch: u64,
    /// The hold that is in force.
    pub hold: Option<&'a Hold>,
    /// Earliest time of a recovery by automation (UTC); null at level 1.
    pub next_recovery_not_before: Option<Timestamp>,
    /// Time between a transition and the earliest recovery, in seconds.
    pub cooldown_seconds: i64,
    /// Level to which the last evaluation would have moved without a hold or the mode `observe-only`; null if it would
    /// not have moved the level.
    pub prevented: Option<Level>,
    /// How the better level is probed; null if it is not probed.
    pub probing: Option<ProbingStatus>,
    /// The ramp that is under way; null if none is.
    pub ramp: Option<RampStatus>,
}

/// Data about the answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusMetadata<'a> {
    /// Time of the answer (UTC).
    pub timestamp: Timestamp,
    /// The deployment.
    pub deployment: String,
    /// The account.
    pub account: &'a str,
    /// The region.
    pub region: &'a str,
    /// Source of the level.
    pub state_source: LevelSource,
}

impl<'a> Status<'a> {
    /// Returns the status for programs, with the newest `history` transitions.
    #[must_use]
    pub fn new(view: &View<'a>, history: u64) -> Self {
        let View { policy, place, now, .. } = *view;
        let (level, state_source) = view.level();
        let state = view.state().map(|state| StateStatus {
            failure_count: state.failure_count,
            success_count: state.success_count,
            last_transition: state.last_transition,
            last_updated: state.last_updated,
            transition_reason: &state.transition_reason,
            version: state.version,
            epoch: state.epoch,
            hold: state.active_hold(now),
            next_recovery_not_before: state.recovery_allowed_at(policy, now),
            cooldown_seconds: state.backoff.cooldown(policy).as_secs(),
            prevented: state.prevented,
            probing: ProbingStatus::of(state, now),
            ramp: RampStatus::of(state, now),
        });
        let records = (history > 0).then_some(view.records);
        let count = usize::try_from(history).unwrap_or(usize::MAX);
        let read = records.and_then(Result::ok);
        let left_out = read.map(|records| records.left_out).filter(|left_out| *left_out > 0);
        Self {
            circuit_breaker: BreakerStatus {
                current_level: level,
                active_service: level.map(Level::service),
                status: level.map(Level::status),
                observed: view.observed(),
                state,
                policy: PolicyStatus::of(policy),
                thresholds: Thresholds::of(policy),
            },
            controllers: view.controllers().map(|controllers| ControllersStatus {
                lowest_level: controllers.lowest_level,
                highest_level: controllers.highest_level,
                oldest_state_seconds: controllers.oldest_state_seconds,
            }),
            alarms_on: view.alarms.ok().map(|_| view.alarms_on().map(|alarm| alarm.name.as_str()).collect()),
            unavailable: view
                .unavailable()
                .into_iter()
                .map(|(source, reason)| Unavailable { source: source.name(), reason })
                .collect(),
            metadata: StatusMetadata {
                timestamp: now,
                deployment: place.deployment(),
                account: place.account(),
                region: &place.region,
                state_source,
            },
            history: read.map(|records| records.transitions.get(..count).unwrap_or(&records.transitions)),
            history_left_out: left_out,
            history_error: records.and_then(Result::err).map(|error| format!("the records cannot be read: {error}")),
        }
    }
}
