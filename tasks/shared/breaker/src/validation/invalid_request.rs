//! The refusal of an input that is invalid.

use std::fmt;

use serde_json::Value;

use super::quoted::quoted;

/// An input of the state machine that is invalid. `Display` is the sentence for people: the field, what was found in
/// it, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRequest {
    field: String,
    kind: InvalidKind,
    allowed: String,
}

/// What was found in an invalid field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidKind {
    /// The whole input is not a JSON object, so the field cannot be in it.
    NoObject,
    /// The field is missing.
    Missing,
    /// The field is unknown. Contains the name of the object, as error messages write it.
    Unknown(String),
    /// A value of another type, or beyond the bounds.
    Value(Value),
    /// A text that is empty, or has nothing but white space.
    Empty,
    /// A text with this number of characters, which is not allowed.
    Length(usize),
    /// A text without a visible character.
    Invisible,
    /// A text with this character, which breaks the line, changes the direction of writing or is invisible.
    Character(char),
}

impl InvalidRequest {
    pub(crate) fn new(field: impl Into<String>, kind: InvalidKind, allowed: impl Into<String>) -> Self {
        Self { field: field.into(), kind, allowed: allowed.into() }
    }

    /// Returns the refusal with the field's path below `outer`.
    pub(crate) fn within(self, outer: &str) -> Self {
        Self { field: format!("{outer}.{}", self.field), ..self }
    }

    /// Returns the path of the field, with dots. Names that the sender chose are shortened and escaped.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Returns what was found in the field.
    #[must_use]
    pub const fn kind(&self) -> &InvalidKind {
        &self.kind
    }

    /// Returns what is allowed in the field, as the words after "use" or "add" in the sentence.
    #[must_use]
    pub fn allowed(&self) -> &str {
        &self.allowed
    }
}

impl fmt::Display for InvalidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, kind, allowed } = self;
        let verb = if *kind == InvalidKind::Missing { "add" } else { "use" };
        match kind {
            InvalidKind::NoObject => write!(f, "the input is not a JSON object with a field `{field}`")?,
            InvalidKind::Missing => write!(f, "`{field}` is missing")?,
            InvalidKind::Unknown(whole) => write!(f, "`{field}` is no field of {whole}")?,
            InvalidKind::Value(Value::String(text)) => write!(f, "`{field}` is the text \"{}\"", quoted(text))?,
            InvalidKind::Value(Value::Array(_)) => write!(f, "`{field}` is a list")?,
            InvalidKind::Value(Value::Object(_)) => write!(f, "`{field}` is an object")?,
            InvalidKind::Value(plain) => write!(f, "`{field}` is {plain}")?,
            InvalidKind::Empty => write!(f, "`{field}` is empty")?,
            InvalidKind::Length(count) => write!(f, "`{field}` has {count} characters")?,
            InvalidKind::Invisible => write!(f, "`{field}` has no visible character")?,
            InvalidKind::Character(found) => {
                write!(f, "`{field}` contains the control character U+{:04X}", u32::from(*found))?;
            }
        }
        write!(f, ": {verb} {allowed}")
    }
}

impl std::error::Error for InvalidRequest {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_says_what_was_found_and_what_is_allowed() {
        for (kind, sentence) in [
            (InvalidKind::NoObject, "the input is not a JSON object with a field `reason`: use words"),
            (InvalidKind::Missing, "`reason` is missing: add words"),
            (InvalidKind::Unknown("a release".to_owned()), "`reason` is no field of a release: use words"),
            (InvalidKind::Value(json!("a\nb")), "`reason` is the text \"a\\nb\": use words"),
            (InvalidKind::Value(json!(["a"])), "`reason` is a list: use words"),
            (InvalidKind::Value(json!({"a": 1})), "`reason` is an object: use words"),
            (InvalidKind::Value(json!(2.5)), "`reason` is 2.5: use words"),
            (InvalidKind::Value(Value::Null), "`reason` is null: use words"),
            (InvalidKind::Empty, "`reason` is empty: use words"),
            (InvalidKind::Length(501), "`reason` has 501 characters: use words"),
            (InvalidKind::Invisible, "`reason` has no visible character: use words"),
            (InvalidKind::Character('\n'), "`reason` contains the control character U+000A: use words"),
        ] {
            let refusal = InvalidRequest::new("reason", kind, "words");
            assert_eq!(refusal.to_string(), sentence);
            assert_eq!((refusal.field(), refusal.allowed()), ("reason", "words"));
        }
    }
}
