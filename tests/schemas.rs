//! Checks that the committed JSON Schemas match the Rust types. `UPDATE_SCHEMAS=1 cargo test --workspace --test schemas
//! --test report_schemas --test file --test scenarios` writes all schemas.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use breaker::contract::{Evaluation, EvaluationInput, MetricsEmitted, MetricsInput, StateWritten};
use breaker::{CommandRecord, StateWrite, SystemState, TransitionRecord, TransitionRequest};
use schemars::{Schema, schema_for};

const FOLDER: &str = "statemachines/schemas";

fn schemas() -> BTreeMap<&'static str, Schema> {
    BTreeMap::from([
        ("transition-request", schema_for!(TransitionRequest)),
        ("evaluate-thresholds-input", schema_for!(EvaluationInput)),
        ("evaluate-thresholds-output", schema_for!(Evaluation)),
        ("write-state-input", schema_for!(StateWrite)),
        ("write-state-output", schema_for!(StateWritten)),
        ("emit-metrics-input", schema_for!(MetricsInput)),
        ("emit-metrics-output", schema_for!(MetricsEmitted)),
        ("system-state", schema_for!(SystemState)),
        ("command-record", schema_for!(CommandRecord)),
        ("transition-record", schema_for!(TransitionRecord)),
    ])
}

#[test]
fn the_committed_schemas_are_those_of_the_types() {
    let update = std::env::var_os("UPDATE_SCHEMAS").is_some();
    for (name, schema) in schemas() {
        let path = Path::new(FOLDER).join(format!("{name}.json"));
        let expected = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if update {
            fs::write(&path, &expected).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(committed, expected, "{name} differs: the head of this file has the command that writes it");
    }
}

#[test]
fn there_is_no_schema_without_a_type() {
    let committed: BTreeSet<String> = fs::read_dir(FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(committed, schemas().keys().map(ToString::to_string).collect());
}

#[test]
fn a_writer_removes_every_attribute_that_a_state_may_lack() {
    let schema = schema_for!(SystemState);
    let required = schema.get("required").unwrap().as_array().unwrap();
    let properties = schema.get("properties").unwrap().as_object().unwrap().keys();
    let optional: Vec<_> = properties.filter(|name| !required.iter().any(|one| one == *name)).collect();
    // The back-off has a default, because old items lack it; new items always have it.
    let removed: Vec<_> = optional.into_iter().filter(|name| *name != "backoff").collect();
    assert_eq!(removed, SystemState::OPTIONAL);
}

/// Other published files whose descriptions come from doc comments.
const DESCRIPTIONS: [&str; 2] = ["infrastructure/openapi.json", "infrastructure/simulator/scenario.schema.json"];

#[test]
fn no_published_description_speaks_of_the_seed() {
    let schemas = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path());
    for path in schemas.chain(DESCRIPTIONS.map(Into::into)) {
        let text = fs::read_to_string(&path).unwrap().to_lowercase();
        let mut words = text.split(|character: char| !character.is_ascii_alphanumeric());
        // A reader of the interfaces does not know the name of the product that this one replaces.
        assert!(!words.any(|word| word == "seed" || word == "seeds"), "{}", path.display());
    }
}
