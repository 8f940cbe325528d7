//! What the controller is told by its environment.

use std::time::Duration;

use breaker::{Level, Policy};
use platform::settings::{Environment, SettingError};

use crate::deadline::LONGEST_SERVICE_TIMEOUT_MS;
use crate::page::CommandTarget;

/// The controller's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `DEPLOYMENT`: the dimension of all metrics.
    pub deployment: String,
    /// `STATE_TABLE`.
    pub state_table: String,
    /// `FULL_SERVICE_FUNCTION`, `DEGRADED_SERVICE_FUNCTION`, `MAINTENANCE_SERVICE_FUNCTION`: names or ARNs.
    pub functions: PerLevel<String>,
    /// `STATE_CACHE_TTL_MS`: how long a read state is fresh, give or take a fifth.
    pub state_cache_ttl: Duration,
    /// `FULL_SERVICE_TIMEOUT_MS`, `DEGRADED_SERVICE_TIMEOUT_MS`, `MAINTENANCE_SERVICE_TIMEOUT_MS`, and
    /// `SERVICE_TIMEOUT_MS` for those that are unset: how long a service may take.
    pub service_timeouts: PerLevel<Duration>,
    /// `FALLBACK_LEVEL`: where requests go when no state was ever read.
    pub fallback_level: Level,
    /// `REQUEST_FALLBACK`: whether a failed GET or HEAD is answered by the next level's service.
    pub request_fallback: bool,
    /// When a call is slow and how many probes may be sent; the rules, for the status. `None` where they make no
    /// sense: then no call is slow, nothing is probed, and everybody is served.
    pub policy: Option<Policy>,
    /// `STATE_MACHINE_ARN` and `AWS_ENDPOINT_URL`, for the commands that the status page offers.
    pub commands: CommandTarget,
}

/// One of something for each level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerLevel<T> {
    /// Level 1's.
    pub full: T,
    /// Level 2's.
    pub degraded: T,
    /// Level 3's.
    pub maintenance: T,
}

impl<T> PerLevel<T> {
    /// The one of `level`.
    pub const fn of(&self, level: Level) -> &T {
        match level {
            Level::Full => &self.full,
            Level::Degraded => &self.degraded,
            Level::Maintenance => &self.maintenance,
        }
    }
}

impl Settings {
    /// Reads the settings; an unset variable has the seed's default. A request can be served without a policy, so
    /// one that makes no sense is logged and keeps nobody from being served.
    ///
    /// # Errors
    /// Names the variable that is missing or makes no sense.
    pub fn from_environment(environment: &Environment) -> Result<Self, SettingError> {
        let milliseconds =
            |name: &str, default: u64| environment.number(name, default, 100..=LONGEST_SERVICE_TIMEOUT_MS);
        let service_timeout = milliseconds("SERVICE_TIMEOUT_MS", 5_000)?;
        let timeout_of = |name: &str| milliseconds(name, service_timeout).map(Duration::from_millis);
        Ok(Self {
            deployment: environment.required("DEPLOYMENT")?,
            state_table: environment.text("STATE_TABLE", "circuit-breaker-state"),
            functions: PerLevel {
                full: environment.text("FULL_SERVICE_FUNCTION", "full-service"),
                degraded: environment.text("DEGRADED_SERVICE_FUNCTION", "degraded-service"),
                maintenance: environment.text("MAINTENANCE_SERVICE_FUNCTION", "maintenance-service"),
            },
            state_cache_ttl: Duration::from_millis(environment.number("STATE_CACHE_TTL_MS", 1_000, 0..=60_000)?),
            service_timeouts: PerLevel {
                full: timeout_of("FULL_SERVICE_TIMEOUT_MS")?,
                degraded: timeout_of("DEGRADED_SERVICE_TIMEOUT_MS")?,
                maintenance: timeout_of("MAINTENANCE_SERVICE_TIMEOUT_MS")?,
            },
            fallback_level: match environment.number("FALLBACK_LEVEL", 3, 1..=3)? {
                1 => Level::Full,
                2 => Level::Degraded,
                _ => Level::Maintenance,
            },
            request_fallback: environment.one_of("REQUEST_FALLBACK", &[("enabled", true), ("disabled", false)])?,
            policy: platform::policy::from_environment(environment)
                .inspect_err(|error| tracing::error!(error.message = %error, "no policy: nothing is probed, and the status shows no thresholds"))
                .ok(),
            commands: CommandTarget {
                state_machine_arn: environment.optional("STATE_MACHINE_ARN"),
                endpoint_url: environment.optional("AWS_ENDPOINT_URL"),
            },
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
            ("SERVICE_TIMEOUT_MS", "14001"),
            ("DEGRADED_SERVICE_TIMEOUT_MS", "99"),
            ("REQUEST_FALLBACK", "on"),
            ("FALLBACK_LEVEL", "4"),
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
        assert_eq!(Level::ALL.map(|level| settings.functions.of(level).as_str()), Level::ALL.map(Level::service));
        assert_eq!(settings.fallback_level, Level::Maintenance);
        assert_eq!(Level::ALL.map(|level| *settings.service_timeouts.of(level)), [Duration::from_secs(5); 3]);
        assert!(settings.request_fallback);
    }

    #[test]
    fn a_policy_that_makes_no_sense_is_shown_as_none_and_stops_nothing() {
        let variables = [("DEPLOYMENT", "bank-test"), ("LEVEL_1_FAILURE_THRESHOLD", "10")];
        assert_eq!(Settings::from_environment(&Environment::from_iter(variables)).unwrap().policy, None);
    }

    #[test]
    fn a_level_may_have_a_timeout_of_its_own() {
        let variables =
            [("DEPLOYMENT", "bank-test"), ("SERVICE_TIMEOUT_MS", "2000"), ("FULL_SERVICE_TIMEOUT_MS", "900")];
        let timeouts = Settings::from_environment(&Environment::from_iter(variables)).unwrap().service_timeouts;
        assert_eq!(Level::ALL.map(|level| timeouts.of(level).as_millis()), [900, 2_000, 2_000]);
    }
}
