//! What is wrong with input from others, without the input: serde's sentences quote what they read, which may be a
//! customer's, and logs and causes keep them.

use std::fmt::Display;

use serde_json::error::Category;

/// Says where JSON is wrong, and in which way, without its content.
#[must_use]
pub fn place_of_error(error: &serde_json::Error) -> String {
    let problem = match error.classify() {
        Category::Data => without_content(error),
        Category::Io | Category::Syntax => "invalid JSON".to_owned(),
        Category::Eof => "the JSON ends too early".to_owned(),
    };
    if error.line() == 0 { problem } else { format!("{problem} (line {}, column {})", error.line(), error.column()) }
}

/// Returns what a type expects or misses, from the sentence of a serde error, without what was read.
#[must_use]
pub fn without_content(error: &impl Display) -> String {
    let sentence = error.to_string();
    // Of JSON text, serde_json adds where it is.
    let sentence = sentence.rsplit_once(" at line ").map_or(sentence.as_str(), |(sentence, _)| sentence);
    // These name a field of the type, never one of the input: serde's own, and those of a type's own checks, which
    // begin with the field (`InvalidAttribute`).
    if ["missing field `", "duplicate field `", "`"].iter().any(|own| sentence.starts_with(own)) {
        return sentence.to_owned();
    }
    // What was read stands before the last of these words, what the type expects after it.
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
    fn no_content_is_in_what_is_said_of_it() {
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
