//! `BREAKER_CONFIG`: the settings of the deployment that differ from presets and defaults.
//!
//! One JSON object with the keys of the deployment's file, for example
//! `{"policy.preset":"production","request_path.fallback":false}`. During a rollback code and configuration of different
//! releases meet: keys that a function does not know are logged and ignored.

mod base_path;
mod error;
mod policy_in_use;

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use breaker::{FUNCTION_KEYS, Mode, NUMBERS, Policy, PolicySettings, Preset};
use serde_json::{Map, Value};

pub use self::base_path::BasePath;
pub use self::error::{ConfigError, or_logged};
pub use self::policy_in_use::PolicyInUse;
use crate::settings::Environment;

/// The environment variable.
pub const VARIABLE: &str = "BREAKER_CONFIG";

/// The settings that differ from presets and defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config(Map<String, Value>);

impl Config {
    /// Reads the variable, and logs each key that no function knows. If it is not set, everything has its default.
    ///
    /// # Errors
    /// The variable is no JSON object.
    pub fn from_environment(environment: &Environment) -> Result<Self, ConfigError> {
        let Some(text) = environment.optional(VARIABLE) else { return Ok(Self::default()) };
        let config = serde_json::from_str(&text).map(Self);
        let config = config.map_err(|error| ConfigError::Unreadable { problem: error.to_string() })?;
        for key in config.unknown_keys() {
            tracing::warn!(config.key = key, "unknown setting ignored");
        }
        Ok(config)
    }

    /// Returns the keys that no function knows.
    pub fn unknown_keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).filter(|key| {
            let number = key.strip_prefix("policy.");
            !FUNCTION_KEYS.contains(key) && NUMBERS.iter().all(|known| Some(known.key) != number)
        })
    }

    /// Returns a number that must lie in `range`, or `default` if the key is not set.
    ///
    /// # Errors
    /// Names the key, its value and the range.
    pub fn number<T>(&self, key: &str, default: T, range: RangeInclusive<T>) -> Result<T, ConfigError>
    where
        T: FromStr + PartialOrd + Display,
    {
        let Some(value) = self.0.get(key) else { return Ok(default) };
        let number = value.as_number().and_then(|number| number.to_string().parse().ok());
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            self.invalid(key, format!("{value} is not a number from {} to {}", range.start(), range.end()))
        })
    }

    /// Returns a switch, or `default` if the key is not set.
    ///
    /// # Errors
    /// Names the key and its value.
    pub fn switch(&self, key: &str, default: bool) -> Result<bool, ConfigError> {
        let Some(value) = self.0.get(key) else { return Ok(default) };
        value.as_bool().ok_or_else(|| self.invalid(key, format!("{value} is neither true nor false")))
    }

    /// Returns one of a few words, or `default` if the key is not set.
    ///
    /// # Errors
    /// Names the key, its value and the words.
    pub fn word<T: FromStr<Err: Display>>(&self, key: &str, default: T) -> Result<T, ConfigError> {
        let Some(value) = self.0.get(key) else { return Ok(default) };
        let text = value.as_str().ok_or_else(|| self.invalid(key, format!("{value} is no word")))?;
        text.parse().map_err(|problem: T::Err| self.invalid(key, problem.to_string()))
    }

    /// Returns the policy: the preset, and what differs from it.
    ///
    /// # Errors
    /// Names the key of a setting that is invalid or does not fit the others.
    pub fn policy(&self) -> Result<Policy, ConfigError> {
        let mut settings = PolicySettings::of(self.preset()?);
        settings.mode = self.mode(settings.mode)?;
        settings.recovery_evidence = self.word("policy.recovery_evidence", settings.recovery_evidence)?;
        settings.trip_when = self.word("policy.trip_when", settings.trip_when)?;
        for number in NUMBERS {
            let key = format!("policy.{}", number.key);
            let value = self.number(&key, number.of(&settings), number.minimum..=number.maximum)?;
            number.set(&mut settings, value);
        }
        Policy::new(settings).map_err(|error| self.invalid(&format!("policy.{}", error.setting), error.problem))
    }

    fn preset(&self) -> Result<Preset, ConfigError> {
        self.word("policy.preset", Preset::default())
    }

    fn mode(&self, default: Mode) -> Result<Mode, ConfigError> {
        self.word("policy.mode", default)
    }

    /// Returns the policy of the preset with the deployment's mode, without the other words and the numbers that differ
    /// from the preset.
    ///
    /// # Errors
    /// Names the preset or the mode if it is invalid: then nothing says which rules the deployment wants, or whether
    /// the level may move by itself.
    fn preset_policy(&self) -> Result<Policy, ConfigError> {
        let mut settings = PolicySettings::of(self.preset()?);
        settings.mode = self.mode(settings.mode)?;
        Policy::new(settings).map_err(|error| self.invalid(&format!("policy.{}", error.setting), error.problem))
    }

    fn invalid(&self, key: &str, problem: impl Display) -> ConfigError {
        ConfigError::Setting { key: key.to_owned(), kind: error::kind(self.0.get(key)), problem: problem.to_string() }
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Config {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(settings: I) -> Self {
        Self(settings.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Result<Config, ConfigError> {
        Config::from_environment(&Environment::from_iter([(VARIABLE, text)]))
    }

    #[test]
    fn without_the_variable_everything_has_its_default() {
        for environment in [Environment::default(), Environment::from_iter([(VARIABLE, "")])] {
            let config = Config::from_environment(&environment).unwrap();
            assert_eq!(config.policy(), Ok(Policy::from(Preset::Classic)));
            assert_eq!(config.number("limits.record_retention_days", 400, 1..=3_650), Ok(400));
            assert_eq!(config.switch("request_path.fallback", true), Ok(true));
        }
    }

    #[test]
    fn presets_are_valid_policies() {
        for preset in Preset::ALL.iter().copied() {
            assert_eq!(Policy::new(PolicySettings::of(preset)), Ok(Policy::from(preset)));
        }
    }

    #[test]
    fn a_setting_overrides_its_preset() {
        let text = r#"{"policy.preset":"production","policy.rates.failure_percent":35,"policy.mode":"observe-only"}"#;
        let policy = config(text).unwrap().policy().unwrap();
        assert_eq!(policy.failure_rate_percent(), Some(35));
        assert!(policy.recovers_by_probes() && policy.observes_only());
        let overrides = [("mode", "observe-only".to_owned()), ("rates.failure_percent", "35".to_owned())];
        assert_eq!(policy.settings().overrides(), overrides);
    }

    #[test]
    fn a_key_of_another_release_is_found_and_ignored() {
        let config = config(r#"{"policy.from_the_future":1,"policy.ramp.seconds":2,"page.colour":"red"}"#).unwrap();
        assert_eq!(config.unknown_keys().collect::<Vec<_>>(), ["page.colour", "policy.from_the_future"]);
        assert!(config.policy().is_ok());
    }

    #[test]
    fn a_text_that_is_no_object_is_unreadable() {
        for text in ["{", "[]", "5", "\"classic\"", "policy.preset=production"] {
            assert!(matches!(config(text), Err(ConfigError::Unreadable { .. })), "{text}");
        }
    }

    #[test]
    fn an_invalid_policy_is_refused_by_its_key() {
        for (key, value) in [
            ("policy.counts.level_1_failures", "0"),
            ("policy.counts.level_2_failures", "5"),
            ("policy.recovery.level_3_successes", "-1"),
            ("policy.recovery.level_2_successes", "\"many\""),
            ("policy.counts.window_seconds", "1.5"),
            ("policy.recovery.longest_cooldown_seconds", "29"),
            ("policy.recovery.relapse_window_seconds", "86401"),
            ("policy.recovery.calm_seconds", "null"),
            ("policy.preset", "\"modern\""),
            ("policy.preset", "1"),
            ("policy.mode", "\"off\""),
            ("policy.trip_when", "\"sometimes\""),
            ("policy.recovery.settle_seconds", "99999999999999999999"),
        ] {
            let config = config(&format!("{{\"{key}\":{value}}}")).unwrap();
            let error = config.policy().unwrap_err();
            assert_eq!(error.key(), key, "{key} = {value}: {error}");
        }
    }

    #[test]
    fn a_switch_is_true_or_false() {
        let config = config(r#"{"request_path.fallback":"off","samples.fault_injection":true}"#).unwrap();
        assert_eq!(config.switch("samples.fault_injection", false), Ok(true));
        let error = config.switch("request_path.fallback", true).unwrap_err();
        let (key, problem) = ("request_path.fallback".to_owned(), "\"off\" is neither true nor false".to_owned());
        assert_eq!(error, ConfigError::Setting { key, kind: "text", problem });
    }
}
