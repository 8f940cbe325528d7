//! HTTP API events, payload format 2.0, as far as the status needs them.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A request through one of the status function's routes.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The API Gateway route that matched the request, such as `GET /circuit-breaker`.
    pub route_key: String,
    /// The query string, without its question mark.
    #[serde(default)]
    pub raw_query_string: String,
    #[serde(default)]
    headers: Option<BTreeMap<String, String>>,
}

impl Request {
    /// Returns a header's value; names are compared without case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let headers = self.headers.as_ref()?;
        headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}
