//! How a task of the state machine fails: under a name that the state machine matches.

use breaker::InvalidRequest;
use breaker::contract::ErrorName;
use lambda_runtime::Diagnostic;

/// Characters of a message; Step Functions takes causes of up to 32,768.
const LONGEST_MESSAGE: usize = 2_000;

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
    /// The task's input is none that the state machine sends.
    #[must_use]
    pub fn bad_input(problem: &str) -> Self {
        Self::new(ErrorName::InvalidRequest, format!("input of the task: {problem}"))
    }

    /// A failure under `name`. The message is cut to what people read: it may quote input of any
    /// length, and a cause that the state machine had to cut could not be taken apart any more.
    #[must_use]
    pub fn new(name: ErrorName, message: impl Into<String>) -> Self {
        let message = message.into();
        let message = match message.char_indices().nth(LONGEST_MESSAGE) {
            Some((end, _)) => format!("{} ...", message.get(..end).unwrap_or_default()),
            None => message,
        };
        Self { name, message }
    }
}

impl From<InvalidRequest> for TaskError {
    fn from(error: InvalidRequest) -> Self {
        Self::new(ErrorName::InvalidRequest, error.to_string())
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
    fn a_message_that_quotes_endless_input_is_cut() {
        let error = TaskError::new(ErrorName::InvalidRequest, "ü".repeat(200_000));
        assert_eq!(error.message.chars().count(), LONGEST_MESSAGE + 4);
    }

    #[test]
    fn the_state_machine_sees_the_errors_name_and_sentence() {
        let diagnostic = Diagnostic::from(TaskError::new(ErrorName::StateConflict, "version 3 is gone"));
        assert_eq!(diagnostic.error_type, "StateConflict");
        assert_eq!(diagnostic.error_message, "version 3 is gone");
    }
}
