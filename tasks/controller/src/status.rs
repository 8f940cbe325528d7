//! What `GET /circuit-breaker` tells.

use breaker::{Policy, TransitionRecord};
use jiff::Timestamp;
use platform::state_store::MOST_TRANSITIONS;
use serde_json::{Value, json};

use crate::rules;
use crate::state_cache::Current;

/// The newest transitions, or why there are none to show.
pub type History = Result<Vec<TransitionRecord>, String>;

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

/// The status as JSON; without a policy that makes sense, `null` stands for what follows from it.
#[must_use]
pub fn status(
    current: &Current,
    history: Option<&History>,
    policy: Option<&Policy>,
    deployment: &str,
    now: Timestamp,
) -> Value {
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
            "nextRecoveryNotBefore": policy.and_then(|policy| state.recovery_allowed_at(policy, now)),
            "cooldownSeconds": policy.map(|policy| state.backoff.cooldown(policy).as_secs()),
            "prevented": state.prevented,
            "probing": rules::probing(state, now),
            "ramp": rules::ramp(state, now),
        })
    });
    let mut status = json!({
        "circuitBreaker": {
            "currentLevel": level,
            "activeService": level.service(),
            "status": level.status(),
            "state": state,
            "policy": policy.map(rules::policy),
            "thresholds": policy.map(rules::thresholds),
        },
        "metadata": {
            "timestamp": now,
            "deployment": deployment,
            "stateSource": current.source,
            "stateAgeSeconds": current.age.map(|age| age.as_secs_f64()),
        },
    });
    let history = history.map(|history| match history {
        Ok(transitions) => ("history".to_owned(), json!(transitions)),
        Err(problem) => ("historyError".to_owned(), json!(problem)),
    });
    if let Value::Object(members) = &mut status {
        members.extend(history);
    }
    status
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
