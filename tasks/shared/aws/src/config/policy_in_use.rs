//! The policy that a function works with if the deployment's own is invalid.

use breaker::{Policy, Preset};

use super::{Config, ConfigError};

/// The policy that a function works with.
#[derive(Clone, Debug, PartialEq)]
pub enum PolicyInUse {
    /// The deployment's policy, or that of its preset and mode if another setting is invalid: a mixture of valid and
    /// replaced settings would be a policy that was never tried.
    Known(Policy),
    /// Preset or mode are unknown. Operators' commands and requests go on with the preset `classic`; the level does not
    /// move by itself: `classic` would let it fall after five failures, and the deployment may have set `observe-only`.
    Unknown {
        /// The policy of the preset `classic`.
        policy: Policy,
        /// The problem.
        error: ConfigError,
    },
}

impl PolicyInUse {
    /// Returns the policy of the variable as it was read; logs what is invalid and what is used instead.
    #[must_use]
    pub fn new(config: &Result<Config, ConfigError>) -> Self {
        match config {
            Ok(config) => Self::of_settings(config),
            Err(error) => Self::unknown(error.clone()),
        }
    }

    /// Returns the policy for requests and operators' commands, which need one even if the deployment's is unknown.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        match self {
            Self::Known(policy) | Self::Unknown { policy, .. } => policy,
        }
    }

    /// Whether the level may move by this policy without an operator.
    ///
    /// # Errors
    /// Preset or mode are unknown.
    pub const fn decides(&self) -> Result<(), &ConfigError> {
        match self {
            Self::Known(_) => Ok(()),
            Self::Unknown { error, .. } => Err(error),
        }
    }

    fn of_settings(config: &Config) -> Self {
        let error = match config.policy() {
            Ok(policy) => return Self::Known(policy),
            Err(error) => error,
        };
        match config.preset_policy() {
            Ok(policy) => {
                error.log("every setting of the policy's preset, and the mode");
                Self::Known(policy)
            }
            Err(error) => Self::unknown(error),
        }
    }

    fn unknown(error: ConfigError) -> Self {
        error.log("classic, for requests and commands alone: the level does not move by itself");
        Self::Unknown { policy: Policy::from(Preset::Classic), error }
    }
}

impl From<Policy> for PolicyInUse {
    fn from(policy: Policy) -> Self {
        Self::Known(policy)
    }
}

#[cfg(test)]
mod tests {
    use breaker::{Mode, PolicySettings};

    use super::*;
    use crate::config::VARIABLE;
    use crate::settings::Environment;

    fn read(text: &str) -> PolicyInUse {
        PolicyInUse::new(&Config::from_environment(&Environment::from_iter([(VARIABLE, text)])))
    }

    #[test]
    fn an_invalid_number_leaves_preset_and_mode() {
        let text = r#"{"policy.preset":"production","policy.mode":"observe-only","policy.rates.failure_percent":0,
            "policy.rates.minimum_calls":30}"#;
        let settings = PolicySettings { mode: Mode::ObserveOnly, ..PolicySettings::production() };
        assert_eq!(read(text), PolicyInUse::Known(Policy::new(settings).unwrap()));
        let contradiction = read(r#"{"policy.counts.level_1_failures":10}"#);
        assert_eq!(contradiction, PolicyInUse::Known(Policy::from(Preset::Classic)));
    }

    #[test]
    fn without_preset_or_mode_nothing_moves_by_itself() {
        for (text, key) in [
            ("{", "BREAKER_CONFIG"),
            (r#"{"policy.preset":"modern"}"#, "policy.preset"),
            (r#"{"policy.preset":"production","policy.mode":"watch"}"#, "policy.mode"),
            (r#"{"policy.mode":1,"policy.rates.failure_percent":0}"#, "policy.mode"),
        ] {
            let in_use = read(text);
            assert_eq!(in_use.decides().unwrap_err().key(), key, "{text}");
            assert_eq!(in_use.policy(), &Policy::from(Preset::Classic), "{text}");
        }
    }
}
