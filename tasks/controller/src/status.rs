//! The answer of `GET /circuit-breaker`.

use aws_edge::stores::state::{MAX_TRANSITIONS, Transitions};
use breaker::{Hold, Level, Policy, TransitionRecord};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::page::CommandTarget;
use crate::rules::{PolicyStatus, ProbingStatus, RampStatus, Thresholds};
use crate::state_cache::{Current, Source};

/// The newest transitions, or the reason why they cannot be shown.
pub type History = Result<Transitions, String>;

/// Returns the number of transitions that the query asks for (`history=20`); `None` if it does not ask for any.
///
/// # Errors
/// The number is invalid or larger than the maximum. The message names both.
pub fn history_count(query: &str) -> Result<u64, String> {
    let Some((_, count)) = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "history") else {
        return Ok(0);
    };
    let refused = || format!("`history` is not a number from 0 to {MAX_TRANSITIONS}.");
    count.parse().ok().filter(|count| *count <= MAX_TRANSITIONS).ok_or_else(refused)
}

/// The content of the status, for JSON and for the page.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The level or state that requests are routed by.
    pub current: &'a Current,
    /// The newest transitions; `None` if none were asked for or no state is known.
    pub history: Option<&'a History>,
    /// The policy; `None` if it is invalid.
    pub policy: Option<&'a Policy>,
    /// The deployment.
    pub deployment: &'a str,
    /// The target of operators' commands.
    pub commands: &'a CommandTarget,
    /// The time of the answer (UTC).
    pub now: Timestamp,
}

/// The answer of `GET /circuit-breaker` to programs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status<'a> {
    /// The state of the breaker.
    pub circuit_breaker: BreakerStatus<'a>,
    /// Data about the answer.
    pub metadata: StatusMetadata<'a>,
    /// The newest transitions, newest first; absent if `history` asks for none or they cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<&'a [TransitionRecord]>,
    /// Number of requested records that are missing or invalid and therefore left out; absent if none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_left_out: Option<u64>,
    /// The reason why the history cannot be shown; absent if it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_error: Option<&'a str>,
}

/// The level and what may move it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BreakerStatus<'a> {
    /// The level that requests are routed to.
    pub current_level: Level,
    /// The service of that level.
    pub active_service: &'a str,
    /// The health that goes with the level: `healthy`, `degraded` or `maintenance`.
    pub status: &'a str,
    /// The state; null if none is known.
    pub state: Option<StateStatus<'a>>,
    /// The policy in force, without its numbers; null if it is invalid.
    pub policy: Option<PolicyStatus>,
    /// The numbers of the policy; null if the policy is null.
    pub thresholds: Option<Thresholds>,
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
    /// Earliest time of a recovery by automation (UTC); null at level 1, or without a valid policy.
    pub next_recovery_not_before: Option<Timestamp>,
    /// Time between a transition and the earliest recovery, in seconds; null without a valid policy.
    pub cooldown_seconds: Option<i64>,
    /// Level to which the last evaluation would have moved but for a hold or the mode `observe-only`; null if it would
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
    pub deployment: &'a str,
    /// Source of the level.
    pub state_source: Source,
    /// Age of the state, in seconds; null if none was ever read.
    pub state_age_seconds: Option<f64>,
}

impl<'a> Status<'a> {
    /// Returns the status for programs.
    #[must_use]
    pub fn of(view: &View<'a>) -> Self {
        let View { current, history, policy, deployment, now, .. } = *view;
        let level = current.level;
        let read = history.and_then(|history| history.as_ref().ok());
        let state = current.state.as_deref().map(|state| StateStatus {
            failure_count: state.failure_count,
            success_count: state.success_count,
            last_transition: state.last_transition,
            last_updated: state.last_updated,
            transition_reason: &state.transition_reason,
            version: state.version,
            epoch: state.epoch,
            hold: state.active_hold(now),
            next_recovery_not_before: policy.and_then(|policy| state.recovery_allowed_at(policy, now)),
            cooldown_seconds: policy.map(|policy| state.backoff.cooldown(policy).as_secs()),
            prevented: state.prevented,
            probing: ProbingStatus::of(state, now),
            ramp: RampStatus::of(state, now),
        });
        Self {
            circuit_breaker: BreakerStatus {
                current_level: level,
                active_service: level.service(),
                status: level.status(),
                state,
                policy: policy.map(PolicyStatus::of),
                thresholds: policy.map(Thresholds::of),
            },
            metadata: StatusMetadata {
                timestamp: now,
                deployment,
                state_source: current.source,
                state_age_seconds: current.age.map(|age| age.as_secs_f64()),
            },
            history: read.map(|history| &*history.records),
            history_left_out: read.map(|history| history.left_out).filter(|left_out| *left_out > 0),
            history_error: history.and_then(|history| history.as_ref().err()).map(String::as_str),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_is_asked_for_by_number() {
        assert_eq!(history_count(""), Ok(0));
        assert_eq!(history_count("a=1&history=20"), Ok(20));
        assert_eq!(history_count("history=100"), Ok(100));
        for bad in ["history=", "history=101", "history=-1", "history=all", "history=1e9"] {
            assert!(history_count(bad).unwrap_err().starts_with("`history`"), "{bad}");
        }
    }
}
