//! Reads the input that the state machine sends to a task.

use breaker::contract::ErrorName;
use breaker::place_of_error;
use breaker::validation::object::Objects;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::task_error::TaskError;

/// Parses the text of an event. The runtime's own parsing would fail with a name that the state machine does not know,
/// and without the field.
///
/// # Errors
/// `InvalidRequest` for JSON beyond this system's limits: numbers out of range, unpaired surrogates, deep nesting.
pub fn read(event: &RawValue) -> Result<Value, TaskError> {
    let mut deserializer = serde_json::Deserializer::from_str(event.get());
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let problem = format!("`{}`: {}", shortened(&error.path().to_string()), place_of_error(error.inner()));
        let remedy = "use numbers of at most 64 bits, whole characters, and at most 100 levels of nesting";
        TaskError::new(ErrorName::InvalidRequest, format!("input of the task: {problem}; {remedy}"))
    })
}

/// Reads an input, which is always an object.
///
/// # Errors
/// `InvalidRequest`, naming the field.
pub fn typed<T: DeserializeOwned>(input: Value) -> Result<T, TaskError> {
    serde_path_to_error::deserialize(Objects::new(input)).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { String::new() } else { format!("`{}`: ", shortened(&path)) };
        TaskError::bad_input(&format!("{field}{}", place_of_error(error.inner())))
    })
}

/// Shortens the path of a field, because its names come from the sender and may have any number and length.
fn shortened(path: &str) -> String {
    const LONGEST: usize = 120;
    match path.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", path.get(..end).unwrap_or_default()),
        None => path.to_owned(),
    }
}
