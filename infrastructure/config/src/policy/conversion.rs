//! Between the section of the file and the settings of the rules.

use breaker::{PolicySettings, Preset};

use super::{Counts, PolicySection, Probes, Ramp, Rates, Recovery, SlowCalls};

impl From<Preset> for PolicySection {
    fn from(preset: Preset) -> Self {
        Self::from(PolicySettings::of(preset))
    }
}

impl From<PolicySettings> for PolicySection {
    fn from(settings: PolicySettings) -> Self {
        Self {
            preset: settings.preset,
            mode: settings.mode,
            recovery_evidence: settings.recovery_evidence,
            trip_when: settings.trip_when,
            counts: Counts {
                level_1_failures: settings.level_1_failures,
                level_2_failures: settings.level_2_failures,
                window_seconds: settings.window_seconds,
                consecutive_failures: settings.consecutive_failures,
            },
            rates: Rates {
                failure_percent: settings.failure_rate_percent,
                minimum_calls: settings.minimum_calls,
                window_seconds: settings.rate_window_seconds,
            },
            slow_calls: SlowCalls {
                milliseconds: settings.slow_call_milliseconds,
                percent: settings.slow_call_rate_percent,
            },
            recovery: Recovery {
                level_3_successes: settings.level_3_successes,
                level_2_successes: settings.level_2_successes,
                settle_seconds: settings.settle_seconds,
                cooldown_seconds: settings.cooldown_seconds,
                longest_cooldown_seconds: settings.longest_cooldown_seconds,
                relapse_window_seconds: settings.relapse_window_seconds,
                calm_seconds: settings.calm_seconds,
            },
            probes: Probes {
                percent: settings.probe_percent,
                limit_per_second: settings.probe_limit_per_second,
                calls: settings.probe_calls,
                idle_seconds: settings.probe_idle_seconds,
            },
            ramp: Ramp { seconds: settings.ramp_seconds, minimum_calls: settings.ramp_minimum_calls },
        }
    }
}

impl From<PolicySection> for PolicySettings {
    fn from(section: PolicySection) -> Self {
        let PolicySection { counts, rates, slow_calls, recovery, probes, ramp, .. } = section;
        Self {
            preset: section.preset,
            mode: section.mode,
            recovery_evidence: section.recovery_evidence,
            trip_when: section.trip_when,
            level_1_failures: counts.level_1_failures,
            level_2_failures: counts.level_2_failures,
            window_seconds: counts.window_seconds,
            consecutive_failures: counts.consecutive_failures,
            failure_rate_percent: rates.failure_percent,
            minimum_calls: rates.minimum_calls,
            rate_window_seconds: rates.window_seconds,
            slow_call_milliseconds: slow_calls.milliseconds,
            slow_call_rate_percent: slow_calls.percent,
            level_3_successes: recovery.level_3_successes,
            level_2_successes: recovery.level_2_successes,
            settle_seconds: recovery.settle_seconds,
            cooldown_seconds: recovery.cooldown_seconds,
            longest_cooldown_seconds: recovery.longest_cooldown_seconds,
            relapse_window_seconds: recovery.relapse_window_seconds,
            calm_seconds: recovery.calm_seconds,
            probe_percent: probes.percent,
            probe_limit_per_second: probes.limit_per_second,
            probe_calls: probes.calls,
            probe_idle_seconds: probes.idle_seconds,
            ramp_seconds: ramp.seconds,
            ramp_minimum_calls: ramp.minimum_calls,
        }
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
