//! Automation's decisions: the level falls (by the rules in `trip.rs`), recovers (`recovery.rs`) or stays. A hold and
//! the mode `observe-only` prevent a move here.

use jiff::Timestamp;

use crate::cause::{AutomaticMove, Fall, Prevented, PreventedMove, StayCause};
use crate::decision::Decision;
use crate::evidence::Evidence;
use crate::level::Level;
use crate::next_state::{moved, written};
use crate::policy::Policy;
use crate::recovery::{Finding, recovery};
use crate::state::{Ramp, SystemState};
use crate::summary::EvidenceSummary;
use crate::time::later;
use crate::{probing, trip};

/// The share of all requests, in percent, that a ramp begins with: enough to show soon whether the level works.
const FIRST_RAMP_PERCENT: u32 = 10;

/// Decides by the evidence about `state` at `now`.
pub(crate) fn evaluate(state: &SystemState, policy: &Policy, evidence: &Evidence, now: Timestamp) -> Decision {
    let summary = evidence.summary(state, policy, now);
    let finding = fall(state, policy, &summary, now).unwrap_or_else(|| recovery(state, policy, &summary, now));
    let (to, cause) = match finding {
        Finding::Move(to, cause) => (to, cause),
        Finding::Stay(cause) => return stay(state, policy, evidence, summary, cause, now),
    };
    let prevented = match state.active_hold(now) {
        Some(hold) => Some(Prevented::Hold { level: hold.level, until: hold.expires_at }),
        None => policy.observes_only().then_some(Prevented::ObserveOnly),
    };
    if let Some(prevented) = prevented {
        let cause = StayCause::Prevented(PreventedMove { prevented, to, cause });
        return stay(state, policy, evidence, summary, cause, now);
    }
    let next = after_move(state, policy, evidence, &summary, (to, cause), now);
    Decision::Move { cause, evidence: summary, next }
}

fn fall(state: &SystemState, policy: &Policy, evidence: &EvidenceSummary, now: Timestamp) -> Option<Finding> {
    let to = evidence.level.worse()?;
    let trip = trip::cause(state, policy, evidence, now)?;
    let doubled = state.backoff.after_fall(policy, state.last_transition, now).cooldown(policy).as_secs();
    let relapse_cooldown_seconds = state.backoff.is_relapse(policy, now).then_some(doubled);
    Some(Finding::Move(to, AutomaticMove::Fall(Fall { trip, relapse_cooldown_seconds })))
}

fn after_move(
    state: &SystemState,
    policy: &Policy,
    evidence: &Evidence,
    summary: &EvidenceSummary,
    (to, cause): (Level, AutomaticMove),
    now: Timestamp,
) -> SystemState {
    let (backoff, ramp) = match cause {
        AutomaticMove::Fall(_) => (state.backoff.after_fall(policy, state.last_transition, now), None),
        AutomaticMove::Recovery(_) => (state.backoff.after_recovery(now), policy.ramp()),
    };
    let ramp = ramp.map(|length| Ramp { from: now, until: later(now, length), first_percent: FIRST_RAMP_PERCENT });
    let carried_failures = match (state.current_level, to) {
        (Level::Full, Level::Degraded) => summary.failures().min(policy.level_1_failures().into()),
        _ => 0,
    };
    let next = SystemState { ramp, ..moved(state, policy, to, &cause, backoff, now) };
    let probes_from = next.probing_allowed_at(policy);
    let probing = next.probing.map(|_| probing::begun(state, policy, evidence, probes_from, now));
    SystemState { carried_failures, failure_count: carried_failures, probing, ..next }
}

fn stay(
    state: &SystemState,
    policy: &Policy,
    evidence: &Evidence,
    summary: EvidenceSummary,
    cause: StayCause,
    now: Timestamp,
) -> Decision {
    let decision = Decision::Stay { cause, evidence: summary, next: None };
    let next = SystemState {
        prevented: decision.prevented(),
        failure_count: summary.failures(),
        success_count: summary.success_streak,
        probing: probing::after(state, policy, evidence, &summary, now),
        ..state.clone()
    };
    if state.version == 0 || next != *state {
        return Decision::Stay { cause, evidence: summary, next: Some(written(&next, now)) };
    }
    decision
}
