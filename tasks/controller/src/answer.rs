//! Answers to callers, HTTP API payload format 2.0.

use std::borrow::Cow;
use std::collections::BTreeMap;

use breaker::Level;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use crate::invoke::InvokeError;

/// The header by which a service says that it declines by design. For the controller only.
pub const DECLINED_HEADER: &str = "x-circuit-breaker-declined";
/// The header that names the current level.
pub const LEVEL_HEADER: &str = "X-Circuit-Breaker-Level";
/// The header that names the service that answered.
pub const ROUTED_TO_HEADER: &str = "X-Routed-To";
/// Seconds after which a caller may try again.
const RETRY_AFTER_SECONDS: &str = "5";

type Members<'a> = BTreeMap<Cow<'a, str>, Cow<'a, RawValue>>;

/// An answer of a service, taken apart no further than needed.
#[derive(Debug)]
pub struct ServiceAnswer<'a> {
    /// The HTTP status.
    pub status: u16,
    /// Whether the level declined by design.
    pub declined: bool,
    members: BTreeMap<Cow<'a, str>, &'a RawValue>,
    headers: BTreeMap<Cow<'a, str>, &'a RawValue>,
}

impl<'a> ServiceAnswer<'a> {
    /// Reads what a function answered: a JSON object with an integer `statusCode` and, if there are
    /// any, an object of `headers`.
    ///
    /// # Errors
    /// It is something else.
    pub fn read(payload: &'a [u8]) -> Result<Self, InvokeError> {
        let nonsense = |problem: &str| InvokeError::Nonsense(problem.to_owned());
        let mut members: BTreeMap<Cow<'a, str>, &'a RawValue> =
            serde_json::from_slice(payload).map_err(|_| nonsense("the answer is no JSON object"))?;
        let status = members
            .get("statusCode")
            .and_then(|status| status.get().parse().ok())
            .filter(|status| (200..=599).contains(status))
            .ok_or_else(|| nonsense("`statusCode` is not a number from 200 to 599"))?;
        let mut headers: BTreeMap<Cow<'a, str>, &'a RawValue> = match members.remove("headers") {
            None => BTreeMap::new(),
            Some(headers) => serde_json::from_str::<Option<_>>(headers.get())
                .map_err(|_| nonsense("`headers` is no JSON object"))?
                .unwrap_or_default(),
        };
        let declined = headers.keys().any(|name| name.eq_ignore_ascii_case(DECLINED_HEADER));
        headers.retain(|name, _| {
            [DECLINED_HEADER, LEVEL_HEADER, ROUTED_TO_HEADER].iter().all(|ours| !name.eq_ignore_ascii_case(ours))
        });
        Ok(Self { status, declined, members, headers })
    }

    /// The answer for the caller: as it came, plus the breaker's headers.
    ///
    /// # Errors
    /// Never in practice: strings and raw JSON can be written.
    pub fn for_caller(self, level: Level) -> Result<Box<RawValue>, serde_json::Error> {
        let mut headers: Members<'_> =
            self.headers.into_iter().map(|(name, value)| (name, Cow::Borrowed(value))).collect();
        headers.insert(LEVEL_HEADER.into(), Cow::Owned(to_raw_value(&level.to_string())?));
        headers.insert(ROUTED_TO_HEADER.into(), Cow::Owned(to_raw_value(level.service())?));
        let mut members: Members<'_> =
            self.members.into_iter().map(|(name, value)| (name, Cow::Borrowed(value))).collect();
        members.insert("headers".into(), Cow::Owned(to_raw_value(&headers)?));
        to_raw_value(&members)
    }
}

/// The answer where the service gave none.
///
/// # Errors
/// Never in practice.
pub fn without_service(error: &InvokeError, level: Level, safe: bool) -> Result<Box<RawValue>, serde_json::Error> {
    let (status, code, message) = match error {
        InvokeError::TooLarge => (413, "requestTooLarge", "The request is larger than the service can be sent."),
        InvokeError::TimedOut if !safe => (
            504,
            "outcomeUnknown",
            "The service did not answer in time. Whether the request was carried out is unknown: look before you \
             send it again.",
        ),
        _ => (503, "serviceUnavailable", "The service did not answer this request. Try again shortly."),
    };
    let mut headers = breaker_headers(level);
    if status == 503 {
        headers.insert("Retry-After", RETRY_AFTER_SECONDS.to_owned());
    }
    json_answer(status, headers, &json!({ "error": code, "message": message, "level": level }))
}

/// The breaker's headers.
#[must_use]
pub fn breaker_headers(level: Level) -> BTreeMap<&'static str, String> {
    BTreeMap::from([(LEVEL_HEADER, level.to_string()), (ROUTED_TO_HEADER, level.service().to_owned())])
}

/// An answer with a JSON body.
///
/// # Errors
/// Never in practice.
pub fn json_answer(
    status: u16,
    mut headers: BTreeMap<&'static str, String>,
    body: &serde_json::Value,
) -> Result<Box<RawValue>, serde_json::Error> {
    headers.insert("Content-Type", "application/json".to_owned());
    to_raw_value(&json!({
        "statusCode": status,
        "headers": headers,
        "body": body.to_string(),
        "isBase64Encoded": false,
    }))
}
