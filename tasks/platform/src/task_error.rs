//! How a task of the state machine fails: under a name that the state machine matches.

use breaker::contract::ErrorName;
use lambda_runtime::Diagnostic;

/// A failure of a task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {message}")]
pub struct TaskError {
    /// The name that the state machine matches.
    pub name: ErrorName,
    /// What went wrong, for people.
    pub message: String,
}

impl TaskError {
    /// A failure under `name`.
    #[must_use]
    pub fn new(name: ErrorName, message: impl Into<String>) -> Self {
        Self { name, message: message.into() }
    }
}

impl From<TaskError> for Diagnostic {
    // Written by hand: the runtime's default is the Rust type's path, which nothing could match.
    fn from(error: TaskError) -> Self {
        Self { error_type: error.name.to_string(), error_message: error.message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_machine_sees_the_errors_name_and_sentence() {
        let diagnostic = Diagnostic::from(TaskError::new(ErrorName::StateConflict, "version 3 is gone"));
        assert_eq!(diagnostic.error_type, "StateConflict");
        assert_eq!(diagnostic.error_message, "version 3 is gone");
    }
}
