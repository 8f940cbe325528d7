//! The parameters: what may be set, within which bounds.

use std::collections::BTreeSet;
use std::fs;

use controller::LONGEST_SERVICE_TIMEOUT_MS;
use deployment_file::Effective;
use local::folders;
use platform::settings::Environment;
use serde_json::Value;

use crate::Template;

/// What the script takes from its options or derives from the code.
const DERIVED_BY_THE_SCRIPT: &[&str] = &["Environment", "ReleaseId"];

#[tokio::test]
async fn every_parameter_says_what_it_is_and_what_it_may_be() {
    for (name, parameter) in Template::plain().await.section("Parameters") {
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

/// What the template's parameters are for a file with this text.
fn parameters_of(text: &str) -> Vec<(String, String)> {
    Effective::read("a file", text, &[]).unwrap().parameters()
}

fn written(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[tokio::test]
async fn an_empty_file_gives_the_templates_defaults() {
    let template = Template::plain().await;
    let parameters = template.section("Parameters");
    for (name, value) in parameters_of("") {
        let parameter = parameters.get(name.as_str()).unwrap_or_else(|| panic!("no parameter {name}"));
        let default = written(&parameter["Default"]);
        let equal = match (value.parse::<f64>(), default.parse::<f64>()) {
            (Ok(value), Ok(default)) => (value - default).abs() < f64::EPSILON,
            _ => value == default,
        };
        assert!(equal, "{name}: the file's default is {value:?}, the template's {default:?}");
    }
}

#[tokio::test]
async fn a_file_decides_all_that_the_script_does_not() {
    let template = Template::plain().await;
    let decided: BTreeSet<_> = parameters_of("").into_iter().map(|(name, _)| name).collect();
    let all: BTreeSet<_> = template.section("Parameters").keys().map(ToString::to_string).collect();
    let left: Vec<_> = all.difference(&decided).map(String::as_str).collect();
    assert_eq!(left, DERIVED_BY_THE_SCRIPT);
}

#[tokio::test]
async fn the_shipped_files_have_values_that_the_template_takes() {
    let template = Template::plain().await;
    let parameters = template.section("Parameters");
    for name in ["dev", "prod"] {
        let text =
            fs::read_to_string(folders::project().join(format!("infrastructure/environments/{name}.toml"))).unwrap();
        for (name, value) in parameters_of(&text) {
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
