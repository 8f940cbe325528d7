//! The headers that the breaker adds to answers.

use std::collections::BTreeMap;

use breaker::Level;

/// Header by which a service says that it declines by design. The controller removes it.
pub const DECLINED_HEADER: &str = "X-Circuit-Breaker-Declined";
/// The header that names the current level.
pub const LEVEL_HEADER: &str = "X-Circuit-Breaker-Level";
/// The header that names the service that answered.
pub const ROUTED_TO_HEADER: &str = "X-Routed-To";
/// Header that names the service that failed the request before, and the kind of the failure.
pub const FALLBACK_HEADER: &str = "X-Fallback-From";
/// Value of [`ROUTED_TO_HEADER`] if the controller answered and invoked no service.
pub const CONTROLLER: &str = "controller";
/// Suffix that marks a probe in the headers that name a service.
pub const PROBE_MARK: &str = "; probe";

/// The content of the breaker's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteHeaders {
    /// The current level.
    pub level: Level,
    /// The level whose service answered, or was invoked; `None` if the controller itself answers.
    pub answered_by: Option<Level>,
    /// Whether the invocation was a probe of the better level.
    pub probe: bool,
    /// The service that failed the request before, and the kind of the failure.
    pub fallback_from: Option<String>,
}

impl RouteHeaders {
    /// Returns the headers' content for an answer of the controller itself.
    #[must_use]
    pub const fn own(level: Level) -> Self {
        Self { level, answered_by: None, probe: false, fallback_from: None }
    }

    /// Returns the headers' content for an answer of `answered_by`, the first service that was invoked.
    #[must_use]
    pub const fn to(level: Level, answered_by: Level) -> Self {
        Self { level, answered_by: Some(answered_by), probe: false, fallback_from: None }
    }

    /// Returns the breaker's headers.
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
