//! What the controller is told by its environment.

use std::time::Duration;

use breaker::{Level, Policy};
use platform::settings::{Environment, SettingError};

/// The controller's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `DEPLOYMENT`: the dimension of all metrics.
    pub deployment: String,
    /// `STATE_TABLE`.
    pub state_table: String,
    /// `FULL_SERVICE_FUNCTION`, `DEGRADED_SERVICE_FUNCTION`, `MAINTENANCE_SERVICE_FUNCTION`: names or ARNs.
    pub functions: ServiceFunctions,
    /// `STATE_CACHE_TTL_MS`: how long a read state is fresh.
    pub state_cache_ttl: Duration,
    /// `SERVICE_TIMEOUT_MS`: how long a service may take.
    pub service_timeout: Duration,
    /// `FALLBACK_LEVEL`: where requests go when no state was ever read.
    pub fallback_level: Level,
    /// The thresholds, for the status.
    pub policy: Policy,
}

/// The Lambda function of each level.
#[derive(Clone, Debug)]
pub struct ServiceFunctions {
    full: String,
    degraded: String,
    maintenance: String,
}

impl ServiceFunctions {
    /// The name or ARN of a level's function.
    #[must_use]
    pub fn of(&self, level: Level) -> &str {
        match level {
            Level::Full => &self.full,
            Level::Degraded => &self.degraded,
            Level::Maintenance => &self.maintenance,
        }
    }
}

impl Settings {
    /// Reads the settings; an unset variable has the seed's default.
    ///
    /// # Errors
    /// Names the variable that is missing or makes no sense.
    pub fn from_environment(environment: &Environment) -> Result<Self, SettingError> {
        Ok(Self {
            deployment: environment.required("DEPLOYMENT")?,
            state_table: environment.text("STATE_TABLE", "circuit-breaker-state"),
            functions: ServiceFunctions {
                full: environment.text("FULL_SERVICE_FUNCTION", "full-service"),
                degraded: environment.text("DEGRADED_SERVICE_FUNCTION", "degraded-service"),
                maintenance: environment.text("MAINTENANCE_SERVICE_FUNCTION", "maintenance-service"),
            },
            state_cache_ttl: Duration::from_millis(environment.number("STATE_CACHE_TTL_MS", 1_000, 0..=60_000)?),
            service_timeout: Duration::from_millis(environment.number("SERVICE_TIMEOUT_MS", 5_000, 100..=25_000)?),
            fallback_level: match environment.number("FALLBACK_LEVEL", 3, 1..=3)? {
                1 => Level::Full,
                2 => Level::Degraded,
                _ => Level::Maintenance,
            },
            policy: platform::policy::from_environment(environment)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absurd_variable_is_refused_by_name() {
        for (name, value) in [
            ("STATE_CACHE_TTL_MS", "-1"),
            ("SERVICE_TIMEOUT_MS", "0"),
            ("FALLBACK_LEVEL", "4"),
            ("LEVEL_1_FAILURE_THRESHOLD", "0"),
        ] {
            let environment = Environment::from_iter([("DEPLOYMENT", "bank-test"), (name, value)]);
            assert_eq!(Settings::from_environment(&environment).unwrap_err().name, name);
        }
        assert_eq!(Settings::from_environment(&Environment::default()).unwrap_err().name, "DEPLOYMENT");
    }

    #[test]
    fn unset_variables_have_the_seeds_defaults() {
        let settings = Settings::from_environment(&Environment::from_iter([("DEPLOYMENT", "bank-test")])).unwrap();
        assert_eq!(settings.state_table, "circuit-breaker-state");
        assert_eq!(Level::ALL.map(|level| settings.functions.of(level).to_owned()), Level::ALL.map(Level::service));
        assert_eq!(settings.fallback_level, Level::Maintenance);
        assert_eq!(settings.service_timeout, Duration::from_secs(5));
    }
}
