//! What a read of the state table finds.

use crate::level::Level;
use crate::state::SystemState;
use crate::validation::InvalidAttribute;

/// The content of the state table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// A valid state.
    State(Box<SystemState>),
    /// Neither a state nor a record: a first start.
    Nothing,
    /// No state item, but a record 0: the state is missing.
    Lost,
    /// A corrupt state item.
    Unreadable(CorruptState),
    /// A state item of a newer layout than this code writes.
    Newer(NewerState),
}

/// A state item that no writer can have stored, with the first attribute that is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state item is corrupt: attribute {0}")]
pub struct CorruptState(pub InvalidAttribute);

/// The part of a state item of a newer layout that this code can read: enough to route by, not enough to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewerState {
    /// The layout.
    pub schema_version: u64,
    /// The level that requests are routed to.
    pub current_level: Level,
}
