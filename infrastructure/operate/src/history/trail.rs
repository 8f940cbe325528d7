//! Who really started a command: its record only claims it, the account's trail proves it.

use breaker::{CommandRecord, TransitionRequest};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ports::{CallError, Trail};

/// Time before and after the command's record for which the trail is searched.
const AROUND: SignedDuration = SignedDuration::from_mins(10);
/// Retention of the trail.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 90);
/// Maximum delay of an event.
const ARRIVES_WITHIN: SignedDuration = SignedDuration::from_mins(30);

/// What the trail says about who started a command.
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
        /// Who started it: the principal's ARN.
        principal: String,
    },
    /// The trail has no event of it yet.
    NotThereYet,
    /// The trail has no event of it: `StartSyncExecution`, for one, leaves none.
    Missing,
    /// The trail does not reach so far back.
    TooOld,
}

/// The start of an execution, as the trail tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartEvent {
    /// The name that the caller gave the execution, if any.
    pub name: Option<String>,
    /// The ARN of the execution.
    pub execution: Option<String>,
    /// The ARN of the caller.
    pub principal: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    user_identity: UserIdentity,
    #[serde(default)]
    request_parameters: Option<RequestParameters>,
    #[serde(default)]
    response_elements: Option<ResponseElements>,
    #[serde(default)]
    error_code: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserIdentity {
    arn: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct RequestParameters {
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResponseElements {
    execution_arn: Option<String>,
}

impl StartEvent {
    /// Reads an event; `None` if it is of another form, or tells of a start that was refused.
    #[must_use]
    pub fn parse(event: &str) -> Option<Self> {
        let Event { user_identity, request_parameters, response_elements, error_code } =
            serde_json::from_str(event).ok()?;
        if error_code.is_some() {
            return None;
        }
        let principal = user_identity.arn.or(user_identity.kind).unwrap_or_else(|| "unknown".to_owned());
        let name = request_parameters.and_then(|parameters| parameters.name);
        let execution = response_elements.and_then(|elements| elements.execution_arn);
        Some(Self { name, execution, principal })
    }

    fn is_of(&self, command: &CommandRecord) -> bool {
        match &self.execution {
            Some(execution) => *execution == command.execution,
            None => self.name.as_ref() == Some(&command.name),
        }
    }
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
    Ok(match events.into_iter().find(|event| event.is_of(command)) {
        Some(StartEvent { principal, .. }) if is_called(&principal, &claimed) => Verification::Verified { principal },
        Some(StartEvent { principal, .. }) => Verification::Claimed { claimed, principal },
        None if age < ARRIVES_WITHIN => Verification::NotThereYet,
        None => Verification::Missing,
    })
}

/// Whether `name` is the principal, by its ARN or by the last part of it: the session's or the user's name.
fn is_called(principal: &str, name: &str) -> bool {
    principal == name || principal.rsplit('/').next() == Some(name)
}
