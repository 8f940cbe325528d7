//! What the table says about where to route: less than the tasks of the state machine need of it.

use std::sync::Arc;

use breaker::{Level, Stored, SystemState};
use platform::state_store::{StateReader, StateTable, StoreError};

/// What the table holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredLevel {
    /// A level, and the state around it where this version understands it: routing needs the level
    /// alone, so that a roll-out of a newer layout can go either way.
    Known(Level, Option<Arc<SystemState>>),
    /// Nothing at all: a first start.
    Nothing,
    /// No state, but a history: the state was lost.
    Lost,
}

/// Reads where to route.
pub trait LevelReader {
    /// What the table holds now, give or take a moment.
    fn read(&self) -> impl Future<Output = Result<StoredLevel, StoreError>> + Send;
}

impl LevelReader for StateTable {
    async fn read(&self) -> Result<StoredLevel, StoreError> {
        StateReader::read(self).await.and_then(level_of)
    }
}

/// Where to route by what is stored.
///
/// # Errors
/// An item that makes no sense: where part of it is garbage, so may the level be.
pub fn level_of(stored: Stored) -> Result<StoredLevel, StoreError> {
    match stored {
        Stored::State(state) => Ok(StoredLevel::Known(state.current_level, Some(Arc::new(*state)))),
        Stored::Newer(newer) => Ok(StoredLevel::Known(newer.current_level, None)),
        Stored::Nothing => Ok(StoredLevel::Nothing),
        Stored::Lost => Ok(StoredLevel::Lost),
        Stored::Unreadable(problem) => Err(StoreError(problem)),
    }
}
