//! The only writer of the state: one conditional transaction.

use breaker::contract::{ErrorName, REPAIR, StateWritten};
use breaker::{Expected, StateWrite, SystemState};
use platform::state_store::{StateReader, StateWriter, StoreError, Stored, WriteError};
use platform::task_error::TaskError;
use platform::task_input;
use serde_json::Value;

/// The remedy where somebody else wrote, or may have.
const LOOK: &str = "look at the state before you repeat the command";

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
        match self.wrote(&write).await {
            Ok(true) => return Ok(written(self.stored(write).await)),
            Ok(false) => {}
            Err(problem) => {
                let cause = format!("{error}; whether the state was written is not known ({problem}): {LOOK}");
                return Err(TaskError::new(ErrorName::StateUnavailable, cause));
            }
        }
        Err(match error {
            WriteError::Behind { .. } if self.is_as_expected(&write).await => {
                TaskError::new(ErrorName::StateUnavailable, format!("{error}: {REPAIR}"))
            }
            WriteError::Conflict | WriteError::Behind { .. } => {
                TaskError::new(ErrorName::StateConflict, format!("somebody else wrote the state first: {LOOK}"))
            }
            WriteError::Store(error) => error.into(),
        })
    }

    /// Whether the state is still the one that the write went on from. Where only some of the failed conditions
    /// were told, a lost race looks like a state that is older than its history.
    async fn is_as_expected(&self, write: &StateWrite) -> bool {
        match self.states.read().await {
            Ok(Stored::State(state)) => {
                write.expected == Expected::Version { version: state.version, epoch: state.epoch }
            }
            _ => false,
        }
    }

    async fn wrote(&self, write: &StateWrite) -> Result<bool, StoreError> {
        let stamp = self.states.stamp_of(&write.proof_key()).await?;
        Ok(stamp.is_some_and(|stamp| write.is_proven_by(&stamp)))
    }

    /// What is stored after one's own earlier write: that, or what somebody made of it since. Written is
    /// written, whether this can be read or not.
    async fn stored(&self, write: StateWrite) -> SystemState {
        match self.states.read().await {
            Ok(Stored::State(state)) => *state,
            _ => write.state,
        }
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
