//! Describes errors in input without quoting it: serde's messages quote what they read, which may be a customer's data,
//! and logs and the causes of errors keep messages.

use std::fmt::Display;

use serde_json::error::Category;

/// Returns the problem of invalid JSON and its place, without the content.
#[must_use]
pub fn place_of_error(error: &serde_json::Error) -> String {
    let problem = match error.classify() {
        Category::Data => without_content(error),
        Category::Io | Category::Syntax => "invalid JSON".to_owned(),
        Category::Eof => "the JSON ends too early".to_owned(),
    };
    if error.line() == 0 { problem } else { format!("{problem} (line {}, column {})", error.line(), error.column()) }
}

/// Returns what a type expects or misses, from the message of a serde error, without what was read.
#[must_use]
pub fn without_content(error: &impl Display) -> String {
    let sentence = error.to_string();
    // For JSON text, serde_json adds the place of the error.
    let sentence = sentence.rsplit_once(" at line ").map_or(sentence.as_str(), |(sentence, _)| sentence);
    // These messages name a field of the type, never one of the input: serde's own, and those of a type's own checks,
    // which begin with the field (`InvalidAttribute`).
    if ["missing field `", "duplicate field `", "`"].iter().any(|own| sentence.starts_with(own)) {
        return sentence.to_owned();
    }
    // Before the last of these words is what was read, after it what the type expects.
    match sentence.rsplit_once(", expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None => "the value is invalid".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::level::Level;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is only read")]
    struct Input {
        name: String,
        level: Option<Level>,
    }

    #[test]
    fn an_error_message_has_no_content_of_the_input() {
        for (json, expected) in [
            (r#"{"name": 4711}"#, "expected a string (line 1, column 13)"),
            (r#"{"name": {"4711": 1}}"#, "expected a string (line 1, column 9)"),
            (r#"{"4711": 1}"#, "expected `name` or `level` (line 1, column 7)"),
            (r#"{"name": "a", "level": 47}"#, "the value is invalid (line 1, column 26)"),
            (r#"{"name": "a", "level": "4711, expected 4711"}"#, "expected u8 (line 1, column 44)"),
            (r#"{"level": 1}"#, "missing field `name` (line 1, column 12)"),
            (r#"{"name": "a", "name": "4711"}"#, "duplicate field `name` (line 1, column 20)"),
            (r#"{"name": "4711\ud800"}"#, "invalid JSON (line 1, column 21)"),
            (r#"{"name": "4711"#, "the JSON ends too early (line 1, column 14)"),
            ("4711", "expected struct Input (line 1, column 4)"),
            ("", "the JSON ends too early (line 1, column 0)"),
        ] {
            let said = place_of_error(&serde_json::from_str::<Input>(json).unwrap_err());
            assert_eq!(said, expected, "{json}");
        }
        let error = serde_json::from_value::<Input>(serde_json::json!({ "name": 4711 })).unwrap_err();
        assert_eq!(place_of_error(&error), "expected a string");
    }
}
