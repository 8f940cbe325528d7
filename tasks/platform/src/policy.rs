//! The policy, from environment variables.

use std::fmt::Display;
use std::str::FromStr;

use breaker::{NUMBERS, Policy, PolicySettings, Preset};

use crate::settings::{Environment, SettingError};

/// Reads the policy: the preset, and what differs from it. An unset variable is the preset's.
///
/// # Errors
/// Names the variable that is no number or makes no sense.
pub fn from_environment(environment: &Environment) -> Result<Policy, SettingError> {
    let preset = word(environment, "POLICY_PRESET", Preset::Classic)?;
    let mut settings = PolicySettings::of(preset);
    settings.mode = word(environment, "MODE", settings.mode)?;
    settings.recovery_evidence = word(environment, "RECOVERY_EVIDENCE", settings.recovery_evidence)?;
    settings.trip_when = word(environment, "TRIP_WHEN", settings.trip_when)?;
    for number in NUMBERS {
        let value = environment.number(number.name, number.of(&settings), number.least..=number.most)?;
        number.set(&mut settings, value);
    }
    Policy::new(settings).map_err(|error| SettingError::new(error.setting, error.problem))
}

fn word<T>(environment: &Environment, name: &str, default: T) -> Result<T, SettingError>
where
    T: FromStr<Err = String> + Display + Copy,
{
    environment.text(name, &default.to_string()).parse().map_err(|problem: String| SettingError::new(name, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unset_variables_give_the_seeds_policy() {
        assert_eq!(from_environment(&Environment::default()), Ok(Policy::new(PolicySettings::default()).unwrap()));
    }

    #[test]
    fn any_single_setting_overrides_its_preset() {
        let variables = [("POLICY_PRESET", "production"), ("FAILURE_RATE_PERCENT", "35"), ("MODE", "observe-only")];
        let policy = from_environment(&Environment::from_iter(variables)).unwrap();
        assert_eq!(policy.failure_rate_percent(), Some(35));
        assert!(policy.recovers_by_probes() && policy.observes_only());
        let overrides = [("MODE", "observe-only".to_owned()), ("FAILURE_RATE_PERCENT", "35".to_owned())];
        assert_eq!(policy.settings().overrides(), overrides);
    }

    #[test]
    fn a_policy_that_makes_no_sense_is_refused_by_the_variables_name() {
        for (name, value) in [
            ("LEVEL_1_FAILURE_THRESHOLD", "0"),
            ("LEVEL_2_FAILURE_THRESHOLD", "5"),
            ("LEVEL_3_SUCCESS_THRESHOLD", "-1"),
            ("LEVEL_2_SUCCESS_THRESHOLD", "many"),
            ("FAILURE_WINDOW_SECONDS", "1e3"),
            ("RECOVERY_COOLDOWN_SECONDS", "-30"),
            ("RECOVERY_COOLDOWN_MAX_SECONDS", "29"),
            ("RELAPSE_WINDOW_SECONDS", "86401"),
            ("BACKOFF_CALM_SECONDS", "calm"),
            ("POLICY_PRESET", "modern"),
            ("RECOVERY_EVIDENCE", "probes"),
            ("MODE", "off"),
            ("TRIP_WHEN", "count-and-rate"),
            ("TRIP_WHEN", "sometimes"),
            ("EVIDENCE_SETTLE_SECONDS", "99999999999999999999"),
        ] {
            let error = from_environment(&Environment::from_iter([(name, value)])).unwrap_err();
            // Both need a rate, which `classic` has not.
            let named = match value {
                "probes" | "count-and-rate" => "FAILURE_RATE_PERCENT",
                _ => name,
            };
            assert_eq!(error.name, named);
        }
    }
}
