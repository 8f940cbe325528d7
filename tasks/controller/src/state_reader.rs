//! Reads the state for routing, which needs fewer attributes than the tasks of the state machine.

use std::sync::Arc;

use aws_edge::stores::state::{StateReader, StateTable, StoreError};
use breaker::{Level, Stored, SystemState};

/// The content of the table, as far as routing needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredLevel {
    /// A level, with the state if this version understands it. Routing needs only the level, so that a newer layout can
    /// be rolled out and rolled back.
    Known(Level, Option<Arc<SystemState>>),
    /// Neither a state nor a record: a first start.
    Nothing,
    /// No state item, but a record 0: the state is missing.
    Lost,
}

/// Reads the level to route by.
pub trait LevelReader {
    /// Returns the content of the table, by an eventually consistent read.
    fn read(&self) -> impl Future<Output = Result<StoredLevel, StoreError>> + Send;
}

impl LevelReader for StateTable {
    async fn read(&self) -> Result<StoredLevel, StoreError> {
        StateReader::read(self).await.and_then(level_of)
    }
}

/// Returns the level to route by.
///
/// # Errors
/// The state item is corrupt. If one attribute is, the level may be too.
pub fn level_of(stored: Stored) -> Result<StoredLevel, StoreError> {
    match stored {
        Stored::State(state) => Ok(StoredLevel::Known(state.current_level, Some(Arc::new(*state)))),
        Stored::Newer(newer) => Ok(StoredLevel::Known(newer.current_level, None)),
        Stored::Nothing => Ok(StoredLevel::Nothing),
        Stored::Lost => Ok(StoredLevel::Lost),
        Stored::Unreadable(corrupt) => Err(StoreError::Invalid(corrupt.to_string())),
    }
}
