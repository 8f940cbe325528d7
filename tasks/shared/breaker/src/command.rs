//! Decides what operators' commands do: force, release, repair. Their texts are in `cause/command.rs`.

use jiff::{SignedDuration, Timestamp};

use crate::backoff::RecoveryBackoff;
use crate::cause::{CommandEffect, NoEffect, OperatorCommand, Repair};
use crate::decision::Decision;
use crate::next_state::{afresh, moved};
use crate::policy::Policy;
use crate::refused_command::RefusedCommand;
use crate::request::{ForceRequest, ReleaseRequest};
use crate::state::{Hold, SystemState};
use crate::time::later;

/// Decides what a `force` with `repair` does if the state is missing or corrupt. `last_known` comes from the newest
/// record. A repair always begins an epoch, so that a record documents it.
///
/// # Errors
/// The newest record is not the one that the command expects (`expectedEpoch`, `expectedHold`).
pub fn repair(
    last_known: &SystemState,
    policy: &Policy,
    request: &ForceRequest,
    now: Timestamp,
) -> Result<Decision, RefusedCommand> {
    check_epoch(last_known, request.expected_epoch)?;
    check_hold(last_known, request.expected_hold.as_deref(), now)?;
    let cause = Repair {
        last_known: last_known.current_level,
        level: request.target_level,
        requested_by: request.requested_by.clone(),
        reason: request.reason.clone(),
    };
    let next = moved(last_known, policy, request.target_level, &cause, RecoveryBackoff::default(), now);
    Ok(Decision::Repair { cause, next: SystemState { hold: hold_of(request, now), ..next } })
}

/// Decides what a force does.
pub(crate) fn force(
    state: &SystemState,
    policy: &Policy,
    request: &ForceRequest,
    now: Timestamp,
) -> Result<Decision, RefusedCommand> {
    check_epoch(state, request.expected_epoch)?;
    check_hold(state, request.expected_hold.as_deref(), now)?;
    let (from, to) = (state.current_level, request.target_level);
    let (hold, ended_hold) = (hold_of(request, now), state.active_hold(now).cloned());
    let effect = match &hold {
        _ if from != to => CommandEffect::Moved { from, to },
        Some(hold) => CommandEffect::Held { level: to, until: hold.expires_at },
        None if state.active_ramp(now).is_some() => CommandEffect::RampEnded { level: to },
        None if ended_hold.is_some() => CommandEffect::HoldEnded { level: to },
        None if state.version == 0 => CommandEffect::FirstWrite { level: to },
        None => return Ok(Decision::NoEffect(NoEffect::AlreadyThere { level: to })),
    };
    let cause = OperatorCommand { effect, requested_by: request.requested_by.clone(), reason: request.reason.clone() };
    let next = if from == to {
        SystemState { hold, ramp: None, ..afresh(state, now) }
    } else {
        SystemState { hold, ..moved(state, policy, to, &cause, RecoveryBackoff::default(), now) }
    };
    Ok(Decision::Command { cause, ended_hold, next })
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

/// Decides what a release does.
pub(crate) fn release(
    state: &SystemState,
    request: &ReleaseRequest,
    now: Timestamp,
) -> Result<Decision, RefusedCommand> {
    check_epoch(state, request.expected_epoch)?;
    check_hold(state, request.expected_hold.as_deref(), now)?;
    let level = state.current_level;
    let Some(hold) = state.active_hold(now) else { return Ok(Decision::NoEffect(NoEffect::NoHold { level })) };
    let ReleaseRequest { requested_by, reason, .. } = request;
    let effect = CommandEffect::Released { level };
    Ok(Decision::Command {
        cause: OperatorCommand { effect, requested_by: requested_by.clone(), reason: reason.clone() },
        ended_hold: Some(hold.clone()),
        next: SystemState { hold: None, ..afresh(state, now) },
    })
}

fn check_epoch(state: &SystemState, expected: Option<u64>) -> Result<(), RefusedCommand> {
    match expected {
        Some(expected) if expected != state.epoch => Err(RefusedCommand::OtherEpoch { expected, found: state.epoch }),
        _ => Ok(()),
    }
}

/// Refuses a command that would end another hold than its sender expects. An expired hold is no reason to refuse,
/// because the command does not end it.
fn check_hold(state: &SystemState, expected: Option<&str>, now: Timestamp) -> Result<(), RefusedCommand> {
    match (expected, state.active_hold(now)) {
        (Some(expected), Some(hold)) if hold.execution.as_deref() != Some(expected) => {
            Err(RefusedCommand::OtherHold { expected: expected.to_owned(), found: Box::new(hold.clone()) })
        }
        _ => Ok(()),
    }
}
