//! The identity that started a command: its record only claims it, the account's trail proves it.

use aws_edge::call_error::CallError;
use breaker::{CommandRecord, TransitionRequest};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use crate::ports::{StartEvent, Trail};

/// Time before and after the command's record for which the trail is searched.
const AROUND: SignedDuration = SignedDuration::from_mins(10);
/// Retention of the trail.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 90);
/// Maximum delay of an event.
const ARRIVES_WITHIN: SignedDuration = SignedDuration::from_mins(30);

/// What the trail proves about the identity that started a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "result", rename_all = "camelCase")]
pub enum Verification {
    /// The principal that the command names started it.
    Verified {
        /// The principal's ARN.
        principal: String,
    },
    /// Another principal than the one that the command names started it.
    Claimed {
        /// The requester that the command names.
        claimed: String,
        /// The ARN of the principal that started it.
        principal: String,
    },
    /// The trail has no event of it yet.
    NotThereYet,
    /// The trail has no event of it: `StartSyncExecution`, for one, leaves none.
    Missing,
    /// The trail does not reach so far back.
    TooOld,
}

/// Looks a command up in the trail.
///
/// # Errors
/// The trail cannot be read.
pub async fn verify(command: &CommandRecord, trail: &impl Trail, now: Timestamp) -> Result<Verification, CallError> {
    let age = now.duration_since(command.at);
    if age > KEPT {
        return Ok(Verification::TooOld);
    }
    let shifted = |by: SignedDuration| command.at.checked_add(by).unwrap_or(command.at);
    let events = trail.starts(shifted(-AROUND), shifted(AROUND)).await?;
    let claimed = match &command.request {
        TransitionRequest::Force(force) => force.requested_by.clone(),
        TransitionRequest::Release(release) => release.requested_by.clone(),
        _ => String::new(),
    };
    Ok(match events.into_iter().find(|event| is_start_of(event, command)) {
        Some(StartEvent { principal, .. }) if is_called(&principal, &claimed) => Verification::Verified { principal },
        Some(StartEvent { principal, .. }) => Verification::Claimed { claimed, principal },
        None if age < ARRIVES_WITHIN => Verification::NotThereYet,
        None => Verification::Missing,
    })
}

/// Whether the event is the start of the command.
fn is_start_of(event: &StartEvent, command: &CommandRecord) -> bool {
    match &event.execution {
        Some(execution) => *execution == command.execution,
        None => event.name.as_ref() == Some(&command.name),
    }
}

/// Whether `name` is the principal, by its ARN or by the last part of it: the session's or the user's name.
fn is_called(principal: &str, name: &str) -> bool {
    principal == name || principal.rsplit('/').next() == Some(name)
}
