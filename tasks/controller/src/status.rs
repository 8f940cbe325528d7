//! What `GET /circuit-breaker` tells.

use breaker::{Hold, Level, Policy, TransitionRecord};
use jiff::Timestamp;
use platform::state_store::{MOST_TRANSITIONS, Transitions};
use schemars::JsonSchema;
use serde::Serialize;

use crate::page::CommandTarget;
use crate::rules::{PolicyStatus, ProbingStatus, RampStatus, Thresholds};
use crate::state_cache::{Current, Source};

/// The newest transitions, or why there are none to show.
pub type History = Result<Transitions, String>;

/// How many transitions the query asks for: `history=20`. None where it does not.
///
/// # Errors
/// It is no number, or a larger one than is read at once; says so.
pub fn history_count(query: &str) -> Result<u64, String> {
    let Some((_, count)) = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "history") else {
        return Ok(0);
    };
    let refused = || format!("`history` is not a number from 0 to {MOST_TRANSITIONS}.");
    count.parse().ok().filter(|count| *count <= MOST_TRANSITIONS).ok_or_else(refused)
}

/// All that the status shows, as JSON or as a page.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What requests are routed by.
    pub current: &'a Current,
    /// The newest transitions, where some were asked for and there is a state.
    pub history: Option<&'a History>,
    /// The rules; none where they make no sense.
    pub policy: Option<&'a Policy>,
    /// The deployment.
    pub deployment: &'a str,
    /// Where operators' commands go.
    pub commands: &'a CommandTarget,
    /// Now.
    pub now: Timestamp,
}

/// What `GET /circuit-breaker` answers to programs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status<'a> {
    /// The breaker.
    pub circuit_breaker: BreakerStatus<'a>,
    /// The answer itself.
    pub metadata: StatusMetadata<'a>,
    /// The newest transitions, newest first, where `history` asks for some and they can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<&'a [TransitionRecord]>,
    /// How many of the records asked for make no sense and are left out, where any is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_left_out: Option<u64>,
    /// Why there are none.
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
    /// The state; null where none is known.
    pub state: Option<StateStatus<'a>>,
    /// The rules in force, but for their numbers; null where they make no sense.
    pub policy: Option<PolicyStatus>,
    /// The numbers of these rules; null with them.
    pub thresholds: Option<Thresholds>,
}

/// What the state says.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StateStatus<'a> {
    /// Failures towards the next fall that the last evaluation saw.
    pub failure_count: u64,
    /// The streak of successes that the last evaluation saw.
    pub success_count: u64,
    /// When the level last moved.
    pub last_transition: Timestamp,
    /// When the state was last written.
    pub last_updated: Timestamp,
    /// Why the level last moved, with the numbers.
    pub transition_reason: &'a str,
    /// Counts every write.
    pub version: u64,
    /// Counts every transition.
    pub epoch: u64,
    /// The hold that is in force.
    pub hold: Option<&'a Hold>,
    /// When automation may next raise the level, if the evidence allows it; null at level 1, or without a policy.
    pub next_recovery_not_before: Option<Timestamp>,
    /// How long after a transition the next recovery may come, in seconds; null without a policy.
    pub cooldown_seconds: Option<i64>,
    /// Where the last evaluation would have moved the level but for a hold or `MODE=observe-only`; null where it
    /// would not have.
    pub prevented: Option<Level>,
    /// How the better level is probed; null where it is not to be.
    pub probing: Option<ProbingStatus>,
    /// The ramp that is under way; null where none is.
    pub ramp: Option<RampStatus>,
}

/// What the answer rests on.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusMetadata<'a> {
    /// When it was given.
    pub timestamp: Timestamp,
    /// The deployment.
    pub deployment: &'a str,
    /// Where the level comes from.
    pub state_source: Source,
    /// How long ago the state was read, in seconds; null where none ever was.
    pub state_age_seconds: Option<f64>,
}

impl<'a> Status<'a> {
    /// The status for programs.
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
