//! The text of a file and the overrides of one run, as one tree of values with the source of each value.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::keys::dotted;
use crate::origin::Origin;
use crate::problem::Problem;

/// One `--set KEY=VALUE`: replaces a value of the file for one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The key, dotted from the top of the file.
    pub key: String,
    /// The value as TOML; a word without quotes is a text.
    pub value: String,
}

impl FromStr for Override {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) =
            text.split_once('=').ok_or("is not KEY=VALUE, for example policy.rates.failure_percent=5")?;
        Ok(Self { key: key.trim().to_owned(), value: value.trim().to_owned() })
    }
}

/// The values of a file and of the overrides.
pub(crate) struct Source {
    pub value: Value,
    place: String,
    origins: BTreeMap<String, Origin>,
}

impl Source {
    /// Reads the text of a file; `place` names it in problems.
    pub fn read(place: &str, text: &str, overrides: &[Override]) -> Result<Self, Problem> {
        let invalid = |error: toml::de::Error| Problem {
            place: place.to_owned(),
            line: error.span().map(|span| line_of(text, span.start)),
            key: String::new(),
            text: format!("is not valid TOML: {}", error.message()),
        };
        // The first reading has the places of the keys, the second the values.
        let table = DeTable::parse(text).map_err(invalid)?;
        let document: toml::Table = toml::from_str(text).map_err(invalid)?;
        let value = json(toml::Value::Table(document));
        let mut source = Self { value, place: place.to_owned(), origins: BTreeMap::new() };
        source.note(text, "", table.get_ref());
        for one in overrides {
            source.set(one)?;
        }
        Ok(source)
    }

    /// Returns the source of the value of `key`; None if neither file nor override sets it.
    pub fn origin(&self, key: &str) -> Option<Origin> {
        self.origins.get(key).copied()
    }

    /// Returns a problem of `key`, with its line or the option that set it.
    pub fn problem(&self, key: &str, text: impl Into<String>) -> Problem {
        let (place, line) = match self.origin(key) {
            Some(Origin::Override) => ("--set", None),
            Some(Origin::File { line }) => (self.place.as_str(), Some(line)),
            Some(Origin::Preset | Origin::Default) | None => (self.place.as_str(), None),
        };
        Problem { place: place.to_owned(), line, key: key.to_owned(), text: text.into() }
    }

    fn note(&mut self, text: &str, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = dotted(prefix, name.get_ref());
            let line = line_of(text, name.span().start);
            self.origins.insert(key.clone(), Origin::File { line });
            if let DeValue::Table(table) = Spanned::get_ref(value) {
                self.note(text, &key, table);
            }
        }
    }

    fn set(&mut self, Override { key, value }: &Override) -> Result<(), Problem> {
        let refused = |text: String| Problem { place: "--set".to_owned(), line: None, key: key.clone(), text };
        // A word without quotes is a text, because shells remove quotes.
        let parsed = toml::from_str::<toml::Table>(&format!("value = {value}"))
            .ok()
            .and_then(|mut table| table.remove("value"))
            .unwrap_or_else(|| toml::Value::String(value.clone()));
        let names: Vec<_> = key.split('.').collect();
        let Some((last, sections)) = names.split_last().filter(|_| names.iter().all(|name| !name.is_empty())) else {
            return Err(refused(
                "is no key: use names joined by dots, such as policy.rates.failure_percent".to_owned(),
            ));
        };
        let mut node = &mut self.value;
        for section in sections {
            let members = node.as_object_mut().ok_or_else(|| refused(format!("is below {section}, a value")))?;
            node = members.entry(*section).or_insert_with(|| Value::Object(Map::new()));
        }
        // A section that only the override names has the override as its source.
        for (end, _) in key.match_indices('.') {
            self.origins.entry(key.get(..end).unwrap_or_default().to_owned()).or_insert(Origin::Override);
        }
        let members = node.as_object_mut().ok_or_else(|| refused("is below a key that holds a value".to_owned()))?;
        members.insert((*last).to_owned(), json(parsed));
        self.origins.insert(key.clone(), Origin::Override);
        Ok(())
    }
}

/// Returns the line, from 1, of a byte of the text.
fn line_of(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|byte| *byte == b'\n').count() + 1
}

/// Converts a value to JSON. A date becomes its text, which the schema refuses, because no key takes a date.
fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Array(values) => values.into_iter().map(json).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(name, value)| (name, json(value))).collect(),
    }
}
