//! The only writer of the state: one conditional transaction.

use aws_edge::config::{Config, or_logged};
use aws_edge::error_kind::ErrorKind;
use aws_edge::settings::Environment;
use aws_edge::stores::state::{DEFAULT_RETENTION_DAYS, StateReader, StateWriter, StoreError, Stored, WriteError};
use aws_edge::task_error::TaskError;
use aws_edge::task_input;
use breaker::contract::{ErrorName, REPAIR, StateWritten};
use breaker::{Expected, StateWrite, SystemState};
use jiff::SignedDuration;
use serde_json::Value;

/// The key of the setting for the retention of records, in days.
const RETENTION_KEY: &str = "limits.record_retention_days";

/// Advice to an operator if another execution wrote the state, or may have.
pub const LOOK: &str = "look at the state before you repeat the command";

/// Returns how long records are kept. An invalid setting is logged and replaced by the default of 400 days, because it
/// must not prevent the write of an operator's command.
#[must_use]
pub fn record_retention(environment: &Environment) -> SignedDuration {
    let days = Config::from_environment(environment)
        .and_then(|config| config.number(RETENTION_KEY, DEFAULT_RETENTION_DAYS, 1..=3_650));
    SignedDuration::from_hours(24 * or_logged(days, DEFAULT_RETENTION_DAYS))
}

/// The task, with its port.
#[derive(Clone, Debug)]
pub struct WriteState<S> {
    /// The store of the state.
    pub states: S,
}

impl<S: StateReader + StateWriter> WriteState<S> {
    /// Writes what an evaluation asked for.
    ///
    /// A conflict with a write of the same execution is a success: the reply to its first attempt was lost, or the task
    /// ran again.
    ///
    /// # Errors
    /// `StateConflict`, `StateUnavailable`; `InvalidRequest` for input that no evaluation writes.
    pub async fn handle(&self, input: Value) -> Result<StateWritten, TaskError> {
        let write: StateWrite = task_input::typed(input)?;
        let error = match self.states.write(&write).await {
            Ok(()) => return Ok(written(write.state)),
            Err(error) => error,
        };
        // The error describes the last reply. An earlier attempt may have written the state.
        match self.wrote(&write).await {
            Ok(true) => return Ok(written(self.stored(write).await)),
            Ok(false) => {}
            Err(problem) => {
                let cause = format!("{error}; whether the state was written is not known ({problem}): {LOOK}");
                return Err(TaskError::new(ErrorName::StateUnavailable, cause).of_kind(problem.kind()));
            }
        }
        Err(match error {
            WriteError::Behind { .. } if self.is_as_expected(&write).await => {
                TaskError::new(ErrorName::StateUnavailable, format!("{error}: {REPAIR}")).of_kind(ErrorKind::Invalid)
            }
            WriteError::Conflict | WriteError::Behind { .. } => {
                TaskError::new(ErrorName::StateConflict, format!("another execution wrote the state first: {LOOK}"))
            }
            WriteError::Store(error) => error.into(),
        })
    }

    /// Whether the stored state is still the one that the write started from. If DynamoDB reports only some of the
    /// failed conditions, a lost race looks like a state that is older than its history.
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

    /// Returns the stored state after an earlier write of the same execution, which another execution may have changed
    /// since. If it cannot be read, returns the state that was written, because the write succeeded.
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
