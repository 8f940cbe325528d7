//! HTTP API answers, payload format 2.0.

use std::collections::BTreeMap;

use breaker::Level;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

/// Header of an answer that declines by design. The controller reads and removes it.
const DECLINED: &str = "X-Circuit-Breaker-Declined";

/// The kind of an error, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ServiceErrorCode")]
pub enum ErrorCode {
    /// The function was not invoked with an HTTP API event.
    BadEvent,
    /// The account id is invalid.
    BadAccountId,
    /// The body is not a valid transfer.
    BadTransfer,
    /// The body is invalid for the route.
    BadBody,
    /// The body's format is not JSON.
    UnsupportedMediaType,
    /// Fault injection is not enabled.
    FaultInjectionDisabled,
    /// The path is unknown.
    NotFound,
    /// The route does not allow the method.
    MethodNotAllowed,
    /// The service failed on purpose or at random.
    SimulatedFailure,
    /// The level declines by design.
    Declined,
}

/// Body of every error that a service answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ServiceError")]
pub struct ErrorBody {
    /// The kind of the error, for programs.
    pub error: ErrorCode,
    /// The error as a sentence, for people.
    pub message: String,
    /// The level that declines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Level")]
    pub level: Option<Level>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// The HTTP status.
    pub status_code: u16,
    /// Headers, each with one value.
    pub headers: BTreeMap<&'static str, String>,
    /// The body: JSON as text.
    pub body: String,
    /// Always false: the body is text.
    pub is_base64_encoded: bool,
}

impl Response {
    /// Returns an answer with a JSON body.
    #[must_use]
    pub fn json(status_code: u16, body: &Value) -> Self {
        let headers = BTreeMap::from([("Content-Type", "application/json".to_owned())]);
        Self { status_code, headers, body: body.to_string(), is_base64_encoded: false }
    }

    /// Returns a refusal: a code for programs and a sentence for people.
    #[must_use]
    pub fn error(status_code: u16, error: ErrorCode, message: impl Into<String>) -> Self {
        Self::json(status_code, &json!(ErrorBody { error, message: message.into(), level: None }))
    }

    /// Returns whether the caller caused the error (4xx). Such an answer is no outcome of the service.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self.status_code, 400..=499)
    }

    /// Returns whether the level declined by design.
    #[must_use]
    pub fn is_declined(&self) -> bool {
        self.headers.contains_key(DECLINED)
    }

    /// Returns the answer of a level that declines by design. It has a marker header, so that the breaker does not
    /// count a failure.
    #[must_use]
    pub fn declined(level: Level, what: &str) -> Self {
        let message = format!("{what} not available at level {level} ({}). Try again later.", level.status());
        Self::json(503, &json!(ErrorBody { error: ErrorCode::Declined, message, level: Some(level) }))
            .with_header("Retry-After", "60")
            .with_header(DECLINED, "true")
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.to_owned());
        self
    }
}
