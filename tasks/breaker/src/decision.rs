//! When the level moves, and why.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::request::{ForceRequest, ReleaseRequest};
use crate::{
    Evidence, EvidenceSummary, Hold, InvalidRequest, Level, Policy, RecoveryBackoff, SystemState, TransitionRequest,
};

/// What a decision asks for.
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
    /// What is to be done.
    pub outcome: Outcome,
    /// The level before.
    pub from: Level,
    /// The level after.
    pub to: Level,
    /// Where the level would have gone but for a hold.
    pub prevented: Option<Level>,
    /// Why, in words with the numbers.
    pub reason: String,
    /// The numbers, where the request needed any.
    pub evidence: Option<EvidenceSummary>,
    /// The state to write; `None` where nothing changes. Its `execution` is for the caller to fill in.
    pub next: Option<SystemState>,
}

impl Decision {
    /// A decision that changes nothing.
    #[must_use]
    pub const fn nothing(level: Level, reason: String) -> Self {
        let (from, to) = (level, level);
        Self { outcome: Outcome::None, from, to, prevented: None, reason, evidence: None, next: None }
    }

    fn moves(from: Level, reason: String, next: SystemState) -> Self {
        let to = next.current_level;
        Self { outcome: Outcome::Transition, from, to, prevented: None, reason, evidence: None, next: Some(next) }
    }

    fn records(reason: String, next: SystemState) -> Self {
        let level = next.current_level;
        Self { outcome: Outcome::Record, next: Some(next), ..Self::nothing(level, reason) }
    }
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

/// Decides what a `force` with `repair` does where the state is lost or unreadable and `last_known`
/// was put together from the newest record. It always begins an epoch, so that the record tells of it.
///
/// # Errors
/// `expectedEpoch` is another than the newest record's.
pub fn repair(last_known: &SystemState, request: &ForceRequest, now: Timestamp) -> Result<Decision, InvalidRequest> {
    check_epoch(last_known, request.expected_epoch)?;
    let (from, to) = (last_known.current_level, request.target_level);
    let ForceRequest { requested_by, reason: why, .. } = request;
    let reason = format!("repaired at level {to} (last known level {from}) by {requested_by}: {why}");
    let next = SystemState { hold: hold_of(request, now), ..moved(last_known, to, &reason, now) };
    Ok(Decision::moves(from, reason, next))
}

/// A move, or the reason for none.
enum Verdict {
    Move { to: Level, reason: String, backoff: RecoveryBackoff },
    Stay { reason: String },
}

fn evaluate(state: &SystemState, policy: &Policy, evidence: &Evidence, now: Timestamp) -> Decision {
    let summary = evidence.summary(state, policy, now);
    let from = state.current_level;
    let verdict = fall(state, policy, &summary, now).unwrap_or_else(|| recovery(state, policy, &summary, now));
    match (verdict, state.active_hold(now)) {
        (Verdict::Move { to, reason, backoff }, None) => {
            let carried_failures = match (from, to) {
                (Level::Full, Level::Degraded) => summary.failures().min(policy.level_1_failures().into()),
                _ => 0,
            };
            let next = SystemState {
                carried_failures,
                failure_count: carried_failures,
                backoff,
                ..moved(state, to, &reason, now)
            };
            Decision { evidence: Some(summary), ..Decision::moves(from, reason, next) }
        }
        (Verdict::Move { to, reason, .. }, Some(hold)) => {
            let reason =
                format!("held at level {from} until {}; would have gone to level {to}: {reason}", hold.expires_at);
            Decision { prevented: Some(to), ..stay(state, summary, reason, now) }
        }
        (Verdict::Stay { reason }, _) => stay(state, summary, reason, now),
    }
}

fn fall(state: &SystemState, policy: &Policy, evidence: &EvidenceSummary, now: Timestamp) -> Option<Verdict> {
    let threshold = match evidence.level {
        Level::Full => policy.level_1_failures(),
        Level::Degraded => policy.level_2_failures(),
        Level::Maintenance => return None,
    };
    let to = evidence.level.worse()?;
    if evidence.failures() < u64::from(threshold) {
        return None;
    }
    let backoff = state.backoff.after_fall(policy, state.last_transition, now);
    let mut reason = failures_text(policy, evidence, threshold);
    if state.backoff.is_relapse(policy, now) {
        let cooldown = backoff.cooldown(policy).as_secs();
        reason = format!("{reason}; soon after a recovery, so the next one waits {cooldown} s");
    }
    Some(Verdict::Move { to, reason, backoff })
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
    let cooldown = state.backoff.cooldown(policy);
    if since_transition < cooldown {
        let left = (cooldown - since_transition).as_secs_f64().ceil();
        return Verdict::Stay { reason: format!("{streak_text}, but the cooldown lasts another {left} s") };
    }
    Verdict::Move { to, reason: streak_text, backoff: state.backoff.after_recovery(now) }
}

fn stay(state: &SystemState, evidence: EvidenceSummary, reason: String, now: Timestamp) -> Decision {
    let (failure_count, success_count) = (evidence.failures(), evidence.success_streak);
    let changed = state.version == 0 || (state.failure_count, state.success_count) != (failure_count, success_count);
    let decision = if changed {
        Decision::records(reason, SystemState { failure_count, success_count, ..written(state, now) })
    } else {
        Decision::nothing(state.current_level, reason)
    };
    Decision { evidence: Some(evidence), ..decision }
}

fn force(state: &SystemState, request: &ForceRequest, now: Timestamp) -> Result<Decision, InvalidRequest> {
    check_epoch(state, request.expected_epoch)?;
    let (from, to) = (state.current_level, request.target_level);
    let hold = hold_of(request, now);
    let ForceRequest { requested_by, reason: why, .. } = request;
    if from != to {
        let reason = format!("forced from level {from} to level {to} by {requested_by}: {why}");
        let next = SystemState { hold, ..moved(state, to, &reason, now) };
        return Ok(Decision::moves(from, reason, next));
    }
    if hold.is_none() && state.active_hold(now).is_none() && state.version > 0 {
        return Ok(Decision::nothing(to, format!("already at level {to}")));
    }
    let what = match &hold {
        Some(hold) => format!("held until {}", hold.expires_at),
        None => "not held any more".to_owned(),
    };
    let reason = format!("already at level {to}, {what}, by {requested_by}: {why}");
    Ok(Decision::records(reason, SystemState { hold, ..afresh(state, now) }))
}

fn hold_of(request: &ForceRequest, now: Timestamp) -> Option<Hold> {
    request.hold_minutes.map(|minutes| Hold {
        level: request.target_level,
        reason: request.reason.clone(),
        requested_by: request.requested_by.clone(),
        expires_at: now.checked_add(SignedDuration::from_mins(minutes.into())).unwrap_or(Timestamp::MAX),
    })
}

fn release(state: &SystemState, request: &ReleaseRequest, now: Timestamp) -> Result<Decision, InvalidRequest> {
    check_epoch(state, request.expected_epoch)?;
    let level = state.current_level;
    let ReleaseRequest { requested_by, reason: why, .. } = request;
    if state.active_hold(now).is_none() {
        return Ok(Decision::nothing(level, format!("no hold to end at level {level}")));
    }
    let reason = format!("hold of level {level} ended by {requested_by}: {why}");
    Ok(Decision::records(reason, SystemState { hold: None, ..afresh(state, now) }))
}

fn check_epoch(state: &SystemState, expected: Option<u64>) -> Result<(), InvalidRequest> {
    match expected {
        Some(expected) if expected != state.epoch => Err(InvalidRequest(format!(
            "`expectedEpoch` is {expected}, but the state is at epoch {}: the level has moved since you looked; \
             look again and repeat the command",
            state.epoch
        ))),
        _ => Ok(()),
    }
}

/// The state, one write later.
fn written(state: &SystemState, now: Timestamp) -> SystemState {
    SystemState {
        version: state.version.saturating_add(1),
        last_updated: now,
        schema_version: crate::SCHEMA_VERSION,
        ..state.clone()
    }
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

/// The state at another level. What earlier recoveries taught is for automatic moves to keep: after
/// an operator's move it is the operator who knows.
fn moved(state: &SystemState, to: Level, reason: &str, now: Timestamp) -> SystemState {
    SystemState {
        current_level: to,
        last_transition: now,
        transition_reason: reason.to_owned(),
        epoch: state.epoch.saturating_add(1),
        backoff: RecoveryBackoff::default(),
        ..afresh(state, now)
    }
}
