//! The status function's settings, from environment variables.

use aws_edge::config::{Config, PolicyInUse};
use aws_edge::settings::{Environment, SettingError};
use breaker::Policy;

use crate::place::Place;

/// The settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `STATE_TABLE`.
    pub state_table: String,
    /// The policy of `BREAKER_CONFIG`.
    pub policy: Policy,
    /// `PROJECT`, `ENVIRONMENT`, `AWS_REGION`, `STATE_MACHINE_ARN`, `RUNBOOK_URL` and `AWS_ENDPOINT_URL`.
    pub place: Place,
}

impl Settings {
    /// Reads the settings. An invalid policy is logged and replaced as [`PolicyInUse`] says, as in the controller, because
    /// the status matters most when something is wrong.
    ///
    /// # Errors
    /// Names the variable that is missing.
    pub fn from_environment(environment: &Environment) -> Result<Self, SettingError> {
        let policy = *PolicyInUse::new(&Config::from_environment(environment)).policy();
        Ok(Self {
            state_table: environment.text("STATE_TABLE", "circuit-breaker-state"),
            policy,
            place: Place {
                project: environment.required("PROJECT")?,
                environment: environment.required("ENVIRONMENT")?,
                region: environment.required("AWS_REGION")?,
                state_machine_arn: environment.required("STATE_MACHINE_ARN")?,
                runbook: environment.text("RUNBOOK_URL", ""),
                endpoint_url: environment.optional("AWS_ENDPOINT_URL"),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use breaker::Preset;

    use super::*;

    const COMPLETE: [(&str, &str); 4] = [
        ("PROJECT", "bank"),
        ("ENVIRONMENT", "test"),
        ("AWS_REGION", "eu-central-1"),
        ("STATE_MACHINE_ARN", "arn:aws:states:eu-central-1:123456789012:stateMachine:bank-level-transition-test"),
    ];

    #[test]
    fn a_missing_variable_is_refused_by_its_name() {
        for (missing, _) in COMPLETE {
            let variables = COMPLETE.into_iter().filter(|(name, _)| *name != missing);
            let environment: Environment = variables.collect();
            assert_eq!(Settings::from_environment(&environment).unwrap_err().name, missing);
        }
    }

    #[test]
    fn an_invalid_policy_is_replaced_by_its_preset() {
        for (config, preset) in [
            ("{", Preset::Classic),
            (r#"{"policy.preset":"production","policy.rates.failure_percent":0}"#, Preset::Production),
        ] {
            let variables = COMPLETE.into_iter().chain([("BREAKER_CONFIG", config)]);
            let settings = Settings::from_environment(&variables.collect()).unwrap();
            assert_eq!(settings.policy, Policy::from(preset), "{config}");
        }
    }
}
