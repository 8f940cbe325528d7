//! Writes JSON. Writing cannot fail, because all keys of the maps that the controller writes are texts. If it fails all
//! the same, this module handles the failure.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// The answer in place of one that cannot be written.
const NOT_WRITTEN: &str = r#"{"statusCode":500,"headers":{"Content-Type":"application/json"},"body":"{}"}"#;

/// Returns `value` as a JSON value.
pub fn raw(value: &impl Serialize) -> Box<RawValue> {
    written(to_raw_value(value))
}

/// Returns `value` as JSON text.
pub fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| {
        log(&error);
        RawValue::NULL.get().to_owned()
    })
}

/// Returns the JSON value that was written; if it could not be, logs why and returns an answer with status 500.
pub fn written(result: Result<Box<RawValue>, serde_json::Error>) -> Box<RawValue> {
    result.unwrap_or_else(|error| {
        log(&error);
        RawValue::from_string(NOT_WRITTEN.to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned())
    })
}

fn log(error: &serde_json::Error) {
    tracing::error!(error.message = %error, "JSON not written");
}

#[cfg(test)]
mod tests {
    use serde::ser::Error;

    use super::*;

    #[test]
    fn an_answer_that_cannot_be_written_has_status_500() {
        let answer = written(Err(serde_json::Error::custom("no")));
        let answer: serde_json::Value = serde_json::from_str(answer.get()).unwrap();
        assert_eq!(answer["statusCode"], 500);
    }
}
