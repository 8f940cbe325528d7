//! Checks that the cases drive every state and every rule of the machine.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::all_runs;
use crate::machine::{Case, Run, definition};

/// Returns the states of a machine and of its branches, with their names.
pub fn states(machine: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, state) in machine["States"].as_object().unwrap() {
        found.push((name.clone(), state.clone()));
        found.extend(state["Branches"].as_array().into_iter().flatten().flat_map(states));
    }
    found
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Returns everything that a definition can do: its states, choices, and each error of its retries and catches.
fn possible(machine: &Value) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (name, state) in states(machine) {
        all.extend((0..list(&state["Choices"]).count()).map(|place| format!("{name}/Choices/{place}")));
        all.extend(state["Default"].is_string().then(|| format!("{name}/Default")));
        for kind in ["Retry", "Catch"] {
            for (place, rule) in list(&state[kind]).enumerate() {
                let errors = list(&rule["ErrorEquals"]);
                all.extend(errors.map(|error| format!("{name}/{kind}/{place}/{}", error.as_str().unwrap())));
            }
        }
        all.insert(name);
    }
    all
}

/// Returns the possible things that the runs did. An error that no rule names was matched by `States.ALL`.
fn driven(runs: &[(Case, Run)], possible: &BTreeSet<String>) -> BTreeSet<String> {
    let visited = runs.iter().flat_map(|(_, run)| run.visits.iter().map(|visit| visit.state.clone()));
    let taken = runs.iter().flat_map(|(_, run)| &run.taken).map(|taken| match taken.rsplit_once('/') {
        Some((rule, _)) if !possible.contains(taken) => format!("{rule}/States.ALL"),
        _ => taken.clone(),
    });
    visited.chain(taken).collect()
}

#[tokio::test]
async fn every_state_and_rule_is_driven_by_a_case() {
    let possible = possible(&definition());
    assert!(possible.len() > 80, "the test reads the definition wrongly: {possible:#?}");
    let driven = driven(all_runs().await, &possible);
    let idle: Vec<_> = possible.difference(&driven).collect();
    assert!(idle.is_empty(), "no case drives {idle:#?}");
    let unknown: Vec<_> = driven.difference(&possible).collect();
    assert!(unknown.is_empty(), "the definition has no {unknown:#?}");
}

#[tokio::test]
async fn a_rule_that_no_case_drives_is_found() {
    let mut machine = definition();
    machine["States"]["WriteState"]["Retry"][0]["ErrorEquals"].as_array_mut().unwrap().push("Lambda.New".into());
    let rule = serde_json::json!({"Condition": "{% false %}", "Next": "Done"});
    machine["States"]["Moved?"]["Choices"].as_array_mut().unwrap().push(rule);
    let possible = possible(&machine);
    let driven = driven(all_runs().await, &possible);
    let idle: Vec<_> = possible.difference(&driven).collect();
    assert_eq!(idle, ["Moved?/Choices/2", "WriteState/Retry/0/Lambda.New"]);
}
