//! A policy to simulate, with the rules for its requests.

use std::time::Duration;

use breaker::{Level, PerLevel, Policy, RequestRules};

use crate::scenario::Scenario;
use crate::time::milliseconds;

/// A policy to simulate.
#[derive(Clone, Debug)]
pub struct Contender {
    /// Its name in tables and charts.
    pub name: String,
    /// The policy; `None` means no breaker: every request goes to level 1.
    pub policy: Option<Policy>,
    /// Whether the next level answers a retryable request that fails, within the same request.
    pub request_fallback: bool,
    /// How long a call for a GET or HEAD may take; `None`: as long as the service.
    pub read_timeout: Option<Duration>,
}

impl Contender {
    /// Returns the rules for requests in `scenario`.
    pub(crate) fn rules(&self, scenario: &Scenario) -> RequestRules {
        let timeout = |level| milliseconds(scenario.service(level).timeout_milliseconds);
        RequestRules {
            service_timeouts: PerLevel {
                full: timeout(Level::Full),
                degraded: timeout(Level::Degraded),
                maintenance: timeout(Level::Maintenance),
            },
            read_timeout: self.read_timeout,
            slow_call: self.policy.and_then(|policy| policy.slow_call()).map(jiff::SignedDuration::unsigned_abs),
            fallback: self.request_fallback,
            too_many_requests_fail: false,
        }
    }
}
