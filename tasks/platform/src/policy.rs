//! The policy, from environment variables.

use breaker::{Policy, PolicySettings};

use crate::settings::{Environment, SettingError};

/// Reads the policy; an unset variable has the seed's default.
///
/// # Errors
/// Names the variable that is no number or makes no sense.
pub fn from_environment(environment: &Environment) -> Result<Policy, SettingError> {
    let number = |name: &str, default: i64| environment.number(name, default, i64::MIN..=i64::MAX);
    let default = PolicySettings::default();
    let settings = PolicySettings {
        level_1_failures: number("LEVEL_1_FAILURE_THRESHOLD", default.level_1_failures)?,
        level_2_failures: number("LEVEL_2_FAILURE_THRESHOLD", default.level_2_failures)?,
        level_3_successes: number("LEVEL_3_SUCCESS_THRESHOLD", default.level_3_successes)?,
        level_2_successes: number("LEVEL_2_SUCCESS_THRESHOLD", default.level_2_successes)?,
        window_seconds: number("FAILURE_WINDOW_SECONDS", default.window_seconds)?,
        cooldown_seconds: number("RECOVERY_COOLDOWN_SECONDS", default.cooldown_seconds)?,
        longest_cooldown_seconds: number("RECOVERY_COOLDOWN_MAX_SECONDS", default.longest_cooldown_seconds)?,
        relapse_window_seconds: number("RELAPSE_WINDOW_SECONDS", default.relapse_window_seconds)?,
        calm_seconds: number("BACKOFF_CALM_SECONDS", default.calm_seconds)?,
        settle_seconds: number("EVIDENCE_SETTLE_SECONDS", default.settle_seconds)?,
    };
    Policy::new(settings).map_err(|error| SettingError::new(error.setting, error.problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unset_variables_give_the_seeds_policy() {
        assert_eq!(from_environment(&Environment::default()), Ok(Policy::new(PolicySettings::default()).unwrap()));
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
            ("EVIDENCE_SETTLE_SECONDS", "99999999999999999999"),
        ] {
            let error = from_environment(&Environment::from_iter([(name, value)])).unwrap_err();
            assert_eq!(error.name, name);
        }
    }
}
