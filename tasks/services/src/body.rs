//! Reads request bodies, which are JSON objects, and refuses everything else with a message.

use std::fmt;

use breaker::validation::object::Objects;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;

use crate::Request;
use crate::request::NotText;

/// Maximum number of characters that an answer quotes from a request.
const QUOTED_CHARACTERS: usize = 120;

/// An invalid body: what is wrong with it, and the allowed body. `Display` is the sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyError {
    /// What is wrong with the body.
    pub kind: BodyErrorKind,
    /// The allowed body, as the words after "send" in the sentence.
    pub wanted: &'static str,
}

/// What is wrong with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyErrorKind {
    /// The body is not JSON, and the request declares another format.
    Format(String),
    /// The body is missing.
    Missing,
    /// The body is not text.
    NotText(NotText),
    /// The body is not JSON from this place on.
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// The body begins with JSON, such as the `1` of the form `1=2`, and is not JSON.
    BeginsWithJson,
    /// The JSON ends too early.
    Incomplete,
    /// The body has more than one JSON value.
    SeveralValues,
    /// The body is JSON of another kind than an object.
    NoObject(&'static str),
    /// A field is missing, unknown or has another type.
    Field {
        /// The path of the field; empty for the whole body.
        path: String,
        /// The problem, in the words of the parser.
        problem: String,
    },
}

impl BodyErrorKind {
    /// Whether the body may be in the format that the request declares, if that is not JSON.
    const fn is_not_json(&self) -> bool {
        matches!(self, Self::NotText(_) | Self::NotJson { .. } | Self::BeginsWithJson | Self::Incomplete)
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, wanted } = self;
        match kind {
            BodyErrorKind::Format(format) => {
                return write!(
                    f,
                    "The body is not JSON but `{}`: send {wanted}, with `Content-Type: application/json`",
                    quoted(format)
                );
            }
            BodyErrorKind::Field { path, problem } => {
                let place = if path.is_empty() { String::new() } else { format!(" at `{}`", quoted(path)) };
                return write!(f, "The body is wrong{place}: {}. Send {wanted}", quoted(problem));
            }
            BodyErrorKind::Missing => f.write_str("The body is missing")?,
            BodyErrorKind::NotText(problem) => problem.fmt(f)?,
            BodyErrorKind::NotJson { line, column } => {
                write!(f, "The body is not JSON (line {line}, column {column})")?;
            }
            BodyErrorKind::BeginsWithJson => f.write_str("The body is not JSON")?,
            BodyErrorKind::Incomplete => f.write_str("The body is JSON that ends too early")?,
            BodyErrorKind::SeveralValues => f.write_str("The body has more than one JSON value")?,
            BodyErrorKind::NoObject(kind) => write!(f, "The body is {kind}")?,
        }
        write!(f, ": send {wanted}")
    }
}

impl std::error::Error for BodyError {}

/// Reads the body of a request, or `None` if the body is empty. `wanted` describes the allowed body and follows the
/// word "send" in a message.
///
/// # Errors
/// The body is not a JSON object, or has invalid fields.
pub fn read<T: DeserializeOwned>(request: &Request, wanted: &'static str) -> Result<Option<T>, BodyError> {
    let refused = |kind: BodyErrorKind| match other_format(request) {
        Some(format) if kind.is_not_json() => BodyError { kind: BodyErrorKind::Format(format.to_owned()), wanted },
        _ => BodyError { kind, wanted },
    };
    let body = request.body().map_err(|problem| refused(BodyErrorKind::NotText(problem)))?;
    if body.trim().is_empty() {
        return Ok(None);
    }
    parse(&body).map(Some).map_err(refused)
}

fn parse<T: DeserializeOwned>(body: &str) -> Result<T, BodyErrorKind> {
    let mut reader = serde_json::Deserializer::from_str(body);
    let value = serde_path_to_error::deserialize(Objects::new(&mut reader)).map_err(|error| {
        let path = error.path().to_string();
        let problem = error.into_inner();
        match problem.classify() {
            Category::Syntax | Category::Io => {
                BodyErrorKind::NotJson { line: problem.line(), column: problem.column() }
            }
            Category::Eof => BodyErrorKind::Incomplete,
            // The body may be a form that begins with a number, such as `1=2`.
            Category::Data if serde_json::from_str::<IgnoredAny>(body).is_err() => BodyErrorKind::BeginsWithJson,
            Category::Data if path == "." && !body.trim_start().starts_with('{') => {
                BodyErrorKind::NoObject(kind_of(body))
            }
            Category::Data => {
                let path = if path == "." { String::new() } else { path };
                BodyErrorKind::Field { path, problem: problem.to_string() }
            }
        }
    })?;
    reader.end().map_err(|_| BodyErrorKind::SeveralValues)?;
    Ok(value)
}

fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_CHARACTERS).collect()
}

/// Returns the kind of a JSON value that is not an object.
fn kind_of(json: &str) -> &'static str {
    match json.trim_start().as_bytes().first() {
        Some(b'[') => "a list",
        Some(b'"') => "a text",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// Returns the format that the request declares for its body, if it is not JSON.
fn other_format(request: &Request) -> Option<&str> {
    let format = request.header("Content-Type")?;
    let name = format.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = name == "application/json" || name.ends_with("+json");
    (!name.is_empty() && !is_json).then_some(format)
}
