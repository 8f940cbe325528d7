//! HTTP API events, payload format 2.0. The controller reads as little as possible and passes on the rest unchanged.

use std::borrow::Cow;

use breaker::validation::object;
use breaker::{DRAWS, Level, draw};
use serde::de::{Error, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::json;

/// The route of OPTIONS requests without credentials, which exists if CORS is in force. API Gateway answers preflights by
/// itself, but the route `$default` would ask for the caller's credentials first, which browsers do not send.
const OPEN_ROUTE: &str = "OPTIONS /{proxy+}";
/// The member of the event that the controller adds.
const CONTEXT_MEMBER: &str = "circuitBreaker";

/// The parts of a request that the controller reads.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    /// The API Gateway route that matched the request; empty if the event names none.
    #[serde(default, borrow)]
    pub route_key: Cow<'a, str>,
    /// The path, without the stage. Nothing reads it, but an event without it is no request.
    #[serde(rename = "rawPath", borrow)]
    _raw_path: Cow<'a, str>,
    #[serde(rename = "requestContext", borrow)]
    context: Context<'a>,
    /// Whether the event has the controller's member already. Such an event is refused, because a service would see two
    /// members of that name.
    #[serde(rename = "circuitBreaker", default, deserialize_with = "presence")]
    has_breaker_context: bool,
}

#[derive(Debug, Deserialize)]
struct Context<'a> {
    #[serde(borrow)]
    http: Http<'a>,
    #[serde(rename = "requestId", default, borrow)]
    request_id: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
struct Http<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
}

fn presence<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

impl<'a> Request<'a> {
    /// Reads an event.
    ///
    /// # Errors
    /// The event is not an HTTP API event of payload format 2.0, or has the controller's member already.
    pub fn read(event: &'a RawValue) -> Result<Self, serde_json::Error> {
        let request: Self = object::from_str(event.get())?;
        if request.has_breaker_context {
            return Err(serde_json::Error::custom("only the controller adds the member `circuitBreaker`"));
        }
        Ok(request)
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.context.http.method
    }

    /// Whether API Gateway asked for no credentials, because the request may be a preflight of CORS.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.route_key == OPEN_ROUTE
    }

    /// Whether the method is safe by RFC 9110, 9.2.1 (GET, HEAD, OPTIONS): an unknown outcome does no harm.
    #[must_use]
    pub fn is_safe(&self) -> bool {
        matches!(self.method(), "GET" | "HEAD" | "OPTIONS")
    }

    /// Whether the request is retryable (GET, HEAD): another service may answer if one has failed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.method(), "GET" | "HEAD")
    }

    /// Returns the request's draw by its id, for shares of the traffic. A request without an id, which API Gateway
    /// never sends, has a random draw.
    #[must_use]
    pub fn draw(&self) -> u32 {
        self.context.request_id.as_deref().map_or_else(|| fastrand::u32(..DRAWS), draw)
    }
}

/// The breaker's context for a service: the member `circuitBreaker` of the event.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakerContext<'a> {
    /// The level of the service that is invoked.
    pub level: Level,
    /// The health that goes with the level.
    pub status: &'static str,
    /// The epoch of the state; null if the state is unknown.
    pub epoch: Option<u64>,
    /// The deployment.
    pub deployment: &'a str,
    /// The level that failed the request before, if this service is its fallback or if a probe of that level failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_from: Option<Level>,
    /// Whether the request is a probe: the current level's service answers if this one fails or is slow.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub probe: bool,
}

/// Returns the event with the breaker's context at its end. All other bytes are unchanged. [`Request::read`] accepted
/// the event, so it is an object with members.
pub fn with_breaker_context(event: &RawValue, context: &BreakerContext<'_>) -> Vec<u8> {
    let members = event.get().strip_suffix('}').unwrap_or_default();
    [members, ",\"", CONTEXT_MEMBER, "\":", &json::text(context), "}"].concat().into_bytes()
}
