//! The parameters: what may be set, within which bounds.

use std::collections::BTreeSet;
use std::fs;

use controller::LONGEST_SERVICE_TIMEOUT_MS;
use local::folders;
use platform::settings::Environment;

use crate::Template;

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

#[tokio::test]
async fn the_environments_files_set_parameters_that_exist_to_values_that_are_allowed() {
    let template = Template::plain().await;
    let parameters = template.section("Parameters");
    let files: Vec<_> = fs::read_dir(folders::project().join("infrastructure/environments"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let names: BTreeSet<_> = files.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert!(names.is_superset(&["dev.parameters", "prod.parameters"].into()), "{names:?}");
    for path in &files {
        let text = fs::read_to_string(path).unwrap();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("{line} is not Name=Value"));
            let parameter = parameters.get(name).unwrap_or_else(|| panic!("no parameter {name}"));
            if let Some(allowed) = parameter["AllowedValues"].as_array() {
                let known = allowed
                    .iter()
                    .any(|allowed| allowed.as_str().map_or_else(|| allowed.to_string(), str::to_owned) == value);
                assert!(known, "{name} may not be {value}");
            }
            if parameter["Type"] == "Number" {
                let number: f64 = value.parse().unwrap();
                assert!(parameter["MinValue"].as_f64().is_none_or(|least| number >= least), "{line}");
                assert!(parameter["MaxValue"].as_f64().is_none_or(|most| number <= most), "{line}");
            }
        }
    }
    let prod = fs::read_to_string(folders::project().join("infrastructure/environments/prod.parameters")).unwrap();
    for line in [
        "ApiAuthorization=AWS_IAM",
        "GradualDeployment=true",
        "StateTableDeletionProtection=true",
        "FaultInjection=disabled",
    ] {
        assert!(prod.lines().any(|known| known == line), "prod.parameters does not say {line}");
    }
}

/// What a template's parameter says the most of a service's timeout is.
fn most_milliseconds(parameter: &serde_json::Value) -> u64 {
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
