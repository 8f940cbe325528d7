//! Answers to callers, HTTP API payload format 2.0.

use std::collections::BTreeMap;
use std::time::Duration;

use breaker::Level;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::invoke::{InvokeError, PAYLOAD_LIMIT};
use crate::json;
use crate::route_headers::RouteHeaders;

/// Advice to a caller if the service did not run, or if the request may be repeated.
const AGAIN: &str = "Try again shortly.";
/// Advice to a caller if the service may have carried the request out.
const CHECK_FIRST: &str =
    "Whether the request was carried out is unknown: check the result before you send the request again.";

/// The kind of an error, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "BreakerErrorCode")]
pub enum ErrorCode {
    /// The function was not invoked with an HTTP API event.
    BadEvent,
    /// The request is larger than Lambda accepts.
    RequestTooLarge,
    /// The service's answer is larger than Lambda returns.
    AnswerTooLarge,
    /// It is unknown whether the service carried the request out. Check before you send the request again.
    OutcomeUnknown,
    /// The service did not run, or the method is safe: the request may be sent again.
    ServiceUnavailable,
}

/// Body of every error that the breaker itself answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "BreakerError")]
pub struct ErrorBody {
    /// The kind of the error, for programs.
    pub error: ErrorCode,
    /// The error as a sentence, for people.
    pub message: String,
    /// The level whose service was invoked; absent if none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Level")]
    pub level: Option<Level>,
}

/// Returns an error that the breaker itself answers.
pub fn error_answer(
    status: u16,
    headers: BTreeMap<&'static str, String>,
    error: ErrorCode,
    message: impl Into<String>,
) -> Box<RawValue> {
    json_answer(status, headers, &ErrorBody { error, message: message.into(), level: None })
}

/// Returns the answer to a request that no service answered. `safe` says whether the request's method is safe (RFC
/// 9110: GET, HEAD, OPTIONS). A caller who may try again should wait for `retry_after`.
pub fn without_service(
    problem: &InvokeError,
    route: &RouteHeaders,
    safe: bool,
    retry_after: Duration,
) -> Box<RawValue> {
    let limit = format!("at most {PAYLOAD_LIMIT} bytes as JSON, about 4.4 MB of binary data");
    let (status, error, message) = match told_of(problem) {
        Told::TooLarge => (413, ErrorCode::RequestTooLarge, format!("A request may have {limit}.")),
        Told::AnswerTooLarge if safe => {
            let message = format!("The answer is too large to be sent: {limit}. Ask for less.");
            (502, ErrorCode::AnswerTooLarge, message)
        }
        Told::AnswerTooLarge => {
            let message =
                format!("The service answered, but the answer is too large to be sent: {limit}. {CHECK_FIRST}");
            (502, ErrorCode::AnswerTooLarge, message)
        }
        Told::Unknown(cause) if !safe => (504, ErrorCode::OutcomeUnknown, format!("{cause} {CHECK_FIRST}")),
        Told::Unknown(cause) => (503, ErrorCode::ServiceUnavailable, format!("{cause} {AGAIN}")),
        // A GET or HEAD may have been sent before, on a connection that broke.
        Told::NotRun(cause) if safe => (503, ErrorCode::ServiceUnavailable, format!("{cause} {AGAIN}")),
        Told::NotRun(cause) => {
            let message = format!("{cause} The request was not carried out. {AGAIN}");
            (503, ErrorCode::ServiceUnavailable, message)
        }
    };
    let mut headers = route.headers();
    if status == 503 {
        headers.insert("Retry-After", retry_after.as_secs().to_string());
    }
    json_answer(status, headers, &ErrorBody { error, message, level: route.answered_by })
}

/// The kind of answer to a caller if an invocation had no usable answer.
enum Told {
    TooLarge,
    AnswerTooLarge,
    /// The service may have carried the request out.
    Unknown(&'static str),
    /// This attempt did not run the service. Only a retryable request is sent again after an attempt that may have.
    NotRun(&'static str),
}

const fn told_of(problem: &InvokeError) -> Told {
    match problem {
        InvokeError::TooLarge => Told::TooLarge,
        InvokeError::AnswerTooLarge => Told::AnswerTooLarge,
        InvokeError::TimedOut => Told::Unknown("The service did not answer in time."),
        InvokeError::Lost(_) | InvokeError::AnswerCutShort(_) => Told::Unknown("The service's answer did not arrive."),
        InvokeError::ConnectionLost(_) => Told::Unknown("The connection to the service was lost."),
        InvokeError::Crashed(_) => Told::Unknown("The service ended in an error."),
        InvokeError::InvalidResponse(_) => Told::Unknown("The service gave an invalid answer."),
        InvokeError::Throttled => Told::NotRun("The service has no capacity left."),
        InvokeError::NotConnected(_) => Told::NotRun("The service could not be reached."),
        InvokeError::NotInvoked(_) => Told::NotRun("The service could not be invoked."),
    }
}

/// Returns an answer without a body.
pub fn empty_answer(status: u16, headers: &BTreeMap<&'static str, String>) -> Box<RawValue> {
    json::raw(&serde_json::json!({ "statusCode": status, "headers": headers }))
}

fn json_answer(status: u16, mut headers: BTreeMap<&'static str, String>, body: &impl Serialize) -> Box<RawValue> {
    headers.insert("Content-Type", "application/json".to_owned());
    let body = json::text(body);
    json::raw(&serde_json::json!({ "statusCode": status, "headers": headers, "body": body, "isBase64Encoded": false }))
}
