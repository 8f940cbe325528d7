//! The groups of the policy's numbers, and the conversion from and to the settings of the rules. Each number is described,
//! and has its bounds, beside its key in [`breaker::NUMBERS`].

use breaker::{PolicySettings, Preset};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PolicySection;

/// Defines each group with its section of the file, and each number with its setting.
macro_rules! groups {
    ($($(#[doc = $doc:literal])+ $group:ident = $section:ident { $($number:ident = $setting:ident),+ $(,)? })+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
            #[serde(deny_unknown_fields)]
            #[expect(missing_docs, reason = "described once, beside their keys, in `NUMBERS`")]
            pub struct $group {
                $(pub $number: i64,)+
            }
        )+

        impl From<PolicySettings> for PolicySection {
            fn from(settings: PolicySettings) -> Self {
                Self {
                    preset: settings.preset,
                    mode: settings.mode,
                    recovery_evidence: settings.recovery_evidence,
                    trip_when: settings.trip_when,
                    $($section: $group { $($number: settings.$setting,)+ },)+
                }
            }
        }

        impl From<PolicySection> for PolicySettings {
            fn from(section: PolicySection) -> Self {
                Self {
                    preset: section.preset,
                    mode: section.mode,
                    recovery_evidence: section.recovery_evidence,
                    trip_when: section.trip_when,
                    $($($setting: section.$section.$number,)+)+
                }
            }
        }
    };
}

groups! {
    /// Rules that count failures.
    Counts = counts {
        level_1_failures = level_1_failures,
        level_2_failures = level_2_failures,
        window_seconds = window_seconds,
        consecutive_failures = consecutive_failures,
    }
    /// The rule about the failure rate.
    Rates = rates {
        failure_percent = failure_rate_percent,
        minimum_calls = minimum_calls,
        window_seconds = rate_window_seconds,
    }
    /// The rule about slow calls.
    SlowCalls = slow_calls {
        milliseconds = slow_call_milliseconds,
        percent = slow_call_rate_percent,
    }
    /// When the level may recover.
    Recovery = recovery {
        level_3_successes = level_3_successes,
        level_2_successes = level_2_successes,
        settle_seconds = settle_seconds,
        cooldown_seconds = cooldown_seconds,
        longest_cooldown_seconds = longest_cooldown_seconds,
        relapse_window_seconds = relapse_window_seconds,
        calm_seconds = calm_seconds,
    }
    /// Probes of the better level.
    Probes = probes {
        percent = probe_percent,
        limit_per_second = probe_limit_per_second,
        calls = probe_calls,
        idle_seconds = probe_idle_seconds,
    }
    /// The share of requests that a level takes after it recovered.
    Ramp = ramp {
        seconds = ramp_seconds,
        minimum_calls = ramp_minimum_calls,
    }
}

impl From<Preset> for PolicySection {
    fn from(preset: Preset) -> Self {
        Self::from(PolicySettings::of(preset))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

    use breaker::NUMBERS;
    use serde_json::Value;

    use super::*;
    use crate::keys::at;

    /// A number in the wrong place would be read from another key than the functions read it from.
    #[test]
    fn each_number_is_at_its_key_both_ways() {
        let mut settings = PolicySettings::production();
        for (number, value) in NUMBERS.iter().zip(1_000..) {
            number.set(&mut settings, value);
        }
        let section = PolicySection::from(settings);
        let written = serde_json::to_value(section).unwrap();
        for (number, value) in NUMBERS.iter().zip(1_000..) {
            assert_eq!(at(&written, number.key), Value::from(value), "{}", number.key);
        }
        assert_eq!(PolicySettings::from(section), settings);
    }
}
