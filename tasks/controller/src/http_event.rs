//! HTTP API events, payload format 2.0: read as little as possible, pass the rest on as it came.

use std::borrow::Cow;
use std::collections::BTreeMap;

use breaker::Level;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::state_cache::Current;

/// What the controller needs to know of a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    /// The path, without the stage.
    #[serde(borrow)]
    pub raw_path: Cow<'a, str>,
    /// Where the method is.
    #[serde(borrow)]
    pub request_context: RequestContext<'a>,
}

/// The part of the context that holds the method.
#[derive(Debug, Deserialize)]
pub struct RequestContext<'a> {
    /// Method and more.
    #[serde(borrow)]
    pub http: Http<'a>,
}

/// The request line.
#[derive(Debug, Deserialize)]
pub struct Http<'a> {
    /// The method, in capitals.
    #[serde(borrow)]
    pub method: Cow<'a, str>,
}

impl<'a> Request<'a> {
    /// Reads an event.
    ///
    /// # Errors
    /// It is no HTTP API event of payload format 2.0.
    pub fn read(event: &'a RawValue) -> Result<Self, serde_json::Error> {
        serde_json::from_str(event.get())
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.request_context.http.method
    }

    /// Whether repeating the request, or not knowing what became of it, does no harm (RFC 9110, 9.2.1).
    #[must_use]
    pub fn is_safe(&self) -> bool {
        matches!(self.method(), "GET" | "HEAD" | "OPTIONS")
    }
}

/// What the breaker tells a service, as member `circuitBreaker` of the event.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BreakerContext<'a> {
    level: Level,
    status: &'static str,
    epoch: Option<u64>,
    deployment: &'a str,
}

/// The event plus the breaker's context. Every other member stays as it is, to the byte.
///
/// # Errors
/// The event is no JSON object.
pub fn with_breaker_context(
    event: &RawValue,
    current: &Current,
    deployment: &str,
) -> Result<Vec<u8>, serde_json::Error> {
    let context = serde_json::value::to_raw_value(&BreakerContext {
        level: current.level,
        status: current.level.status(),
        epoch: current.state.as_ref().map(|state| state.epoch),
        deployment,
    })?;
    let mut members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(event.get())?;
    members.insert(Cow::Borrowed("circuitBreaker"), &context);
    serde_json::to_vec(&members)
}
