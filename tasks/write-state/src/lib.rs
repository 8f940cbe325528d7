//! The only writer of the state: one conditional transaction.

use breaker::contract::{ErrorName, REPAIR, StateWritten};
use breaker::{StateWrite, SystemState};
use platform::state_store::{StateReader, StateWriter, StoreError, Stored, WriteError};
use platform::task_error::TaskError;
use platform::task_input;
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
    /// A conflict with what this very execution wrote is a success: the reply to the first try was
    /// lost, or the task was run again.
    ///
    /// # Errors
    /// `StateConflict`, `StateUnavailable`; `InvalidRequest` for input that no evaluation writes.
    pub async fn handle(&self, input: Value) -> Result<StateWritten, TaskError> {
        let write: StateWrite = task_input::typed(input)?;
        write.check().map_err(|problem| TaskError::bad_input(&problem))?;
        let error = match self.states.write(&write).await {
            Ok(()) => return Ok(written(write.state)),
            Err(error) => error,
        };
        // An error says what was answered last, not what was done: the write may have happened.
        if self.wrote(&write).await.unwrap_or(false) {
            return self.stored(write).await;
        }
        Err(match error {
            WriteError::Conflict => TaskError::new(ErrorName::StateConflict, "somebody else wrote the state first"),
            WriteError::Behind { .. } => TaskError::new(ErrorName::StateUnavailable, format!("{error}: {REPAIR}")),
            WriteError::Store(error) => error.into(),
        })
    }

    async fn wrote(&self, write: &StateWrite) -> Result<bool, StoreError> {
        let stamp = self.states.stamp_of(&write.proof_key()).await?;
        Ok(stamp.is_some_and(|stamp| write.is_proven_by(&stamp)))
    }

    /// What is stored after one's own earlier write: that, or what somebody made of it since.
    async fn stored(&self, write: StateWrite) -> Result<StateWritten, TaskError> {
        Ok(written(match self.states.read().await? {
            Stored::State(state) => *state,
            _ => write.state,
        }))
    }
}

fn written(state: SystemState) -> StateWritten {
    tracing::info!(
        state.version = state.version,
        state.epoch = state.epoch,
        level.to = state.current_level.number(),
        "state written"
    );
    StateWritten { state }
}
