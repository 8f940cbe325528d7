//! Reads request bodies, which are JSON objects, and refuses everything else with a message.

use std::fmt;

use breaker::validation::object::Objects;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;

use crate::Request;

/// Maximum number of characters that an answer quotes from a request.
const QUOTED_CHARACTERS: usize = 120;

/// An invalid body. The message has the problem and the allowed body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// The body's format is not JSON.
    Unsupported(String),
    /// The body is JSON or declared as JSON, but invalid for the route.
    Invalid(String),
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unsupported(problem) | Self::Invalid(problem)) = self;
        f.write_str(problem)
    }
}

/// Reads the body of a request, or `None` if the body is empty. `wanted` describes the allowed body and follows the
/// word "send" in a message.
///
/// # Errors
/// The body is not a JSON object, or has invalid fields.
pub fn read<T: DeserializeOwned>(request: &Request, wanted: &str) -> Result<Option<T>, BodyError> {
    let not_json = |problem: String| match other_format(request) {
        Some(format) => BodyError::Unsupported(format!(
            "The body is not JSON but `{}`: send {wanted}, with `Content-Type: application/json`",
            quoted(format)
        )),
        None => BodyError::Invalid(format!("{problem}: send {wanted}")),
    };
    let body = request.body().map_err(not_json)?;
    if body.trim().is_empty() {
        return Ok(None);
    }
    parse(&body, wanted).map(Some).map_err(|problem| match problem {
        Problem::NotJson(problem) => not_json(problem),
        Problem::Other(problem) => BodyError::Invalid(problem),
    })
}

enum Problem {
    NotJson(String),
    Other(String),
}

fn parse<T: DeserializeOwned>(body: &str, wanted: &str) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_str(body);
    let value = serde_path_to_error::deserialize(Objects::new(&mut reader)).map_err(|error| {
        let path = error.path().to_string();
        let problem = error.into_inner();
        let (line, column) = (problem.line(), problem.column());
        match problem.classify() {
            Category::Syntax | Category::Io => {
                Problem::NotJson(format!("The body is not JSON (line {line}, column {column})"))
            }
            Category::Eof => Problem::NotJson("The body is JSON that ends too early".to_owned()),
            // The body may be a form that begins with a number, such as `1=2`.
            Category::Data if serde_json::from_str::<IgnoredAny>(body).is_err() => {
                Problem::NotJson("The body is not JSON".to_owned())
            }
            Category::Data if path == "." && !body.trim_start().starts_with('{') => {
                Problem::Other(format!("The body is {}: send {wanted}", kind(body)))
            }
            Category::Data => {
                let place = if path == "." { String::new() } else { format!(" at `{}`", quoted(&path)) };
                Problem::Other(format!("The body is wrong{place}: {}. Send {wanted}", quoted(&problem.to_string())))
            }
        }
    })?;
    reader.end().map_err(|_| Problem::Other(format!("The body has more than one JSON value: send {wanted}")))?;
    Ok(value)
}

fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_CHARACTERS).collect()
}

/// Returns the kind of a JSON value that is not an object.
fn kind(json: &str) -> &'static str {
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
