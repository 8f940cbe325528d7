//! The failure of the state table.

use breaker::InvalidAttribute;
use breaker::contract::ErrorName;

use crate::call_error::CallError;
use crate::error_kind::ErrorKind;
use crate::task_error::TaskError;

/// The table did not answer, or its content is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A call that reads failed.
    #[error("the state table cannot be read: {0}: {TABLE_REMEDY}")]
    Unreadable(#[source] CallError),
    /// A call that writes failed.
    #[error("the state table cannot be written: {0}: {TABLE_REMEDY}")]
    Unwritable(#[source] CallError),
    /// The caller's time was over before the table answered.
    #[error("the state table does not answer in time")]
    TimedOut,
    /// The record of a command is corrupt, so nothing shows whether the execution carried out its command before.
    #[error("{0}: start the command under another name")]
    CorruptCommand(CorruptRecord),
    /// All records are corrupt, so there is none to continue after. Contains the last of them.
    #[error("no valid record is left ({0}): restore the table's backup")]
    NoValidRecord(CorruptRecord),
    /// An item cannot be read or written as this release knows it. The text names the item.
    #[error("{0}")]
    Invalid(String),
}

/// A record that no writer can have stored, with the first attribute that is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record {key} is corrupt: attribute {problem}")]
pub struct CorruptRecord {
    /// The record's key; `without a key` if it has none.
    pub key: String,
    /// The attribute, and what is wrong with it. Does not quote the record.
    pub problem: InvalidAttribute,
}

/// Advice to an operator if the table does not answer.
const TABLE_REMEDY: &str = "see that the table is active, that its key can be used and that the function may use both, \
                            then look at the state and start again";

impl StoreError {
    /// The kind of the failure.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreadable(error) | Self::Unwritable(error) => error.kind(),
            Self::TimedOut => ErrorKind::TimedOut,
            Self::CorruptCommand(_) | Self::NoValidRecord(_) | Self::Invalid(_) => ErrorKind::Invalid,
        }
    }
}

impl From<StoreError> for TaskError {
    fn from(error: StoreError) -> Self {
        Self::new(ErrorName::StateUnavailable, error.to_string()).of_kind(error.kind())
    }
}
