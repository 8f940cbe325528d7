//! The parts of HTTP API events (payload format 2.0) that a service reads.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::string::FromUtf8Error;

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine};
use serde::Deserialize;
use serde_json::Value;

/// A request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The path, without the stage.
    pub raw_path: String,
    #[serde(rename = "requestContext")]
    context: Context,
    #[serde(default)]
    headers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: Option<bool>,
    /// The controller's context, or `None` if the service was invoked directly.
    #[serde(default)]
    circuit_breaker: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
struct Context {
    http: Http,
}

#[derive(Clone, Debug, Deserialize)]
struct Http {
    method: String,
}

/// A body that is not text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotText {
    /// The body is marked as base64, and is not.
    #[error("The body is marked as base64 but is not base64 ({0})")]
    Base64(#[from] DecodeError),
    /// The body is not UTF-8.
    #[error("The body is not UTF-8 text, as JSON is")]
    Utf8(#[from] FromUtf8Error),
}

impl Request {
    /// Returns the method, as API Gateway sends it.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.context.http.method
    }

    /// Returns the value of a header. Names are case-insensitive.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter().flatten();
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Returns whether the controller sent the request. If so, the controller records its outcome.
    #[must_use]
    pub const fn is_routed(&self) -> bool {
        self.circuit_breaker.is_some()
    }

    /// Returns the body's text, or an empty text if the request has no body.
    ///
    /// # Errors
    /// The body is marked as base64 but is not base64, or is not UTF-8.
    pub fn body(&self) -> Result<Cow<'_, str>, NotText> {
        let body = self.body.as_deref().unwrap_or_default();
        if self.is_base64_encoded != Some(true) {
            return Ok(Cow::Borrowed(body));
        }
        Ok(Cow::Owned(String::from_utf8(STANDARD.decode(body)?)?))
    }
}
