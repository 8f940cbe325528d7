//! The report of a run: the effect of a policy on callers.

use breaker::{Cause, Level, PerLevel};
use serde::Serialize;

/// A change of the level.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Move {
    /// Time at which the table held the new level, in seconds from the start.
    pub second: f64,
    /// The level before.
    pub from: Level,
    /// The level after.
    pub to: Level,
    /// The reason: the text of the cause.
    pub reason: String,
    /// The cause, as the rules give it.
    pub cause: Cause,
}

/// The results of the requests in a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Point {
    /// Beginning of the span, in seconds from the start.
    pub second: u32,
    /// Number of requests.
    pub requests: u64,
    /// Requests that failed for their callers.
    pub failed: u64,
    /// Requests that were declined by design.
    pub declined: u64,
    /// Requests that were refused (4xx).
    pub refused: u64,
    /// Requests that were answered below level 1.
    pub degraded: u64,
    /// Whether level 1 was healthy at the beginning of the span.
    pub healthy: bool,
}

/// The effect of a policy on callers. Times are in seconds unless stated otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The contender's name.
    pub policy: String,
    /// The settings that differ from the preset's.
    pub overrides: Vec<String>,
    /// Requests a second if the traffic's factor is 1.
    pub requests_per_second: f64,
    /// The seed of the random numbers.
    pub seed: u64,
    /// Duration of the run, in simulated time.
    pub seconds: u32,
    /// All requests.
    pub requests: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Requests that failed for their callers: a 5xx that is not by design.
    pub failed: u64,
    /// Requests that a level declined by design.
    pub declined: u64,
    /// Requests that a level refused (4xx) because of an event.
    pub refused: u64,
    /// The share that failed, in percent.
    pub failed_percent: f64,
    /// The share that was declined, in percent.
    pub declined_percent: f64,
    /// The wait that one in a hundred requests exceeds, in milliseconds.
    pub p99_wait_milliseconds: u32,
    /// The wait that one in a hundred retryable requests (GET, HEAD) exceeds, in milliseconds.
    pub p99_read_wait_milliseconds: u32,
    /// Transitions.
    pub transitions: u32,
    /// Time for which each level was current.
    pub seconds_at_level: PerLevel<f64>,
    /// Unnecessary degradation: time below level 1 while level 1 was healthy.
    pub unnecessary_degradation_seconds: f64,
    /// Time for which ramps kept requests from a healthy level 1. Each second counts by the share of requests kept from
    /// it.
    pub unnecessary_ramp_seconds: f64,
    /// Probes sent.
    pub probes: u64,
    /// Probes that failed or were slow. Their callers got the current level's answer.
    pub failed_probes: u64,
    /// Probes that were refused. Their callers got the current level's answer.
    pub refused_probes: u64,
    /// Evaluations.
    pub looks: u64,
    /// Each transition.
    pub moves: Vec<Move>,
    /// The results of the requests over time.
    pub timeline: Vec<Point>,
}

/// Returns `part` of `whole` in percent; 0 if `whole` is 0.
#[expect(clippy::cast_precision_loss, reason = "exact far beyond any number of requests")]
pub(crate) fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}
