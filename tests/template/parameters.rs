//! Tests the parameters: their descriptions, defaults and bounds.

use std::fs;

use breaker::LONGEST_SERVICE_TIMEOUT_MS;
use local::folders;
use serde_json::Value;
use stacks::Role;

use crate::stacks::stack;
use crate::{Template, source};

#[tokio::test]
async fn every_parameter_says_what_it_is_and_what_it_may_be() {
    let (data, main) = (Template::data().await.section("Parameters"), Template::plain().await.section("Parameters"));
    for (name, parameter) in data.into_iter().chain(main) {
        assert!(parameter["Description"].as_str().is_some_and(|text| text.len() > 10), "{name}: description");
        let bounded = match parameter["Type"].as_str().unwrap() {
            "Number" => {
                parameter.get("AllowedValues").is_some()
                    || (parameter.get("MinValue").is_some() && parameter.get("MaxValue").is_some())
            }
            "String" => {
                ["AllowedValues", "AllowedPattern", "MaxLength"].iter().any(|bound| parameter.get(bound).is_some())
            }
            // CloudFormation cannot bound a list.
            "CommaDelimitedList" => true,
            other => panic!("{name} is of type {other}"),
        };
        assert!(bounded, "{name} takes anything");
        assert!(parameter.get("Default").is_some(), "{name} has no default");
    }
}

fn written(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What the command takes from its options or derives from the code.
const DERIVED: [&str; 4] = ["CodeBucket", "CodeKeys", "ReleaseId", "StateMachineKey"];

#[tokio::test]
async fn an_empty_file_gives_the_templates_defaults() {
    for (role, template) in [(Role::Data, Template::data().await), (Role::Main, Template::plain().await)] {
        let parameters = template.section("Parameters");
        for (name, value) in stack("", role).parameters {
            let default = written(&parameters[name.as_str()]["Default"]);
            let equal = match (value.parse::<f64>(), default.parse::<f64>()) {
                (Ok(value), Ok(default)) => (value - default).abs() < f64::EPSILON,
                _ => value == default,
            };
            let derived = DERIVED.contains(&name.as_str());
            assert!(equal || derived, "{name}: the file's default is {value:?}, the template's {default:?}");
        }
    }
}

#[tokio::test]
async fn the_shipped_files_have_values_that_the_templates_take() {
    for file in ["dev", "prod"] {
        let path = folders::project().join(format!("infrastructure/environments/{file}.toml"));
        let text = fs::read_to_string(path).unwrap();
        for (role, template) in [(Role::Data, Template::data().await), (Role::Main, Template::plain().await)] {
            let parameters = template.section("Parameters");
            for (name, value) in stack(&text, role).parameters {
                let parameter = &parameters[name.as_str()];
                if let Some(allowed) = parameter["AllowedValues"].as_array() {
                    assert!(allowed.iter().any(|allowed| written(allowed) == value), "{name} may not be {value}");
                }
                if parameter["Type"] == "Number" {
                    let number: f64 = value.parse().unwrap();
                    assert!(parameter["MinValue"].as_f64().is_none_or(|minimum| number >= minimum), "{name}: {value}");
                    assert!(parameter["MaxValue"].as_f64().is_none_or(|maximum| number <= maximum), "{name}: {value}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_main_template_stays_within_its_size() {
    assert!(Template::plain().await.section("Parameters").len() <= 30, "settings belong in the configuration");
    assert!(source().lines().count() <= 1_600, "alarms and data have stacks of their own");
}

#[tokio::test]
async fn the_controller_outlives_two_invocations() {
    let function = Template::plain().await.resource("ControllerFunction");
    let timeout = function["Properties"]["Timeout"].as_u64().unwrap() * 1_000;
    // API Gateway waits 30 s for it, whatever is configured.
    assert!(timeout < 30_000 && timeout > 2 * LONGEST_SERVICE_TIMEOUT_MS, "{timeout} ms");
}
