//! The groups of the policy's numbers. Each number is described, and has its bounds, beside its key in
//! [`breaker::NUMBERS`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! groups {
    ($($(#[doc = $doc:literal])+ $group:ident { $($number:ident),+ $(,)? })+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[expect(missing_docs, reason = "described once, beside their keys, in `NUMBERS`")]
        pub struct $group {
            $(pub $number: i64,)+
        }
    )+};
}

groups! {
    /// Rules that count failures.
    Counts { level_1_failures, level_2_failures, window_seconds, consecutive_failures }
    /// The rule about the failure rate.
    Rates { failure_percent, minimum_calls, window_seconds }
    /// The rule about slow calls.
    SlowCalls { milliseconds, percent }
    /// When the level may recover.
    Recovery {
        level_3_successes,
        level_2_successes,
        settle_seconds,
        cooldown_seconds,
        longest_cooldown_seconds,
        relapse_window_seconds,
        calm_seconds,
    }
    /// Probes of the better level.
    Probes { percent, limit_per_second, calls, idle_seconds }
    /// The share of requests that a level takes after it recovered.
    Ramp { seconds, minimum_calls }
}
