//! The outcome of a call of a service.

use breaker::{RequestRules, ServiceOutcome};

use crate::invoke::InvokeError;
use crate::service_answer::ServiceAnswer;

/// Returns the outcome of a call.
#[must_use]
pub const fn outcome_of(rules: &RequestRules, answered: &Result<ServiceAnswer, InvokeError>) -> ServiceOutcome {
    match answered {
        Ok(answer) => rules.outcome_of(answer.status, answer.declined),
        Err(error) => outcome_of_error(error),
    }
}

/// Returns the outcome of a call without an answer. A request or an answer that is too large says nothing about the
/// level.
const fn outcome_of_error(error: &InvokeError) -> ServiceOutcome {
    match error {
        InvokeError::TooLarge | InvokeError::AnswerTooLarge => ServiceOutcome::Neutral,
        InvokeError::NotConnected(_) | InvokeError::ConnectionLost(_) | InvokeError::AnswerCutShort(_) => {
            ServiceOutcome::Unknown
        }
        InvokeError::Crashed(_)
        | InvokeError::TimedOut
        | InvokeError::Lost(_)
        | InvokeError::Throttled
        | InvokeError::NotInvoked(_)
        | InvokeError::InvalidResponse(_) => ServiceOutcome::Failure,
    }
}
