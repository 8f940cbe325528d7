//! What an invocation of a service came to.

use crate::answer::ServiceAnswer;
use crate::invoke::InvokeError;

/// The one outcome that each invocation has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceOutcome {
    /// The level did what it is there for.
    Success,
    /// The level failed.
    Failure,
    /// The caller's doing: neither, or clients could trip or mend the breaker.
    Neutral,
}

impl ServiceOutcome {
    /// The outcome of an answer: 5xx is a failure unless the level declined by design; 4xx is neutral.
    #[must_use]
    pub const fn of_answer(answer: &ServiceAnswer<'_>) -> Self {
        match answer.status {
            503 if answer.declined => Self::Success,
            500.. => Self::Failure,
            400..=499 => Self::Neutral,
            _ => Self::Success,
        }
    }

    /// The outcome of an invocation without an answer.
    #[must_use]
    pub const fn of_error(error: &InvokeError) -> Self {
        match error {
            InvokeError::TooLarge => Self::Neutral,
            InvokeError::Crashed(_)
            | InvokeError::TimedOut
            | InvokeError::Throttled
            | InvokeError::NotInvoked(_)
            | InvokeError::Nonsense(_) => Self::Failure,
        }
    }
}
