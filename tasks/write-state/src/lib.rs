//! The only writer of the state: one conditional transaction.

use breaker::contract::{ErrorName, StateWrite, StateWritten};
use platform::state_store::{StateReader, StateWriter, Stored, WriteError};
use platform::task_error::TaskError;
use serde_json::Value;

/// The task, with its port.
#[derive(Clone, Debug)]
pub struct WriteState<S> {
    /// Where the state is.
    pub states: S,
}

impl<S: StateReader + StateWriter> WriteState<S> {
    /// Writes what an evaluation asked for.
    ///
    /// A conflict with a state that this very execution wrote is a success: the reply to the first
    /// try was lost, or the state machine ran the task again.
    ///
    /// # Errors
    /// `StateConflict`, `StateUnavailable`; `InvalidRequest` for input that no evaluation writes.
    pub async fn handle(&self, input: Value) -> Result<StateWritten, TaskError> {
        let write: StateWrite = serde_json::from_value(input)
            .map_err(|error| TaskError::new(ErrorName::InvalidRequest, format!("input of the task: {error}")))?;
        let conflict = match self.states.write(&write).await {
            Ok(()) => return Ok(written(write)),
            Err(WriteError::Store(error)) => {
                return Err(TaskError::new(ErrorName::StateUnavailable, error.to_string()));
            }
            Err(conflict @ WriteError::Conflict { .. }) => conflict,
        };
        match self.states.read().await {
            Ok(Stored::State(stored)) if *stored == write.state => Ok(written(write)),
            Ok(_) => Err(TaskError::new(ErrorName::StateConflict, conflict.to_string())),
            Err(error) => Err(TaskError::new(ErrorName::StateUnavailable, error.to_string())),
        }
    }
}

fn written(write: StateWrite) -> StateWritten {
    let state = write.state;
    tracing::info!(
        state.version = state.version,
        state.epoch = state.epoch,
        level.to = state.current_level.number(),
        "state written"
    );
    StateWritten { state }
}
