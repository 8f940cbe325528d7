//! The causes of falls as data and text, and what is seen while no rule for a fall holds. The rules are in
//! `src/trip.rs`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::level::Level;
use crate::validation::object::tagged;

/// A fall of the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fall {
    /// The rule that holds, with its numbers.
    #[serde(deserialize_with = "tagged")]
    pub trip: TripCause,
    /// The doubled cooldown in seconds, if the fall came so soon after a recovery that it doubled the cooldown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relapse_cooldown_seconds: Option<i64>,
}

impl fmt::Display for Fall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.trip.fmt(f)?;
        match self.relapse_cooldown_seconds {
            Some(cooldown) => write!(f, "; soon after a recovery, so the next one waits {cooldown} s"),
            None => Ok(()),
        }
    }
}

/// The rule by which the level falls, with its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "rule", rename_all = "camelCase")]
pub enum TripCause {
    /// The count of failures.
    FailureCount(FailureCount),
    /// The failure rate.
    FailureRate(CallRate),
    /// The count of failures and the failure rate, if the policy requires both.
    CountAndRate {
        /// The count of failures.
        #[serde(deserialize_with = "tagged")]
        count: FailureCount,
        /// The failure rate.
        #[serde(deserialize_with = "tagged")]
        rate: CallRate,
    },
    /// Consecutive failures.
    ConsecutiveFailures(ConsecutiveFailures),
    /// The rate of slow calls.
    SlowCalls(SlowCalls),
}

impl fmt::Display for TripCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FailureCount(count) => count.fmt(f),
            Self::FailureRate(rate) => write!(f, "failure rate {rate}"),
            Self::CountAndRate { count, rate } => write!(f, "{count}, and failure rate {rate}"),
            Self::ConsecutiveFailures(failures) => failures.fmt(f),
            Self::SlowCalls(slow) => slow.fmt(f),
        }
    }
}

/// A number of failures, beside its threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailureCount {
    /// The level at which calls failed.
    pub level: Level,
    /// Failures at this level in the window.
    pub errors: u64,
    /// Carried failures from the fall to this level.
    pub carried: u64,
    /// The window in seconds; absent if failures count since the last transition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_seconds: Option<i64>,
    /// The number of failures, carried ones included, that leads to a fall.
    pub threshold: u32,
}

impl fmt::Display for FailureCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { level, errors, carried, window_seconds, threshold } = self;
        let window = window_seconds.map_or_else(String::new, |seconds| format!(" within {seconds} s"));
        if *carried == 0 {
            return write!(f, "{errors} failures at level {level}{window} (threshold {threshold})");
        }
        let total = errors.saturating_add(*carried);
        write!(
            f,
            "{total} failures in total ({errors} at level {level}{window}, {carried} carried from level 1; threshold \
             {threshold})"
        )
    }
}

/// A share of the calls, beside its threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallRate {
    /// The level whose calls are counted.
    pub level: Level,
    /// The window in seconds.
    pub window_seconds: i64,
    /// Whether the level is in its ramp after a recovery.
    pub in_ramp: bool,
    /// Calls that failed, or that were slow.
    pub counted: u64,
    /// All calls.
    pub calls: u64,
    /// The counted calls in percent of all calls, rounded down.
    pub percent: u64,
    /// The rate in percent that leads to a fall.
    pub threshold_percent: u32,
    /// Minimum number of calls for the rate to count.
    pub minimum_calls: u32,
}

impl fmt::Display for CallRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { level, window_seconds, in_ramp, counted, calls, percent, threshold_percent, minimum_calls } = self;
        let ramp = if *in_ramp { " during the ramp" } else { "" };
        write!(
            f,
            "{percent} % at level {level} within {window_seconds} s{ramp} ({counted} of {calls} calls; threshold \
             {threshold_percent} % of at least {minimum_calls})"
        )
    }
}

/// A number of consecutive failures, beside its threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConsecutiveFailures {
    /// The level at which calls failed.
    pub level: Level,
    /// Consecutive failures of the newest calls.
    pub failures: u64,
    /// The number of consecutive failures that leads to a fall.
    pub threshold: u32,
}

impl fmt::Display for ConsecutiveFailures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { level, failures, threshold } = self;
        write!(f, "{failures} consecutive failures at level {level} (threshold {threshold})")
    }
}

/// A rate of slow calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SlowCalls {
    /// The duration in milliseconds from which on a call is slow.
    pub slow_milliseconds: i64,
    /// The rate.
    #[serde(deserialize_with = "tagged")]
    pub rate: CallRate,
}

impl fmt::Display for SlowCalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { slow_milliseconds, rate } = self;
        write!(f, "rate of calls of {slow_milliseconds} ms or longer {rate}")
    }
}

/// The failures that were seen while no rule for a fall holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "rule", rename_all = "camelCase")]
pub enum Calm {
    /// The count is below its threshold.
    FailureCount(FailureCount),
    /// The policy has no rule of the count at this level: the failures among the newest calls.
    RecentFailures(RecentFailures),
}

impl fmt::Display for Calm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FailureCount(count) => count.fmt(f),
            Self::RecentFailures(failures) => failures.fmt(f),
        }
    }
}

/// The failures among the newest calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecentFailures {
    /// The level whose calls are counted.
    pub level: Level,
    /// Calls that failed.
    pub failed: u64,
    /// All calls.
    pub calls: u64,
    /// The window in seconds.
    pub window_seconds: i64,
}

impl fmt::Display for RecentFailures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { level, failed, calls, window_seconds } = self;
        write!(f, "{failed} of {calls} calls failed at level {level} within {window_seconds} s")
    }
}
