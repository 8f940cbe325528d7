//! The failure of a task, with a name that the state machine matches.

use breaker::contract::ErrorName;
use breaker::{InvalidRequest, RefusedCommand};
use lambda_runtime::Diagnostic;

use crate::error_kind::ErrorKind;
use crate::task_input::InvalidInput;

/// Maximum number of characters of a message. Step Functions allows 32,768 for a cause.
const LONGEST_MESSAGE: usize = 2_000;

/// A failure of a task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {message}")]
pub struct TaskError {
    /// The name that the state machine matches.
    pub name: ErrorName,
    /// The failure as a sentence, for people.
    pub message: String,
    /// The kind of the failure, if a call or stored content caused it.
    pub kind: Option<ErrorKind>,
}

impl TaskError {
    /// Returns a failure with `name`. The message is shortened, because it may quote input of any length and a cause
    /// that Step Functions cuts is no longer valid JSON.
    #[must_use]
    pub fn new(name: ErrorName, message: impl Into<String>) -> Self {
        let message = message.into();
        let message = match message.char_indices().nth(LONGEST_MESSAGE) {
            Some((end, _)) => format!("{} ...", message.get(..end).unwrap_or_default()),
            None => message,
        };
        Self { name, message, kind: None }
    }

    /// Sets the kind of the failure.
    #[must_use]
    pub fn of_kind(self, kind: ErrorKind) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// Writes the failure to the log.
    pub fn log(&self) {
        tracing::error!(
            error.name = self.name.as_str(),
            error.kind = self.kind.map(ErrorKind::as_str),
            error.message = self.message,
            "the task failed"
        );
    }
}

impl From<InvalidRequest> for TaskError {
    fn from(error: InvalidRequest) -> Self {
        Self::new(ErrorName::InvalidRequest, error.to_string())
    }
}

impl From<RefusedCommand> for TaskError {
    fn from(error: RefusedCommand) -> Self {
        Self::new(ErrorName::InvalidRequest, error.to_string())
    }
}

impl From<InvalidInput> for TaskError {
    fn from(error: InvalidInput) -> Self {
        Self::new(ErrorName::InvalidRequest, error.to_string())
    }
}

impl From<TaskError> for Diagnostic {
    // Written by hand, because the runtime's default is the Rust type's path, which the state machine cannot match.
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
