//! Tests the settings that the functions get: those that differ from the defaults, under keys that the functions know.

use std::fs;

use aws_edge::config::Config;
use aws_edge::settings::Environment;
use breaker::{
    FUNCTION_KEYS, LONGEST_SERVICE_TIMEOUT_MS, Mode, NUMBERS, PerLevel, Policy, Preset, RecoveryEvidence, TripWhen,
};
use controller::Settings;
use deployment_file::MAXIMUM_CONFIG_BYTES;
use local::folders;
use serde_json::{Value, json};
use stacks::Role;

use crate::Template;
use crate::stacks::{effective, stack};

/// A file in which every setting of the functions differs from its default.
fn everything_else() -> String {
    let words = format!(
        "[policy]\npreset = \"production\"\nmode = \"observe-only\"\nrecovery_evidence = \"{}\"\ntrip_when = \"{}\"\n",
        RecoveryEvidence::CurrentLevel.word(),
        TripWhen::CountAndRate.word()
    );
    let numbers: Vec<String> = policy_numbers().iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    words
        + &numbers.concat()
        + "[api]\nbase_path = \"/bank\"\n[request_path]\nservice_timeout_milliseconds = 4001\nfull_timeout_milliseconds = 4002\n\
            degraded_timeout_milliseconds = 4003\nmaintenance_timeout_milliseconds = 4004\nread_timeout_milliseconds = 4005\n\
            fallback = false\ntoo_many_requests_fail = true\n\
            fallback_level = 2\nstate_cache_milliseconds = 1001\n[samples]\nfault_injection = true\n\
            full_failure_percent = 1.5\ndegraded_failure_percent = 2.5\nmaintenance_failure_percent = 3.5\n\
            [limits]\nrecord_retention_days = 401\n"
}

/// Numbers that are valid together and differ from those of `production`.
fn policy_numbers() -> Vec<(&'static str, i64)> {
    let production = Policy::from(Preset::Production);
    NUMBERS
        .iter()
        .map(|number| {
            let of_preset = number.of(production.settings());
            let value = match number.key {
                "counts.level_1_failures" => 7,
                "counts.level_2_failures" => 9,
                _ if of_preset == number.maximum => of_preset - 1,
                _ => of_preset + 1,
            };
            (number.key, value)
        })
        .collect()
}

fn told(text: &str) -> String {
    stack(text, Role::Main).parameters["BreakerConfig"].clone()
}

fn environment(config: &str) -> Environment {
    Environment::from_iter([("DEPLOYMENT", "bank-test"), ("BREAKER_CONFIG", config)])
}

#[test]
fn functions_get_only_settings_that_differ_from_the_preset() {
    assert_eq!(told(""), "{}");
    assert_eq!(told("policy.preset = \"production\""), r#"{"policy.preset":"production"}"#);
    assert_eq!(
        told("policy = { preset = \"production\", rates.failure_percent = 10 }"),
        r#"{"policy.preset":"production"}"#
    );
    let five = json!({"policy.preset": "production", "policy.rates.failure_percent": 5});
    let text = told("policy = { preset = \"production\", rates.failure_percent = 5 }");
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), five);
}

#[test]
fn functions_know_every_key_that_they_get() {
    let text = told(&everything_else());
    let config = Config::from_environment(&environment(&text)).unwrap();
    assert_eq!(config.unknown_keys().collect::<Vec<_>>(), Vec::<&str>::new());
    let keys = serde_json::from_str::<serde_json::Map<String, Value>>(&text).unwrap();
    assert_eq!(keys.len(), FUNCTION_KEYS.len() + NUMBERS.len(), "{keys:?}");
    assert!(text.len() <= MAXIMUM_CONFIG_BYTES, "{} bytes", text.len());
}

#[test]
fn functions_decide_by_the_policy_of_the_file() {
    for text in ["", "policy.preset = \"production\"", &everything_else()] {
        let config = Config::from_environment(&environment(&told(text))).unwrap();
        assert_eq!(config.policy().as_ref(), Ok(&effective(text).policy), "{text}");
    }
    assert_eq!(effective(&everything_else()).policy.settings().mode, Mode::ObserveOnly);
}

#[test]
fn the_controller_serves_by_the_request_path_of_the_file() {
    let settings = Settings::from_environment(&environment(&told(&everything_else()))).unwrap();
    let milliseconds = std::time::Duration::from_millis;
    assert_eq!(settings.state_cache_ttl, milliseconds(1_001));
    let timeouts =
        PerLevel { full: milliseconds(4_002), degraded: milliseconds(4_003), maintenance: milliseconds(4_004) };
    assert_eq!(settings.rules.service_timeouts, timeouts);
    assert_eq!((settings.fallback_level.number(), settings.rules.fallback), (2, false));
    assert_eq!((settings.rules.read_timeout, settings.rules.too_many_requests_fail), (Some(milliseconds(4_005)), true));
    let one = Settings::from_environment(&environment(&told("request_path.service_timeout_milliseconds = 4001")));
    assert_eq!(one.unwrap().rules.service_timeouts.full, milliseconds(4_001));
}

#[test]
fn file_and_controller_take_the_same_service_timeouts() {
    for service in ["service", "full", "degraded", "maintenance", "read"] {
        let key = format!("{service}_timeout_milliseconds");
        let node = &deployment_file::schema()["properties"]["request_path"]["properties"][&key];
        assert_eq!((&node["minimum"], &node["maximum"]), (&json!(100), &json!(LONGEST_SERVICE_TIMEOUT_MS)), "{key}");
    }
}

#[tokio::test]
async fn functions_that_read_settings_get_them() {
    let template = Template::plain().await;
    for (name, function) in template.of_type("AWS::Lambda::Function") {
        let variables = &function["Properties"]["Environment"]["Variables"];
        let needs_none = ["AlarmProcessorFunction", "EmitMetricsFunction"].contains(&name);
        let expected = if needs_none { Value::Null } else { json!({"Ref": "BreakerConfig"}) };
        assert_eq!(variables["BREAKER_CONFIG"], expected, "{name}");
    }
    let longest = template.section("Parameters")["BreakerConfig"]["MaxLength"].as_u64().unwrap();
    assert_eq!(longest, u64::try_from(MAXIMUM_CONFIG_BYTES).unwrap());
}

/// Lists all variables: settings are in `BREAKER_CONFIG` alone.
#[tokio::test]
async fn functions_have_no_other_settings() {
    let known = [
        "BREAKER_CONFIG",
        "DEPLOYMENT",
        "ENVIRONMENT",
        "LOG_LEVEL",
        "PROJECT",
        "RELEASE_ID",
        "RUNBOOK_URL",
        "STATE_MACHINE_ARN",
        "STATE_TABLE",
        "FULL_SERVICE_FUNCTION",
        "DEGRADED_SERVICE_FUNCTION",
        "MAINTENANCE_SERVICE_FUNCTION",
    ];
    for (name, function) in Template::plain().await.of_type("AWS::Lambda::Function") {
        let variables = function["Properties"]["Environment"]["Variables"].as_object().unwrap();
        let others: Vec<_> = variables.keys().filter(|variable| !known.contains(&variable.as_str())).collect();
        assert!(others.is_empty(), "{name}: {others:?}");
    }
}

#[test]
fn the_shipped_files_have_the_presets_as_they_are() {
    for (file, preset) in [("dev", Preset::Classic), ("prod", Preset::Production)] {
        let path = folders::project().join(format!("infrastructure/environments/{file}.toml"));
        let text = fs::read_to_string(path).unwrap();
        assert_eq!(effective(&text).policy, Policy::from(preset), "{file}");
    }
}
