//! What is read from the table: a state, or a sentence that names the attribute.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use breaker::{Policy, PolicySettings, SystemState};
use jiff::Timestamp;
use platform::state_store::{record_key, state_from_item};

fn state() -> SystemState {
    SystemState::initial(&Policy::new(PolicySettings::default()).unwrap(), Timestamp::UNIX_EPOCH)
}

fn item() -> HashMap<String, AttributeValue> {
    serde_dynamo::to_item(state()).unwrap()
}

#[test]
fn an_item_reads_back_as_the_state_that_was_written() {
    assert_eq!(state_from_item(item()), Ok(state()));
}

#[test]
fn attributes_that_nobody_knows_are_ignored() {
    let mut item = item();
    item.insert("fromTheFuture".to_owned(), AttributeValue::S("x".to_owned()));
    assert_eq!(state_from_item(item), Ok(state()));
}

#[test]
fn garbage_is_refused_by_the_attributes_name() {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let number = |number: &str| AttributeValue::N(number.to_owned());
    for (attribute, garbage) in [
        ("currentLevel", number("4")),
        ("currentLevel", text("two")),
        ("version", number("-1")),
        ("version", AttributeValue::Bool(true)),
        ("evidenceSince", text("yesterday")),
        ("lastTransition", number("5")),
        ("transitionReason", AttributeValue::Null(true)),
    ] {
        let mut item = item();
        item.insert(attribute.to_owned(), garbage);
        let error = state_from_item(item).unwrap_err().to_string();
        assert!(error.contains(attribute), "{attribute}: {error}");
    }
    let mut without = item();
    without.remove("epoch");
    assert!(state_from_item(without).unwrap_err().to_string().contains("epoch"));
}

#[test]
fn record_keys_sort_as_epochs_do() {
    assert_eq!(record_key(7), "transition#0000000007");
    assert!(record_key(99) < record_key(100));
}
