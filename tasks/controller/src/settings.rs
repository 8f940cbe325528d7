//! The controller's settings, from environment variables.

use std::time::Duration;

use aws_edge::config::{Config, PolicyInUse, or_logged};
use aws_edge::settings::{Environment, SettingError};
use breaker::{
    LONGEST_SERVICE_TIMEOUT_MS, Level, PerLevel, Policy, RequestRules, SERVICE_TIMEOUT_MS, SHORTEST_SERVICE_TIMEOUT_MS,
};

/// The controller's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `DEPLOYMENT`: the dimension of all metrics.
    pub deployment: String,
    /// `STATE_TABLE`.
    pub state_table: String,
    /// `FULL_SERVICE_FUNCTION`, `DEGRADED_SERVICE_FUNCTION`, `MAINTENANCE_SERVICE_FUNCTION`: names or ARNs.
    pub functions: PerLevel<String>,
    /// `request_path.state_cache_milliseconds`: time for which a state is fresh after it was read, ± 20 %.
    pub state_cache_ttl: Duration,
    /// The rules for requests. `request_path.full_timeout_milliseconds` and so on, and
    /// `request_path.service_timeout_milliseconds` for those that are not set, say how long a service may take;
    /// `request_path.read_timeout_milliseconds`, else the preset, how long it may take for a GET or HEAD;
    /// `request_path.fallback` whether the next worse level's service answers a GET or HEAD that fails;
    /// `request_path.too_many_requests_fail` whether an answer 429 is a failure.
    pub rules: RequestRules,
    /// `request_path.fallback_level`: the level that requests are routed to if no state was ever read.
    pub fallback_level: Level,
    /// The policy, for `Retry-After` and for the limit of probes.
    pub policy: Policy,
}

impl Settings {
    /// Reads the settings. A setting that is not set has its default. Requests are served even if `BREAKER_CONFIG` is
    /// invalid: an invalid setting is logged and has its default, and [`PolicyInUse`] replaces an invalid policy.
    ///
    /// # Errors
    /// Names the variable that is missing.
    pub fn from_environment(environment: &Environment) -> Result<Self, SettingError> {
        let config = Config::from_environment(environment);
        let policy = *PolicyInUse::new(&config).policy();
        let config = config.unwrap_or_default();
        let service_timeout = timeout(&config, "service", SERVICE_TIMEOUT_MS);
        let timeout_of = |service: &str| Duration::from_millis(timeout(&config, service, service_timeout));
        let service_timeouts = PerLevel {
            full: timeout_of("full"),
            degraded: timeout_of("degraded"),
            maintenance: timeout_of("maintenance"),
        };
        let rules = RequestRules::new(&policy, service_timeouts);
        let cache = config.number("request_path.state_cache_milliseconds", 1_000, 0..=60_000);
        let fallback_level = config.number("request_path.fallback_level", 3, 1..=3);
        Ok(Self {
            deployment: environment.required("DEPLOYMENT")?,
            state_table: environment.text("STATE_TABLE", "circuit-breaker-state"),
            functions: PerLevel {
                full: environment.text("FULL_SERVICE_FUNCTION", "full-service"),
                degraded: environment.text("DEGRADED_SERVICE_FUNCTION", "degraded-service"),
                maintenance: environment.text("MAINTENANCE_SERVICE_FUNCTION", "maintenance-service"),
            },
            state_cache_ttl: Duration::from_millis(or_logged(cache, 1_000)),
            rules: RequestRules {
                read_timeout: read_timeout(&config).or(rules.read_timeout),
                fallback: or_logged(config.switch("request_path.fallback", true), true),
                too_many_requests_fail: or_logged(config.switch("request_path.too_many_requests_fail", false), false),
                ..rules
            },
            fallback_level: match or_logged(fallback_level, 3) {
                1 => Level::Full,
                2 => Level::Degraded,
                _ => Level::Maintenance,
            },
            policy,
        })
    }
}

/// Returns the timeout of a service in milliseconds.
fn timeout(config: &Config, service: &str, default: u64) -> u64 {
    let key = format!("request_path.{service}_timeout_milliseconds");
    or_logged(config.number(&key, default, SHORTEST_SERVICE_TIMEOUT_MS..=LONGEST_SERVICE_TIMEOUT_MS), default)
}

/// Returns the time budget of a GET or HEAD, if one is set and valid.
fn read_timeout(config: &Config) -> Option<Duration> {
    let range = SHORTEST_SERVICE_TIMEOUT_MS..=LONGEST_SERVICE_TIMEOUT_MS;
    let milliseconds = config.number("request_path.read_timeout_milliseconds", 0, range);
    Some(or_logged(milliseconds, 0)).filter(|set| *set > 0).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use breaker::Preset;

    use super::*;

    fn settings(config: &str) -> Settings {
        let variables = [("DEPLOYMENT", "bank-test"), ("BREAKER_CONFIG", config)];
        Settings::from_environment(&Environment::from_iter(variables)).unwrap()
    }

    /// The settings that `BREAKER_CONFIG` decides.
    fn told(settings: &Settings) -> (u128, [u128; 3], Level, bool, Policy) {
        let timeouts = Level::ALL.map(|level| settings.rules.service_timeouts.of(level).as_millis());
        let Settings { state_cache_ttl, fallback_level, rules, policy, .. } = settings;
        (state_cache_ttl.as_millis(), timeouts, *fallback_level, rules.fallback, *policy)
    }

    #[test]
    fn a_missing_deployment_is_refused() {
        assert_eq!(Settings::from_environment(&Environment::default()).unwrap_err().name, "DEPLOYMENT");
    }

    #[test]
    fn without_a_configuration_the_defaults_hold() {
        let settings = settings("");
        assert_eq!(settings.state_table, "circuit-breaker-state");
        assert_eq!(Level::ALL.map(|level| settings.functions.of(level).as_str()), Level::ALL.map(Level::service));
        let classic = Policy::from(Preset::Classic);
        assert_eq!(told(&settings), (1_000, [5_000; 3], Level::Maintenance, true, classic));
    }

    #[test]
    fn requests_are_served_with_an_invalid_configuration() {
        let defaults = told(&settings(""));
        for config in [
            "{",
            r#"{"request_path.state_cache_milliseconds":-1}"#,
            r#"{"request_path.service_timeout_milliseconds":14001}"#,
            r#"{"request_path.degraded_timeout_milliseconds":99}"#,
            r#"{"request_path.fallback":"off"}"#,
            r#"{"request_path.fallback_level":4}"#,
            r#"{"policy.preset":"modern"}"#,
            r#"{"policy.counts.level_1_failures":10}"#,
            r#"{"from.the":"future"}"#,
        ] {
            assert_eq!(told(&settings(config)), defaults, "{config}");
        }
        let invalid = settings(r#"{"policy.preset":"production","policy.rates.failure_percent":0}"#);
        assert_eq!(invalid.policy, Policy::from(Preset::Production));
    }

    #[test]
    fn a_level_may_have_a_timeout_of_its_own() {
        let config =
            r#"{"request_path.service_timeout_milliseconds":2000,"request_path.full_timeout_milliseconds":900}"#;
        assert_eq!(told(&settings(config)).1, [900, 2_000, 2_000]);
    }
}
