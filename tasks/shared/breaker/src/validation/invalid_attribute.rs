//! The refusal of an item or of a task's input.

use std::fmt::Display;

/// Maximum number of characters of an attribute's path, because names in input come from its sender.
const LONGEST_PATH: usize = 120;

/// An attribute that is invalid, or not consistent with the others: no writer stored such an item.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", quoted(.attribute))]
pub struct InvalidAttribute {
    /// The path of the attribute, with dots; empty for the whole.
    pub attribute: String,
    /// The problem, as the words after the attribute in a sentence: the value and what would fit.
    pub problem: String,
}

fn quoted(attribute: &str) -> String {
    if attribute.is_empty() { String::new() } else { format!("`{attribute}` ") }
}

impl InvalidAttribute {
    /// Returns the refusal of an attribute.
    #[must_use]
    pub fn new(attribute: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { attribute: attribute.into(), problem: problem.into() }
    }

    /// Converts an error of serde to a refusal. `told` returns the part of the error that may be shown.
    ///
    /// serde keeps the errors of a type's own checks as text only, so the attribute is read from that text.
    #[must_use]
    pub fn from_error<E: Display>(error: &serde_path_to_error::Error<E>, told: impl FnOnce(&E) -> String) -> Self {
        let sentence = told(error.inner());
        let named = |prefix: &str| sentence.strip_prefix(prefix)?.split_once('`');
        let inner = match (named("`"), named("missing field `")) {
            (Some((attribute, problem)), _) => Self::new(attribute, problem.trim_start()),
            (None, Some((attribute, _))) => Self::new(attribute, "is missing"),
            (None, None) => Self::new("", sentence),
        };
        let path = error.path().to_string();
        match (path.as_str(), inner.attribute.as_str()) {
            (".", _) => inner,
            (_, "") => Self::new(shortened(&path), format!("is invalid: {}", inner.problem)),
            _ => inner.within(&shortened(&path)),
        }
    }

    /// Returns the problem with its path below `outer`.
    pub(crate) fn within(self, outer: &str) -> Self {
        Self { attribute: format!("{outer}.{}", self.attribute), ..self }
    }
}

fn shortened(path: &str) -> String {
    match path.char_indices().nth(LONGEST_PATH) {
        Some((end, _)) => format!("{}...", path.get(..end).unwrap_or_default()),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;
    use crate::validation::place_of_error;

    #[derive(Debug)]
    #[expect(dead_code, reason = "it is only read")]
    struct Even(u8);

    impl<'de> Deserialize<'de> for Even {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let Numbers { number } = Numbers::deserialize(deserializer)?;
            if number % 2 == 0 {
                return Ok(Self(number));
            }
            Err(serde::de::Error::custom(InvalidAttribute::new("number", format!("is {number}: it should be even"))))
        }
    }

    #[derive(Debug, Deserialize)]
    struct Numbers {
        number: u8,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is only read")]
    struct Outer {
        even: Even,
    }

    fn refusal<T: DeserializeOwned>(json: Value) -> InvalidAttribute {
        let Err(error) = serde_path_to_error::deserialize::<_, T>(json) else { panic!("it was read") };
        InvalidAttribute::from_error(&error, place_of_error)
    }

    #[test]
    fn an_error_of_serde_names_its_attribute() {
        let odd = "is 7: it should be even";
        for (refused, attribute, problem) in [
            (refusal::<Even>(json!({ "number": 7 })), "number", odd),
            (refusal::<Outer>(json!({ "even": { "number": 7 } })), "even.number", odd),
            (refusal::<Even>(json!({})), "number", "is missing"),
            (refusal::<Outer>(json!({ "even": {} })), "even.number", "is missing"),
            (refusal::<Outer>(json!({ "even": { "number": "7" } })), "even.number", "is invalid: expected u8"),
            (refusal::<Outer>(json!({ "even": 7 })), "even", "is invalid: expected struct Numbers"),
            (refusal::<Outer>(json!(7)), "", "expected struct Outer"),
        ] {
            assert_eq!(refused, InvalidAttribute::new(attribute, problem));
        }
    }

    #[test]
    fn a_long_path_is_shortened() {
        let name = "ü".repeat(10_000);
        let map = json!({ name: { "number": 7 } });
        let refused = refusal::<std::collections::BTreeMap<String, Even>>(map);
        assert_eq!(refused.attribute, format!("{}....number", "ü".repeat(LONGEST_PATH)));
    }
}
