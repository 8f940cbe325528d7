//! Answers to callers, HTTP API payload format 2.0.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// Names and values of an answer's headers.
pub type Headers = BTreeMap<&'static str, String>;

/// The kind of an error, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "StatusErrorCode")]
pub enum ErrorCode {
    /// The function was not invoked with an event of one of its routes.
    BadEvent,
    /// The query's `history` is invalid.
    BadHistory,
    /// The query's `hours` is invalid.
    BadHours,
}

/// Body of every error that the status function answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "StatusError")]
pub struct ErrorBody {
    /// The kind of the error, for programs.
    pub error: ErrorCode,
    /// The error as a sentence, for people.
    pub message: String,
}

/// An answer of the function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The HTTP status.
    pub status_code: u16,
    /// The headers.
    pub headers: Headers,
    /// The body.
    pub body: String,
    /// Whether the body is Base64. It never is.
    pub is_base64_encoded: bool,
}

impl Answer {
    /// Returns an answer with a text as its body.
    #[must_use]
    pub fn text(status_code: u16, mut headers: Headers, content_type: &str, body: String) -> Self {
        headers.insert("Content-Type", content_type.to_owned());
        Self { status_code, headers, body, is_base64_encoded: false }
    }

    /// Returns an error.
    ///
    /// # Errors
    /// Never in practice: every error can be written as JSON.
    pub fn error(
        status_code: u16,
        headers: Headers,
        error: ErrorCode,
        message: impl Into<String>,
    ) -> Result<Self, serde_json::Error> {
        let body = serde_json::to_string(&ErrorBody { error, message: message.into() })?;
        Ok(Self::text(status_code, headers, "application/json", body))
    }

    /// Returns the answer to a HEAD request: the same headers and no body.
    #[must_use]
    pub fn without_body(self) -> Self {
        Self { body: String::new(), ..self }
    }
}
