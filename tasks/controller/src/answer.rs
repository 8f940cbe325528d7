//! Answers to callers, HTTP API payload format 2.0.

use std::collections::BTreeMap;

use breaker::Level;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use crate::invoke::{InvokeError, PAYLOAD_LIMIT};

pub use crate::service_answer::ServiceAnswer;

/// The header by which a service says that it declines by design. For the controller only.
pub const DECLINED_HEADER: &str = "X-Circuit-Breaker-Declined";
/// The header that names the current level.
pub const LEVEL_HEADER: &str = "X-Circuit-Breaker-Level";
/// The header that names the service that answered.
pub const ROUTED_TO_HEADER: &str = "X-Routed-To";
/// The header that names the service that failed the request before, and how.
pub const FALLBACK_HEADER: &str = "X-Fallback-From";
/// What stands there where the controller itself did, and no service was asked.
pub const CONTROLLER: &str = "controller";
/// What marks a probe in the headers that name a service.
pub const PROBE_MARK: &str = "; probe";
/// Seconds after which a caller may try again.
const RETRY_AFTER_SECONDS: &str = "5";
/// What a caller can do if the service surely did not run, or may run twice.
const AGAIN: &str = "Try again shortly.";
/// What a caller can do if the service may have carried the request out.
const CHECK_FIRST: &str =
    "Whether the request was carried out is unknown: check the result before you send the request again.";

/// What is wrong, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "BreakerErrorCode")]
pub enum ErrorCode {
    /// The function was not invoked with an HTTP API event.
    BadEvent,
    /// The query asks for a history that cannot be had.
    BadHistory,
    /// Nothing is at this path; the status is at one spelled a little differently.
    NotFound,
    /// The route does not take this method.
    MethodNotAllowed,
    /// The request is larger than a function can be sent.
    RequestTooLarge,
    /// The service's answer is larger than a function can give.
    AnswerTooLarge,
    /// It is unknown whether the service carried the request out: check before you send the request again.
    OutcomeUnknown,
    /// The service did not run, or the method is safe: the request may be sent again.
    ServiceUnavailable,
}

/// The body of every answer that is an error of the breaker's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "BreakerError")]
pub struct ErrorBody {
    /// For programs.
    pub error: ErrorCode,
    /// For people.
    pub message: String,
    /// The level whose service was asked; absent where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Level")]
    pub level: Option<Level>,
}

/// An answer that is an error of the breaker's own.
///
/// # Errors
/// Never in practice.
pub fn error_answer(
    status: u16,
    headers: BTreeMap<&'static str, String>,
    error: ErrorCode,
    message: impl Into<String>,
) -> Result<Box<RawValue>, serde_json::Error> {
    json_answer(status, headers, &ErrorBody { error, message: message.into(), level: None })
}

/// What the breaker's headers tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The current level.
    pub level: Level,
    /// The level whose service answered, or was asked; none where the controller itself answers.
    pub answered_by: Option<Level>,
    /// Whether that was a probe of a level that is better than the current one.
    pub probe: bool,
    /// Which service failed the request before, and how.
    pub fallback_from: Option<String>,
}

impl Route {
    /// The controller itself answers.
    #[must_use]
    pub const fn own(level: Level) -> Self {
        Self { level, answered_by: None, probe: false, fallback_from: None }
    }

    /// The service of `answered_by` answered at once.
    #[must_use]
    pub const fn to(level: Level, answered_by: Level) -> Self {
        Self { level, answered_by: Some(answered_by), probe: false, fallback_from: None }
    }

    /// The breaker's headers.
    #[must_use]
    pub fn headers(&self) -> BTreeMap<&'static str, String> {
        let mark = if self.probe { PROBE_MARK } else { "" };
        let mut headers = BTreeMap::from([
            (LEVEL_HEADER, self.level.to_string()),
            (ROUTED_TO_HEADER, format!("{}{mark}", self.answered_by.map_or(CONTROLLER, Level::service))),
        ]);
        if let Some(from) = &self.fallback_from {
            headers.insert(FALLBACK_HEADER, from.clone());
        }
        headers
    }
}

/// The answer to a request of which there is no answer of the service. `safe` says whether the request's method is safe
/// (GET, HEAD, OPTIONS).
///
/// # Errors
/// Never in practice.
pub fn without_service(problem: &InvokeError, route: &Route, safe: bool) -> Result<Box<RawValue>, serde_json::Error> {
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
        // A safe request may have been sent before, on a connection that broke.
        Told::NotRun(cause) if safe => (503, ErrorCode::ServiceUnavailable, format!("{cause} {AGAIN}")),
        Told::NotRun(cause) => {
            let message = format!("{cause} The request was not carried out. {AGAIN}");
            (503, ErrorCode::ServiceUnavailable, message)
        }
    };
    let mut headers = route.headers();
    if status == 503 {
        headers.insert("Retry-After", RETRY_AFTER_SECONDS.to_owned());
    }
    json_answer(status, headers, &ErrorBody { error, message, level: route.answered_by })
}

/// What a caller is told of an invocation without a usable answer.
enum Told {
    TooLarge,
    AnswerTooLarge,
    /// The service may have carried the request out.
    Unknown(&'static str),
    /// This try has surely not run the service. Only a safe request is tried twice after it may have run.
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
        InvokeError::Nonsense(_) => Told::Unknown("The service gave an invalid answer."),
        InvokeError::Throttled => Told::NotRun("The service has no capacity left."),
        InvokeError::NotConnected(_) => Told::NotRun("The service could not be reached."),
        InvokeError::NotInvoked(_) => Told::NotRun("The service could not be invoked."),
    }
}

/// An answer with a JSON body.
///
/// # Errors
/// Never in practice.
pub fn json_answer(
    status: u16,
    headers: BTreeMap<&'static str, String>,
    body: &impl Serialize,
) -> Result<Box<RawValue>, serde_json::Error> {
    text_answer(status, headers, "application/json", &serde_json::to_string(body)?)
}

/// An answer with a text for its body.
///
/// # Errors
/// Never in practice.
pub fn text_answer(
    status: u16,
    mut headers: BTreeMap<&'static str, String>,
    content_type: &str,
    body: &str,
) -> Result<Box<RawValue>, serde_json::Error> {
    headers.insert("Content-Type", content_type.to_owned());
    to_raw_value(&json!({ "statusCode": status, "headers": headers, "body": body, "isBase64Encoded": false }))
}
