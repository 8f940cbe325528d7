//! Reads the input that the state machine sends to a task.

use breaker::validation::object::Objects;
use breaker::{InvalidAttribute, place_of_error};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

/// An input that a task cannot use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidInput {
    /// JSON beyond this system's limits: numbers out of range, unpaired surrogates, deep nesting.
    #[error(
        "input of the task: {0}; use numbers of at most 64 bits, whole characters, and at most 100 levels of nesting"
    )]
    BeyondLimits(InvalidAttribute),
    /// JSON that the state machine never sends to this task.
    #[error("input of the task: {0}")]
    Unexpected(InvalidAttribute),
}

impl InvalidInput {
    /// Returns the field, and what is wrong with it.
    #[must_use]
    pub const fn attribute(&self) -> &InvalidAttribute {
        let (Self::BeyondLimits(attribute) | Self::Unexpected(attribute)) = self;
        attribute
    }
}

/// Parses the text of an event. The runtime's own parsing would fail with a name that the state machine does not know,
/// and without the field.
///
/// # Errors
/// The JSON is beyond this system's limits.
pub fn read(event: &RawValue) -> Result<Value, InvalidInput> {
    let mut deserializer = serde_json::Deserializer::from_str(event.get());
    serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| InvalidInput::BeyondLimits(InvalidAttribute::from_error(&error, place_of_error)))
}

/// Reads an input, which is always an object.
///
/// # Errors
/// The input is not one of this task. Names the field.
pub fn typed<T: DeserializeOwned>(input: Value) -> Result<T, InvalidInput> {
    serde_path_to_error::deserialize(Objects::new(input))
        .map_err(|error| InvalidInput::Unexpected(InvalidAttribute::from_error(&error, place_of_error)))
}
