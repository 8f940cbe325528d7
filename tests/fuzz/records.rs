//! Fuzzes the records from which a repair restores the state.

use aws_edge::stores::state::last_known_of;
use aws_sdk_dynamodb::types::AttributeValue;
use breaker::{Expected, TransitionRequest, command_key, repair, transition_key};
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use crate::junk::name;
use crate::states::{Item, attribute, now, policy};
use crate::{Answer, fuzz, fuzz_both};

fn record(key: &str, version: u64, epoch: u64) -> Item {
    let number = |number: u64| AttributeValue::N(number.to_string());
    let members = [
        ("pk", AttributeValue::S(key.to_owned())),
        ("version", number(version)),
        ("epoch", number(epoch)),
        ("to", number(2)),
    ];
    members.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Generates lists of records, some of them with invalid attributes.
fn changed() -> impl Strategy<Value = Vec<Item>> {
    let sound = [
        record(&transition_key(0), 0, 0),
        record(&transition_key(3), 9, 3),
        record(&command_key("a"), 9, 3),
        record(&command_key("b"), 12, 3),
    ];
    let change = (select(vec!["pk", "version", "epoch", "to"]), proptest::option::weighted(0.8, attribute()));
    let one = (select(sound.to_vec()), vec(change, 0..=2)).prop_map(|(mut item, changes)| {
        for (name, value) in changes {
            match value {
                Some(value) => item.insert(name.to_owned(), value),
                None => item.remove(name),
            };
        }
        item
    });
    vec(one, 0..5)
}

/// Checks that a restored state is valid, can be repaired and written, and has no older epoch than any key.
fn check(records: Vec<Item>) -> Result<Answer, TestCaseError> {
    let keys = records.iter().filter_map(|item| item.get("pk")?.as_s().ok().cloned());
    let newest = keys.filter_map(|key| breaker::epoch_of_key(&key)).max();
    let none = records.is_empty();
    match last_known_of(records) {
        Ok(None) => prop_assert!(none),
        Ok(Some(known)) => {
            prop_assert_eq!(known.check(), Ok(()));
            prop_assert!(newest.is_none_or(|epoch| known.epoch >= epoch));
            repairs(known)?;
            return Ok(Answer::Taken);
        }
        Err(problem) => prop_assert!(problem.to_string().contains('`'), "no attribute is named: {problem}"),
    }
    Ok(Answer::Refused)
}

fn repairs(known: breaker::LastKnown) -> Result<(), TestCaseError> {
    let request = serde_json::json!({"trigger": "force", "targetLevel": 1, "reason": "x", "requestedBy": "y",
                                     "repair": true});
    let request = TransitionRequest::parse(request).unwrap();
    let TransitionRequest::Force(force) = &request else { unreachable!("it is a force") };
    let state = known.state(&policy(), now());
    let decision = repair(&state, &policy(), force, now()).unwrap();
    let execution = breaker::contract::Execution { arn: "arn".to_owned(), name: "one".to_owned() };
    let evaluation =
        breaker::contract::Evaluation::of(decision, state, Expected::Repair, &policy(), &request, &execution, now());
    let write = evaluation.write.unwrap();
    prop_assert_eq!(write.check(), Ok(()));
    Ok(())
}

#[test]
fn any_items_are_records_or_refused_by_attribute() {
    fuzz(&vec(hash_map(name(), attribute(), 0..5), 0..4), check);
}

#[test]
fn mutated_records_are_used_or_refused_by_attribute() {
    fuzz_both(&changed(), check);
}
