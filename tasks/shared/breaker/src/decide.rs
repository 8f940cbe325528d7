//! Decides what a request does to the state. This file only dispatches: `automation.rs` decides by the rules in
//! `trip.rs` and `recovery.rs`, `command.rs` about operators' commands.

use jiff::Timestamp;

use crate::automation::evaluate;
use crate::command::{force, release};
use crate::decision::Decision;
use crate::evidence::Evidence;
use crate::policy::Policy;
use crate::refused_command::RefusedCommand;
use crate::request::TransitionRequest;
use crate::state::SystemState;

/// Decides what `request` does to `state` at `now`.
///
/// The level moves by at most one level an evaluation. If a fall and a recovery both hold, the fall wins. A fall
/// happens at once, a recovery only after the cooldown, and neither during a hold. Version 0 is a state that was never
/// written, so its first evaluation always records it.
///
/// # Errors
/// The state is not the one that a command expects (`expectedEpoch`, `expectedHold`).
pub fn decide(
    state: &SystemState,
    policy: &Policy,
    request: &TransitionRequest,
    evidence: &Evidence,
    now: Timestamp,
) -> Result<Decision, RefusedCommand> {
    match request {
        TransitionRequest::Alarm(_) | TransitionRequest::Schedule(_) => Ok(evaluate(state, policy, evidence, now)),
        TransitionRequest::Force(request) => force(state, policy, request, now),
        TransitionRequest::Release(request) => release(state, request, now),
    }
}
