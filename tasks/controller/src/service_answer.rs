//! The answer of a service, read as API Gateway reads it (HTTP API, payload format 2.0).
//!
//! An answer that API Gateway would refuse is a failure of the service, and one that API Gateway would interpret leaves
//! the controller in the explicit form. `infrastructure/docs/service-answers.md` lists the rules and their sources.

mod base64_body;
mod headers;

use std::borrow::Cow;
use std::ops::Range;

use base64_body::Base64;
use breaker::place_of_error;
use breaker::validation::object;
use headers::Headers;
use http::{HeaderValue, StatusCode};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::invoke::{InvokeError, PAYLOAD_LIMIT};
use crate::json::written;
use crate::route_headers::{DECLINED_HEADER, RouteHeaders};

/// The status of an answer that does not name one.
const INFERRED_STATUS: StatusCode = StatusCode::OK;

/// The headers of an answer that does not name a status.
const INFERRED_HEADERS: &str = r#"{"content-type":"application/json"}"#;

/// An answer of a service, parsed as little as needed.
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

/// The members of an answer that API Gateway looks at, unread: if there is no `statusCode`, they are part of the body.
#[derive(Default, Deserialize)]
struct Members<'a> {
    #[serde(rename = "statusCode", borrow, default, deserialize_with = "present")]
    status: Option<&'a RawValue>,
    // A null counts as present, because the null itself must be replaced.
    #[serde(borrow, default, deserialize_with = "present")]
    headers: Option<&'a RawValue>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "isBase64Encoded")]
    is_base64: Option<&'a RawValue>,
    #[serde(borrow, default)]
    cookies: Option<&'a RawValue>,
}

/// The form that leaves API Gateway nothing to interpret.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Explicit<'a> {
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cookies: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a RawValue>,
    is_base64_encoded: bool,
}

impl ServiceAnswer {
    /// Reads the answer of a function.
    ///
    /// # Errors
    /// API Gateway could not send the answer, or the answer is too large for the caller.
    pub fn read(payload: Vec<u8>) -> Result<Self, InvokeError> {
        if payload.len() > PAYLOAD_LIMIT {
            return Err(InvokeError::AnswerTooLarge);
        }
        let json = String::from_utf8(payload).map_err(|_| invalid("the answer is not UTF-8"))?;
        match Self::interpret(&json)? {
            Read::Explicit { status, headers, declined } => {
                Ok(Self { status: status.as_u16(), declined, headers, json })
            }
            // The explicit form is read again for its headers.
            Read::Rewritten(explicit) => Self::read(explicit.into_bytes()),
        }
    }

    fn interpret(json: &str) -> Result<Read, InvokeError> {
        let is_object = json.trim_start().starts_with('{');
        let members: Members<'_> = if is_object { parsed(object::from_str(json))? } else { Members::default() };
        let Some(status) = members.status else {
            return inferred(json).map(Read::Rewritten);
        };
        let (status, is_number) = status_of(status)?;
        let declined = match members.headers {
            Some(raw) => {
                Headers::read(raw).and_then(|headers| headers.check().map(|()| headers.marks(DECLINED_HEADER)))
            }
            None => Ok(false),
        }
        .map_err(|problem| invalid(&format!("`headers`: {problem}")))?;
        members.cookies.map_or(Ok(()), check_cookies)?;
        let is_base64: bool = members.is_base64.map_or(Ok(false), |raw| typed("isBase64Encoded", raw))?;
        if members.body.is_some_and(|body| !body.get().starts_with('"')) {
            return Err(invalid("`body` is not a text"));
        }
        let body = match members.body.filter(|_| is_base64).map(|body| base64_body::read(body.get())) {
            None | Some(Base64::Standard) => None,
            Some(Base64::Rewritten(body)) => Some(body),
            Some(Base64::Invalid) => return Err(invalid("`isBase64Encoded` is true and `body` is not base64")),
        };
        if is_number && body.is_none() {
            let headers = members.headers.map(|headers| place_of(headers, json));
            return Ok(Read::Explicit { status, headers, declined });
        }
        let Members { headers, cookies, .. } = members;
        let body = body.as_deref().or(members.body);
        explicit(&Explicit { status_code: status.as_u16(), headers, cookies, body, is_base64_encoded: is_base64 })
            .map(Read::Rewritten)
    }

    /// The answer for the caller: unchanged bytes, except for the breaker's headers.
    pub fn for_caller(&self, route: &RouteHeaders) -> Box<RawValue> {
        // `read` took the same bytes, so this cannot fail.
        written(self.with_headers(route))
    }

    fn with_headers(&self, route: &RouteHeaders) -> serde_json::Result<Box<RawValue>> {
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
        let headers = serde_json::to_string(&theirs.merged_with(&ours))?;
        let name = if self.headers.is_some() { "" } else { ",\"headers\":" };
        RawValue::from_string([before, name, &headers, after].concat())
    }
}

/// The result of reading an answer.
enum Read {
    /// The answer is in the explicit form.
    Explicit { status: StatusCode, headers: Option<Range<usize>>, declined: bool },
    /// API Gateway would interpret the answer. This is its explicit form.
    Rewritten(String),
}

fn invalid(problem: &str) -> InvokeError {
    InvokeError::InvalidResponse(problem.to_owned())
}

fn parsed<T>(read: serde_json::Result<T>) -> Result<T, InvokeError> {
    read.map_err(|error| invalid(&place_of_error(&error)))
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads a member. An error names the place only, because the content may be a customer's.
fn typed<'a, T: Deserialize<'a>>(member: &str, raw: &'a RawValue) -> Result<T, InvokeError> {
    serde_json::from_str(raw.get()).map_err(|error| invalid(&format!("`{member}`: {}", place_of_error(&error))))
}

/// The status, and whether it is a number. API Gateway takes a text of digits for a number.
fn status_of(raw: &RawValue) -> Result<(StatusCode, bool), InvokeError> {
    let text = raw.get().strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    StatusCode::from_bytes(text.unwrap_or(raw.get()).as_bytes())
        .ok()
        .filter(|status| (200..=599).contains(&status.as_u16()))
        .map(|status| (status, text.is_none()))
        .ok_or_else(|| invalid("`statusCode` is not a number from 200 to 599"))
}

fn check_cookies(raw: &RawValue) -> Result<(), InvokeError> {
    #[derive(Deserialize)]
    struct Cookie<'a>(#[serde(borrow)] Cow<'a, str>);

    let cookies: Vec<Cookie<'_>> = typed("cookies", raw)?;
    let can_be_sent = |Cookie(cookie): &Cookie<'_>| HeaderValue::from_bytes(cookie.as_bytes()).is_ok();
    if cookies.iter().all(can_be_sent) {
        Ok(())
    } else {
        Err(invalid("`cookies`: one has a character that no header may have"))
    }
}

/// Returns the explicit form of JSON without a status. The JSON is the body: a text unchanged, everything else as JSON.
fn inferred(json: &str) -> Result<String, InvokeError> {
    let value: &RawValue = parsed(serde_json::from_str(json))?;
    let body = if value.get().starts_with('"') {
        Cow::Borrowed(value)
    } else {
        Cow::Owned(parsed(serde_json::value::to_raw_value(value.get()))?)
    };
    explicit(&Explicit {
        status_code: INFERRED_STATUS.as_u16(),
        headers: Some(parsed(serde_json::from_str(INFERRED_HEADERS))?),
        cookies: None,
        body: Some(&body),
        is_base64_encoded: false,
    })
}

fn explicit(answer: &Explicit<'_>) -> Result<String, InvokeError> {
    parsed(serde_json::to_string(answer))
}

/// Returns the place in `json` of a value that was borrowed from it.
fn place_of(value: &RawValue, json: &str) -> Range<usize> {
    let start = value.get().as_ptr().addr().saturating_sub(json.as_ptr().addr());
    start..start + value.get().len()
}
