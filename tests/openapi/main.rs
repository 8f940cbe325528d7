//! Checks that the committed description of the API matches the Rust types.
//! `UPDATE_OPENAPI=1 cargo test --workspace --test openapi` writes it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod answers;
mod description;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use controller::ErrorCode as BreakerCode;
use serde_json::{Value, json};
use services::ErrorCode as ServiceCode;
use status::ErrorCode as StatusCode;

use description::description;

fn committed() -> PathBuf {
    local::folders::project().join("infrastructure/openapi.json")
}

#[test]
fn the_committed_description_is_that_of_the_types() {
    let expected = serde_json::to_string_pretty(&description()).unwrap() + "\n";
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        fs::write(committed(), &expected).unwrap();
    }
    let written = fs::read_to_string(committed()).unwrap_or_default();
    assert!(
        written == expected,
        "infrastructure/openapi.json differs: the head of this file has the command that writes it"
    );
}

/// Collects the values of all members called `name`, at any depth.
fn members<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            if key == name {
                found.push(value);
            }
            members(value, name, found);
        }),
        Value::Array(values) => values.iter().for_each(|value| members(value, name, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let description = description();
    let mut references = Vec::new();
    members(&description, "$ref", &mut references);
    let references: BTreeSet<&str> = references.into_iter().map(|reference| reference.as_str().unwrap()).collect();
    for reference in &references {
        assert!(description.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference} leads nowhere");
    }
    for kind in ["schemas", "headers", "parameters"] {
        for name in description["components"][kind].as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(references.contains(reference.as_str()), "{reference} is not used");
        }
    }
}

/// Returns the codes that the description gives for errors of a schema.
fn described_codes(schema: &str) -> BTreeSet<String> {
    let description = description();
    let mut parts = Vec::new();
    members(&description, "allOf", &mut parts);
    let of_schema = parts.into_iter().filter(|part| part[0]["$ref"] == format!("#/components/schemas/{schema}"));
    let codes = of_schema.flat_map(|part| part[1]["properties"]["error"]["enum"].as_array().unwrap());
    codes.map(|code| code.as_str().unwrap().to_owned()).collect()
}

/// Returns all codes of a type of codes. Those in `inside` never appear in the API's answers.
fn all_codes<T: schemars::JsonSchema>(inside: impl serde::Serialize) -> BTreeSet<String> {
    let schema = schemars::schema_for!(T);
    let variants = schema.as_value()["oneOf"].as_array().unwrap().clone();
    let codes = variants.iter().map(|variant| variant["const"].as_str().unwrap().to_owned());
    codes.filter(|code| json!(inside) != json!(code)).collect()
}

#[test]
fn every_error_that_a_caller_can_get_is_described() {
    // An HTTP API sends only its own events, so no caller gets these codes.
    assert_eq!(described_codes("BreakerError"), all_codes::<BreakerCode>(BreakerCode::BadEvent));
    assert_eq!(described_codes("StatusError"), all_codes::<StatusCode>(StatusCode::BadEvent));
    assert_eq!(described_codes("ServiceError"), all_codes::<ServiceCode>(ServiceCode::BadEvent));
}

#[test]
fn the_gateways_own_answers_are_described() {
    let description = description();
    let paths = description["paths"].as_object().unwrap();
    let operations = paths.values().flat_map(|path| ["get", "post"].into_iter().filter_map(|method| path.get(method)));
    for operation in operations {
        let id = &operation["operationId"];
        for status in ["401", "403", "413", "429", "500", "503", "504"] {
            let answer = &operation["responses"][status];
            let schema = answer["content"]["application/json"]["schema"].to_string();
            assert!(schema.contains("#/components/schemas/GatewayError"), "{id} {status}: {answer}");
            for (name, header) in answer["headers"].as_object().into_iter().flatten() {
                let header = description.pointer(header["$ref"].as_str().unwrap().trim_start_matches('#')).unwrap();
                assert_eq!(header.get("required"), None, "{id} {status} {name}");
            }
        }
        if operation["tags"][0] == "breaker" {
            continue;
        }
        let ok = operation["responses"]["200"]["headers"]["X-Routed-To"]["$ref"].as_str().unwrap();
        let ok = description.pointer(ok.trim_start_matches('#')).unwrap();
        assert_eq!(ok["required"], true, "{id}: the controller always sends it");
        assert!(ok["schema"]["enum"].as_array().unwrap().contains(&json!(controller::CONTROLLER)), "{id}");
    }
}
