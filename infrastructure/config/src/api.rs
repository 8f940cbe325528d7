//! The section `api`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Authorization {
    /// Requests signed with AWS credentials.
    #[default]
    #[serde(rename = "AWS_IAM")]
    AwsIam,
    /// Tokens of `jwt_issuer` for `jwt_audience`.
    #[serde(rename = "JWT")]
    Jwt,
    /// Everyone who has the address. For development.
    #[serde(rename = "NONE")]
    None,
}

/// Who may call the API, and how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Who may call the bank's routes.
    pub authorization: Authorization,
    /// Who may read the breaker's status, `GET /circuit-breaker`.
    pub status_authorization: Authorization,
    /// Issuer of the tokens if a route asks for `JWT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = r"^https://.+"))]
    #[schemars(extend("patternErrorMessage" = "an address that begins with https://"))]
    pub jwt_issuer: Option<String>,
    /// Audiences of the tokens if a route asks for `JWT`.
    pub jwt_audience: Vec<String>,
    /// Maximum requests a second to the bank's routes, over all callers. API Gateway answers more with 429. If it is not
    /// set, `breaker deploy` lowers it to what the account's limit of concurrent executions can hold.
    #[schemars(range(min = 1, max = 10_000))]
    pub requests_per_second: u32,
    /// Maximum requests to the bank's routes that may come at once. If it is not set, `breaker deploy` lowers it too.
    #[schemars(range(min = 1, max = 5_000))]
    pub burst: u32,
    /// Maximum requests a second to the status route, over all callers.
    #[schemars(range(min = 1, max = 10_000))]
    pub status_requests_per_second: u32,
    /// Maximum requests to the status route that may come at once.
    #[schemars(range(min = 1, max = 5_000))]
    pub status_burst: u32,
    /// Path that the API mapping of a custom domain puts before the API's own paths, such as `/bank`. It is removed from
    /// a request's path if it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 300), regex(pattern = r"^(/[A-Za-z0-9$_.+!*'()-]+)+$"))]
    #[schemars(extend("patternErrorMessage" = "a path that begins with a slash and ends without one, such as /bank, at most 300 characters"))]
    pub base_path: Option<String>,
    /// Which pages of other origins may call the API from a browser (CORS).
    pub cors: Cors,
}

/// Which pages of other origins may call the API from a browser (CORS). API Gateway answers preflights by itself; they
/// need no credentials, reach no service, and are no outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cors {
    /// Origins of the pages, such as `https://www.bank.example`; `*` allows all. Empty switches CORS off.
    #[schemars(inner(regex(pattern = r"^(\*|https?://(\*|[A-Za-z0-9.-]+(:[0-9]{1,5})?))$")))]
    #[schemars(extend("patternErrorMessage" = "a list of origins, such as [\"https://www.bank.example\"]: scheme and host, without a path; or \"*\", \"https://*\""))]
    pub origins: Vec<String>,
    /// Methods that pages may use.
    #[schemars(length(min = 1), inner(regex(pattern = r"^(\*|GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$")))]
    #[schemars(extend("patternErrorMessage" = "a list of methods, such as [\"GET\", \"POST\"], or [\"*\"]"))]
    pub methods: Vec<String>,
    /// Headers that pages may send.
    #[schemars(length(min = 1), inner(regex(pattern = r"^(\*|[A-Za-z0-9-]+)$")))]
    #[schemars(extend("patternErrorMessage" = "a list of names of headers, such as [\"authorization\"], or [\"*\"]"))]
    pub headers: Vec<String>,
    /// Headers of answers that pages may read.
    #[schemars(length(min = 1), inner(regex(pattern = r"^(\*|[A-Za-z0-9-]+)$")))]
    #[schemars(extend("patternErrorMessage" = "a list of names of headers, such as [\"x-routed-to\"], or [\"*\"]"))]
    pub expose_headers: Vec<String>,
    /// Time that a browser keeps the answer to a preflight, in seconds.
    #[schemars(range(min = 0, max = 86_400))]
    pub max_age_seconds: u32,
    /// Whether pages may send cookies and other credentials of the browser. Allowed only without `*`.
    pub credentials: bool,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            authorization: Authorization::default(),
            status_authorization: Authorization::default(),
            jwt_issuer: None,
            jwt_audience: Vec::new(),
            requests_per_second: 100,
            burst: 200,
            status_requests_per_second: 10,
            status_burst: 20,
            base_path: None,
            cors: Cors::default(),
        }
    }
}

/// The value of the main template's parameter `Cors`; empty if CORS is off.
impl fmt::Display for Cors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.origins.is_empty() {
            return Ok(());
        }
        for list in [&self.origins, &self.methods, &self.headers, &self.expose_headers] {
            write!(f, "{}|", list.join(","))?;
        }
        write!(f, "{}|{}", self.max_age_seconds, self.credentials)
    }
}

impl Default for Cors {
    fn default() -> Self {
        let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            origins: Vec::new(),
            methods: list(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
            headers: list(&["authorization", "content-type", "idempotency-key", "x-amz-date", "x-amz-security-token"]),
            expose_headers: list(&["x-circuit-breaker-level", "x-routed-to", "x-fallback-from", "retry-after"]),
            max_age_seconds: 300,
            credentials: false,
        }
    }
}
