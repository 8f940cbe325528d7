//! Answers to callers, HTTP API payload format 2.0.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use breaker::Level;
use schemars::JsonSchema;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::error::Category;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use crate::invoke::{InvokeError, PAYLOAD_LIMIT};

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
    /// Nobody knows whether the service carried the request out.
    OutcomeUnknown,
    /// The service did not answer; the request may be repeated.
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

/// An answer of a service, taken apart no further than needed.
#[derive(Debug)]
pub struct ServiceAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Whether the level declined by design.
    pub declined: bool,
    /// The whole answer, an object.
    json: String,
    /// Where in `json` the value of the member `headers` is.
    headers: Option<Range<usize>>,
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(rename = "statusCode", borrow)]
    status: &'a RawValue,
    // Present even where it is null, because it is null that must be replaced then.
    #[serde(borrow, default, deserialize_with = "present")]
    headers: Option<&'a RawValue>,
    // API Gateway answers a body that is no string, and the rest of the wrong type, with an error of its own.
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
    #[serde(default, rename = "isBase64Encoded")]
    _is_base64: Option<bool>,
    #[serde(borrow, default, rename = "cookies")]
    _cookies: Option<Vec<Cow<'a, str>>>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Headers as they came: in order, each value raw.
#[derive(Default)]
struct Headers<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Headers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        #[derive(Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

        impl<'de> Visitor<'de> for InOrder {
            type Value = Headers<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of headers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut headers = Vec::with_capacity(map.size_hint().unwrap_or(8));
                while let Some((Name(name), value)) = map.next_entry()? {
                    headers.push((name, value));
                }
                Ok(Headers(headers))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

impl ServiceAnswer {
    /// Reads what a function answered: a JSON object with an integer `statusCode` and, where there are
    /// any, an object of `headers`, a string `body`, a boolean `isBase64Encoded`, strings in `cookies`.
    ///
    /// # Errors
    /// It is something else, or more than the caller can be sent.
    pub fn read(payload: Vec<u8>) -> Result<Self, InvokeError> {
        let nonsense = |problem: &str| InvokeError::Nonsense(problem.to_owned());
        if payload.len() > PAYLOAD_LIMIT {
            return Err(InvokeError::AnswerTooLarge);
        }
        let json = String::from_utf8(payload).map_err(|_| nonsense("the answer is not UTF-8"))?;
        // A list of the right values would pass for the object.
        if !json.trim_start().starts_with('{') {
            return Err(nonsense("the answer is no JSON object"));
        }
        let members: Members<'_> = serde_json::from_str(&json).map_err(|error| nonsense(&place_of_error(&error)))?;
        let status = members
            .status
            .get()
            .parse()
            .ok()
            .filter(|status| (200..=599).contains(status))
            .ok_or_else(|| nonsense("`statusCode` is not a number from 200 to 599"))?;
        if members.body.is_some_and(|body| !body.get().starts_with('"')) {
            return Err(nonsense("`body` is no string"));
        }
        let headers = members.headers.map(|headers| place_of(headers, &json));
        let declined = members
            .headers
            .map(read_headers)
            .transpose()
            .map_err(|_| nonsense("`headers` is no JSON object"))?
            .is_some_and(|Headers(headers)| headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(DECLINED_HEADER)));
        Ok(Self { status, declined, json, headers })
    }

    /// The answer for the caller: as it came, to the byte, but for the breaker's headers.
    ///
    /// # Errors
    /// Never in practice: [`ServiceAnswer::read`] was content with the same bytes.
    pub fn for_caller(&self, route: &Route) -> Result<Box<RawValue>, serde_json::Error> {
        let broken = || serde_json::Error::custom("the answer has changed");
        let ours = route.headers();
        let (before, theirs, after) = match &self.headers {
            Some(place) => {
                let part = |range: Range<usize>| self.json.get(range).ok_or_else(broken);
                let theirs = serde_json::from_str::<Option<Headers<'_>>>(part(place.clone())?)?;
                (part(0..place.start)?, theirs.unwrap_or_default(), part(place.end..self.json.len())?)
            }
            None => (self.json.trim_end().strip_suffix('}').ok_or_else(broken)?, Headers::default(), "}"),
        };
        let headers = serde_json::to_string(&Merged { theirs: &theirs, ours: &ours })?;
        let name = if self.headers.is_some() { "" } else { ",\"headers\":" };
        RawValue::from_string([before, name, &headers, after].concat())
    }
}

/// Where JSON is wrong, and in which way, for the log. The error's own words quote what they are about, and that may be
/// a cookie or an account.
#[must_use]
pub fn place_of_error(error: &serde_json::Error) -> String {
    let problem = match error.classify() {
        Category::Io | Category::Syntax => "no JSON",
        Category::Data => "a member is missing, or of another type",
        Category::Eof => "it ends too early",
    };
    format!("{problem} (line {}, column {})", error.line(), error.column())
}

fn read_headers(headers: &RawValue) -> Result<Headers<'_>, serde_json::Error> {
    serde_json::from_str::<Option<Headers<'_>>>(headers.get()).map(Option::unwrap_or_default)
}

/// Where in `json` the value is that was borrowed from it.
fn place_of(value: &RawValue, json: &str) -> Range<usize> {
    let start = value.get().as_ptr().addr().saturating_sub(json.as_ptr().addr());
    start..start + value.get().len()
}

/// A service's headers and the breaker's, which nobody else may set.
struct Merged<'a> {
    theirs: &'a Headers<'a>,
    ours: &'a BTreeMap<&'static str, String>,
}

impl Serialize for Merged<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let reserved = [DECLINED_HEADER, LEVEL_HEADER, ROUTED_TO_HEADER, FALLBACK_HEADER];
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.theirs.0 {
            if !reserved.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
                map.serialize_entry(name, value)?;
            }
        }
        for (name, value) in self.ours {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The answer where the service gave none.
///
/// # Errors
/// Never in practice.
pub fn without_service(problem: &InvokeError, route: &Route, safe: bool) -> Result<Box<RawValue>, serde_json::Error> {
    let limit = format!("{PAYLOAD_LIMIT} bytes as JSON, about 4.4 MB of binary data");
    let (status, error, message) = match problem {
        InvokeError::TooLarge => (413, ErrorCode::RequestTooLarge, format!("A request may have at most {limit}.")),
        InvokeError::AnswerTooLarge => (
            502,
            ErrorCode::AnswerTooLarge,
            format!("The answer is too large to be sent: at most {limit}. Ask for less."),
        ),
        InvokeError::TimedOut
        | InvokeError::Lost(_)
        | InvokeError::ConnectionLost(_)
        | InvokeError::AnswerCutShort(_)
            if !safe =>
        {
            (
                504,
                ErrorCode::OutcomeUnknown,
                "The service did not answer in time. Whether the request was carried out is unknown: look before you \
             send it again."
                    .to_owned(),
            )
        }
        _ => (
            503,
            ErrorCode::ServiceUnavailable,
            "The service did not answer this request. Try again shortly.".to_owned(),
        ),
    };
    let mut headers = route.headers();
    if status == 503 {
        headers.insert("Retry-After", RETRY_AFTER_SECONDS.to_owned());
    }
    json_answer(status, headers, &ErrorBody { error, message, level: route.answered_by })
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
