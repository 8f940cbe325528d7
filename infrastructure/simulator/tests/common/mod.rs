//! Contenders and scenarios that the simulator's tests share.
#![allow(dead_code, reason = "each test file uses a part of it")]

use breaker::{Policy, PolicySettings};
use simulator::{Contender, Scenario};

/// Returns a contender with these settings.
pub fn contender(settings: PolicySettings) -> Contender {
    let policy = Policy::new(settings).unwrap();
    let read_timeout = settings.preset.read_timeout();
    Contender { name: settings.preset.to_string(), policy: Some(policy), request_fallback: true, read_timeout }
}

/// Returns the contender without a breaker.
pub fn no_breaker() -> Contender {
    Contender { name: "no breaker".to_owned(), policy: None, request_fallback: false, read_timeout: None }
}

/// Returns no breaker and the two presets.
pub fn contenders() -> [Contender; 3] {
    [no_breaker(), contender(PolicySettings::classic()), contender(PolicySettings::production())]
}

/// Returns the scenario `outage` with this number of requests a second.
pub fn outage(requests_per_second: f64) -> Scenario {
    Scenario { requests_per_second, ..Scenario::built_in("outage").unwrap() }
}
