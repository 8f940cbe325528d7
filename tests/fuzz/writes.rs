//! Fuzzes the input of `write-state`.

use aws_edge::stores::state::stored_from_item;
use aws_edge::task_input;
use breaker::contract::{Evaluation, Execution};
use breaker::{Content, Evidence, Expected, StateWrite, Stored, TransitionRequest, decide};
use proptest::prelude::*;
use serde_json::Value;

use crate::junk::{json, mutated};
use crate::states;
use crate::{Answer, fuzz, fuzz_both};

/// Returns the writes of evaluations.
fn good() -> Vec<Value> {
    let execution = Execution { arn: "arn:execution".to_owned(), name: "one".to_owned() };
    let (policy, now) = (states::policy(), states::now());
    let mut writes = Vec::new();
    for state in states::good() {
        for request in crate::commands::good() {
            let request = TransitionRequest::parse(request).unwrap();
            let expected = Expected::Version { version: state.version, epoch: state.epoch };
            let Ok(decision) = decide(&state, &policy, &request, &Evidence::default(), now) else { continue };
            let evaluation = Evaluation::of(decision, state.clone(), expected, &policy, &request, &execution, now);
            writes.extend(evaluation.write.map(|write| serde_json::to_value(write).unwrap()));
        }
    }
    assert!(writes.len() > 3, "only {} writes", writes.len());
    writes
}

fn check(input: Value) -> Result<Answer, TestCaseError> {
    let write: StateWrite = match task_input::typed(input) {
        Ok(write) => write,
        Err(error) => {
            prop_assert!(
                error.message.contains('`') || error.message.contains("expected struct StateWrite"),
                "{error}"
            );
            return Ok(Answer::Refused);
        }
    };
    match write.check() {
        Ok(()) => {
            let again: StateWrite = task_input::typed(serde_json::to_value(&write).unwrap()).unwrap();
            prop_assert_eq!(&again, &write);
            for item in write.items() {
                if let Content::State(state) = item.content {
                    let stored = stored_from_item(serde_dynamo::to_item(state).unwrap());
                    prop_assert_eq!(stored, Stored::State(Box::new(state.clone())), "what is written can be read");
                }
            }
            Ok(Answer::Taken)
        }
        Err(problem) => {
            prop_assert!(!problem.attribute.is_empty(), "no field is named: {problem}");
            Ok(Answer::Refused)
        }
    }
}

#[test]
fn any_json_is_a_write_or_refused_by_the_name_of_a_field() {
    fuzz(&json(), check);
}

#[test]
fn a_mutated_write_is_stored_or_refused_by_field() {
    fuzz_both(&mutated(good()), check);
}
