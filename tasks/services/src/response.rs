//! HTTP API answers, payload format 2.0.

use std::collections::BTreeMap;

use breaker::Level;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

/// Marks an answer that declines by design; the controller strips it.
const DECLINED: &str = "X-Circuit-Breaker-Declined";

/// What is wrong, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ServiceErrorCode")]
pub enum ErrorCode {
    /// The function was not invoked with an HTTP API event.
    BadEvent,
    /// The account id is none.
    BadAccountId,
    /// The body is no transfer.
    BadTransfer,
    /// The body is not what the route takes.
    BadBody,
    /// The body is in another format than JSON.
    UnsupportedMediaType,
    /// Failing on purpose is not allowed here.
    FaultInjectionDisabled,
    /// Nothing is at this path.
    NotFound,
    /// The route does not take this method.
    MethodNotAllowed,
    /// Failed on purpose or by chance.
    SimulatedFailure,
    /// The level declines by design.
    Declined,
}

/// The body of every answer of a service that is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ServiceError")]
pub struct ErrorBody {
    /// For programs.
    pub error: ErrorCode,
    /// For people.
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
    /// JSON, as text.
    pub body: String,
    /// Always false: the body is text.
    pub is_base64_encoded: bool,
}

impl Response {
    /// An answer with a JSON body.
    #[must_use]
    pub fn json(status_code: u16, body: &Value) -> Self {
        let headers = BTreeMap::from([("Content-Type", "application/json".to_owned())]);
        Self { status_code, headers, body: body.to_string(), is_base64_encoded: false }
    }

    /// A refusal: a code for programs and a sentence for people.
    #[must_use]
    pub fn error(status_code: u16, error: ErrorCode, message: impl Into<String>) -> Self {
        Self::json(status_code, &json!(ErrorBody { error, message: message.into(), level: None }))
    }

    /// Whether the caller is at fault, which says nothing about the service.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self.status_code, 400..=499)
    }

    /// Whether the level declined by design.
    #[must_use]
    pub fn is_declined(&self) -> bool {
        self.headers.contains_key(DECLINED)
    }

    /// A level that declines by design. The marker keeps the breaker from counting it as a failure.
    #[must_use]
    pub fn declined(level: Level, what: &str) -> Self {
        let message = format!("{what} not available at level {level} ({}). Try again later.", level.status());
        Self::json(503, &json!(ErrorBody { error: ErrorCode::Declined, message, level: Some(level) }))
            .with_header("Retry-After", "60")
            .with_header(DECLINED, "true")
    }

    /// The same answer with another header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.to_owned());
        self
    }
}
