//! When the level moves, and why.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::recovery::{self, Proof};
use crate::request::{ForceRequest, ReleaseRequest};
use crate::validation::fields::quoted;
use crate::{
    Evidence, EvidenceSummary, Hold, InvalidRequest, Level, Policy, Probing, Ramp, RecoveryBackoff, SystemState,
    TransitionRequest, probing, trip,
};

/// The share of all requests, in percent, that a ramp begins with: enough to show soon whether the level works.
const FIRST_RAMP_PERCENT: u32 = 10;

/// The kind of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The level moves, or the state is repaired: an epoch begins.
    Transition,
    /// The level stays; something else in the state item changes.
    Record,
    /// Nothing changes.
    None,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The kind of the decision.
    pub outcome: Outcome,
    /// The level before.
    pub from: Level,
    /// The level after.
    pub to: Level,
    /// Where the level would have gone but for a hold or the mode `observe-only`.
    pub prevented: Option<Level>,
    /// The hold that was in force and that an operator's command ends, by a release or by another hold.
    pub ended_hold: Option<Hold>,
    /// The reason as a sentence with the numbers.
    pub reason: String,
    /// The evidence in numbers; `None` for an operator's command.
    pub evidence: Option<EvidenceSummary>,
    /// The state to write; `None` if nothing changes. The caller fills in its `execution`.
    pub next: Option<SystemState>,
}

impl Decision {
    /// A decision that changes nothing.
    #[must_use]
    pub const fn nothing(level: Level, reason: String) -> Self {
        let (from, to) = (level, level);
        Self { outcome: Outcome::None, from, to, prevented: None, ended_hold: None, reason, evidence: None, next: None }
    }

    fn moves(from: Level, reason: String, next: SystemState) -> Self {
        let to = next.current_level;
        Self { outcome: Outcome::Transition, to, next: Some(next), ..Self::nothing(from, reason) }
    }

    fn records(reason: String, next: SystemState) -> Self {
        let level = next.current_level;
        Self { outcome: Outcome::Record, next: Some(next), ..Self::nothing(level, reason) }
    }

    fn ending(self, ended_hold: Option<Hold>) -> Self {
        Self { ended_hold, ..self }
    }
}

/// Decides what `request` does to `state` at `now`.
///
/// The level moves by at most one level an evaluation. If a fall and a recovery both hold, the fall wins. A fall
/// happens at once, a recovery only after the cooldown, and neither during a hold. Version 0 is a state that was never
/// written, so its first evaluation always records it.
///
/// # Errors
/// A command that the state refuses (`expectedEpoch`, `expectedHold`), naming the field.
pub fn decide(
    state: &SystemState,
    policy: &Policy,
    request: &TransitionRequest,
    evidence: &Evidence,
    now: Timestamp,
) -> Result<Decision, InvalidRequest> {
    match request {
        TransitionRequest::Alarm(_) | TransitionRequest::Schedule(_) => Ok(evaluate(state, policy, evidence, now)),
        TransitionRequest::Force(request) => force(state, policy, request, now),
        TransitionRequest::Release(request) => release(state, request, now),
    }
}

/// Decides what a `force` with `repair` does if the state is missing or corrupt. `last_known` comes from the newest
/// record. A repair always begins an epoch, so that a record documents it.
///
/// # Errors
/// `expectedEpoch` differs from the newest record's epoch.
pub fn repair(
    last_known: &SystemState,
    policy: &Policy,
    request: &ForceRequest,
    now: Timestamp,
) -> Result<Decision, InvalidRequest> {
    check_epoch(last_known, request.expected_epoch)?;
    check_hold(last_known, request.expected_hold.as_deref(), now)?;
    let (from, to) = (last_known.current_level, request.target_level);
    let ForceRequest { requested_by, reason: why, .. } = request;
    let reason = format!("repaired at level {to} (last known level {from}) by {requested_by}: {why}");
    let next = SystemState {
        hold: hold_of(request, now),
        ..moved(last_known, policy, to, &reason, RecoveryBackoff::default(), now)
    };
    Ok(Decision::moves(from, reason, next))
}

/// A move, or the reason why the level stays.
enum Verdict {
    Move { to: Level, reason: String, backoff: RecoveryBackoff },
    Stay { reason: String },
}

fn evaluate(state: &SystemState, policy: &Policy, evidence: &Evidence, now: Timestamp) -> Decision {
    let summary = evidence.summary(state, policy, now);
    let from = state.current_level;
    let verdict = fall(state, policy, &summary, now).unwrap_or_else(|| recovery(state, policy, &summary, now));
    let (to, reason, backoff) = match verdict {
        Verdict::Stay { reason } => return stay(state, policy, evidence, summary, None, reason, now),
        Verdict::Move { to, reason, backoff } => (to, reason, backoff),
    };
    let prevented_by = match state.active_hold(now) {
        Some(hold) => Some(format!("held at level {from} until {}", hold.expires_at)),
        None => policy.observes_only().then(|| "observing only".to_owned()),
    };
    if let Some(prevented_by) = prevented_by {
        let reason = format!("{prevented_by}; would have gone to level {to}: {reason}");
        return stay(state, policy, evidence, summary, Some(to), reason, now);
    }
    let carried_failures = match (from, to) {
        (Level::Full, Level::Degraded) => summary.failures().min(policy.level_1_failures().into()),
        _ => 0,
    };
    let ramp = policy.ramp().filter(|_| to < from).map(|length| Ramp {
        from: now,
        until: later(now, length),
        first_percent: FIRST_RAMP_PERCENT,
    });
    let next = SystemState { ramp, ..moved(state, policy, to, &reason, backoff, now) };
    let probes_from = next.probing_allowed_at(policy);
    let probing = next.probing.map(|_| probing::begun(state, policy, evidence, probes_from, now));
    let next = SystemState { carried_failures, failure_count: carried_failures, probing, ..next };
    Decision { evidence: Some(summary), ..Decision::moves(from, reason, next) }
}

fn fall(state: &SystemState, policy: &Policy, evidence: &EvidenceSummary, now: Timestamp) -> Option<Verdict> {
    let to = evidence.level.worse()?;
    let mut reason = trip::reason(state, policy, evidence, now)?;
    let backoff = state.backoff.after_fall(policy, state.last_transition, now);
    if state.backoff.is_relapse(policy, now) {
        let cooldown = backoff.cooldown(policy).as_secs();
        reason = format!("{reason}; soon after a recovery, so the next one waits {cooldown} s");
    }
    Some(Verdict::Move { to, reason, backoff })
}

fn recovery(state: &SystemState, policy: &Policy, evidence: &EvidenceSummary, now: Timestamp) -> Verdict {
    match (recovery::proof(state, policy, evidence, now), state.current_level.better()) {
        (Some(Proof::Given(reason)), Some(to)) => {
            Verdict::Move { to, reason, backoff: state.backoff.after_recovery(now) }
        }
        (Some(Proof::Missing(text)), _) => Verdict::Stay { reason: format!("no reason to move: {text}") },
        _ => Verdict::Stay { reason: format!("no reason to move: {}", trip::calm(policy, evidence)) },
    }
}

fn stay(
    state: &SystemState,
    policy: &Policy,
    evidence: &Evidence,
    summary: EvidenceSummary,
    prevented: Option<Level>,
    reason: String,
    now: Timestamp,
) -> Decision {
    let next = SystemState {
        prevented,
        failure_count: summary.failures(),
        success_count: summary.success_streak,
        probing: probing::after(state, policy, evidence, &summary, now),
        ..state.clone()
    };
    let decision = if state.version == 0 || next != *state {
        Decision::records(reason, written(&next, now))
    } else {
        Decision::nothing(state.current_level, reason)
    };
    Decision { prevented, evidence: Some(summary), ..decision }
}

fn force(
    state: &SystemState,
    policy: &Policy,
    request: &ForceRequest,
    now: Timestamp,
) -> Result<Decision, InvalidRequest> {
    check_epoch(state, request.expected_epoch)?;
    check_hold(state, request.expected_hold.as_deref(), now)?;
    let (from, to) = (state.current_level, request.target_level);
    let (hold, ended_hold) = (hold_of(request, now), state.active_hold(now).cloned());
    let ForceRequest { requested_by, reason: why, .. } = request;
    if from != to {
        let reason = format!("forced from level {from} to level {to} by {requested_by}: {why}");
        let next = SystemState { hold, ..moved(state, policy, to, &reason, RecoveryBackoff::default(), now) };
        return Ok(Decision::moves(from, reason, next).ending(ended_hold));
    }
    if hold.is_none() && state.active_hold(now).is_none() && state.active_ramp(now).is_none() && state.version > 0 {
        return Ok(Decision::nothing(to, format!("already at level {to}")));
    }
    let what = match &hold {
        Some(hold) => format!("held until {}", hold.expires_at),
        None if state.active_ramp(now).is_some() => "with all requests at once".to_owned(),
        None if state.active_hold(now).is_none() => "written for the first time".to_owned(),
        None => "not held any more".to_owned(),
    };
    let reason = format!("already at level {to}, {what}, by {requested_by}: {why}");
    Ok(Decision::records(reason, SystemState { hold, ramp: None, ..afresh(state, now) }).ending(ended_hold))
}

fn hold_of(request: &ForceRequest, now: Timestamp) -> Option<Hold> {
    request.hold_minutes.map(|minutes| Hold {
        level: request.target_level,
        reason: request.reason.clone(),
        requested_by: request.requested_by.clone(),
        expires_at: later(now, SignedDuration::from_mins(minutes.into())),
        // The caller fills it in, as it does for the state.
        execution: None,
    })
}

fn release(state: &SystemState, request: &ReleaseRequest, now: Timestamp) -> Result<Decision, InvalidRequest> {
    check_epoch(state, request.expected_epoch)?;
    check_hold(state, request.expected_hold.as_deref(), now)?;
    let level = state.current_level;
    let ReleaseRequest { requested_by, reason: why, .. } = request;
    let Some(hold) = state.active_hold(now) else {
        return Ok(Decision::nothing(level, format!("no hold to end at level {level}")));
    };
    let reason = format!("hold of level {level} ended by {requested_by}: {why}");
    Ok(Decision::records(reason, SystemState { hold: None, ..afresh(state, now) }).ending(Some(hold.clone())))
}

fn check_epoch(state: &SystemState, expected: Option<u64>) -> Result<(), InvalidRequest> {
    match expected {
        Some(expected) if expected != state.epoch => Err(InvalidRequest(format!(
            "`expectedEpoch` is {expected}, but the state is at epoch {}: the level has moved since you looked; \
             check the status and repeat the command",
            state.epoch
        ))),
        _ => Ok(()),
    }
}

/// Refuses a command that would end another hold than its sender expects. An expired hold is no reason to refuse,
/// because the command does not end it.
fn check_hold(state: &SystemState, expected: Option<&str>, now: Timestamp) -> Result<(), InvalidRequest> {
    let (Some(expected), Some(hold)) = (expected, state.active_hold(now)) else { return Ok(()) };
    if hold.execution.as_deref() == Some(expected) {
        return Ok(());
    }
    let Hold { level, reason, requested_by, expires_at, execution } = hold;
    let remedy = match execution {
        Some(execution) => format!("repeat the command with \"{execution}\""),
        None => "repeat the command without `expectedHold`".to_owned(),
    };
    Err(InvalidRequest(format!(
        "`expectedHold` is \"{}\", but another hold is in force: level {level} until {expires_at} by {requested_by} \
         ({reason}); to end that hold, {remedy}",
        quoted(expected)
    )))
}

/// Returns the state one write later.
fn written(state: &SystemState, now: Timestamp) -> SystemState {
    SystemState {
        version: state.version.saturating_add(1),
        last_updated: now,
        schema_version: crate::SCHEMA_VERSION,
        ..state.clone()
    }
}

/// Returns the state one write later, with all counts reset.
fn afresh(state: &SystemState, now: Timestamp) -> SystemState {
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
fn moved(
    state: &SystemState,
    policy: &Policy,
    to: Level,
    reason: &str,
    backoff: RecoveryBackoff,
    now: Timestamp,
) -> SystemState {
    let probing = Probing::starting(later(now, backoff.cooldown(policy)), policy.probe_percent());
    SystemState {
        current_level: to,
        last_transition: now,
        transition_reason: reason.to_owned(),
        epoch: state.epoch.saturating_add(1),
        backoff,
        probing: policy.probes(to).then_some(probing),
        ramp: None,
        ..afresh(state, now)
    }
}

pub(crate) fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}
