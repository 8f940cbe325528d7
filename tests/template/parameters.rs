//! The parameters: what may be set, within which bounds.

use std::fs;

use controller::LONGEST_SERVICE_TIMEOUT_MS;
use local::folders;
use platform::settings::Environment;
use serde_json::Value;
use stacks::Role;

use crate::Template;
use crate::stacks::stack;

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
            // CloudFormation has no bounds for lists.
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

/// What a template's parameter says the most of a service's timeout is.
fn most_milliseconds(parameter: &Value) -> u64 {
    let words = parameter["ConstraintDescription"].as_str().and_then(|text| text.rsplit(' ').next());
    parameter["MaxValue"].as_u64().or_else(|| words?.parse().ok()).unwrap()
}

/// Whether a deployment takes the value: a pattern has to match all of it.
fn takes(parameter: &serde_json::Value, value: &str) -> bool {
    if let Some(pattern) = parameter["AllowedPattern"].as_str() {
        return regex_lite::Regex::new(&format!("^(?:{pattern})$")).unwrap().is_match(value);
    }
    let number: f64 = value.parse().unwrap();
    parameter["MinValue"].as_f64().unwrap() <= number && number <= parameter["MaxValue"].as_f64().unwrap()
}

#[tokio::test]
async fn template_and_controller_take_the_same_service_timeouts() {
    let template = Template::plain().await;
    for (parameter, variable) in [
        ("ServiceTimeoutMilliseconds", "SERVICE_TIMEOUT_MS"),
        ("FullServiceTimeoutMilliseconds", "FULL_SERVICE_TIMEOUT_MS"),
        ("DegradedServiceTimeoutMilliseconds", "DEGRADED_SERVICE_TIMEOUT_MS"),
        ("MaintenanceServiceTimeoutMilliseconds", "MAINTENANCE_SERVICE_TIMEOUT_MS"),
    ] {
        let described = template.section("Parameters")[parameter];
        for value in
            ["0", "99", "100", "999", "1000", "5000", "9999", "10000", "12000", "13999", "14000", "14001", "20000"]
        {
            let environment = Environment::from_iter([("DEPLOYMENT", "bank-test"), (variable, value)]);
            let controller_takes = controller::Settings::from_environment(&environment).is_ok();
            assert_eq!(takes(described, value), controller_takes, "{parameter} = {value}");
        }
        assert_eq!(most_milliseconds(described), LONGEST_SERVICE_TIMEOUT_MS, "{parameter}");
        let variables = &template.resource("ControllerFunction")["Properties"]["Environment"]["Variables"];
        assert_eq!(variables[variable], serde_json::json!({ "Ref": parameter }), "{variable}");
    }
}

#[tokio::test]
async fn the_controller_outlives_two_services_in_a_row() {
    let function = Template::plain().await.resource("ControllerFunction");
    let timeout = function["Properties"]["Timeout"].as_u64().unwrap() * 1_000;
    // API Gateway waits 30 s for it, whatever is configured.
    assert!(timeout < 30_000 && timeout > 2 * LONGEST_SERVICE_TIMEOUT_MS, "{timeout} ms");
}
