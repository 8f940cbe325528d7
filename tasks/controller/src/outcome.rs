//! The outcome of an invocation of a service: success, failure or neutral.

use crate::answer::ServiceAnswer;
use crate::invoke::InvokeError;

/// The outcome of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceOutcome {
    /// The level worked as designed.
    Success,
    /// The level failed.
    Failure,
    /// The level refused the request, or the request or its answer was too large. That is neither success nor failure,
    /// or clients could trip or recover the breaker. A probe with this outcome is recorded as refused.
    Neutral,
    /// A connection to Lambda's own front end broke or could not be made. That says nothing about the level.
    Unknown,
}

impl ServiceOutcome {
    /// The outcome of an invocation.
    #[must_use]
    pub const fn of(answered: &Result<ServiceAnswer, InvokeError>) -> Self {
        match answered {
            Ok(answer) => Self::of_answer(answer),
            Err(error) => Self::of_error(error),
        }
    }

    /// Returns the outcome of an answer: 5xx is a failure unless the level declined by design; 4xx is neutral.
    const fn of_answer(answer: &ServiceAnswer) -> Self {
        match answer.status {
            503 if answer.declined => Self::Success,
            500.. => Self::Failure,
            400..=499 => Self::Neutral,
            _ => Self::Success,
        }
    }

    /// Returns the outcome of an invocation without an answer. A request or an answer that is too large says nothing
    /// about the level.
    const fn of_error(error: &InvokeError) -> Self {
        match error {
            InvokeError::TooLarge | InvokeError::AnswerTooLarge => Self::Neutral,
            InvokeError::NotConnected(_) | InvokeError::ConnectionLost(_) | InvokeError::AnswerCutShort(_) => {
                Self::Unknown
            }
            InvokeError::Crashed(_)
            | InvokeError::TimedOut
            | InvokeError::Lost(_)
            | InvokeError::Throttled
            | InvokeError::NotInvoked(_)
            | InvokeError::InvalidResponse(_) => Self::Failure,
        }
    }
}
