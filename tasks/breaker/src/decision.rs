//! When the level moves, and why.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::request::{ForceRequest, ReleaseRequest};
use crate::{Evidence, EvidenceSummary, Hold, InvalidRequest, Level, Policy, SystemState, TransitionRequest};

/// What a decision asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The level moves.
    Transition,
    /// The level stays; something else in the state item changes.
    Record,
    /// Nothing changes.
    None,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What is to be done.
    pub outcome: Outcome,
    /// The level before.
    pub from: Level,
    /// The level after.
    pub to: Level,
    /// Why, in words with the numbers.
    pub reason: String,
    /// The numbers, where the request needed any.
    pub evidence: Option<EvidenceSummary>,
    /// The state to write; `None` where nothing changes. Its `execution` is for the caller to fill in.
    pub next: Option<SystemState>,
}

/// Decides what `request` does to `state` at `now`.
///
/// This is the whole truth about when the level moves: by at most one level an evaluation, a fall
/// before a recovery, down at once and up only after the cooldown, never against a hold. Version 0
/// is a state that was never written, so its first evaluation always records it.
///
/// # Errors
/// A command that the state refuses (`expectedEpoch`), naming the field.
pub fn decide(
    state: &SystemState,
    policy: &Policy,
    request: &TransitionRequest,
    evidence: &Evidence,
    now: Timestamp,
) -> Result<Decision, InvalidRequest> {
    match request {
        TransitionRequest::Alarm(_) | TransitionRequest::Schedule(_) => Ok(evaluate(state, policy, evidence, now)),
        TransitionRequest::Force(request) => force(state, request, now),
        TransitionRequest::Release(request) => release(state, request, now),
    }
}

/// A move, or the reason for none.
enum Verdict {
    Move { to: Level, reason: String },
    Stay { reason: String },
}

fn evaluate(state: &SystemState, policy: &Policy, evidence: &Evidence, now: Timestamp) -> Decision {
    let summary = evidence.summary(state, policy, now);
    let from = state.current_level;
    let verdict = fall(policy, &summary).unwrap_or_else(|| recovery(state, policy, &summary, now));
    match (verdict, state.active_hold(now)) {
        (Verdict::Move { to, reason }, None) => {
            let carried_failures = match (from, to) {
                (Level::Full, Level::Degraded) => summary.failures().min(policy.level_1_failures().into()),
                _ => 0,
            };
            let next =
                SystemState { carried_failures, failure_count: carried_failures, ..moved(state, to, &reason, now) };
            Decision { outcome: Outcome::Transition, from, to, reason, evidence: Some(summary), next: Some(next) }
        }
        (Verdict::Move { to, reason }, Some(hold)) => {
            let reason =
                format!("held at level {from} until {}; would have gone to level {to}: {reason}", hold.expires_at);
            stay(state, summary, reason, now)
        }
        (Verdict::Stay { reason }, _) => stay(state, summary, reason, now),
    }
}

fn fall(policy: &Policy, evidence: &EvidenceSummary) -> Option<Verdict> {
    let threshold = match evidence.level {
        Level::Full => policy.level_1_failures(),
        Level::Degraded => policy.level_2_failures(),
        Level::Maintenance => return None,
    };
    let to = evidence.level.worse()?;
    let failures = evidence.failures();
    (failures >= u64::from(threshold)).then(|| Verdict::Move { to, reason: failures_text(policy, evidence, threshold) })
}

fn failures_text(policy: &Policy, evidence: &EvidenceSummary, threshold: u32) -> String {
    let EvidenceSummary { level, errors, carried_failures, .. } = evidence;
    let window = policy.window().map_or_else(String::new, |window| format!(" within {} s", window.as_secs()));
    let total = evidence.failures();
    if *carried_failures > 0 {
        format!(
            "{total} failures in total ({errors} at level {level}{window}, {carried_failures} carried from level 1; \
             threshold {threshold})"
        )
    } else {
        format!("{total} failures at level {level}{window} (threshold {threshold})")
    }
}

fn recovery(state: &SystemState, policy: &Policy, evidence: &EvidenceSummary, now: Timestamp) -> Verdict {
    let (threshold, to) = match (state.current_level, state.current_level.better()) {
        (Level::Degraded, Some(to)) => (policy.level_2_successes(), to),
        (Level::Maintenance, Some(to)) => (policy.level_3_successes(), to),
        _ => {
            return Verdict::Stay {
                reason: format!("no reason to move: {}", failures_text(policy, evidence, policy.level_1_failures())),
            };
        }
    };
    let streak = evidence.success_streak;
    let streak_text =
        format!("{streak} consecutive successes at level {} (threshold {threshold})", state.current_level);
    if streak < u64::from(threshold) {
        return Verdict::Stay { reason: format!("no reason to move: {streak_text}") };
    }
    let since_transition = now.duration_since(state.last_transition);
    if since_transition < policy.cooldown() {
        let left = (policy.cooldown() - since_transition).as_secs_f64().ceil();
        return Verdict::Stay { reason: format!("{streak_text}, but the cooldown lasts another {left} s") };
    }
    Verdict::Move { to, reason: streak_text }
}

fn stay(state: &SystemState, evidence: EvidenceSummary, reason: String, now: Timestamp) -> Decision {
    let level = state.current_level;
    let (failure_count, success_count) = (evidence.failures(), evidence.success_streak);
    let changed = state.version == 0 || (state.failure_count, state.success_count) != (failure_count, success_count);
    let next = changed.then(|| SystemState { failure_count, success_count, ..written(state, now) });
    let outcome = if changed { Outcome::Record } else { Outcome::None };
    Decision { outcome, from: level, to: level, reason, evidence: Some(evidence), next }
}

fn force(state: &SystemState, request: &ForceRequest, now: Timestamp) -> Result<Decision, InvalidRequest> {
    check_epoch(state, request.expected_epoch)?;
    let from = state.current_level;
    let to = request.target_level;
    let hold = request.hold_minutes.map(|minutes| Hold {
        level: to,
        reason: request.reason.clone(),
        requested_by: request.requested_by.clone(),
        expires_at: now.checked_add(SignedDuration::from_mins(minutes.into())).unwrap_or(Timestamp::MAX),
    });
    let ForceRequest { requested_by, reason: why, .. } = request;
    if from != to {
        let reason = format!("forced from level {from} to level {to} by {requested_by}: {why}");
        let next = SystemState { hold, ..moved(state, to, &reason, now) };
        return Ok(Decision { outcome: Outcome::Transition, from, to, reason, evidence: None, next: Some(next) });
    }
    if hold.is_none() && state.active_hold(now).is_none() && state.version > 0 {
        let reason = format!("already at level {to}");
        return Ok(Decision { outcome: Outcome::None, from, to, reason, evidence: None, next: None });
    }
    let what = match &hold {
        Some(hold) => format!("held until {}", hold.expires_at),
        None => "not held any more".to_owned(),
    };
    let reason = format!("already at level {to}, {what}, by {requested_by}: {why}");
    let next = SystemState { hold, ..afresh(state, now) };
    Ok(Decision { outcome: Outcome::Record, from, to, reason, evidence: None, next: Some(next) })
}

fn release(state: &SystemState, request: &ReleaseRequest, now: Timestamp) -> Result<Decision, InvalidRequest> {
    check_epoch(state, request.expected_epoch)?;
    let level = state.current_level;
    let ReleaseRequest { requested_by, reason: why, .. } = request;
    let (outcome, reason, next) = if state.active_hold(now).is_some() {
        let next = SystemState { hold: None, ..afresh(state, now) };
        (Outcome::Record, format!("hold of level {level} ended by {requested_by}: {why}"), Some(next))
    } else {
        (Outcome::None, format!("no hold to end at level {level}"), None)
    };
    Ok(Decision { outcome, from: level, to: level, reason, evidence: None, next })
}

fn check_epoch(state: &SystemState, expected: Option<u64>) -> Result<(), InvalidRequest> {
    match expected {
        Some(expected) if expected != state.epoch => Err(InvalidRequest(format!(
            "`expectedEpoch` is {expected}, but the state is at epoch {}: look at the status and decide again",
            state.epoch
        ))),
        _ => Ok(()),
    }
}

/// The state, one write later.
fn written(state: &SystemState, now: Timestamp) -> SystemState {
    SystemState { version: state.version.saturating_add(1), last_updated: now, ..state.clone() }
}

/// The state, one write later and with the counts starting from nothing.
fn afresh(state: &SystemState, now: Timestamp) -> SystemState {
    SystemState {
        evidence_since: now,
        carried_failures: 0,
        failure_count: 0,
        success_count: 0,
        hold: None,
        ..written(state, now)
    }
}

/// The state at another level.
fn moved(state: &SystemState, to: Level, reason: &str, now: Timestamp) -> SystemState {
    SystemState {
        current_level: to,
        last_transition: now,
        transition_reason: reason.to_owned(),
        epoch: state.epoch.saturating_add(1),
        ..afresh(state, now)
    }
}
