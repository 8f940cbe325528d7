//! The settings of a sample service, from environment variables.

use std::time::Duration;

use aws_edge::config::{BasePath, Config, or_logged};
use aws_edge::settings::{Environment, SettingError};
use breaker::Level;

/// The settings of one service.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `DEPLOYMENT`: name of the deployment, a dimension of all metrics.
    pub deployment: String,
    /// `api.base_path`: the path that a custom domain's mapping puts before the API's own.
    pub base_path: BasePath,
    /// `samples.fault_injection`: whether callers may make the service fail on purpose.
    pub fault_injection: bool,
    /// `samples.full_failure_percent` and so on: share of requests that fail at random, from 0 to 1.
    pub failure_rate: f64,
    /// `LATENCY_MIN_MS`: minimum duration of the simulated work.
    pub latency_min: Duration,
    /// `LATENCY_MAX_MS`: maximum duration of the simulated work.
    pub latency_max: Duration,
    /// `RANDOM_SEED`: seed that makes the random failures repeatable.
    pub random_seed: Option<u64>,
}

/// Returns a level's default failures in percent, and its minimum and maximum latency in milliseconds.
const fn defaults(level: Level) -> (f64, u64, u64) {
    match level {
        Level::Full => (5.0, 50, 150),
        Level::Degraded => (2.0, 20, 70),
        Level::Maintenance => (10.0, 10, 30),
    }
}

impl Settings {
    /// Reads the settings. A variable that is not set has the default of `level`.
    ///
    /// # Errors
    /// Names the variable that is missing or invalid.
    pub fn from_environment(environment: &Environment, level: Level) -> Result<Self, SettingError> {
        let (failure_percent, shortest, longest) = defaults(level);
        let config = Config::from_environment(environment)?;
        let key = format!("samples.{}_failure_percent", level.service_type());
        let latency_min = environment.number("LATENCY_MIN_MS", shortest, 0..=10_000)?;
        let latency_max = environment.number("LATENCY_MAX_MS", longest.max(latency_min), 0..=10_000)?;
        if latency_max < latency_min {
            return Err(SettingError::new(
                "LATENCY_MAX_MS",
                format!("{latency_max} is below LATENCY_MIN_MS ({latency_min})"),
            ));
        }
        let seeded = !environment.text("RANDOM_SEED", "").is_empty();
        let seed = environment.number("RANDOM_SEED", 0, 0..=u64::MAX)?;
        Ok(Self {
            deployment: environment.required("DEPLOYMENT")?,
            base_path: or_logged(config.base_path(), BasePath::default()),
            fault_injection: config.switch("samples.fault_injection", false)?,
            failure_rate: config.number(&key, failure_percent, 0.0..=100.0)? / 100.0,
            latency_min: Duration::from_millis(latency_min),
            latency_max: Duration::from_millis(latency_max),
            random_seed: seeded.then_some(seed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<Settings, SettingError> {
        let environment = Environment::from_iter([("DEPLOYMENT", "bank-test"), (name, value)]);
        Settings::from_environment(&environment, Level::Full)
    }

    #[test]
    fn unset_variables_have_the_seeds_defaults() {
        let settings = read("LATENCY_MIN_MS", "").unwrap();
        assert!((settings.failure_rate - 0.05).abs() < f64::EPSILON);
        assert_eq!((settings.latency_min.as_millis(), settings.latency_max.as_millis()), (50, 150));
        assert!(!settings.fault_injection);
    }

    #[test]
    fn an_invalid_variable_is_refused_by_name() {
        for (name, value) in [
            ("BREAKER_CONFIG", r#"{"samples.full_failure_percent":101}"#),
            ("BREAKER_CONFIG", r#"{"samples.full_failure_percent":"many"}"#),
            ("BREAKER_CONFIG", r#"{"samples.fault_injection":"enabled"}"#),
            ("LATENCY_MIN_MS", "-1"),
            ("LATENCY_MAX_MS", "10"),
            ("RANDOM_SEED", "seed"),
        ] {
            assert_eq!(read(name, value).unwrap_err().name, name);
        }
        assert_eq!(Settings::from_environment(&Environment::default(), Level::Full).unwrap_err().name, "DEPLOYMENT");
    }
}
