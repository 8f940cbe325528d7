//! The state after a decision.

use std::fmt::Display;

use jiff::Timestamp;

use crate::backoff::RecoveryBackoff;
use crate::level::Level;
use crate::policy::Policy;
use crate::state::{Probing, SCHEMA_VERSION, SystemState};
use crate::time::later;

/// Returns the state one write later.
pub(crate) fn written(state: &SystemState, now: Timestamp) -> SystemState {
    SystemState {
        version: state.version.saturating_add(1),
        last_updated: now,
        schema_version: SCHEMA_VERSION,
        ..state.clone()
    }
}

/// Returns the state one write later, with all counts reset.
pub(crate) fn afresh(state: &SystemState, now: Timestamp) -> SystemState {
    SystemState {
        evidence_since: now,
        carried_failures: 0,
        failure_count: 0,
        success_count: 0,
        hold: None,
        prevented: None,
        ..written(state, now)
    }
}

/// Returns the state at another level. Automatic moves keep the back-off of recoveries; an operator's move resets it,
/// because the operator decided on more than the metrics.
pub(crate) fn moved(
    state: &SystemState,
    policy: &Policy,
    to: Level,
    cause: &impl Display,
    backoff: RecoveryBackoff,
    now: Timestamp,
) -> SystemState {
    let probing = Probing::starting(later(now, backoff.cooldown(policy)), policy.probe_percent());
    SystemState {
        current_level: to,
        last_transition: now,
        transition_reason: cause.to_string(),
        epoch: state.epoch.saturating_add(1),
        backoff,
        probing: policy.probes(to).then_some(probing),
        ramp: None,
        ..afresh(state, now)
    }
}
